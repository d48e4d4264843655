//! The header fields of a head (RFC 9112 section 5), line by line, and the framing that they add up to.

use super::head::{Framing, Version, is_token};
use super::target::is_authority;
use crate::api::Refusal;

/// The most header fields of a head; [`Refusal::HeadTooLarge`] beyond.
pub(super) const MOST_FIELDS: usize = 64;

/// What the lines so far have told.
pub(super) struct Fields<'a> {
    version: Version,
    count: usize,
    seen: Seen,
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(version: Version) -> Self {
        Self { version, count: 0, seen: Seen(0), host: None, length: None, chunked: false }
    }

    /// Takes the next line, which is not empty, without its CRLF.
    pub(super) fn add(&mut self, line: &'a [u8]) -> Result<(), Refusal> {
        self.count += 1;
        if self.count > MOST_FIELDS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = split_field(line)?;
        match Known::of(name) {
            Some(known) => self.add_known(known, value),
            None => Ok(()),
        }
    }

    /// The framing, once the last line is in; `authority` is that of a target in absolute form.
    pub(super) fn finish(self, authority: Option<&[u8]>) -> Result<Framing, Refusal> {
        match (authority, self.host, self.version) {
            (Some(authority), Some(host), _) if !authority.eq_ignore_ascii_case(host) => return Err(Refusal::Target),
            (_, Some(_), _) | (None, None, Version::Http10) => {}
            (Some(_), None, Version::Http10) => return Err(Refusal::Target),
            (_, None, Version::Http11) => return Err(Refusal::Host),
        }
        Ok(match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, None | Some(0)) => Framing::None,
            (false, Some(length)) => Framing::Length(length),
        })
    }

    fn add_known(&mut self, known: Known, value: &'a [u8]) -> Result<(), Refusal> {
        if self.seen.already(known) {
            return Err(known.when_repeated());
        }
        known.inspect(value)?;
        match known {
            Known::Host => self.host = Some(value),
            Known::ContentLength => self.length = Some(content_length(value)?),
            Known::TransferEncoding if self.version == Version::Http10 => return Err(Refusal::TransferEncoding),
            Known::TransferEncoding => self.chunked = true,
            Known::Authorization | Known::ApiKey | Known::RequestId | Known::ContentType | Known::Expect => {}
        }
        if self.chunked && self.length.is_some() { Err(Refusal::LengthAndEncoding) } else { Ok(()) }
    }
}

/// The headers that may stand once; every other one is only checked for its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Known {
    Host,
    ContentLength,
    TransferEncoding,
    Expect,
    Authorization,
    ApiKey,
    RequestId,
    ContentType,
}

impl Known {
    pub(super) const ALL: [Self; 8] = [
        Self::Host,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::Expect,
        Self::Authorization,
        Self::ApiKey,
        Self::RequestId,
        Self::ContentType,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ContentLength => "content-length",
            Self::TransferEncoding => "transfer-encoding",
            Self::Expect => "expect",
            Self::Authorization => "authorization",
            Self::ApiKey => "x-api-key",
            Self::RequestId => "x-request-id",
            Self::ContentType => "content-type",
        }
    }

    /// What a second one is refused as.
    pub(super) const fn when_repeated(self) -> Refusal {
        match self {
            Self::Host => Refusal::Host,
            Self::TransferEncoding => Refusal::TransferEncoding,
            Self::ContentLength
            | Self::Expect
            | Self::Authorization
            | Self::ApiKey
            | Self::RequestId
            | Self::ContentType => Refusal::RepeatedHeader,
        }
    }

    /// Judges a value, without the blanks around it, whatever the HTTP version.
    pub(super) fn inspect(self, value: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Host if is_authority(value) => Ok(()),
            Self::Host => Err(Refusal::Host),
            Self::ContentLength => content_length(value).map(|_| ()),
            Self::TransferEncoding => only_chunked(value),
            Self::Expect if value.eq_ignore_ascii_case(b"100-continue") => Ok(()),
            Self::Expect => Err(Refusal::Expectation),
            // Two readers may take obs-text for two different texts: not in what a decision hangs on.
            Self::Authorization | Self::ApiKey | Self::RequestId if !value.is_ascii() => Err(Refusal::HeaderLine),
            Self::Authorization | Self::ApiKey | Self::RequestId | Self::ContentType => Ok(()),
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()))
    }
}

