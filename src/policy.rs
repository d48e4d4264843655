//! CAM's policy language, decided locally: who among our callers may do what, on which bucket.
//!
//! A policy is read once into a value that cannot be found broken later, and is then asked once per request.
//! Default: denied. A matching deny wins over every allow. The order of statements means nothing.
//! Source: <https://cloud.tencent.com/document/product/598/10603> and the pages to 10608.

mod decision;
mod statement;
mod principal;
mod actions;
mod resource;
mod glob;
mod index;
mod document;
mod reader;
mod findings;

#[cfg(test)]
mod rules;
#[cfg(test)]
mod laws;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use decision::{Decision, Denied, Permit, Verdict};
pub use document::Format;
pub use resource::Resource;

use decision::Ground;
use findings::Findings;
use index::Index;
use statement::{Effect, Statement};

use crate::domain::{Action, Caller, Mistakes};

/// Bytes of the SHA-256 that are kept: 64 bits tell apart the policies that one gateway ever had.
const DIGEST_BYTES: usize = 8;

/// A policy, ready to decide; immutable, so a request sees exactly one generation of it.
pub struct Policy {
    index: Index,
    statements: usize,
    digest: Arc<str>,
}

/// What a decision depends on besides caller, action and resource.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The time of the request: statements end at their `not_after`, and `qcs:current_time` is this.
    pub now: Timestamp,
    /// The address that asks, `qcs:ip`; `None` if it cannot be known.
    pub ip: Option<IpAddr>,
}

impl Policy {
    /// Reads a policy; `place` is the name under which mistakes are reported, usually the file's path.
    ///
    /// # Errors
    /// Every mistake that was found, each with its line and mostly with a hint. A file with one mistake is
    /// refused as a whole: an allow that cannot be read would grant nothing, but a deny that cannot be read
    /// would deny nothing.
    pub fn parse(text: &str, place: &str, format: Format) -> Result<Self, Mistakes> {
        let mut findings = Findings::new(text, place);
        let (index, statements) = match document::read(text, format, &mut findings) {
            Some(root) => reader::read(root, &mut findings),
            None => (Index::default(), 0),
        };
        findings.unless_any(Self { index, statements, digest: digest(text) })
    }

    /// Decides whether `caller` may do `action` on `resource`.
    ///
    /// Takes time in the statements that concern this caller, however many others there are. Of several
    /// statements that agree, the decision names the first in the file, and one of `[users]` last.
    pub fn decide(&self, caller: &Caller, action: Action, resource: Resource<'_>, context: &Context) -> Decision {
        let (mut allow, mut deny) = (None, None);
        for entry in self.index.concerning(caller).filter(|entry| entry.actions().contains(action)) {
            let statement = entry.statement();
            if statement.applies(&resource, context.now) {
                let first = match entry.effect() {
                    Effect::Allow => &mut allow,
                    Effect::Deny => &mut deny,
                };
                keep_first(first, statement);
            }
        }
        let allow = allow.map(Statement::name).or_else(|| self.index.short_form(caller, action));
        let ground = match (deny.map(Statement::name), allow) {
            (Some(deny), _) => Ground::Denied(Arc::clone(deny)),
            (None, Some(allow)) => Ground::Allowed(Arc::clone(allow)),
            (None, None) => Ground::Nothing,
        };
        Decision::new(action, &resource, ground, Arc::clone(&self.digest))
    }

    /// How many statements the policy has; each line of `[users]` is one.
    #[must_use]
    pub fn statements(&self) -> usize {
        self.statements
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the text: which policy decided.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Debug for Policy {
    /// Not the content: it may have a million parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({}, {} statements)", self.digest, self.statements)
    }
}

fn keep_first<'p>(first: &mut Option<&'p Statement>, statement: &'p Statement) {
    if first.is_none_or(|first| statement.position() < first.position()) {
        *first = Some(statement);
    }
}

fn digest(text: &str) -> Arc<str> {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
