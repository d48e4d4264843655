//! The request target and the authority it may name (RFC 9112 section 3.2), on raw bytes.
//!
//! No path of this API holds an escape, a dot segment or a matrix parameter, so nothing that another server might read
//! as a different path is let through.

use crate::api::Refusal;

/// The longest target; [`Refusal::TargetTooLong`] beyond.
const LONGEST_TARGET: usize = 4 * 1024;
/// Visible, and yet no part of a URI (RFC 3986 section 2); `http::Uri` would drop what follows `#` without a word.
const NO_PART_OF_A_URI: &[u8] = b"\"<>\\^`{|}#";

/// Judges a target in origin form or absolute form; the latter's authority is handed back, to be held against `Host`.
pub(super) fn inspect(target: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    if !target.iter().all(|byte| byte.is_ascii_graphic() && !NO_PART_OF_A_URI.contains(byte)) {
        return Err(Refusal::TargetByte);
    }
    let (authority, origin) = split_authority(target)?;
    inspect_origin(origin)?;
    Ok(authority)
}

/// Judges a path and query, as HTTP/2 sends them.
pub(super) fn inspect_origin(origin: &[u8]) -> Result<(), Refusal> {
    let mut parts = origin.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    let Some(segments) = path.strip_prefix(b"/") else {
        return Err(Refusal::Target);
    };
    let whole = escapes(query).all(|escape| escape.is_some());
    let harmless = escapes(path).all(|escape| escape.is_some_and(|byte| !may_change_a_path(byte)));
    if whole && harmless && segments_are_plain(segments) { Ok(()) } else { Err(Refusal::TargetByte) }
}

/// Whether `host` is a name, an IPv4 address or a bracketed IPv6 address, with or without a port.
pub(super) fn is_authority(host: &[u8]) -> bool {
    let (name_is_good, port) = match host {
        [b'[', rest @ ..] => {
            let mut parts = rest.splitn(2, |byte| *byte == b']');
            let address = parts.next().unwrap_or_default();
            let good = !address.is_empty() && address.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
            // Without a closing bracket there is no second part.
            (good, parts.next().unwrap_or(b"]"))
        }
        _ => {
            let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
            let (name, port) = host.split_at_checked(end).unwrap_or((host, b""));
            let good = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
            (good && !name.is_empty(), port)
        }
    };
    name_is_good
        && match port {
            [] => true,
            [b':', digits @ ..] => matches!(digits.len(), 1..=5) && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

fn split_authority(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Refusal> {
    let absolute = ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    });
    match absolute {
        None => Ok((None, target)),
        Some(rest) => {
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).ok_or(Refusal::Target)?;
            let (authority, origin) = rest.split_at_checked(end).ok_or(Refusal::Target)?;
            Ok((Some(authority), origin))
        }
    }
}

/// The bytes that the `%XX` of a text stand for; `None` for a `%` without two hexadecimal digits.
fn escapes(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.split(|byte| *byte == b'%').skip(1).map(move |after| match after {
        [high, low, ..] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    })
}

/// Once decoded, by whomever, these would make another path of it.
fn may_change_a_path(decoded: u8) -> bool {
    decoded.is_ascii_control() || b"/\\.;?#%".contains(&decoded)
}

/// No empty segment but a last one, no `.` or `..`, no `;`.
fn segments_are_plain(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let empty_inside = segment.is_empty() && segments.peek().is_some();
        if empty_inside || matches!(segment, b"." | b"..") || segment.contains(&b';') {
            return false;
        }
    }
    // `//` at the very end leaves two empty segments, of which the first was caught above.
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_paths_of_the_api_pass() {
        for target in [
            "/",
            "/v1/buckets/test-1234567890/smart-audio?region=ap-chongqing&validate_only=true",
            "/problems/not_found",
            "/v1/",
            "/a.b/..c/d..",
            "/a%41?b=%2F%2e%00;..//",
            "/a?b=c?d",
        ] {
            assert_eq!(inspect(target.as_bytes()), Ok(None), "{target}");
        }
    }

    #[test]
    fn what_another_server_might_read_otherwise_is_refused() {
        let bytes = "/a#frag /a\\b /a\"b /< /> /^ /` /{ /| /} /a\u{7f} /a\0b /é";
        let escapes = "/a%00 /a%2fb /a%2Fb /a%5cb /%2e%2e/a /a%2Eb /a%3bb /a%23 /a%3f /a%25 /a%0d%0a";
        let broken_escapes = "/a% /a%2 /a%2g /a?% /a?%g0";
        let segments = "// //a /a//b /a// /. /.. /a/./b /a/../b /a/.. /a;b /..;/a";
        for target in [bytes, escapes, broken_escapes, segments].into_iter().flat_map(|list| list.split(' ')) {
            assert_eq!(inspect(target.as_bytes()), Err(Refusal::TargetByte), "{target:?}");
        }
        assert_eq!(inspect(b"/a\tb"), Err(Refusal::TargetByte));
    }

    #[test]
    fn only_origin_form_and_absolute_form_are_taken() {
        for target in ["*", "x:80", "a", "http:", "http:/x/", "http://x", "http://x?a", "ftp://x/", "?a", ""] {
            assert_eq!(inspect(target.as_bytes()), Err(Refusal::Target), "{target}");
        }
        assert_eq!(inspect(b"http://Example:80/a"), Ok(Some(b"Example:80".as_slice())));
        assert_eq!(inspect(b"HTTPS://x/"), Ok(Some(b"x".as_slice())));
    }

    #[test]
    fn four_kibibytes_is_the_longest_target() {
        let target = |length: usize| format!("/{}", "a".repeat(length - 1));
        assert_eq!(inspect(target(LONGEST_TARGET).as_bytes()), Ok(None));
        assert_eq!(inspect(target(LONGEST_TARGET + 1).as_bytes()), Err(Refusal::TargetTooLong));
    }

    #[test]
    fn authorities_are_told_from_lookalikes() {
        for good in ["x", "a.example:8080", "127.0.0.1:1", "[::1]", "[::ffff:1.2.3.4]:443", "a_b.c-d", "x."] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a:", "a:b", "a:123456", "a:1:2", "u@a", "a/b", "a#b", "a?b", "a\\b", "a b", "a,b", "[::1",
            "[]", "[::1]x", "[::1]:", "[x]", "é", "a%2e", "::1",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_read_by_the_uri_parser_as_it_stands(target in "/[!-~]{0,40}") {
            if inspect(target.as_bytes()) == Ok(None) {
                let uri: http::Uri = target.parse().unwrap();
                prop_assert_eq!(uri.path_and_query().unwrap().as_str(), target.as_str());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = inspect(&bytes);
            let _ = inspect_origin(&bytes);
            let _ = is_authority(&bytes);
        }
    }
}
