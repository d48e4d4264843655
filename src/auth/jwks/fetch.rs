//! One fetch of a key set: from the configured host alone, bounded in time and size, and no further.

use std::path::Path;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};

use super::LARGEST;
use crate::auth::FetchSettings;
use crate::credentials::read_file;
use crate::domain::{Mistake, Mistakes};
use crate::outgoing::{Authorities, Connector, Exchange, Limits, Unanswered};

/// For the head of an answer, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// A platform's whole bundle of authorities is a quarter of this, in bytes.
const LARGEST_BUNDLE: u64 = 1024 * 1024;

/// The authorities in the PEM file at `path`.
///
/// # Errors
/// A [`Mistake`] if it cannot be read or holds none.
pub(super) fn authorities(path: Option<&Path>) -> Result<Authorities, Mistake> {
    let Some(path) = path else { return Ok(Authorities::default()) };
    let mistake = |what: String| Mistake::new(path.display().to_string(), what);
    let pem = read_file(path, LARGEST_BUNDLE).map_err(|why| mistake(format!("cannot be read: {why}")))?;
    Authorities::from_pem(&pem)
        .map_err(|why| mistake(why.to_string()).hint("write the authorities of jwks_url in PEM, one after the other"))
}

/// Where a key set comes from, ready to be asked.
#[derive(Debug)]
pub(super) struct Source {
    exchange: Exchange,
    uri: Uri,
}

impl Source {
    /// Prepares the way; nothing is dialled.
    ///
    /// # Errors
    /// Every [`Mistake`] that keeps the other end from being proved.
    pub(super) fn new(settings: &FetchSettings, authorities: &Authorities) -> Result<Self, Mistakes> {
        let connector = if settings.url.is_https() {
            Connector::tls(settings.time, authorities, "the host of a jwks_url")?
        } else {
            Connector::plain(settings.time)?
        };
        let limits = Limits { time: settings.time, head: LARGEST_HEAD, body: LARGEST };
        Ok(Self { exchange: Exchange::new(connector, limits), uri: settings.url.uri().clone() })
    }

    /// What the address answers with now, at most 64 KiB of it.
    ///
    /// # Errors
    /// [`Unfetched`] for anything but a whole answer 200 within the time. A redirect is such a thing.
    pub(super) async fn fetch(&self) -> Result<Bytes, Unfetched> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("ci-gateway"));
        let reply = self.exchange.ask(request).await?;
        match reply.status() {
            StatusCode::OK => Ok(Bytes::copy_from_slice(reply.body())),
            other => Err(Unfetched::Status(other.as_u16())),
        }
    }
}

/// Why no set was fetched, or not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfetched {
    /// No connection, no proof of the other end, or no whole answer.
    #[error("no answer: {0}")]
    Exchange(String),
    /// The time was over.
    #[error("no whole answer in time")]
    Timeout,
    /// Another status than 200.
    #[error("it answers with status {0}, where 200 is wanted; redirects are not followed")]
    Status(u16),
    /// Over 64 KiB.
    #[error("the answer is over {LARGEST} bytes")]
    TooLarge,
    /// What came is no set of public keys.
    #[error("the answer is not taken: {0}")]
    Set(String),
}

impl Unfetched {
    /// Every word of [`Self::as_str`].
    pub(super) const WORDS: [&'static str; 5] = ["no_answer", "timeout", "status", "too_large", "bad_set"];

    /// The word in a metric's label.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "no_answer",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Set(_) => "bad_set",
        }
    }
}

impl From<Unanswered> for Unfetched {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Failed(why) => Self::Exchange(why.into()),
            Unanswered::Timeout => Self::Timeout,
            Unanswered::TooLarge => Self::TooLarge,
        }
    }
}
