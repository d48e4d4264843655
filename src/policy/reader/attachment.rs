//! `[[attachment]]`: a policy document as CAM exports it, given to callers of ours.
//!
//! Such a document is about a whole cloud account. Its statements about other services' actions are normal and passed
//! over. Source: <https://cloud.tencent.com/document/product/598/10604>.

use std::path::Path;
use std::sync::Arc;

use super::super::actions::Actions;
use super::super::document::{self, Field, Format, Node, Texts};
use super::super::findings::{Findings, Flaw, Unusable, quoted};
use super::super::principal::{self, Principal};
use super::super::resource;
use super::super::review::Weight;
use super::super::statement::{Effect, Statement};
use super::super::{Document, Documents};
use super::parts::{Owner, Standing};
use super::{ACTIONS, Reader, check_version, one_or_many};
use crate::domain::{Action, is_printable};

const ATTACHMENT_KEYS: [&str; 2] = ["principal", "document"];
const DOCUMENT_KEYS: [&str; 2] = ["version", "statement"];
const STATEMENT_KEYS: [&str; 4] = ["effect", "action", "resource", "condition"];
const NAMED: &str = "name the file of the document, as in `document = \"cam/speech-admin.json\"`";

/// To whom a document is given, and under which name.
struct Given<'a> {
    name: &'a str,
    principals: &'a [Principal<'a>],
}

/// The values of one statement of CAM's, by key.
#[derive(Default)]
struct Raw<'t> {
    effect: Option<Node<'t>>,
    action: Option<Node<'t>>,
    resource: Option<Node<'t>>,
    condition: Option<Node<'t>>,
}

impl<'t> Reader<'_, '_, 't> {
    pub(super) fn attachment(&mut self, node: Node<'t>, documents: Documents<'_>) {
        let owner = Owner { kind: "attachment", at: node.at };
        let (mut principals, mut named) = (None, None);
        for Field { key, at, node } in node.fields("attachment", self.findings) {
            match &*key {
                "principal" => principals = Some(node),
                "document" => named = Some(node),
                unknown => self.findings.add(at, Flaw::unknown("key", unknown, &ATTACHMENT_KEYS)),
            }
        }
        let texts = self.some(owner, "principal", principal::SPELLING, principals);
        let principals = self.principals(&texts);
        let Some((at, name)) =
            self.required(owner, "document", NAMED, named).and_then(|node| node.text("document", NAMED, self.findings))
        else {
            return;
        };
        // It becomes a part of its statements' names.
        if !name.chars().all(is_printable) {
            let what = format!("the name {} cannot be shown", quoted(&name));
            return self.findings.add(at, Flaw::new(what, "name a file without invisible or control characters"));
        }
        match documents(&name) {
            Ok(document) => {
                let before = self.build.count();
                self.attach(&Given { name: &name, principals: &principals }, document);
                if self.build.count() == before {
                    let what = format!("nothing in the document {} means anything here", quoted(&name));
                    let hint = "attach a document that is about `ci:` actions and buckets, or none";
                    self.findings.remark(at, Weight::Warning, Flaw::new(what, hint));
                }
            }
            Err(why) => {
                let what = format!("the document {} cannot be read: {why}", quoted(&name));
                self.findings.add(at, Flaw::new(what, "paths begin at the policy's folder"));
            }
        }
    }

    fn attach(&mut self, given: &Given<'_>, document: Document) {
        let Document { place, text } = document;
        let mut findings = Findings::new(&text, &place);
        if let Some(root) = document::read(&text, Format::of(Path::new(&place)), &mut findings) {
            Reader::new(&mut findings, self.build, &text, &place).document(root, given);
        }
        self.build.note(findings);
        self.build.attach(given.name, text);
    }

