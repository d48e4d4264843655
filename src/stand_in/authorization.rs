//! The seven fields of a q-sign `Authorization` header, read strictly.
//!
//! Source: COS "Request Signature", step 8, <https://cloud.tencent.com/document/product/436/7778>.

use jiff::Timestamp;

const FIELDS: [&str; 7] =
    ["q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"];
const SIGNATURE_LENGTH: usize = 40;

/// What a request says about its own signature; nothing of it is verified yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) secret_id: &'a str,
    pub(super) window: Window<'a>,
    pub(super) headers: Names<'a>,
    pub(super) parameters: Names<'a>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header's value.
    ///
    /// Every SDK writes the seven fields in the same order; another order is refused, because nothing that
    /// is known to work sends one.
    ///
    /// # Errors
    /// [`Malformed`] names the rule that the text breaks.
    pub(super) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let [algorithm, secret_id, sign_time, key_time, headers, parameters, signature] = fields(text)?;
        if algorithm != "sha1" {
            return Err(Malformed::Algorithm);
        }
        if secret_id.is_empty() {
            return Err(Malformed::NoSecretId);
        }
        if sign_time != key_time {
            return Err(Malformed::TimesDiffer);
        }
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if signature.len() != SIGNATURE_LENGTH || !signature.bytes().all(hex) {
            return Err(Malformed::Signature);
        }
        Ok(Self {
            secret_id,
            window: Window::parse(sign_time)?,
            headers: Names::parse(headers).ok_or(Malformed::HeaderList)?,
            parameters: Names::parse(parameters).ok_or(Malformed::ParameterList)?,
            signature,
        })
    }
}

/// What an authorization says that it covers, well-formed or not: to be shown in an error, never to be verified by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) window: &'a str,
    pub(super) headers: Names<'a>,
    pub(super) parameters: Names<'a>,
}

impl<'a> Said<'a> {
    /// Takes what is there; `None` without a `q-sign-time`, for then there is nothing that could be signed.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let field = |name| {
            text.split('&').filter_map(|part| part.split_once('=')).find(|(other, _)| *other == name).map(|(_, v)| v)
        };
        let names = |name| Names(field(name).unwrap_or_default());
        let (headers, parameters) = (names("q-header-list"), names("q-url-param-list"));
        Some(Self { window: field("q-sign-time")?, headers, parameters })
    }
}

impl<'a> From<&Authorization<'a>> for Said<'a> {
    fn from(authorization: &Authorization<'a>) -> Self {
        let Authorization { window, headers, parameters, .. } = *authorization;
        Self { window: window.as_str(), headers, parameters }
    }
}

fn fields(text: &str) -> Result<[&str; 7], Malformed> {
    let mut parts = text.split('&');
    let mut values = [""; 7];
    for (name, value) in FIELDS.iter().zip(&mut values) {
        let (found, text) = parts.next().and_then(|part| part.split_once('=')).ok_or(Malformed::Fields)?;
        if found != *name {
            return Err(Malformed::Fields);
        }
        *value = text;
    }
    if parts.next().is_some() { Err(Malformed::Fields) } else { Ok(values) }
}

/// The window in which a signature holds: both ends inclusive, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window<'a> {
    text: &'a str,
    start: i64,
    end: i64,
}

impl<'a> Window<'a> {
    fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (start, end) = text.split_once(';').ok_or(Malformed::Time)?;
        let window = Self { text, start: seconds(start)?, end: seconds(end)? };
        if window.start < window.end { Ok(window) } else { Err(Malformed::EmptyWindow) }
    }

    /// The window as it was written, which is what is signed.
    pub(super) fn as_str(&self) -> &'a str {
        self.text
    }

    pub(super) fn has_begun(&self, now: Timestamp) -> bool {
        self.start <= now.as_second()
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.end < now.as_second()
    }
}

fn seconds(text: &str) -> Result<i64, Malformed> {
    // `i64::from_str` would take a sign, too.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().map_err(|_| Malformed::Time) } else { Err(Malformed::Time) }
}

/// A `;`-separated list of names: lower-case, in ascending order, none twice, if it is part of an
/// [`Authorization`]. It may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names<'a>(&'a str);

