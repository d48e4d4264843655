//! One thing that was looked at, and how all of them are shown.

use std::fmt::Write;
use std::io::IsTerminal;

use serde_json::json;

use crate::cli::problems::counted;
use crate::config::no_colour;
use crate::domain::Mistake;

/// What a finding is about, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Config,
    Permissions,
    Clock,
    Dns,
    Tls,
    Keys,
    Jwks,
    Audit,
}

impl Section {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Permissions => "permissions",
            Self::Clock => "clock",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Keys => "keys",
            Self::Jwks => "jwks",
            Self::Audit => "audit",
        }
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Warning,
    Problem,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Problem => "\x1b[31m",
        }
    }
}

/// What was seen of one thing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) section: Section,
    pub(super) verdict: Verdict,
    pub(super) seen: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(section: Section, seen: impl Into<String>) -> Self {
        Self { section, verdict: Verdict::Ok, seen: seen.into(), hint: None }
    }

    pub(super) fn warning(section: Section, seen: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { section, verdict: Verdict::Warning, seen: seen.into(), hint: Some(hint.into()) }
    }

    pub(super) fn problem(section: Section, seen: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { section, verdict: Verdict::Problem, seen: seen.into(), hint: Some(hint.into()) }
    }

    /// A mistake in a file: its place and what it is, and its hint by itself.
    pub(super) fn mistake(section: Section, mistake: &Mistake) -> Self {
        let hint = mistake.hint_text().map_or_else(|| "mend the file that is named".to_owned(), ToOwned::to_owned);
        let bare = [Some(mistake.place().to_owned()), mistake.line().map(|line| line.to_string())];
        let place = bare.into_iter().flatten().collect::<Vec<_>>().join(":");
        Self::problem(section, format!("{place}: {}", mistake.what()), hint)
    }
}

/// For programs: one object a line.
pub(super) fn lines(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let Finding { section, verdict, seen, hint } = finding;
        format!("{}\n", json!({ "section": section.as_str(), "verdict": verdict.as_str(), "seen": seen, "hint": hint }))
    };
    findings.iter().map(line).collect()
}

/// For people: a line for each, its hint below it, and how many there are to see to.
pub(super) fn table(findings: &[Finding]) -> String {
    shown(findings, std::io::stdout().is_terminal() && !no_colour())
}

fn shown(findings: &[Finding], colour: bool) -> String {
    let mut text = String::new();
    let mut last = None;
    for Finding { section, verdict, seen, hint } in findings {
        let name = if last.replace(*section) == Some(*section) { "" } else { section.as_str() };
        let (on, off) = if colour { (verdict.colour(), "\x1b[0m") } else { ("", "") };
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{name:<13}{on}{:<9}{off}{seen}", verdict.as_str());
        if let Some(hint) = hint {
            let _written = writeln!(text, "{:<22}→ {hint}", "");
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    let _written = writeln!(text, "\n{}, {}", counted(problems, "problem"), counted(warnings, "warning"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> [Finding; 3] {
        [
            Finding::ok(Section::Config, "gateway.toml"),
            Finding::mistake(Section::Config, &Mistake::new("p.toml", "broken").at_line(3).hint("mend it")),
            Finding::warning(Section::Audit, "little space", "make room"),
        ]
    }

    #[test]
    fn a_section_is_named_once_and_a_hint_stands_below_its_finding() {
        let expected = "config       ok       gateway.toml\n             problem  p.toml:3: broken\n\
                        \x20                     → mend it\naudit        warning  little space\n\
                        \x20                     → make room\n\n1 problem, 1 warning\n";
        assert_eq!(shown(&findings(), false), expected);
        assert!(shown(&findings(), true).contains("\x1b[31mproblem  \x1b[0mp.toml"));
    }

    #[test]
    fn a_program_reads_one_object_a_line() {
        let lines = lines(&findings());
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({"section": "config", "verdict": "ok", "seen": "gateway.toml", "hint": null}));
        assert_eq!((lines[1]["verdict"].as_str(), lines[2]["section"].as_str()), (Some("problem"), Some("audit")));
    }
}
