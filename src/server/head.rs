//! The strict head: what a request's first bytes must be before a parser is trusted with them.
//!
//! Pure and free of allocation. The lines are judged in the order in which they stand and the first broken rule
//! wins, so the verdict does not depend on how the bytes were cut into packets.

use super::fields::Fields;
use super::target;
use crate::api::Refusal;

/// The longest head, its closing empty line included; [`Refusal::HeadTooLarge`] beyond.
pub(super) const LONGEST_HEAD: usize = 16 * 1024;

/// A head that was found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its bytes, from the first one looked at to the end of its closing empty line.
    pub length: usize,
    /// Where its body ends.
    pub framing: Framing,
}

/// How the end of a body is told (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// The body tells by itself, chunk by chunk.
    Chunked,
}

/// The version of a request, of the two that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Judges the head at the start of `bytes`; `None` while its end is still to come.
///
/// One empty line before the request line is passed over (RFC 9112 section 2.2); whatever follows the head is not
/// looked at.
///
/// # Errors
/// The first rule, in the order of the bytes, that the head breaks; it may be known before the head's end is.
pub fn inspect(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    let window = bytes.get(..LONGEST_HEAD).unwrap_or(bytes);
    let start = window.strip_prefix(b"\r\n").unwrap_or(window);
    // What cannot begin a request (a TLS greeting, say) is not waited for to end.
    if start.first().is_some_and(|first| !first.is_ascii_graphic() && !matches!(first, b'\r' | b'\n')) {
        return Err(Refusal::RequestLine);
    }
    let Some((line, mut rest)) = split_line(start)? else {
        return unless_full(window, Refusal::TargetTooLong);
    };
    let request = RequestLine::parse(line)?;
    let mut fields = Fields::new(request.version);
    loop {
        let Some((line, after)) = split_line(rest)? else {
            return unless_full(window, Refusal::HeadTooLarge);
        };
        rest = after;
        if line.is_empty() {
            break;
        }
        fields.add(line)?;
    }
    let framing = fields.finish(request.authority)?;
    Ok(Some(Head { length: window.len() - rest.len(), framing }))
}

fn unless_full(window: &[u8], refusal: Refusal) -> Result<Option<Head>, Refusal> {
    if window.len() < LONGEST_HEAD { Ok(None) } else { Err(refusal) }
}

/// A line without its CRLF, and what follows.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first line of `bytes`; `None` if the line is not complete.
fn split_line(bytes: &[u8]) -> Result<Option<Split<'_>>, Refusal> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    match end.and_then(|end| bytes.split_at_checked(end)) {
        None | Some((_, [b'\r'])) => Ok(None),
        Some((line, [b'\r', b'\n', rest @ ..])) => Ok(Some((line, rest))),
        Some(_) => Err(Refusal::BareLineEnd),
    }
}

/// `METHOD SP target SP version` (RFC 9112 section 3).
struct RequestLine<'a> {
    version: Version,
    /// The authority of a target in absolute form.
    authority: Option<&'a [u8]>,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::RequestLine);
        };
        inspect_method(method)?;
        let version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Refusal::Version);
            }
            _ => return Err(Refusal::RequestLine),
        };
        Ok(Self { version, authority: target::inspect(target)? })
    }
}

/// Refuses what is not a method, and the two methods after which the connection would not speak HTTP/1 any more; every
/// other one is for the route to judge, which knows what each path takes.
pub(super) fn inspect_method(method: &[u8]) -> Result<(), Refusal> {
    match method {
        b"CONNECT" | b"PRI" => Err(Refusal::Method),
        _ if method.is_empty() || !is_token(method) => Err(Refusal::RequestLine),
        _ => Ok(()),
    }
}

