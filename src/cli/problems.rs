//! Mistakes in an operator's files, as the commands tell them.

use std::fmt;
use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use crate::config::no_colour;
use crate::domain::Mistake;

/// Tells the problems on standard error, a line for each and then their number.
pub(super) fn tell(problems: &[Mistake]) {
    let err = std::io::stderr();
    let colour = err.is_terminal() && !no_colour();
    // Whoever closed the pipe does not want to read on; the status still tells.
    let _told = write!(err.lock(), "{}", Problems { problems, colour });
}

/// One problem for programs.
pub(super) fn as_json(problem: &Mistake) -> Value {
    json!({
        "place": problem.place(),
        "line": problem.line(),
        "column": problem.column(),
        "what": problem.what(),
        "hint": problem.hint_text(),
    })
}

/// `no problems`, `1 problem`, `2 problems`.
pub(super) fn counted(n: usize, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

struct Problems<'a> {
    problems: &'a [Mistake],
    colour: bool,
}

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (red, plain) = if self.colour { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        for problem in self.problems {
            writeln!(f, "{problem}")?;
        }
        writeln!(f, "{red}{}{plain}", counted(self.problems.len(), "problem"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_stand_one_a_line_and_are_counted() {
        let problems = [Mistake::new("a.toml", "x").at_line(3).at_column(7).hint("y"), Mistake::new("b", "z")];
        let shown = |problems, colour| Problems { problems, colour }.to_string();
        assert_eq!(shown(&problems, false), "a.toml:3:7: x (hint: y)\nb: z\n2 problems\n");
        assert_eq!(shown(&problems[..1], true), "a.toml:3:7: x (hint: y)\n\x1b[31m1 problem\x1b[0m\n");
        assert_eq!(
            as_json(&problems[1]),
            json!({"place": "b", "line": null, "column": null, "what": "z", "hint": null})
        );
    }
}