/// A set of [`Known`].
struct Seen(u8);

impl Seen {
    /// Notes one down, and says whether it was there before.
    fn already(&mut self, known: Known) -> bool {
        let bit = 1 << known as u8;
        let before = self.0;
        self.0 |= bit;
        before & bit != 0
    }
}

/// Name and value, the latter without the blanks around it.
///
/// A folded line and a blank before the colon fall with the rule that a name is a token.
fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
        return Err(Refusal::HeaderLine);
    };
    let forbidden = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if name.is_empty() || !is_token(name) || value.iter().any(forbidden) {
        return Err(Refusal::HeaderLine);
    }
    Ok((name, value.trim_ascii()))
}

/// Plain digits, so few that they always fit.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if !matches!(value.len(), 1..=19) || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::ContentLength);
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

fn only_chunked(value: &[u8]) -> Result<(), Refusal> {
    let mut count = 0;
    let mut unknown = false;
    for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if coding.is_empty() {
            return Err(Refusal::TransferEncoding);
        }
        count += 1;
        unknown |= !coding.eq_ignore_ascii_case(b"chunked");
    }
    match (unknown, count) {
        (true, _) => Err(Refusal::UnknownCoding),
        (false, 1) => Ok(()),
        (false, _) => Err(Refusal::TransferEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inspect;

    fn judged(version: &str, lines: &[&str]) -> Result<Framing, Refusal> {
        let head = format!("POST / HTTP/{version}\r\n{}\r\n\r\n", lines.join("\r\n"));
        inspect(head.as_bytes()).map(|head| head.expect("a whole head").framing)
    }

    /// The verdict on one line beside a good `Host`.
    fn line(line: &str) -> Result<Framing, Refusal> {
        judged("1.1", &["Host: x", line])
    }

    #[test]
    fn a_host_stands_once_and_makes_sense() {
        for lines in [&[][..], &["A: b"], &["Host: x", "Host: x"], &["Host:"], &["Host: a/b"], &["Host: \u{e9}"]] {
            if !lines.is_empty() {
                assert_eq!(judged("1.1", lines), Err(Refusal::Host), "{lines:?}");
            }
        }
        assert_eq!(inspect(b"GET / HTTP/1.1\r\n\r\n"), Err(Refusal::Host));
        assert_eq!(judged("1.0", &["A: b"]), Ok(Framing::None));
        assert_eq!(judged("1.0", &["Host: x", "hOST: x"]), Err(Refusal::Host));
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let judged = |target: &str, host: &str| inspect(format!("GET {target} HTTP/1.1\r\n{host}\r\n\r\n").as_bytes());
        assert!(judged("http://Example:80/a", "Host: example:80").is_ok());
        for (target, host) in [("http://a/", "Host: b"), ("http://u@a/", "Host: a"), ("http:///", "Host: a")] {
            assert_eq!(judged(target, host), Err(Refusal::Target), "{target} {host}");
        }
        assert_eq!(judged("http://a/", "A: b"), Err(Refusal::Host));
        assert_eq!(inspect(b"GET http://a/ HTTP/1.0\r\n\r\n"), Err(Refusal::Target));
    }

    #[test]
    fn field_lines_have_one_form() {
        for bad in [
            "A", "A : b", " A: b", "\tA: b", ": b", "A\t: b", "A B: c", "A(: b", "é: b", "A: b\0", "A: \x07", "A: \x7f",
        ] {
            assert_eq!(line(bad), Err(Refusal::HeaderLine), "{bad:?}");
        }
        for good in ["A:", "A: \t b \t", "A: é", "A: b: c", "X_Y!#$%&'*+-.^`|~: z", "A: \u{85}"] {
            assert_eq!(line(good), Ok(Framing::None), "{good:?}");
        }
        assert_eq!(judged("1.1", &["Host: x", "A: b", " folded"]), Err(Refusal::HeaderLine));
    }

    #[test]
    fn some_headers_stand_once() {
        for name in ["Authorization", "X-Api-Key", "Content-Type", "X-Request-Id"] {
            let twice = [&*format!("{name}: a"), "Host: x", &*format!("{}: a", name.to_ascii_uppercase())];
            assert_eq!(judged("1.1", &twice), Err(Refusal::RepeatedHeader), "{name}");
        }
        assert_eq!(judged("1.1", &["Host: x", "Content-Length: 1", "Content-Length: 1"]), Err(Refusal::RepeatedHeader));
        assert_eq!(
            judged("1.1", &["Host: x", "Expect: 100-continue", "Expect: 100-continue"]),
            Err(Refusal::RepeatedHeader)
        );
        assert_eq!(judged("1.1", &["Host: x", "Accept: a", "Accept: b"]), Ok(Framing::None));
    }

    #[test]
    fn a_decision_hangs_on_no_obs_text() {
        for name in ["Authorization", "X-Api-Key", "X-Request-Id"] {
            assert_eq!(line(&format!("{name}: é")), Err(Refusal::HeaderLine), "{name}");
        }
    }

    #[test]
    fn lengths_are_plain_digits() {
        for bad in ["", "+5", "-5", "5, 5", "0x5", "5 5", "1e3", "5;", "18446744073709551616", "99999999999999999999"] {
            assert_eq!(line(&format!("Content-Length: {bad}")), Err(Refusal::ContentLength), "{bad}");
        }
        assert_eq!(line("Content-Length: 0"), Ok(Framing::None));
        assert_eq!(line("Content-Length: 007"), Ok(Framing::Length(7)));
        assert_eq!(line("Content-Length: 9999999999999999999"), Ok(Framing::Length(9_999_999_999_999_999_999)));
    }

    #[test]
    fn chunked_is_the_only_coding_and_stands_alone() {
        for (value, refusal) in [
            ("", Refusal::TransferEncoding),
            (",chunked", Refusal::TransferEncoding),
            ("chunked,", Refusal::TransferEncoding),
            ("chunked, chunked", Refusal::TransferEncoding),
            ("cow, chunked", Refusal::UnknownCoding),
            ("chunked, cow", Refusal::UnknownCoding),
            ("identity", Refusal::UnknownCoding),
            ("gzip", Refusal::UnknownCoding),
            ("chunked;q=1", Refusal::UnknownCoding),
            ("\"chunked\"", Refusal::UnknownCoding),
            ("\x0bchunked", Refusal::HeaderLine),
        ] {
            assert_eq!(line(&format!("Transfer-Encoding: {value}")), Err(refusal), "{value:?}");
        }
        assert_eq!(line("Transfer-Encoding: \tcHuNkeD "), Ok(Framing::Chunked));
        let twice = ["Host: x", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"];
        assert_eq!(judged("1.1", &twice), Err(Refusal::TransferEncoding));
        assert_eq!(judged("1.0", &twice[..2]), Err(Refusal::TransferEncoding));
    }

    #[test]
    fn a_length_and_an_encoding_never_stand_together() {
        let (length, encoding) = ("Content-Length: 0", "Transfer-Encoding: chunked");
        assert_eq!(judged("1.1", &["Host: x", length, encoding]), Err(Refusal::LengthAndEncoding));
        assert_eq!(judged("1.1", &["Host: x", encoding, length]), Err(Refusal::LengthAndEncoding));
    }

    #[test]
    fn one_expectation_is_known() {
        assert_eq!(line("Expect: 100-Continue"), Ok(Framing::None));
        for bad in ["x", "", "100-continue, x", "100-continue; a"] {
            assert_eq!(line(&format!("Expect: {bad}")), Err(Refusal::Expectation), "{bad}");
        }
    }

    #[test]
    fn sixty_four_fields_are_the_most() {
        let fields = |count: usize| ["Host: x"].into_iter().chain(["A: b"; 100]).take(count).collect::<Vec<_>>();
        assert_eq!(judged("1.1", &fields(MOST_FIELDS)), Ok(Framing::None));
        assert_eq!(judged("1.1", &fields(MOST_FIELDS + 1)), Err(Refusal::HeadTooLarge));
    }
}
