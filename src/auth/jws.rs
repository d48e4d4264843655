//! A JSON web signature in its compact form (RFC 7515): split, decoded, and verified with a given key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::Object;
use super::keys::Key;
use super::{Algorithm, Reason};

/// In bytes. Real ones are hashes or UUIDs.
pub(super) const LONGEST_KEY_ID: usize = 128;

/// A token whose form is right and whose signature has not been looked at.
pub(super) struct Jws<'t> {
    header: Header,
    payload: Vec<u8>,
    signed: &'t str,
    signature: &'t str,
}

/// What a token's header is asked for. `jku`, `x5u`, `jwk` and `x5c` are not: keys come from our files alone.
pub(super) struct Header {
    /// What the token says that it was signed with.
    pub(super) algorithm: Algorithm,
    /// Which key it asks for; opaque, at most 128 bytes.
    pub(super) key_id: Option<Box<str>>,
    /// Whether its `typ` says that it is an access token (RFC 9068 section 2.1).
    pub(super) is_access_token: bool,
}

impl<'t> Jws<'t> {
    /// Splits and decodes `token`; five parts are a JWE, and nothing is decrypted here.
    ///
    /// # Errors
    /// The [`Reason`] if it is not three parts of base64url without padding and stray bits, or if its header
    /// asks for something that is not done here.
    pub(super) fn parse(token: &'t str) -> Result<Self, Reason> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Reason::Malformed)?;
        // A dot left in the payload is not in base64's alphabet, so four and five parts fail here.
        let payload = decode(payload)?;
        decode(signature)?;
        Ok(Self { header: Header::parse(&decode(header)?)?, payload, signed, signature })
    }

    /// The header, which nobody has vouched for.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, which nobody has vouched for until [`verify`](Self::verify) has.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks the signature with `key` and the algorithm of `key`; the token's `alg` must agree, not choose.
    ///
    /// # Errors
    /// [`Reason::WrongAlgorithm`] or [`Reason::BadSignature`].
    pub(super) fn verify(&self, key: &Key) -> Result<(), Reason> {
        if self.header.algorithm != key.algorithm {
            return Err(Reason::WrongAlgorithm);
        }
        let algorithm = key.algorithm.in_jsonwebtoken();
        match jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &key.verifying, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Reason::BadSignature),
        }
    }
}

impl Header {
    fn parse(text: &[u8]) -> Result<Self, Reason> {
        let header = Object::parse(text).map_err(|_| Reason::MalformedHeader)?;
        if ["crit", "b64", "zip", "enc"].iter().any(|name| header.has(name)) {
            return Err(Reason::UnsupportedHeader);
        }
        let is_access_token = header.text("typ").is_some_and(is_access_token);
        if header.has("typ") && !is_access_token && !header.text("typ").is_some_and(is_plain) {
            return Err(Reason::WrongType);
        }
        let algorithm = header.text("alg").ok_or(Reason::MalformedHeader)?;
        let algorithm = algorithm.parse().map_err(|_| Reason::UnsupportedAlgorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_text().and_then(key_id).ok_or(Reason::MalformedHeader)?),
        };
        Ok(Self { algorithm, key_id, is_access_token })
    }
}

/// A text that can be a key's id: 1 to 128 bytes.
pub(super) fn key_id(text: &str) -> Option<Box<str>> {
    (1..=LONGEST_KEY_ID).contains(&text.len()).then(|| text.into())
}

/// The two spellings of RFC 9068 section 4.
fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}

/// A JWT that does not say more (RFC 7519 section 5.1).
fn is_plain(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("JWT")
}