impl<'a> Names<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let names = Self(text);
        // The names are escaped first and then lower-cased, so that these are the only bytes there can be.
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.~%".contains(&b);
        let well_formed = names.iter().all(|name| !name.is_empty() && name.bytes().all(allowed));
        (well_formed && names.iter().is_sorted_by(|a, b| a < b)).then_some(names)
    }

    /// The names, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = self.0;
        text.split(';').filter(move |_| !text.is_empty())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.iter().any(|other| other == name)
    }
}

/// Why the text is not a q-sign authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the authorization has not exactly the seven q- fields in their order")]
    Fields,
    #[error("q-sign-algorithm is not sha1")]
    Algorithm,
    #[error("q-ak is empty")]
    NoSecretId,
    #[error("q-sign-time or q-key-time is not `start;end` in Unix seconds")]
    Time,
    #[error("q-sign-time differs from q-key-time")]
    TimesDiffer,
    #[error("q-sign-time ends before it begins, or is empty")]
    EmptyWindow,
    #[error("q-header-list is not a sorted list of lower-case names without repetition")]
    HeaderList,
    #[error("q-url-param-list is not a sorted list of lower-case names without repetition")]
    ParameterList,
    #[error("q-signature is not 40 lower-case hexadecimal digits")]
    Signature,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=10;20&q-key-time=10;20&q-header-list=a;a-b;host\
        &q-url-param-list=&q-signature=eda375654de7089fa247e171a26a3af46f1388e8";

    #[test]
    fn the_seven_fields_are_read() {
        let read = Authorization::parse(GOOD).unwrap();
        assert_eq!((read.secret_id, read.window.as_str()), ("AKID", "10;20"));
        assert_eq!(read.headers.iter().collect::<Vec<_>>(), ["a", "a-b", "host"]);
        assert_eq!(read.parameters.iter().count(), 0);
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (from, to, expected) in [
            (GOOD, "", Malformed::Fields),
            ("q-sign-algorithm=sha1&", "", Malformed::Fields),
            ("q-sign-algorithm=sha1", "Q-Sign-Algorithm=sha1", Malformed::Fields),
            ("&q-signature", "&q-more=1&q-signature", Malformed::Fields),
            ("&q-url-param-list=", "", Malformed::Fields),
            ("q-ak=AKID&q-sign-time=10;20", "q-sign-time=10;20&q-ak=AKID", Malformed::Fields),
            ("8e8", "8e8&", Malformed::Fields),
            ("=sha1", "=sha256", Malformed::Algorithm),
            ("AKID", "", Malformed::NoSecretId),
            ("q-key-time=10;20", "q-key-time=10;21", Malformed::TimesDiffer),
            ("10;20", "10", Malformed::Time),
            ("10;20", "10;+20", Malformed::Time),
            ("10;20", "-10;20", Malformed::Time),
            ("10;20", "10;20;30", Malformed::Time),
            ("10;20", "10;99999999999999999999", Malformed::Time),
            ("10;20", "20;20", Malformed::EmptyWindow),
            ("10;20", "30;20", Malformed::EmptyWindow),
            ("a;a-b;host", "host;a", Malformed::HeaderList),
            ("a;a-b;host", "host;host", Malformed::HeaderList),
            ("a;a-b;host", "Host", Malformed::HeaderList),
            ("a;a-b;host", "host;", Malformed::HeaderList),
            ("list=&", "list=b;a&", Malformed::ParameterList),
            ("list=&", "list=a;a&", Malformed::ParameterList),
            ("8e8", "8e", Malformed::Signature),
            ("8e8", "8E8", Malformed::Signature),
        ] {
            assert_eq!(Authorization::parse(&GOOD.replace(from, to)).unwrap_err(), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_window_holds_at_both_its_ends_and_not_beyond() {
        let window = Authorization::parse(GOOD).unwrap().window;
        let holds = |at| {
            let now = Timestamp::from_second(at).unwrap();
            window.has_begun(now) && !window.is_over(now)
        };
        assert_eq!([9, 10, 20, 21].map(holds), [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}|(q-[a-z-]{0,16}=[0-9a-f;]{0,12}&?){0,8}") {
            let _ = Authorization::parse(&text);
        }
    }
}
