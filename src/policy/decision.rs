//! What a policy answers, and the permit that only it can make.

use std::fmt;
use std::sync::Arc;

use crate::domain::{Action, Bucket, Region};
use crate::policy::Resource;

/// The policy's answer to one question, and the statement that made it.
///
/// Not `Clone`: one decision gives at most one permit.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    action: Action,
    bucket: Bucket,
    region: Region,
    ground: Ground,
    policy: Arc<str>,
}

/// What a decision rests on. The names are shared with the policy, so deciding allocates nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// An allow matches and no deny does.
    Allowed(Arc<str>),
    /// A deny matches.
    Denied(Arc<str>),
    /// Nothing matches.
    Nothing,
}

impl Decision {
    pub(super) fn new(action: Action, resource: &Resource<'_>, ground: Ground, policy: Arc<str>) -> Self {
        let (bucket, region) = resource.parts();
        Self { action, bucket: bucket.clone(), region: region.clone(), ground, policy }
    }

    /// The decision as something to act on.
    ///
    /// # Errors
    /// [`Denied`], unless the verdict is [`Verdict::Permit`].
    pub fn permit(self) -> Result<Permit, Denied> {
        let Self { action, bucket, region, ground, policy } = self;
        match ground {
            Ground::Allowed(statement) => Ok(Permit { action, bucket, region, statement, policy }),
            Ground::Denied(statement) => Err(Denied { action, statement: Some(statement) }),
            Ground::Nothing => Err(Denied { action, statement: None }),
        }
    }

    /// The name of the statement that decided, shared with the policy.
    pub(super) fn into_statement(self) -> Option<Arc<str>> {
        match self.ground {
            Ground::Allowed(statement) | Ground::Denied(statement) => Some(statement),
            Ground::Nothing => None,
        }
    }

    /// Permit or denied, and if denied, whether by a statement.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.ground {
            Ground::Allowed(_) => Verdict::Permit,
            Ground::Denied(_) => Verdict::DeniedByStatement,
            Ground::Nothing => Verdict::DeniedByDefault,
        }
    }

    /// The name of the statement that decided; `None` if it was denied because none matches.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        match &self.ground {
            Ground::Allowed(statement) | Ground::Denied(statement) => Some(statement),
            Ground::Nothing => None,
        }
    }
}

/// The policy's answer without its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An allow matches and no deny does.
    Permit,
    /// A deny matches, whatever else does.
    DeniedByStatement,
    /// No statement matches.
    DeniedByDefault,
}

impl Verdict {
    /// `permit` or `denied`: the word of the contract, in answers, records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::DeniedByStatement | Self::DeniedByDefault => "denied",
        }
    }

    /// Whether it lets the caller go on.
    #[must_use]
    pub const fn is_permit(self) -> bool {
        match self {
            Self::Permit => true,
            Self::DeniedByStatement | Self::DeniedByDefault => false,
        }
    }

    /// How it came about, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Permit => "a statement allows it and none denies it",
            Self::DeniedByStatement => "a statement denies it",
            Self::DeniedByDefault => "no statement allows it",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Proof that the policy allows an action on a bucket: the request is made from it.
///
/// INVARIANT: made only by [`Decision::permit`], and neither `Clone` nor `Default`: who asks for a permit
/// asks for a decision.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    action: Action,
    bucket: Bucket,
    region: Region,
    statement: Arc<str>,
    policy: Arc<str>,
}

impl Permit {
    /// The action that is allowed.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The bucket on which it is allowed.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The region in which it is allowed.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The name of the statement that allows it.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The digest of the policy that allows it.
    #[must_use]
    pub fn policy_digest(&self) -> &str {
        &self.policy
    }
}

/// The policy's no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy does not allow `{action}` here")]
pub struct Denied {
    action: Action,
    statement: Option<Arc<str>>,
}

impl Denied {
    /// The action that was refused.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The name of the statement that denies it; `None` if no statement allows it.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }
}
