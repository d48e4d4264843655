//! Something wrong in a file that an operator wrote: where it is, what it is, what to do.

use std::fmt;

/// One mistake in a configuration, policy or key file.
///
/// Printed as `FILE:LINE:COLUMN: what is wrong (hint: what to do)`; line and column are left out where there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    place: Box<str>,
    line: Option<usize>,
    column: Option<usize>,
    what: Box<str>,
    hint: Option<Box<str>>,
}

impl Mistake {
    /// A mistake in `place`: a file's path, or words such as `environment variable X`.
    pub fn new(place: impl Into<Box<str>>, what: impl Into<Box<str>>) -> Self {
        Self { place: place.into(), line: None, column: None, what: what.into(), hint: None }
    }

    /// The same, at a line counted from 1.
    #[must_use]
    pub fn at_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The same, at a column counted in characters from 1.
    #[must_use]
    pub fn at_column(self, column: usize) -> Self {
        Self { column: Some(column), ..self }
    }

    /// The same, with a sentence on what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<Box<str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The file, or the words that stand for one.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The column of that line, counted in characters from 1.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.column
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

/// Every mistake that was found, at least one: a reader reports all of them, not the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// `Err` with the mistakes if there are any, else `Ok(value)`.
    ///
    /// # Errors
    /// The mistakes, when the list is not empty.
    pub fn unless_any<T>(mistakes: Vec<Mistake>, value: T) -> Result<T, Self> {
        if mistakes.is_empty() { Ok(value) } else { Err(Self(mistakes)) }
    }

    /// The mistakes, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// The first of them, and how many more there are.
    #[must_use]
    pub fn in_short(&self) -> String {
        match self.0.as_slice() {
            [] => String::new(),
            [only] => only.to_string(),
            [first, more @ ..] => format!("{first} ({} more)", more.len()),
        }
    }

    /// These, and then `more`.
    #[must_use]
    pub fn and(mut self, more: Vec<Mistake>) -> Self {
        self.0.extend(more);
        self
    }

    /// The list itself.
    #[must_use]
    pub fn into_vec(self) -> Vec<Mistake> {
        self.0
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            let line_break = if n == 0 { "" } else { "\n" };
            write!(f, "{line_break}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The candidate that `word` was probably meant to be, if one is near enough to be worth a suggestion.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR_ENOUGH: f64 = 0.8;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_prints_place_line_and_hint() {
        let mistake = Mistake::new("gateway.toml", "unknown key `lisen`").at_line(3).hint("did you mean `listen`?");
        assert_eq!(mistake.to_string(), "gateway.toml:3: unknown key `lisen` (hint: did you mean `listen`?)");
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        assert_eq!(
            nearest("ci:CreateAsrBuckt", ["ci:CreateAsrBucket", "ci:DeleteAsrBucket"]),
            Some("ci:CreateAsrBucket")
        );
        assert_eq!(nearest("zzz", ["listen", "tls"]), None);
    }
}
