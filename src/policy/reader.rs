//! A policy's tree becomes the index: every key checked, every mistake noted where it stands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::actions::Actions;
use super::document::{Field, Node, Texts, Value};
use super::findings::{Findings, Flaw, quoted};
use super::index::{Draft, Entry, Index};
use super::principal::{self, Principal};
use super::resource::{self, Pattern};
use super::statement::{Effect, Statement, check_id, instant};

const SECTIONS: [&str; 4] = ["version", "groups", "users", "statement"];
const KEYS: [&str; 6] = ["id", "effect", "principal", "action", "resource", "not_after"];

const EFFECTS: &str = "write `allow` or `deny`";
const ACTIONS: &str = "write names such as `ci:CreateAsrBucket`, or `ci:*`";
const MEMBERS: &str = "write the users' names, as in `[\"alice\", \"bob\"]`";

/// The index of a policy and the number of its statements; not to be used if there are findings.
pub(super) fn read(root: Node<'_>, findings: &mut Findings<'_>) -> (Index, usize) {
    let (mut version, mut groups, mut users, mut statements) = (None, None, None, None);
    for field in root.fields("policy", findings) {
        match &*field.key {
            "version" => version = Some(field.node),
            "groups" => groups = Some(field.node),
            "users" => users = Some(field.node),
            "statement" => statements = Some(field.node),
            "attachment" => {
                findings.add(field.at, not_yet("[[attachment]]", "write the document's statements as `[[statement]]`"))
            }
            unknown => findings.add(field.at, Flaw::unknown("key", unknown, &SECTIONS)),
        }
    }
    check_version(version, statements.is_some(), findings);
    let mut reader =
        Reader { findings, draft: Draft::default(), ids: HashMap::new(), patterns: HashMap::new(), count: 0 };
    if let Some(statements) = statements {
        reader.statements(statements);
    }
    if let Some(users) = users {
        reader.users(users);
    }
    let members = groups.map(|groups| reader.members(groups)).unwrap_or_default();
    let members = members.iter().flat_map(|(group, users)| users.iter().map(|(_, user)| (&**group, &**user)));
    (reader.draft.finish(members), reader.count)
}

/// The version says by whose rules statements are read; the short form `[users]` alone needs none.
fn check_version(version: Option<Node<'_>>, needed: bool, findings: &mut Findings<'_>) {
    const HINT: &str =
        "the language has one version: write `version = \"2.0\"` (JSON: `\"version\": \"2.0\"`) at the top";
    match version {
        Some(node) => match node.text("version", HINT, findings) {
            Some((at, text)) if text != "2.0" => {
                findings.add(at, Flaw::new(format!("unknown version {}", quoted(&text)), HINT));
            }
            Some(_) | None => {}
        },
        None if needed => findings.add(0, Flaw::new("a policy with statements needs its `version`", HINT)),
        None => {}
    }
}

/// The refusal of what a later build will evaluate: to skip it would change who may do what.
fn not_yet(what: &str, instead: &str) -> Flaw {
    Flaw::new(format!("this build does not evaluate `{what}` yet"), format!("{instead}, or remove it"))
}

struct Reader<'f, 'p, 't> {
    findings: &'f mut Findings<'p>,
    draft: Draft,
    /// The ids so far, and where they stand.
    ids: HashMap<Arc<str>, usize>,
    /// The resources so far: a policy of many grants repeats a few.
    patterns: HashMap<Cow<'t, str>, Arc<Pattern>>,
    count: usize,
}

/// The values of one statement, by key.
#[derive(Default)]
struct Raw<'t> {
    id: Option<Node<'t>>,
    effect: Option<Node<'t>>,
    principal: Option<Node<'t>>,
    action: Option<Node<'t>>,
    resource: Option<Node<'t>>,
    not_after: Option<Node<'t>>,
}

impl<'t> Reader<'_, '_, 't> {
    /// A list, or as in many of CAM's own documents a single one.
    fn statements(&mut self, node: Node<'t>) {
        match node.value {
            Value::List(items) => items.into_iter().for_each(|item| self.statement(item)),
            Value::Table(_) | Value::Text(_) | Value::Time(_) | Value::Other(_) => self.statement(node),
        }
    }

