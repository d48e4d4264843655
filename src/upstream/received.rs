//! An answer as it came, whole.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, DATE, RETRY_AFTER};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::SendError;
use crate::ci::{LARGEST_ANSWER, Reply, http_date};

/// The statuses of an answer (RFC 9110 section 15). A 101 that nobody asked for and a 999 say neither yes nor no.
const FINAL_STATUSES: RangeInclusive<u16> = 200..=599;
/// A wish of Cloud Infinite's to be left alone is passed on, but not for longer than this.
const LONGEST_RETRY_AFTER: u64 = 60;

/// A status, the few headers that mean something to us, and the whole body.
#[derive(Debug)]
pub struct Received {
    status: u16,
    request_id: Option<Box<str>>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    /// A cache has kept the answer for a while.
    aged: bool,
    body: Bytes,
}

impl Received {
    pub(super) async fn read(answer: Response<Incoming>) -> Result<Self, SendError> {
        let (head, body) = answer.into_parts();
        if !FINAL_STATUSES.contains(&head.status.as_u16()) {
            return Err(SendError::NotHttp(format!("the status {}", head.status.as_u16()).into()));
        }
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|why| if why.is::<LengthLimitError>() { SendError::TooLarge } else { SendError::Truncated })?;
        Ok(Self {
            status: head.status.as_u16(),
            request_id: text(&head.headers, "x-ci-request-id").or_else(|| text(&head.headers, "x-cos-request-id")),
            retry_after: retry_after(&head.headers),
            date: date(&head.headers),
            aged: head.headers.contains_key(AGE),
            body: body.to_bytes(),
        })
    }

    /// What `ci` reads.
    #[must_use]
    pub fn reply(&self) -> Reply<'_> {
        Reply { status: self.status, request_id: self.request_id.as_deref(), body: &self.body }
    }

    /// `Retry-After` in seconds, if it is between one second and a minute or can be cut to that.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What o'clock it was at Cloud Infinite: its `Date`, else what the body `says`. `None` also if a cache has kept the
    /// answer (RFC 9111 section 5.1): then both are of another time.
    #[must_use]
    pub fn told(&self, says: Option<Timestamp>) -> Option<Timestamp> {
        if self.aged { None } else { self.date.or(says) }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<Box<str>> {
    headers.get(name)?.to_str().ok().map(Into::into)
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// The form with a date is not read: it would put Cloud Infinite's clock into our answer.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_rest_is_clamped_and_junk_ignored() {
        for (value, expected) in
            [("7", Some(7)), ("999999", Some(60)), ("0", None), ("-1", None), ("soon", None), ("", None)]
        {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
