//! Step 5: the body, which is none or `{}`.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use crate::domain::Verb;

/// The largest body that is read, in bytes.
const LARGEST: usize = 4 * 1024;

/// Reads the body to its end, before `deadline`, and accepts it if it says nothing.
pub(super) async fn check<B>(verb: Verb, headers: &HeaderMap, body: B, deadline: Instant) -> Result<(), Error>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if body.is_end_stream() {
        return Ok(());
    }
    match verb {
        Verb::Describe => return Err(Error::BodyOnGet),
        Verb::Create | Verb::Delete => {}
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Error::ContentEncoding);
    }
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(Error::BodyTooLarge);
    }
    let read = Limited::new(body, LARGEST).collect();
    let bytes = timeout_at(deadline, read).await.map_err(|_elapsed| Error::BodyTimeout)?;
    let bytes =
        bytes.map_err(|why| if why.is::<LengthLimitError>() { Error::BodyTooLarge } else { Error::BodyBroken })?;
    empty_object(headers, &bytes.to_bytes())
}

fn empty_object(headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    if !headers.get(CONTENT_TYPE).is_none_or(|value| is_json(value.as_bytes()) || is_curls_own(value.as_bytes(), body))
    {
        return Err(Error::ContentType);
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
        Ok(object) if object.is_empty() => Ok(()),
        Ok(_) | Err(_) => Err(Error::BodyNotEmpty),
    }
}

/// `application/json`, with or without parameters.
fn is_json(value: &[u8]) -> bool {
    is_media_type(value, b"application/json")
}

/// What `curl -d '{}'` says of it, and other clients that must send something; of nothing but `{}` it is believed.
fn is_curls_own(value: &[u8], body: &[u8]) -> bool {
    is_media_type(value, b"application/x-www-form-urlencoded") && body.trim_ascii() == b"{}"
}

fn is_media_type(value: &[u8], media_type: &[u8]) -> bool {
    let given = value.split(|b| *b == b';').next().unwrap_or_default();
    given.trim_ascii().eq_ignore_ascii_case(media_type)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::Full;

    use super::*;

    async fn checked(verb: Verb, headers: &[(http::HeaderName, &str)], body: &str) -> Result<(), Error> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        check(verb, &headers, Full::from(body.to_owned()), Instant::now() + Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn nothing_and_an_empty_object_are_accepted() {
        let curls_own = [(CONTENT_TYPE, "application/x-www-form-urlencoded")];
        assert!(checked(Verb::Create, &curls_own, "{}").await.is_ok());
        for body in ["", "{}", " { }\n", "  "] {
            assert!(checked(Verb::Create, &[], body).await.is_ok(), "{body}");
            assert!(checked(Verb::Delete, &[(CONTENT_TYPE, "application/json; charset=utf-8")], body).await.is_ok());
        }
    }

    #[tokio::test]
    async fn whatever_says_something_is_refused() {
        for body in ["[]", "null", "{\"a\":1}", "{", "x", "{}{}", "\"\"", &"[".repeat(3000)] {
            assert!(matches!(checked(Verb::Create, &[], body).await, Err(Error::BodyNotEmpty)), "{body}");
        }
    }

    #[tokio::test]
    async fn other_types_encodings_sizes_and_a_body_on_get_are_refused() {
        for (media_type, body) in
            [("application/xml", "{}"), ("text/plain", "{}"), ("application/x-www-form-urlencoded", "{ }")]
        {
            assert!(matches!(
                checked(Verb::Create, &[(CONTENT_TYPE, media_type)], body).await,
                Err(Error::ContentType)
            ));
        }
        assert!(matches!(
            checked(Verb::Create, &[(CONTENT_ENCODING, "gzip")], "{}").await,
            Err(Error::ContentEncoding)
        ));
        assert!(matches!(checked(Verb::Create, &[], &" ".repeat(4097)).await, Err(Error::BodyTooLarge)));
        assert!(checked(Verb::Create, &[], &" ".repeat(4096)).await.is_ok());
        assert!(matches!(checked(Verb::Describe, &[], "{}").await, Err(Error::BodyOnGet)));
    }
}