    fn statement(&mut self, node: Node<'t>) {
        self.count += 1;
        let (at, position) = (node.at, self.count);
        let raw = self.raw(node);
        let name = self.name(raw.id, position);
        let effect = self.required(at, "effect", EFFECTS, raw.effect).and_then(|node| self.effect(node));
        let principals = self.some(at, "principal", principal::SPELLING, raw.principal);
        let actions = self.some(at, "action", ACTIONS, raw.action);
        let actions = self.actions(actions);
        let resources = self.some(at, "resource", resource::SPELLING, raw.resource);
        let resources = resources.into_iter().filter_map(|(at, text)| self.pattern(at, text)).collect();
        let not_after = raw.not_after.and_then(|node| self.time(&node));
        // Without its effect the statement is a mistake, and the policy is refused.
        let Some(effect) = effect else { return };
        let entry = Entry::new(effect, actions, Statement::new(name, position, resources, not_after));
        for (at, text) in principals {
            if let Some(principal) = self.findings.check(at, Principal::parse(&text)) {
                self.draft.add(principal, entry.clone());
            }
        }
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
                "not_after" => raw.not_after = Some(node),
                "condition" => self.findings.add(at, not_yet("condition", "name principals and resources instead")),
                unknown => self.findings.add(at, Flaw::unknown("key", unknown, &KEYS)),
            }
        }
        raw
    }

    fn required(&mut self, at: usize, key: &str, hint: &str, node: Option<Node<'t>>) -> Option<Node<'t>> {
        if node.is_none() {
            self.findings.add(at, Flaw::new(format!("the statement has no `{key}`"), hint));
        }
        node
    }

    /// The strings under `key`, at least one: a deny for no one or of nothing is surely not what was meant.
    fn some(&mut self, at: usize, key: &str, hint: &str, node: Option<Node<'t>>) -> Texts<'t> {
        let Some(node) = self.required(at, key, hint, node) else { return Texts::new() };
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            self.findings.add(node.at, Flaw::new(format!("the list of `{key}` is empty"), hint));
        }
        node.texts(key, hint, self.findings)
    }

    fn name(&mut self, id: Option<Node<'t>>, position: usize) -> Arc<str> {
        let unnamed = || Arc::from(format!("statement {position}"));
        let Some((at, id)) = id.and_then(|node| node.text("id", "write a name that is yours alone", self.findings))
        else {
            return unnamed();
        };
        let Some(id) = self.findings.check(at, check_id(&id)).map(Arc::<str>::from) else { return unnamed() };
        if let Some(first) = self.ids.insert(Arc::clone(&id), at) {
            let what = format!("the id {} is used a second time", quoted(&id));
            let first = self.findings.line(first);
            self.findings.add(at, Flaw::new(what, format!("the first is on line {first}; ids are unique")));
        }
        id
    }

    fn effect(&mut self, node: Node<'t>) -> Option<Effect> {
        let (at, text) = node.text("effect", EFFECTS, self.findings)?;
        self.findings.check(at, Effect::parse(&text))
    }

    fn actions(&mut self, texts: Texts<'t>) -> Actions {
        let known = texts.iter().filter_map(|(at, text)| self.findings.check(*at, Actions::parse(text)));
        known.fold(Actions::default(), Actions::and)
    }

    fn pattern(&mut self, at: usize, text: Cow<'t, str>) -> Option<Arc<Pattern>> {
        if let Some(known) = self.patterns.get(&text) {
            return Some(Arc::clone(known));
        }
        let pattern = Arc::new(self.findings.check(at, Pattern::parse(&text))?);
        self.patterns.insert(text, Arc::clone(&pattern));
        Some(pattern)
    }

    /// A TOML date and time, or a string with one: JSON has no other way.
    fn time(&mut self, node: &Node<'t>) -> Option<Timestamp> {
        const HINT: &str = "write it with its offset from UTC, as in `2027-01-31T00:00:00Z`";
        let time = match &node.value {
            Value::Time(time) => instant(time),
            Value::Text(text) => text.parse().ok().and_then(|time| instant(&time)),
            Value::List(_) | Value::Table(_) | Value::Other(_) => {
                self.findings.add(node.at, node.instead_of("not_after", "a date and time", HINT));
                return None;
            }
        };
        let flaw = || Flaw::new("`not_after` is not one moment for everyone", HINT);
        self.findings.check(node.at, time.ok_or_else(flaw))
    }

    fn users(&mut self, node: Node<'t>) {
        for Field { key, at, node } in node.fields("users", self.findings) {
            self.count += 1;
            let name = self.findings.check(at, principal::bare_name(&key));
            if matches!(node.value, Value::Table(_)) {
                self.findings.add(at, dotted(&key));
                continue;
            }
            let texts = node.texts(&key, ACTIONS, self.findings);
            let actions = self.actions(texts);
            if let Some(name) = name {
                self.draft.allow_everywhere(name, actions);
            }
        }
    }

    fn members(&mut self, node: Node<'t>) -> Vec<(Cow<'t, str>, Texts<'t>)> {
        let mut groups = Vec::new();
        for Field { key, at, node } in node.fields("groups", self.findings) {
            self.findings.check(at, principal::bare_name(&key));
            if matches!(node.value, Value::Table(_)) {
                self.findings.add(at, dotted(&key));
                continue;
            }
            let members = node.texts(&key, MEMBERS, self.findings);
            for (at, member) in &members {
                self.findings.check(*at, principal::bare_name(member));
            }
            groups.push((key, members));
        }
        groups
    }
}

/// The flaw of a name with a dot: TOML takes it for a table in a table.
fn dotted(key: &str) -> Flaw {
    let hint = "a name with a dot is written in quotes, as in `\"alice.smith\" = […]`";
    Flaw::new(format!("{} is a table, not a list", quoted(key)), hint)
}
