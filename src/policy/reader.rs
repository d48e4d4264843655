//! A policy's tree becomes the index: every key checked, every mistake noted where it stands.

mod attachment;
mod build;
mod condition;
mod parts;
mod statement;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::actions::Actions;
use super::document::{self, Field, Format, Node, Texts, Value};
use super::findings::{Findings, Flaw, quoted};
use super::principal;
use super::resource::Pattern;
use super::review::Weight;
use super::{Documents, Policy};
use crate::domain::Mistakes;

use build::Build;
use parts::Lines;

const SECTIONS: [&str; 5] = ["version", "groups", "users", "statement", "attachment"];

const ACTIONS: &str = "write names such as `ci:CreateAsrBucket`, or `ci:*`";
const MEMBERS: &str = "write the users' names, as in `[\"alice\", \"bob\"]`";

/// The policy that `text` says.
///
/// # Errors
/// Every mistake in it and in the documents that it attaches.
pub(super) fn read(text: &str, place: &str, format: Format, documents: Documents<'_>) -> Result<Policy, Mistakes> {
    let mut build = Build::default();
    let mut findings = Findings::new(text, place);
    let members = match document::read(text, format, &mut findings) {
        Some(root) => Reader::new(&mut findings, &mut build, text, place).sections(root, documents),
        None => Members::new(),
    };
    build.note(findings);
    let members = members.iter().flat_map(|(group, users)| users.iter().map(|(_, user)| (&**group, &**user)));
    build.finish(text, members)
}

/// The groups of `[groups]` and their members.
type Members<'t> = Vec<(Cow<'t, str>, Texts<'t>)>;

/// What reads one text: the policy's own, or an attached document.
struct Reader<'f, 'p, 't> {
    findings: &'f mut Findings<'p>,
    build: &'f mut Build,
    place: Arc<str>,
    lines: Lines<'t>,
    /// The resources so far: a policy of many grants repeats a few.
    patterns: HashMap<Cow<'t, str>, Arc<Pattern>>,
}

impl<'f, 'p, 't> Reader<'f, 'p, 't> {
    fn new(findings: &'f mut Findings<'p>, build: &'f mut Build, text: &'t str, place: &str) -> Self {
        Self { findings, build, place: place.into(), lines: Lines::of(text), patterns: HashMap::new() }
    }

    fn sections(&mut self, root: Node<'t>, documents: Documents<'_>) -> Members<'t> {
        let (mut version, mut groups, mut users, mut statements, mut attachments) = (None, None, None, None, None);
        for field in root.fields("policy", self.findings) {
            match &*field.key {
                "version" => version = Some(field.node),
                "groups" => groups = Some(field.node),
                "users" => users = Some(field.node),
                "statement" => statements = Some(field.node),
                "attachment" => attachments = Some(field.node),
                unknown => self.findings.add(field.at, Flaw::unknown("key", unknown, &SECTIONS)),
            }
        }
        check_version(version, statements.is_some(), self.findings);
        for statement in statements.into_iter().flat_map(one_or_many) {
            self.statement(statement);
        }
        for attachment in attachments.into_iter().flat_map(one_or_many) {
            self.attachment(attachment, documents);
        }
        if let Some(users) = users {
            self.users(users);
        }
        groups.map(|groups| self.members(groups)).unwrap_or_default()
    }

    fn users(&mut self, node: Node<'t>) {
        for Field { key, at, node } in node.fields("users", self.findings) {
            let name = self.findings.check(at, principal::bare_name(&key));
            if matches!(node.value, Value::Table(_)) {
                self.findings.add(at, dotted(&key));
                continue;
            }
            let texts = node.texts(&key, ACTIONS, self.findings);
            let actions = self.actions(&texts);
            self.remark_on_line(at, &key, &texts, actions);
            if let Some(name) = name.filter(|_| !actions.is_empty()) {
                self.build.allow_everywhere(name, actions);
            }
        }
    }

    /// What of a line of `[users]` is hardly meant. It is told here: lines keep no place.
    fn remark_on_line(&mut self, at: usize, user: &str, texts: &Texts<'t>, actions: Actions) {
        let line = format!("the line of {} in `[users]`", quoted(user));
        if texts.is_empty() {
            let flaw = Flaw::new(format!("{line} is empty: it allows nothing"), "name actions, or remove it");
            self.findings.remark(at, Weight::Warning, flaw);
        }
        if actions.is_every() {
            let hint = "name the actions that are needed; a `[[statement]]` can name the buckets too";
            self.findings.remark(
                at,
                Weight::Note,
                Flaw::new(format!("{line} allows every action on every bucket"), hint),
            );
        }
    }

    fn actions(&mut self, texts: &Texts<'t>) -> Actions {
        let known = texts.iter().filter_map(|(at, text)| self.findings.check(*at, Actions::parse(text)));
        known.fold(Actions::default(), Actions::and)
    }

    fn members(&mut self, node: Node<'t>) -> Members<'t> {
        let mut groups = Members::new();
        for Field { key, at, node } in node.fields("groups", self.findings) {
            self.findings.check(at, principal::bare_name(&key));
            if matches!(node.value, Value::Table(_)) {
                self.findings.add(at, dotted(&key));
                continue;
            }
            if !self.build.names_group(&key) {
                let what = format!("no statement names the group {}: its members gain nothing by it", quoted(&key));
                let hint = match self.build.group_like(&key) {
                    Some(known) => format!("did you mean `{known}`, which statements name?"),
                    None => "write it as a `principal`, as in `group:NAME`, or remove it".to_owned(),
                };
                self.findings.remark(at, Weight::Warning, Flaw::new(what, hint));
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

/// A list, or as in many of CAM's own documents a single one.
fn one_or_many(node: Node<'_>) -> Vec<Node<'_>> {
    match node.value {
        Value::List(items) => items,
        value => vec![Node { at: node.at, value }],
    }
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

/// The flaw of a name with a dot: TOML takes it for a table in a table.
fn dotted(key: &str) -> Flaw {
    let hint = "a name with a dot is written in quotes, as in `\"alice.smith\" = […]`";
    Flaw::new(format!("{} is a table, not a list", quoted(key)), hint)
}
