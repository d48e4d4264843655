//! How far a request got that brought back no whole answer.

use std::error::Error;

use crate::domain::Outcome;
use crate::outgoing::ConnectTimeout;

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The host or the target makes no address; a bug, since both are made by us.
    #[error("the request has no address")]
    Address,
    /// No connection: name look-up, refusal, no route.
    #[error("no connection to Cloud Infinite: {0}")]
    Connect(Box<str>),
    /// The connection did not stand in time.
    #[error("no connection to Cloud Infinite within the connect time-out")]
    ConnectTimeout,
    /// TLS did not come about: most of all, a certificate that does not hold.
    #[error("no TLS with Cloud Infinite: {0}")]
    Tls(Box<str>),
    /// The request was written, at least in part, and the connection ended without an answer.
    #[error("the connection ended without an answer: {0}")]
    Closed(Box<str>),
    /// What came back is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    NotHttp(Box<str>),
    /// The answer ended before it was whole.
    #[error("the answer ended before it was whole")]
    Truncated,
    /// The answer's body is over 64 KiB.
    #[error("the answer is over 64 KiB")]
    TooLarge,
    /// The answer did not come in time.
    #[error("no whole answer in time")]
    Timeout,
}

impl SendError {
    pub(super) fn from_client(error: hyper_util::client::legacy::Error) -> Self {
        let why: Box<str> = innermost(&error).to_string().into();
        if error.is_connect() {
            return Self::from_connect(&error, why);
        }
        match find::<hyper::Error>(&error) {
            Some(hyper) if hyper.is_parse() => Self::NotHttp(why),
            // Never written: the pool gave out a connection that was closing.
            Some(hyper) if hyper.is_canceled() => Self::Connect(why),
            Some(_) | None => Self::Closed(why),
        }
    }

    fn from_connect(error: &(dyn Error + 'static), why: Box<str>) -> Self {
        if find::<ConnectTimeout>(error).is_some() {
            Self::ConnectTimeout
        } else if is_tls(error) {
            Self::Tls(why)
        } else {
            Self::Connect(why)
        }
    }

    /// What may have become of the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Address | Self::Connect(_) | Self::ConnectTimeout | Self::Tls(_) => Outcome::NotSent,
            Self::Closed(_) | Self::NotHttp(_) | Self::Truncated | Self::TooLarge | Self::Timeout => Outcome::Unknown,
        }
    }

    /// The word in metrics and log lines.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls(_) => "tls",
            Self::Closed(_) => "closed",
            Self::NotHttp(_) => "not_http",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
        }
    }

    /// Every word of [`Self::as_str`]: the closed set of a label.
    pub const WORDS: [&'static str; 9] =
        ["address", "connect", "connect_timeout", "tls", "closed", "not_http", "truncated", "too_large", "timeout"];
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// Whether rustls said no. The source of an I/O error is that of the error within it, so that a chain of sources
/// misses the latter; and hyper-rustls wraps one I/O error in another.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let within = |error: &'_ (dyn Error + 'static)| {
        error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref).is_some_and(|inner| is_tls(inner))
    };
    chain(error).any(|error| error.is::<rustls::Error>() || within(error))
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}
