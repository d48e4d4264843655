//! The parts that our own statements and those of attached documents have in common.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::document::{Node, Texts, Value};
use super::super::findings::{Flaw, Unusable};
use super::super::principal::Principal;
use super::super::resource::Pattern;
use super::super::review::Weight;
use super::super::statement::Effect;
use super::Reader;

const EFFECTS: &str = "write `allow` or `deny`";

/// Who wrote a statement, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// We, for this gateway: what cannot be used is a mistake.
    Own,
    /// Someone, for CAM, where it means more than it can mean here.
    Attached(Effect),
}

/// Finds lines of places that mostly come in order, without a table of all lines.
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of byte `at`, from 1.
    pub(super) fn line(&mut self, at: usize) -> usize {
        if at < self.at {
            *self = Self::of(self.text);
        }
        let passed = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = at;
        self.line
    }
}

/// A table that needs certain keys: what it is called, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) kind: &'static str,
    pub(super) at: usize,
}

impl Owner {
    pub(super) fn statement(at: usize) -> Self {
        Self { kind: "statement", at }
    }
}

impl<'t> Reader<'_, '_, 't> {
    pub(super) fn required(&mut self, owner: Owner, key: &str, hint: &str, node: Option<Node<'t>>) -> Option<Node<'t>> {
        if node.is_none() {
            self.findings.add(owner.at, Flaw::new(format!("the {} has no `{key}`", owner.kind), hint));
        }
        node
    }

    /// The strings under `key`, at least one: a deny for no one or of nothing is surely not what was meant.
    pub(super) fn some(&mut self, owner: Owner, key: &str, hint: &str, node: Option<Node<'t>>) -> Texts<'t> {
        let Some(node) = self.required(owner, key, hint, node) else { return Texts::new() };
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            self.findings.add(node.at, Flaw::new(format!("the list of `{key}` is empty"), hint));
        }
        node.texts(key, hint, self.findings)
    }

    pub(super) fn effect(&mut self, owner: Owner, node: Option<Node<'t>>) -> Option<Effect> {
        let (at, text) = self.required(owner, "effect", EFFECTS, node)?.text("effect", EFFECTS, self.findings)?;
        self.findings.check(at, Effect::parse(&text))
    }

    pub(super) fn principals<'x>(&mut self, texts: &'x Texts<'t>) -> Vec<Principal<'x>> {
        texts.iter().filter_map(|(at, text)| self.findings.check(*at, Principal::parse(text))).collect()
    }

    pub(super) fn patterns(&mut self, texts: Texts<'t>, standing: Standing) -> Box<[Arc<Pattern>]> {
        texts.into_iter().filter_map(|(at, text)| self.pattern(at, text, standing)).collect()
    }

    fn pattern(&mut self, at: usize, text: Cow<'t, str>, standing: Standing) -> Option<Arc<Pattern>> {
        if let Some(known) = self.patterns.get(&text) {
            return Some(Arc::clone(known));
        }
        let pattern = Arc::new(self.usable(at, standing, Pattern::parse(&text))?);
        self.patterns.insert(text, Arc::clone(&pattern));
        Some(pattern)
    }

    /// The value if it can be used. In an attached document an allow may say more than can be evaluated here, and then
    /// grants less; a deny may not, as it would deny less.
    pub(super) fn usable<T>(&mut self, at: usize, standing: Standing, result: Result<T, Unusable>) -> Option<T> {
        let unusable = match result {
            Ok(value) => return Some(value),
            Err(unusable) => unusable,
        };
        match (standing, unusable) {
            (Standing::Own, any) => self.findings.add(at, any.into_flaw()),
            (Standing::Attached(_), Unusable::Wrong(flaw)) => self.findings.add(at, flaw),
            (Standing::Attached(_), Unusable::Foreign(_)) => {}
            (Standing::Attached(_), Unusable::Never(flaw)) => self.findings.remark(at, Weight::Note, flaw),
            (Standing::Attached(Effect::Allow), Unusable::Unclear(flaw)) => {
                self.findings.remark(at, Weight::Note, flaw.after("this allow grants nothing here"));
            }
            (Standing::Attached(Effect::Deny), Unusable::Unclear(flaw)) => {
                self.findings.add(at, flaw.after("this deny would deny nothing here"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_forwards_and_backwards() {
        let mut lines = Lines::of("a\nb\n\nc");
        assert_eq!([0, 1, 2, 4, 5, 2, 0, 5].map(|at| lines.line(at)), [1, 1, 2, 3, 4, 2, 1, 4]);
    }
}
