//! Our own statements.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::document::{Field, Node, Value};
use super::super::findings::{Flaw, quoted};
use super::super::principal;
use super::super::resource;
use super::super::statement::{Statement, check_id, instant};
use super::parts::{Owner, Standing};
use super::{ACTIONS, Reader};

const KEYS: [&str; 7] = ["id", "effect", "principal", "action", "resource", "condition", "not_after"];

/// The values of one statement, by key.
#[derive(Default)]
struct Raw<'t> {
    id: Option<Node<'t>>,
    effect: Option<Node<'t>>,
    principal: Option<Node<'t>>,
    action: Option<Node<'t>>,
    resource: Option<Node<'t>>,
    condition: Option<Node<'t>>,
    not_after: Option<Node<'t>>,
}

impl<'t> Reader<'_, '_, 't> {
    pub(super) fn statement(&mut self, node: Node<'t>) {
        let (at, position) = (node.at, self.build.next());
        let owner = Owner::statement(at);
        let raw = self.raw(node);
        let name = self.name(raw.id, position);
        let effect = self.effect(owner, raw.effect);
        let principals = self.some(owner, "principal", principal::SPELLING, raw.principal);
        let actions = self.some(owner, "action", ACTIONS, raw.action);
        let actions = self.actions(&actions);
        let resources = self.some(owner, "resource", resource::SPELLING, raw.resource);
        let resources = self.patterns(resources, Standing::Own);
        let condition = raw.condition.and_then(|node| self.condition(node, Standing::Own)).flatten();
        let not_after = raw.not_after.and_then(|node| self.time(&node));
        // Without its effect the statement is a mistake, and the policy is refused.
        let Some(effect) = effect else { return };
        let (place, line) = (Arc::clone(&self.place), self.lines.line(at));
        let statement = Statement { name, position, place, line, effect, actions, resources, condition, not_after };
        let principals = self.principals(&principals);
        self.build.add(principals, statement);
    }

    fn raw(&mut self, node: Node<'t>) -> Raw<'t> {
        let mut raw = Raw::default();
        for Field { key, at, node } in node.fields("statement", self.findings) {
            match &*key {
                "id" => raw.id = Some(node),
                "effect" => raw.effect = Some(node),
                "principal" => raw.principal = Some(node),
                "action" => raw.action = Some(node),
                "resource" => raw.resource = Some(node),
                "condition" => raw.condition = Some(node),
                "not_after" => raw.not_after = Some(node),
                unknown => self.findings.add(at, Flaw::unknown("key", unknown, &KEYS)),
            }
        }
        raw
    }

    fn name(&mut self, id: Option<Node<'t>>, position: usize) -> Arc<str> {
        let unnamed = || Arc::from(format!("statement {position}"));
        let Some((at, id)) = id.and_then(|node| node.text("id", "write a name that is yours alone", self.findings))
        else {
            return unnamed();
        };
        let Some(id) = self.checked(at, &id) else { return unnamed() };
        if let Err(first) = self.build.take_id(&id, at) {
            let (first, _) = self.findings.position(first);
            let what = format!("the id {} is used a second time", quoted(&id));
            self.findings.add(at, Flaw::new(what, format!("the first is on line {first}; ids are unique")));
        }
        id
    }

    fn checked(&mut self, at: usize, id: &str) -> Option<Arc<str>> {
        self.findings.check(at, check_id(id)).map(Arc::from)
    }

    /// A TOML date and time, or a string with one: JSON has no other way.
    fn time(&mut self, node: &Node<'t>) -> Option<Timestamp> {
        const HINT: &str = "write it with its offset from UTC, as in `2027-01-31T00:00:00Z`";
        let time = match &node.value {
            Value::Time(time) => instant(time),
            Value::Text(text) => text.parse().ok().and_then(|time| instant(&time)),
            Value::Number(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
                self.findings.add(node.at, node.instead_of("not_after", "a date and time", HINT));
                return None;
            }
        };
        let flaw = || Flaw::new("`not_after` is not one moment for everyone", HINT);
        self.findings.check(node.at, time.ok_or_else(flaw))
    }
}