/// RFC 9110 section 5.6.2; true of nothing at all, too.
pub(super) fn is_token(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framing(head: &str) -> Result<Framing, Refusal> {
        inspect(head.as_bytes()).map(|head| head.expect("a whole head").framing)
    }

    #[test]
    fn a_plain_head_passes_and_its_length_is_told() {
        let head = b"GET /v1/buckets/test-1234567890/smart-audio?region=ap-chongqing HTTP/1.1\r\nHost: x:8080\r\n\r\n";
        let followed = [head.as_slice(), b"GET / nonsense"].concat();
        let expected = Ok(Some(Head { length: head.len(), framing: Framing::None }));
        assert_eq!(inspect(head), expected);
        assert_eq!(inspect(&followed), expected);
    }

    #[test]
    fn every_beginning_of_a_good_head_is_waited_on() {
        let head = b"\r\nPOST http://x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-A:\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(inspect(&head[..end]), Ok(None), "{end}");
        }
        assert_eq!(inspect(head).unwrap().unwrap().framing, Framing::Length(2));
    }

    #[test]
    fn request_lines_are_judged() {
        for (line, refusal) in [
            ("GET  / HTTP/1.1", Refusal::RequestLine),
            ("GET / HTTP/1.1 ", Refusal::RequestLine),
            (" GET / HTTP/1.1", Refusal::RequestLine),
            ("GET /", Refusal::RequestLine),
            ("GET / a HTTP/1.1", Refusal::RequestLine),
            ("GET / HTTP/11", Refusal::RequestLine),
            ("GET / http/1.1", Refusal::RequestLine),
            ("GET / HTTP/1.1\t", Refusal::RequestLine),
            ("\x16\x03\x01", Refusal::RequestLine),
            ("GET / HTTP/1.2", Refusal::Version),
            ("GET / HTTP/2.0", Refusal::Version),
            ("GET / HTTP/0.9", Refusal::Version),
            ("CONNECT x:80 HTTP/1.1", Refusal::Method),
            ("PRI * HTTP/2.0", Refusal::Method),
            ("G@T / HTTP/1.1", Refusal::RequestLine),
            ("G(T / HTTP/1.1", Refusal::RequestLine),
            ("GÉT / HTTP/1.1", Refusal::RequestLine),
            ("GET ! HTTP/1.1", Refusal::Target),
        ] {
            assert_eq!(framing(&format!("{line}\r\nHost: x\r\n\r\n")), Err(refusal), "{line}");
        }
        for line in [
            "get / HTTP/1.1",
            "M-SEARCH / HTTP/1.1",
            "\r\nGET / HTTP/1.1",
            "OPTIONS / HTTP/1.0",
            "TRACE / HTTP/1.1",
            "AVERYLONGMETHODTHATNOBODYEVERMAKES / HTTP/1.1",
        ] {
            assert_eq!(framing(&format!("{line}\r\nHost: x\r\n\r\n")), Ok(Framing::None), "{line}");
        }
        assert_eq!(inspect(b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), Err(Refusal::RequestLine));
    }

    #[test]
    fn a_bare_line_end_is_refused_wherever_it_stands() {
        for head in [
            "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
            "GET / HTTP/1.1\rHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\rX",
        ] {
            assert_eq!(inspect(head.as_bytes()), Err(Refusal::BareLineEnd), "{head:?}");
        }
    }

    #[test]
    fn the_first_broken_rule_wins() {
        assert_eq!(inspect(b"GET / HTTP/3.0\r\nHost x"), Err(Refusal::Version));
        assert_eq!(inspect(b"GET / HTTP/1.1\r\nHost x\r\nA: b\n"), Err(Refusal::HeaderLine));
    }

    #[test]
    fn sixteen_kibibytes_is_the_end_of_patience() {
        let head_of = |length: usize| {
            let frame = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(length - frame))
        };
        assert_eq!(framing(&head_of(LONGEST_HEAD)), Ok(Framing::None));
        assert_eq!(inspect(head_of(LONGEST_HEAD + 1).as_bytes()), Err(Refusal::HeadTooLarge));
        assert_eq!(inspect(&vec![b'a'; LONGEST_HEAD]), Err(Refusal::TargetTooLong));
        assert_eq!(inspect(&vec![b'a'; LONGEST_HEAD - 1]), Ok(None));
    }

    /// Pieces of heads, so that a random text is often nearly right.
    fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"Content-Length: 3\r\n".to_vec()),
            Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b" ".to_vec()),
            Just(b"\r".to_vec()),
            Just(b":".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = inspect(&bytes);
        }

        #[test]
        fn a_verdict_stands_whatever_comes_after(bytes in nearly_a_head(), more in nearly_a_head()) {
            let verdict = inspect(&bytes);
            if verdict != Ok(None) {
                prop_assert_eq!(verdict, inspect(&[bytes, more].concat()));
            }
        }

        #[test]
        fn what_passes_is_a_head_for_the_parser_behind(bytes in nearly_a_head()) {
            if let Ok(Some(head)) = inspect(&bytes) {
                let head = &bytes[..head.length];
                prop_assert!(head.ends_with(b"\r\n\r\n"));
                let lines = head.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
                let pairs = head.windows(2).filter(|pair| pair == b"\r\n").count();
                prop_assert_eq!(lines, 2 * pairs);
            }
        }
    }
}
