//! What each code means, where it usually comes from and what to do: for a person at three in the morning.

mod access;
mod gateway;
mod request;
mod upstream;

use serde::Serialize;

use crate::domain::Code;

/// What there is to say about a code, whatever the request was.
///
/// The sentences are public: they tell callers how the gateway works, never how this one is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code in a few words: the `title` of its problem documents.
    pub title: &'static str,
    /// What has happened, and what has not.
    pub meaning: &'static str,
    /// Where it usually comes from, the likeliest first; never empty.
    pub causes: &'static [&'static str],
    /// What to do about it, in the order in which to try; a line for the gateway's own people begins `Operator:`.
    pub what_to_do: &'static [&'static str],
    /// The HTTP status that the code comes with unless a problem document says otherwise.
    pub usual_status: u16,
}

/// The entry of `code`.
#[must_use]
pub const fn entry(code: Code) -> &'static Entry {
    match code {
        Code::InvalidBucket => &request::INVALID_BUCKET,
        Code::InvalidRegion => &request::INVALID_REGION,
        Code::RegionRequired => &request::REGION_REQUIRED,
        Code::InvalidRequest => &request::INVALID_REQUEST,
        Code::Unauthenticated => &access::UNAUTHENTICATED,
        Code::InvalidToken => &access::INVALID_TOKEN,
        Code::Forbidden => &access::FORBIDDEN,
        Code::AccountNotConfigured => &access::ACCOUNT_NOT_CONFIGURED,
        Code::NotFound => &request::NOT_FOUND,
        Code::BucketNotFound => &upstream::BUCKET_NOT_FOUND,
        Code::MethodNotAllowed => &request::METHOD_NOT_ALLOWED,
        Code::BodyTooLarge => &request::BODY_TOO_LARGE,
        Code::RateLimited => &access::RATE_LIMITED,
        Code::UpstreamDenied => &upstream::DENIED,
        Code::UpstreamRejected => &upstream::REJECTED,
        Code::UpstreamUnreadable => &upstream::UNREADABLE,
        Code::UpstreamUnavailable => &upstream::UNAVAILABLE,
        Code::CredentialsUnavailable => &gateway::CREDENTIALS_UNAVAILABLE,
        Code::AuditUnavailable => &gateway::AUDIT_UNAVAILABLE,
        Code::Overloaded => &gateway::OVERLOADED,
        Code::Draining => &gateway::DRAINING,
        Code::UpstreamTimeout => &upstream::TIMEOUT,
        Code::Internal => &gateway::INTERNAL,
    }
}

/// The answer of `GET /problems/{code}`, in the order in which it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    code: &'static str,
    title: &'static str,
    status: u16,
    meaning: &'static str,
    causes: &'static [&'static str],
    what_to_do: &'static [&'static str],
    retryable: bool,
}

impl Explanation {
    /// What the gateway tells about `code`.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        let Entry { title, meaning, causes, what_to_do, usual_status } = *entry(code);
        Self {
            code: code.as_str(),
            title,
            status: usual_status,
            meaning,
            causes,
            what_to_do,
            retryable: code.is_retryable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::api::Rate;
    use crate::api::error::Error;
    use crate::api::limits::Whose;
    use crate::api::rate::OverRate;

    fn sentences(entry: &Entry) -> impl Iterator<Item = &'static str> {
        [entry.meaning].into_iter().chain(entry.causes.iter().copied()).chain(entry.what_to_do.iter().copied())
    }

    #[test]
    fn every_code_has_whole_sentences_about_what_why_and_what_to_do() {
        for code in Code::ALL {
            let entry = entry(code);
            assert!(!entry.causes.is_empty() && !entry.what_to_do.is_empty(), "{code:?}");
            for text in sentences(entry) {
                assert!(text.ends_with('.') && text.trim() == text && !text.contains("  "), "{code:?}: {text}");
            }
        }
    }

    #[test]
    fn every_title_is_short_and_stands_for_one_code() {
        let titles: BTreeSet<&str> = Code::ALL.into_iter().map(|code| entry(code).title).collect();
        assert_eq!(titles.len(), Code::ALL.len());
        for title in titles {
            assert!((10..=60).contains(&title.len()) && !title.ends_with('.'), "{title}");
        }
    }

    #[test]
    fn the_usual_status_is_that_of_the_contract() {
        let of = |status: u16| -> Vec<&str> {
            Code::ALL.into_iter().filter(|code| entry(*code).usual_status == status).map(Code::as_str).collect()
        };
        assert_eq!(of(400), ["invalid_bucket", "invalid_region", "region_required", "invalid_request"]);
        assert_eq!(of(401), ["unauthenticated", "invalid_token"]);
        assert_eq!(of(403), ["forbidden", "account_not_configured"]);
        assert_eq!(of(404), ["not_found", "bucket_not_found"]);
        assert_eq!(of(405), ["method_not_allowed"]);
        assert_eq!(of(413), ["body_too_large"]);
        assert_eq!(of(429), ["rate_limited"]);
        assert_eq!(of(500), ["internal"]);
        assert_eq!(of(502), ["upstream_denied", "upstream_rejected", "upstream_unreadable"]);
        let unavailable =
            ["upstream_unavailable", "credentials_unavailable", "audit_unavailable", "overloaded", "draining"];
        assert_eq!(of(503), unavailable);
        assert_eq!(of(504), ["upstream_timeout"]);
    }

    /// The details that are put together, as the examples have them.
    fn composed() -> Vec<String> {
        let rate = Rate { requests: 100, period: Duration::from_secs(1) };
        [
            Error::InvalidBucket("test".parse::<crate::domain::Bucket>().unwrap_err()),
            Error::MethodNotAllowed("GET, POST, DELETE"),
            Error::OverRate(Whose::Caller, OverRate { rate, wait: Duration::ZERO }),
        ]
        .iter()
        .map(|error| error.detail().into_owned())
        .collect()
    }

    #[test]
    fn every_detail_in_an_example_is_a_sentence_that_the_gateway_prints() {
        // The sentences with a part of policy's or ci's are compared around that part.
        let around = [
            ("no statement of the policy permits ", " on this bucket: ask the gateway's operator"),
            ("Cloud Infinite's answer cannot be read: ", "; whether the call took effect is not known"),
        ];
        let (source, composed) = (include_str!("error/sentences.rs"), composed());
        let details = super::super::DOCUMENT.lines().filter_map(|line| line.trim().strip_prefix("\"detail\": \""));
        let mut seen = 0;
        for detail in details.filter_map(|line| line.strip_suffix("\",")) {
            let plain = source.contains(&format!("\"{detail}\""));
            let framed = |(start, end): &(&str, &str)| {
                detail.starts_with(start) && detail.ends_with(end) && source.contains(start) && source.contains(end)
            };
            assert!(plain || composed.iter().any(|text| text == detail) || around.iter().any(framed), "{detail}");
            seen += 1;
        }
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn a_rejected_request_is_never_a_404() {
        let document: serde_json::Value = serde_json::from_str(super::super::DOCUMENT).unwrap();
        let not_found = document["components"]["responses"]["BucketNotFound"].to_string();
        assert!(!not_found.contains("upstream_rejected"), "{not_found}");
        assert!(!entry(Code::UpstreamRejected).meaning.contains("404"));
    }
}
