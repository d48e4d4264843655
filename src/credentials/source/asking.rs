//! What all services that give keys away are asked by, and how their words are shown.

use std::time::Duration;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

use crate::domain::{Mistake, is_printable};
use crate::outgoing::{Authorities, Connector, Exchange, Limits};

/// One question, name look-up and all.
pub(super) const TIME: Duration = Duration::from_secs(5);
const LARGEST_HEAD: usize = 16 * 1024;
/// Keys and a token are a few kilobytes.
const LARGEST_BODY: usize = 64 * 1024;
/// Of another's words in our sentences, in characters.
const LONGEST_QUOTE: usize = 200;

/// The way to the service at `address`.
///
/// # Errors
/// A [`Mistake`] if the other end could not be proved; `peer` names it.
pub(super) fn exchange(address: &Uri, peer: &str) -> Result<Exchange, Mistake> {
    let connector = if address.scheme() == Some(&Scheme::HTTPS) {
        Connector::tls(TIME, &Authorities::default(), peer)?
    } else {
        Connector::plain(TIME)?
    };
    Ok(Exchange::new(connector, Limits { time: TIME, head: LARGEST_HEAD, body: LARGEST_BODY }))
}

/// The same address with this path.
///
/// # Errors
/// [`http::Error`] for what is no path.
pub(super) fn at(address: &Uri, path: &str) -> Result<Uri, http::Error> {
    let mut parts = address.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>()?);
    Ok(Uri::from_parts(parts)?)
}

/// A text of the other end's in one line that a person can read, and not too long.
pub(super) fn quoted(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { ' ' }).take(LONGEST_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_end_says_is_one_printable_line_within_its_bound() {
        assert_eq!(quoted("a\nb\u{202e}c"), "a b c");
        assert_eq!(quoted(&"é".repeat(1000)).chars().count(), LONGEST_QUOTE);
    }
}
