//! The closed set of answers: the same word in JSON, in a metric's label and in the audit record.

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The path's bucket is not a bucket name.
    InvalidBucket,
    /// The region is not a region name.
    InvalidRegion,
    /// Neither the request nor the configuration names a region.
    RegionRequired,
    /// The request breaks a rule of HTTP or of this API.
    InvalidRequest,
    /// No credentials.
    Unauthenticated,
    /// Credentials that do not hold.
    InvalidToken,
    /// The policy says no.
    Forbidden,
    /// No key for the account that owns the bucket.
    AccountNotConfigured,
    /// No such path.
    NotFound,
    /// Cloud Infinite does not know the bucket.
    BucketNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is over the limit.
    BodyTooLarge,
    /// The caller is over its rate.
    RateLimited,
    /// Cloud Infinite refuses our key, signature or CAM rights.
    UpstreamDenied,
    /// Cloud Infinite refuses the request itself.
    UpstreamRejected,
    /// Cloud Infinite's answer cannot be read.
    UpstreamUnreadable,
    /// Cloud Infinite cannot be reached, fails or throttles.
    UpstreamUnavailable,
    /// We hold no usable key.
    CredentialsUnavailable,
    /// The audit record cannot be written.
    AuditUnavailable,
    /// Too many requests at once.
    Overloaded,
    /// The process is about to stop.
    Draining,
    /// The deadline passed while Cloud Infinite was working.
    UpstreamTimeout,
    /// A bug of ours.
    Internal,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 23] = [
        Self::InvalidBucket,
        Self::InvalidRegion,
        Self::RegionRequired,
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::InvalidToken,
        Self::Forbidden,
        Self::AccountNotConfigured,
        Self::NotFound,
        Self::BucketNotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::RateLimited,
        Self::UpstreamDenied,
        Self::UpstreamRejected,
        Self::UpstreamUnreadable,
        Self::UpstreamUnavailable,
        Self::CredentialsUnavailable,
        Self::AuditUnavailable,
        Self::Overloaded,
        Self::Draining,
        Self::UpstreamTimeout,
        Self::Internal,
    ];

    /// A number below 23, distinct for each code: the index into per-code arrays.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidBucket => "invalid_bucket",
            Self::InvalidRegion => "invalid_region",
            Self::RegionRequired => "region_required",
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidToken => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::AccountNotConfigured => "account_not_configured",
            Self::NotFound => "not_found",
            Self::BucketNotFound => "bucket_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::RateLimited => "rate_limited",
            Self::UpstreamDenied => "upstream_denied",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamUnreadable => "upstream_unreadable",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::CredentialsUnavailable => "credentials_unavailable",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::Internal => "internal",
        }
    }

    /// The code of a word; `None` for any other.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// Whether the same request may succeed later without a change by the caller.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::UpstreamUnavailable
            | Self::CredentialsUnavailable
            | Self::AuditUnavailable
            | Self::Overloaded
            | Self::Draining
            | Self::UpstreamTimeout => true,
            Self::InvalidBucket
            | Self::InvalidRegion
            | Self::RegionRequired
            | Self::InvalidRequest
            | Self::Unauthenticated
            | Self::InvalidToken
            | Self::Forbidden
            | Self::AccountNotConfigured
            | Self::NotFound
            | Self::BucketNotFound
            | Self::MethodNotAllowed
            | Self::BodyTooLarge
            | Self::UpstreamDenied
            | Self::UpstreamRejected
            | Self::UpstreamUnreadable
            | Self::Internal => false,
        }
    }
}

/// What became of the call at Cloud Infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing went upstream.
    NotSent,
    /// It was sent, and Cloud Infinite refused it.
    Rejected,
    /// It was sent and took effect.
    Applied,
    /// It was sent, and whether it took effect is not known.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::NotSent, Self::Rejected, Self::Applied, Self::Unknown];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Rejected => "rejected",
            Self::Applied => "applied",
            Self::Unknown => "unknown",
        }
    }
}