    fn document(&mut self, root: Node<'t>, given: &Given<'_>) {
        let (mut version, mut statements) = (None, None);
        let at = root.at;
        for Field { key, at, node } in root.fields("document", self.findings) {
            match &*key {
                "version" => version = Some(node),
                "statement" => statements = Some(node),
                unknown => self.findings.add(at, Flaw::unknown("key", unknown, &DOCUMENT_KEYS)),
            }
        }
        check_version(version, true, self.findings);
        if statements.is_none() {
            self.findings.add(at, Flaw::new("the document has no `statement`", "export the whole policy from CAM"));
        }
        for (n, statement) in statements.into_iter().flat_map(one_or_many).enumerate() {
            self.given(statement, n + 1, given);
        }
    }

    /// One statement, the `n`th of its document.
    fn given(&mut self, node: Node<'t>, n: usize, given: &Given<'_>) {
        let (at, position) = (node.at, self.build.next());
        let owner = Owner::statement(at);
        let raw = self.raw_of_cam(node);
        let effect = self.effect(owner, raw.effect);
        let actions = self.some(owner, "action", ACTIONS, raw.action);
        let actions = self.actions_among(&actions, Standing::Attached(effect.unwrap_or(Effect::Allow)));
        let resources = self.some(owner, "resource", resource::SPELLING, raw.resource);
        let Some(effect) = effect.filter(|_| !actions.is_empty()) else { return };
        let standing = Standing::Attached(effect);
        let resources = self.patterns(resources, standing);
        let condition = raw.condition.map_or(Some(None), |node| self.condition(node, standing));
        let Some(condition) = condition.filter(|_| !resources.is_empty()) else { return };
        let (place, line) = (Arc::clone(&self.place), self.lines.line(at));
        let name = format!("{} statement {n}", given.name).into();
        let statement =
            Statement { name, position, place, line, effect, actions, resources, condition, not_after: None };
        self.build.add(given.principals.iter().copied(), statement);
    }

    fn raw_of_cam(&mut self, node: Node<'t>) -> Raw<'t> {
        let mut raw = Raw::default();
        for Field { key, at, node } in node.fields("statement", self.findings) {
            match &*key {
                "effect" => raw.effect = Some(node),
                "action" => raw.action = Some(node),
                "resource" => raw.resource = Some(node),
                "condition" => raw.condition = Some(node),
                "principal" => {
                    let what = "a document that is attached has no `principal`: the attachment names the callers";
                    self.findings.add(at, Flaw::new(what, "remove it here; a bucket's policy cannot be attached"));
                }
                unknown => self.findings.add(at, Flaw::unknown("key", unknown, &STATEMENT_KEYS)),
            }
        }
        raw
    }

    /// The gateway's actions among those that are named. Cloud Infinite has others, and sets of actions (`permid:`) that
    /// are not known here; whether CAM minds upper and lower case is not known either.
    fn actions_among(&mut self, texts: &Texts<'t>, standing: Standing) -> Actions {
        let mut all = Actions::default();
        for (at, text) in texts {
            let actions = Actions::among(text);
            if actions.is_empty() {
                self.none_of_ours(*at, text, standing);
            }
            all = all.and(actions);
        }
        all
    }

    fn none_of_ours(&mut self, at: usize, text: &str, standing: Standing) {
        let name = text.strip_prefix("name/").unwrap_or(text);
        let but_for_case = !Actions::among_in_any_case(name).is_empty();
        if but_for_case || name.starts_with("permid:") {
            let flaw = Flaw::new(
                format!("what {} means is not known here", quoted(text)),
                "name the actions, as CAM lists them",
            );
            let _nothing: Option<()> = self.usable(at, standing, Err(Unusable::Unclear(flaw)));
        } else if let Some(known) = slip_of(name) {
            let what = format!("{} is none of this gateway's actions and means nothing here", quoted(text));
            self.findings.remark(at, Weight::Note, Flaw::new(what, format!("did you mean `{known}`?")));
        }
    }
}

/// The action that somebody may have meant who slipped twice at most: other actions of Cloud Infinite are no slips.
fn slip_of(name: &str) -> Option<&'static str> {
    Action::all().map(Action::as_str).find(|known| strsim::osa_distance(name, known) <= 2)
}
