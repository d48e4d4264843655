//! CAM's policy language, decided locally: who among our callers may do what, on which bucket.
//!
//! A policy is read once into a value that cannot be found broken later, and is then asked once per request.
//! Default: denied. A matching deny wins over every allow. The order of statements means nothing.
//! Source: <https://cloud.tencent.com/document/product/598/10603> and the pages to 10608.

mod candidate;
mod decision;
mod explanation;
mod question;
mod statement;
mod principal;
mod actions;
mod resource;
mod condition;
mod glob;
mod index;
mod document;
mod reader;
mod findings;
mod review;
mod cases;
mod who_can;
mod diff;

#[cfg(test)]
mod rules;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod conformance;

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use candidate::{Candidate, Change, Opinion};
pub use cases::{Answer, Case, Cases, Expected, Listed, Report};
pub use decision::{Decision, Denied, Permit, Verdict};
pub use diff::{Diff, Difference, Resources, Row, Ruling};
pub use document::Format;
pub use explanation::{Explanation, How, Participation};
pub use index::Via;
pub use resource::Resource;
pub use review::{Remark, Weight};
pub use statement::Effect;
pub use who_can::{Denial, Grant, Holder, Member, Said, WhoCan, Wish};

use decision::Ground;
use index::{Entry, Index};
use question::Question;
use statement::{Part, Statement};

use crate::domain::{Action, Caller, Mistakes};

/// Bytes of the SHA-256 that are kept: 64 bits tell apart the policies that one gateway ever had.
const DIGEST_BYTES: usize = 8;

/// A policy, ready to decide; immutable, so a request sees exactly one generation of it.
pub struct Policy {
    index: Index,
    /// In the order of the file, then of what is attached to it.
    statements: Box<[Arc<Statement>]>,
    /// The lines of `[users]`.
    short_forms: usize,
    remarks: Box<[Remark]>,
    digest: Arc<str>,
}

/// A CAM policy document that a policy attaches to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The name under which its mistakes are reported, usually the file's path.
    pub place: String,
    /// Its text, JSON or TOML by the ending of the place.
    pub text: String,
}

/// Gets the document that a policy names; `Err` says why it cannot be had.
pub type Documents<'d> = &'d mut dyn FnMut(&str) -> Result<Document, String>;

/// What a decision depends on besides caller, action and resource.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The time of the request: statements end at their `not_after`, and `qcs:current_time` is this.
    pub now: Timestamp,
    /// The address that asks, `qcs:ip`; `None` if it cannot be known.
    pub ip: Option<IpAddr>,
}

impl Policy {
    /// Reads a policy that attaches no documents; `place` is the name under which mistakes are reported, usually the
    /// file's path.
    ///
    /// # Errors
    /// As [`Self::parse_with`].
    pub fn parse(text: &str, place: &str, format: Format) -> Result<Self, Mistakes> {
        Self::parse_with(text, place, format, &mut |_| Err("there is no folder to look for it in".to_owned()))
    }

    /// Reads a policy and the documents that it attaches.
    ///
    /// # Errors
    /// Every mistake that was found, each with its line and column and mostly with a hint. A file with one mistake is
    /// refused as a whole: an allow that cannot be read would grant nothing, but a deny that cannot be read
    /// would deny nothing.
    pub fn parse_with(text: &str, place: &str, format: Format, documents: Documents<'_>) -> Result<Self, Mistakes> {
        reader::read(text, place, format, documents)
    }

    /// Decides whether `caller` may do `action` on `resource`.
    ///
    /// Takes time in the statements that concern this caller, however many others there are. Of several
    /// statements that agree, the decision names the first in the file, and one of `[users]` last.
    pub fn decide(&self, caller: &Caller, action: Action, resource: Resource<'_>, context: &Context) -> Decision {
        let question = Question { caller, action, resource: &resource, context };
        self.decided(&question, |_, _, _| {})
    }

    /// The same decision, and how each statement that concerns the caller took part in it.
    #[must_use]
    pub fn explain(&self, caller: &Caller, action: Action, resource: &Resource<'_>, context: &Context) -> Explanation {
        let question = Question { caller, action, resource, context };
        let mut parts = Vec::new();
        let decision =
            self.decided(&question, |via, entry, part| parts.push((via, Arc::clone(entry.statement()), part)));
        let short_form = self.index.short_form(caller).map(|(name, actions)| (name, actions.contains(action)));
        Explanation::new(decision, &parts, short_form)
    }

    /// The one evaluation; `see` is shown every part of it.
    fn decided<'p>(&'p self, question: &Question<'_>, mut see: impl FnMut(Via<'p>, &'p Entry, Part<'p>)) -> Decision {
        let (mut allow, mut deny) = (None, None);
        for (via, entry) in self.index.concerning(question.caller) {
            let part = entry.part(question);
            see(via, entry, part);
            if part.counts(entry.effect()) {
                let first = match entry.effect() {
                    Effect::Allow => &mut allow,
                    Effect::Deny => &mut deny,
                };
                keep_first(first, entry.statement());
            }
        }
        let short_form = || {
            let line = self.index.short_form(question.caller);
            line.filter(|(_, actions)| actions.contains(question.action)).map(|(name, _)| name)
        };
        let ground = match (deny, allow.map(|first: &Statement| &first.name).or_else(short_form)) {
            (Some(deny), _) => Ground::Denied(Arc::clone(&deny.name)),
            (None, Some(allow)) => Ground::Allowed(Arc::clone(allow)),
            (None, None) => Ground::Nothing,
        };
        Decision::new(question.action, question.resource, ground, Arc::clone(&self.digest))
    }

    /// How many statements the policy has, those of attached documents too; each line of `[users]` is one.
    #[must_use]
    pub fn statements(&self) -> usize {
        self.statements.len() + self.short_forms
    }

    /// What was noticed while the policy was read and may be meant, such as a statement of an attached document that
    /// grants nothing here. [`Self::review`] sees more.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The regions and the buckets that statements write out, for suggestions; some may come twice.
    pub fn places_named(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| &statement.resources).flat_map(|pattern| pattern.named())
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the text and the attached documents: which policy decided.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Debug for Policy {
    /// Not the content: it may have a million parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({}, {} statements)", self.digest, self.statements())
    }
}

fn keep_first<'p>(first: &mut Option<&'p Statement>, statement: &'p Statement) {
    if first.is_none_or(|first| statement.position < first.position) {
        *first = Some(statement);
    }
}

/// Of the policy's own text, and then of each attached name and text with their lengths before them.
fn digest<'t>(text: &str, attached: impl IntoIterator<Item = &'t str>) -> Arc<str> {
    let mut hash = Sha256::new_with_prefix(text);
    for text in attached {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    let hash = hash.finalize();
    hash.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
