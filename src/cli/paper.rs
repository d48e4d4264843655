//! What commands for people print on: columns that line up, and colour where a terminal shows it.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use crate::cli::status::{Status, complain};
use crate::config::no_colour;

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

/// A piece of a line.
pub(super) type Cell = (Ink, String);

/// Standard output, with or without colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paper {
    colour: bool,
}

impl Paper {
    /// With colour if standard output is a terminal and nobody has asked for none.
    pub(super) fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal() && !no_colour() }
    }

    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Red => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The rows, one a line, each column as wide as its widest cell; the last ends where its text ends.
    pub(super) fn table(self, rows: &[Vec<Cell>]) -> String {
        let widths = widths(rows);
        let mut table = String::new();
        for row in rows {
            table.push_str(&self.line(row, &widths));
            table.push('\n');
        }
        table
    }

    fn line(self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for ((ink, text), width) in row.iter().zip(widths) {
            if !text.is_empty() {
                line.push_str(&" ".repeat(owed));
                line.push_str(&self.ink(*ink, text));
                owed = 0;
            }
            owed += width + 2 - text.chars().count();
        }
        line
    }
}

fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|(_, text)| text.chars().count()).max();
    (0..columns).map(|column| width(column).unwrap_or(0)).collect()
}

/// Prints `text` as it is, and gives the status that goes with it: [`Status::Failure`] if it could not be written.
pub(super) fn print(text: &str, status: Status) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever closed the pipe does not want to read on; the status still tells.
        Err(why) if why.kind() != ErrorKind::BrokenPipe => {
            complain(Status::Failure, format_args!("standard output cannot be written: {why}"))
        }
        Ok(()) | Err(_) => status.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(cells: &[&str]) -> Vec<Cell> {
        cells.iter().map(|text| (Ink::Plain, (*text).to_owned())).collect()
    }

    #[test]
    fn columns_line_up_and_lines_end_where_their_text_ends() {
        let rows = [plain(&["a", "bb", "c"]), plain(&["李雷", "", "ddd"]), plain(&["", "", ""]), plain(&["x"])];
        let table = Paper { colour: false }.table(&rows);
        assert_eq!(table, "a   bb  c\n李雷      ddd\n\nx\n");
    }

    #[test]
    fn colour_changes_no_width_and_is_left_out_where_nothing_shows_it() {
        let rows = [vec![(Ink::Red, "no".to_owned()), (Ink::Bold, "b".to_owned())], plain(&["long", "c"])];
        assert_eq!(Paper { colour: true }.table(&rows), "\x1b[31mno\x1b[0m    \x1b[1mb\x1b[0m\nlong  c\n");
        assert_eq!(Paper { colour: false }.table(&rows), "no    b\nlong  c\n");
    }
}
