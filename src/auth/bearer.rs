//! The token in a request's head (RFC 6750 section 2.1); never in its query or body.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{Reason, Refused};

/// In bytes: tokens of identity providers run to 2 KiB, and what is longer costs time before it is refused.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The text after `Bearer`, at most 8 KiB of `b68token`.
///
/// # Errors
/// [`Refused::NoCredentials`] without an `Authorization` header or with another scheme; [`Refused::BadToken`] if
/// there are two, or if no token follows the scheme.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refused::NoCredentials)?;
    if values.next().is_some() {
        return Err(Refused::BadToken(Reason::SeveralCredentials));
    }
    let mut parts = value.as_bytes().splitn(2, |byte| *byte == b' ');
    let scheme = parts.next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refused::NoCredentials);
    }
    b68token(parts.next().unwrap_or_default()).map_err(Refused::BadToken)
}

fn b68token(rest: &[u8]) -> Result<&str, Reason> {
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(blanks..).unwrap_or_default();
    if token.len() > LONGEST_TOKEN {
        return Err(Reason::TooLong);
    }
    let text = std::str::from_utf8(token).map_err(|_| Reason::Malformed)?;
    let unpadded = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if unpadded.is_empty() || !unpadded.bytes().all(allowed) { Err(Reason::Malformed) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    // Row 30.
    #[test]
    fn the_scheme_is_read_in_any_case_and_may_be_followed_by_several_blanks() {
        for value in ["Bearer a.b-c_d~e+f/g==", "bEaReR a.b-c_d~e+f/g==", "BEARER    a.b-c_d~e+f/g=="] {
            assert_eq!(token(&head(&[value.as_bytes()])), Ok("a.b-c_d~e+f/g=="), "{value}");
        }
    }

    // Row 26.
    #[test]
    fn no_header_and_another_scheme_are_no_credentials() {
        assert_eq!(token(&HeaderMap::new()), Err(Refused::NoCredentials));
        for value in ["", " ", "Basic YTpi", "Bearers a", "Bearer\ta", "Token a", " Bearer a", "Basic \u{fc}"] {
            assert_eq!(token(&head(&[value.as_bytes()])), Err(Refused::NoCredentials), "{value:?}");
        }
    }

    // Row 29.
    #[test]
    fn a_scheme_without_one_clean_token_is_a_bad_token() {
        for value in ["Bearer", "Bearer ", "Bearer   ", "Bearer a b", "Bearer a ", "Bearer a,b", "Bearer \ta"] {
            assert_eq!(token(&head(&[value.as_bytes()])), Err(Refused::BadToken(Reason::Malformed)), "{value:?}");
        }
        for value in ["Bearer =", "Bearer a=b", "Bearer {\"a\":1}", "Bearer a\u{fc}", "Bearer \u{ff41}"] {
            assert_eq!(token(&head(&[value.as_bytes()])), Err(Refused::BadToken(Reason::Malformed)), "{value:?}");
        }
        assert_eq!(token(&head(&[b"Bearer a\xff"])), Err(Refused::BadToken(Reason::Malformed)));
    }

    #[test]
    fn two_headers_are_refused_even_if_they_agree() {
        let refused = Err(Refused::BadToken(Reason::SeveralCredentials));
        assert_eq!(token(&head(&[b"Bearer a", b"Bearer a"])), refused);
        assert_eq!(token(&head(&[b"Basic a", b"Bearer a"])), refused);
    }

    // Row 30.
    #[test]
    fn eight_kibibytes_are_a_token_and_one_byte_more_is_not() {
        let of_length = |length| format!("Bearer {}", "a".repeat(length));
        assert!(token(&head(&[of_length(8192).as_bytes()])).is_ok());
        assert_eq!(token(&head(&[of_length(8193).as_bytes()])), Err(Refused::BadToken(Reason::TooLong)));
    }
}
