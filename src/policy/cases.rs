//! The tests of a policy: questions with the decisions that their author expects.

mod reader;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Context, Explanation, Format, Policy, Resource, Verdict};
use crate::domain::{Action, Bucket, Caller, Mistakes, Region, nearest};

/// The cases of one file, at least one.
#[derive(Debug)]
pub struct Cases(Box<[Case]>);

/// One question and the expected decision.
#[derive(Debug)]
pub struct Case {
    name: Box<str>,
    line: usize,
    caller: Caller,
    action: Action,
    bucket: Bucket,
    region: Region,
    context: Context,
    expected: Expected,
}

/// The decision that a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `permit` or `denied`.
    pub permit: bool,
    /// The name of the statement that decides; `None` if any may.
    pub statement: Option<Box<str>>,
}

impl Expected {
    /// `permit` or `denied`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        if self.permit { Verdict::Permit.as_str() } else { Verdict::DeniedByDefault.as_str() }
    }
}

impl Cases {
    /// Reads a file of cases; `now` is the time of those that name none, and `place` the name under which mistakes are
    /// reported.
    ///
    /// # Errors
    /// Every mistake that was found, each with its line, its column and a hint. A file without a case is one.
    pub fn parse(text: &str, place: &str, format: Format, now: Timestamp) -> Result<Self, Mistakes> {
        reader::read(text, place, format, now).map(|cases| Self(cases.into()))
    }

    /// Asks `policy` every question.
    #[must_use]
    pub fn ask<'c>(&'c self, policy: &Policy) -> Report<'c> {
        let all: Vec<Listed> = policy.inventory().collect();
        let mut names: Vec<&str> = all.iter().map(|listed| &*listed.name).collect();
        names.sort_unstable();
        let answers: Vec<_> = self.0.iter().map(|case| case.ask(policy, &names)).collect();
        let touched: HashSet<&str> = answers.iter().flat_map(Answer::touched).collect();
        let statements = all.len();
        let untouched = all.into_iter().filter(|statement| !touched.contains(&*statement.name)).collect();
        Report { answers, statements, untouched }
    }
}

impl Case {
    /// Its name; unique in its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line at which it stands, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What it expects.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// `names` are those of the policy's statements, sorted.
    fn ask(&self, policy: &Policy, names: &[&str]) -> Answer<'_> {
        let resource = Resource::bucket(&self.bucket, &self.region);
        let explanation = policy.explain(&self.caller, self.action, &resource, &self.context);
        let wanted = self.expected.statement.as_deref();
        let hint = wanted.and_then(|wanted| no_such_statement(wanted, names));
        Answer { case: self, explanation, hint }
    }
}

/// A statement of a policy, or a line of its `[users]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in decisions.
    pub name: Arc<str>,
    /// Its file and line; `None` for a line of `[users]`.
    pub stands: Option<(Arc<str>, usize)>,
}

/// What a policy answered to its cases.
#[derive(Debug)]
pub struct Report<'c> {
    /// In the order of the file.
    pub answers: Vec<Answer<'c>>,
    /// How many statements the policy has, and lines of `[users]`.
    pub statements: usize,
    /// The statements that took part in no answer, in the order of the policy.
    pub untouched: Vec<Listed>,
}

impl<'c> Report<'c> {
    /// The answers that are not as expected.
    pub fn failures(&self) -> impl Iterator<Item = &Answer<'c>> {
        self.answers.iter().filter(|answer| !answer.is_as_expected())
    }
}

/// What a policy answered to one case.
#[derive(Debug)]
pub struct Answer<'c> {
    /// The case.
    pub case: &'c Case,
    /// The decision, and how it came about.
    pub explanation: Explanation,
    /// What to do if the case expects a statement that the policy does not have.
    pub hint: Option<String>,
}

impl Answer<'_> {
    /// Whether the decision, and the statement if the case names one, are as expected.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        let decision = self.explanation.decision();
        let Expected { permit, statement } = &self.case.expected;
        let permitted = decision.verdict() == Verdict::Permit;
        permitted == *permit && statement.as_deref().is_none_or(|wanted| decision.statement() == Some(wanted))
    }

    /// The statements that had a say.
    fn touched(&self) -> impl Iterator<Item = &str> {
        self.explanation.parts().iter().filter(|part| part.takes_part).map(|part| &*part.statement)
    }
}

impl Policy {
    /// Every statement once, and every line of `[users]`.
    fn inventory(&self) -> impl Iterator<Item = Listed> {
        let mut seen = HashSet::new();
        let statements = self.statements.iter().map(|statement| Listed {
            name: Arc::clone(&statement.name),
            stands: Some((Arc::clone(&statement.place), statement.line)),
        });
        let lines = self.index.short_forms().map(|name| Listed { name: Arc::clone(name), stands: None });
        // A document that is attached twice has the same statements twice.
        statements.chain(lines).filter(move |listed| seen.insert(Arc::clone(&listed.name)))
    }
}

/// What to say to a case that names a statement that is not one of the sorted `names`.
fn no_such_statement(wanted: &str, names: &[&str]) -> Option<String> {
    if names.binary_search(&wanted).is_ok() {
        return None;
    }
    Some(match nearest(wanted, names.iter().copied()) {
        Some(name) => format!("no statement is called `{wanted}`; did you mean `{name}`?"),
        None => format!("no statement is called `{wanted}`"),
    })
}
