//! The `condition` of a statement, compiled: when it takes part.
//!
//! Values of one key are OR, keys are AND, operators are AND. A claim that is missing does not fit what is asked for
//! ("equal" is not met, in an allow as in a deny). Where that would be a guess (a missing claim and "not equal", a value of
//! the wrong type, an address that nobody knows) the result is [`Met::Unclear`]: an allow grants nothing, a deny denies.
//! Source: <https://cloud.tencent.com/document/product/598/10608>.

mod key;
mod operator;
mod wanted;

use core::net::IpAddr;
use std::fmt;

use jiff::Timestamp;

use crate::domain::Claim;

use super::question::Question;

pub(super) use key::Key;
pub(super) use operator::Operator;
pub(super) use wanted::{Kind, Unreadable, Wanted, Written};

use key::Found;
use operator::Quantifier;
use wanted::Value;

/// Whether a condition holds for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No,
    /// The request has nothing that could be compared.
    Unclear,
}

impl Met {
    fn from(fits: Option<bool>) -> Self {
        match fits {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unclear,
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unclear => Self::Unclear,
        }
    }

    fn any(all: impl Iterator<Item = Self>) -> Self {
        let mut result = Self::No;
        for met in all {
            match met {
                Self::Yes => return Self::Yes,
                Self::No => {}
                Self::Unclear => result = Self::Unclear,
            }
        }
        result
    }

    fn all(all: impl Iterator<Item = Self>) -> Self {
        Self::any(all.map(Self::negated)).negated()
    }
}

/// One operator on one key: the smallest part of a condition.
#[derive(Debug)]
pub(super) struct Test {
    operator: Operator,
    key: Key,
    wanted: Wanted,
    /// As it is written, for people: `ip_equal qcs:ip = ["10.0.0.0/8"]`.
    text: Box<str>,
}

impl Test {
    pub(super) fn new(operator: Operator, key: Key, wanted: Wanted, values: &str) -> Self {
        let text = format!("{operator} {key} = [{values}]").into();
        Self { operator, key, wanted, text }
    }

    fn ends(&self) -> Option<Timestamp> {
        match (&self.key, &self.wanted) {
            (Key::CurrentTime, Wanted::Time(order, moments)) if order.ends() && !self.operator.negated => {
                moments.iter().max().copied()
            }
            (Key::Ip | Key::CurrentTime | Key::Claim(_), _) => None,
        }
    }

    /// Whether it holds for `question`.
    fn met(&self, question: &Question<'_>) -> Met {
        self.met_by(self.key.find(question))
    }

    /// Whether it holds for every request from `ip` at `now`; `None` if that is not known of it, or depends on the
    /// caller.
    pub(super) fn settled(&self, ip: Option<IpAddr>, now: Option<Timestamp>) -> Option<Met> {
        let value = match &self.key {
            Key::Ip => Value::Ip(ip?.to_canonical()),
            Key::CurrentTime => Value::Time(now?),
            Key::Claim(_) => return None,
        };
        Some(self.met_by(Found::One(value)))
    }

    fn met_by(&self, found: Found<'_>) -> Met {
        match (found, &self.wanted) {
            (Found::Unknown, _) => Met::Unclear,
            (found, Wanted::Absent(absent)) => Met::from(Some(matches!(found, Found::Nothing) == *absent)),
            (Found::Nothing, _) => self.without_value(),
            (Found::One(value), _) => self.compared(value),
            (Found::Several(list), _) => self.over(list),
        }
    }

    /// A request without the key: CAM's `_if_exist` is met. Of the others, "equal" is not met, and "not equal" is
    /// not known, as the author thought of some value.
    fn without_value(&self) -> Met {
        match (self.operator.if_exist, self.operator.negated) {
            (true, _) => Met::Yes,
            (false, false) => Met::No,
            (false, true) => Met::Unclear,
        }
    }

    fn compared(&self, value: Value<'_>) -> Met {
        let met = Met::from(self.wanted.fits(value));
        if self.operator.negated { met.negated() } else { met }
    }

    fn over(&self, list: &[Claim]) -> Met {
        let each = list.iter().map(|claim| self.compared(Value::Claim(claim)));
        match (self.operator.quantifier, self.operator.negated) {
            (Quantifier::AnyValue, _) | (Quantifier::None, false) => Met::any(each),
            (Quantifier::AllValues, _) | (Quantifier::None, true) => Met::all(each),
        }
    }

    /// As it is written, with its values in one order: tests with the same text hold for the same requests.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first part of a condition that stands in the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Obstacle<'c> {
    NotMet(&'c Test),
    Unclear(&'c Test),
}

/// All that has to hold; empty, it always does.
#[derive(Debug, Default)]
pub(super) struct Condition(Box<[Test]>);

impl Condition {
    /// In the order of their texts, so that conditions can be compared by them.
    pub(super) fn new(mut tests: Vec<Test>) -> Self {
        tests.sort_by(|a, b| a.text.cmp(&b.text));
        Self(tests.into())
    }

    /// The moment after which it never holds again, if it names one: by a `date_less_than` and its like on
    /// `qcs:current_time`.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(Test::ends).min()
    }

    /// Its parts, in the order of their texts.
    pub(super) fn tests(&self) -> &[Test] {
        &self.0
    }

    /// Whether all of it holds; what does not hold comes before what is unclear.
    pub(super) fn met(&self, question: &Question<'_>) -> Result<(), Obstacle<'_>> {
        let mut result = Ok(());
        for test in &self.0 {
            match test.met(question) {
                Met::Yes => {}
                Met::No => return Err(Obstacle::NotMet(test)),
                Met::Unclear => result = result.and(Err(Obstacle::Unclear(test))),
            }
        }
        result
    }
}