/// Strict: no padding, no other alphabet, no white space, no bits set after the last byte (RFC 7515 section 2).
fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_header(json: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(json))
    }

    fn refusal(token: &str) -> Option<Reason> {
        Jws::parse(token).err()
    }

    // Row 37.
    #[test]
    fn a_header_is_read_whatever_else_stands_in_it() {
        let token =
            with_header(r#" { "alg":"ES256","kid":"k","x":[1],"jku":"http://127.0.0.1:1/","jwk":{"kty":"oct"}}"#);
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.header().algorithm, Algorithm::Es256);
        assert_eq!(jws.header().key_id.as_deref(), Some("k"));
        assert_eq!(jws.payload(), b"{}");
    }

    // Rows 39 and 56: a JWE has five parts, and nothing is decrypted.
    #[test]
    fn only_three_parts_are_a_token() {
        let good = with_header(r#"{"alg":"HS256"}"#);
        assert_eq!(refusal(&good), None);
        for token in ["", ".", "..", "a", "a.b", "...."] {
            assert!(refusal(token).is_some(), "{token}");
        }
        for more in [".", ".c2ln", ".c2ln.c2ln"] {
            assert_eq!(refusal(&format!("{good}{more}")), Some(Reason::Malformed));
        }
        assert_eq!(
            refusal(r#"{"payload":"e30","protected":"eyJhbGciOiJIUzI1NiJ9","signature":"c2ln"}"#),
            Some(Reason::Malformed)
        );
    }

    // Row 51.
    #[test]
    fn base64url_is_read_strictly_in_every_part() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        for (payload, signature) in [
            ("e30=", "c2ln"),
            ("e30", "c2lnbg=="),
            ("e31", "c2ln"),
            ("e30", "c2lnbh"),
            ("e3+", "c2ln"),
            ("e30", "a/ln"),
            ("e 30", "c2ln"),
            ("e30", "c2l\nn"),
            ("e30", "c"),
        ] {
            assert_eq!(
                refusal(&format!("{header}.{payload}.{signature}")),
                Some(Reason::Malformed),
                "{payload}.{signature}"
            );
        }
        assert_eq!(refusal(&format!("{header}=.e30.c2ln")), Some(Reason::Malformed));
        assert_eq!(refusal(&format!(" {header}.e30.c2ln")), Some(Reason::Malformed));
    }

    // Row 34.
    #[test]
    fn alg_none_is_refused_in_every_spelling_and_so_is_no_alg() {
        for alg in ["none", "None", "NONE", "nOnE", "", "hs256", "PS256", "HS512", "ES384"] {
            assert_eq!(
                refusal(&with_header(&format!(r#"{{"alg":"{alg}"}}"#))),
                Some(Reason::UnsupportedAlgorithm),
                "{alg}"
            );
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"Alg":"HS256"}"#] {
            assert_eq!(refusal(&with_header(header)), Some(Reason::MalformedHeader), "{header}");
        }
    }

    // Rows 38 and 39.
    #[test]
    fn what_is_not_understood_is_refused_even_if_it_is_harmless() {
        for member in [
            r#""crit":["x"]"#,
            r#""crit":[]"#,
            r#""crit":null"#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""enc":"A128GCM""#,
        ] {
            let token = with_header(&format!(r#"{{"alg":"HS256",{member}}}"#));
            assert_eq!(refusal(&token), Some(Reason::UnsupportedHeader), "{member}");
        }
    }

    // Row 40.
    #[test]
    fn typ_may_say_that_this_is_a_jwt_or_an_access_token() {
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
            let token = with_header(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#));
            let jws = Jws::parse(&token).unwrap_or_else(|reason| panic!("{typ}: {reason:?}"));
            assert_eq!(jws.header().is_access_token, !typ.eq_ignore_ascii_case("jwt"), "{typ}");
        }
        for typ in [r#""JOSE""#, r#""dpop+jwt""#, r#""secevent+jwt""#, r#""""#, "1", "null", r#"["JWT"]"#] {
            let token = with_header(&format!(r#"{{"alg":"HS256","typ":{typ}}}"#));
            assert_eq!(refusal(&token), Some(Reason::WrongType), "{typ}");
        }
    }

    // Row 57.
    #[test]
    fn a_kid_is_a_text_of_at_most_128_bytes() {
        let long = "k".repeat(129);
        for kid in [r#""""#, "1", "null", r#"["k"]"#, &format!("{long:?}")] {
            let token = with_header(&format!(r#"{{"alg":"HS256","kid":{kid}}}"#));
            assert_eq!(refusal(&token), Some(Reason::MalformedHeader), "{kid}");
        }
    }

    // Row 50.
    #[test]
    fn a_header_member_that_stands_twice_is_refused() {
        for header in [r#"{"alg":"HS256","alg":"HS256"}"#, r#"{"alg":"HS256","x":1,"x":2}"#, r#"{"alg":"HS256"}{}"#] {
            assert_eq!(refusal(&with_header(header)), Some(Reason::MalformedHeader), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            let _ = Jws::parse(&text);
        }

        #[test]
        fn no_header_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let token = format!("{}..", URL_SAFE_NO_PAD.encode(bytes));
            let _ = Jws::parse(&token);
        }
    }
}
