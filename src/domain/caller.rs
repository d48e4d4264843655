//! Who called us, after authentication.

use std::collections::BTreeMap;

use super::is_printable;

/// Longest name of a caller or of a group, in bytes.
const LONGEST_NAME: usize = 256;

/// A caller whose identity has been proved.
///
/// Made by `auth` from a verified credential, and by the policy commands from what an operator asks about.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    name: Box<str>,
    groups: Box<[Box<str>]>,
    issuer: Box<str>,
    method: Method,
    key_id: Option<Box<str>>,
    claims: Claims,
}

/// The kind of credential by which a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A JSON web token.
    Token,
    /// An API key.
    ApiKey,
    /// A client certificate.
    Certificate,
}

impl Method {
    /// The word in records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "jwt",
            Self::ApiKey => "api_key",
            Self::Certificate => "mtls",
        }
    }
}

/// The verified claims of a caller's token by name, for conditions on `token:<claim>`.
pub type Claims = BTreeMap<Box<str>, Claim>;

/// What a token says under one name.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// A string.
    Text(Box<str>),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// An array; its members are none of them arrays or objects, or the whole is [`Claim::Other`].
    List(Box<[Claim]>),
    /// Something that no condition can compare: an object, an array of arrays, `null`.
    Other,
}

impl Caller {
    /// A caller called `name` (a policy's `user:name`), in `groups` (`group:name`), vouched for by `issuer`: known by
    /// a token without further claims, unless [`Self::known_by`] and [`Self::with_claims`] say more.
    ///
    /// # Errors
    /// [`InvalidCaller`] if a name is empty, longer than 256 bytes, or holds a character that is not printable:
    /// such a name could not be written into a log line or a policy without doubt.
    pub fn new<G>(name: &str, groups: G, issuer: &str) -> Result<Self, InvalidCaller>
    where
        G: IntoIterator,
        G::Item: Into<Box<str>>,
    {
        let groups: Box<[Box<str>]> = groups.into_iter().map(Into::into).collect();
        let names = groups.iter().map(AsRef::as_ref).chain([name]);
        if names.into_iter().all(is_name) {
            let (method, claims) = (Method::Token, Claims::new());
            Ok(Self { name: name.into(), groups, issuer: issuer.into(), method, key_id: None, claims })
        } else {
            Err(InvalidCaller)
        }
    }

    /// The caller with what else its token says.
    #[must_use]
    pub fn with_claims(self, claims: Claims) -> Self {
        Self { claims, ..self }
    }

    /// The caller with these claims and, unless they say otherwise, those that a token of its name and groups would have:
    /// `sub` and `groups`. For callers that are only asked about.
    #[must_use]
    pub fn with_usual_claims(self, mut claims: Claims) -> Self {
        let texts = self.groups.iter().cloned().map(Claim::Text).collect();
        claims.entry("sub".into()).or_insert_with(|| Claim::Text(self.name.clone()));
        claims.entry("groups".into()).or_insert(Claim::List(texts));
        self.with_claims(claims)
    }

    /// The caller as one that is known by `method`.
    #[must_use]
    pub fn known_by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The caller as one whose API key has this id.
    #[must_use]
    pub fn with_key_id(self, id: &str) -> Self {
        Self { key_id: Some(id.into()), ..self }
    }

    /// The name that policies call `user:…`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that the credential carries, `group:…` in policies.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(AsRef::as_ref)
    }

    /// Who vouched for the name: the token's `iss`; for another [`Method`] its word.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How the caller is known.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The id of the caller's API key, which is no secret.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What the caller's token says under `name`.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Claim> {
        self.claims.get(name)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(is_printable)
}

/// A name that no caller can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a caller's or group's name has 1 to 256 bytes and no invisible, control or direction character")]
pub struct InvalidCaller;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_log_line_are_refused() {
        for name in ["", "a\nb", "a\u{1b}[31m", "a\0", "\u{85}"] {
            assert_eq!(Caller::new(name, Vec::<&str>::new(), "i"), Err(InvalidCaller));
            assert_eq!(Caller::new("alice", [name], "i"), Err(InvalidCaller));
        }
        let hidden =
            "\u{ad}\u{61c}\u{200b}\u{200c}\u{200d}\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{e0000}\u{e0061}\u{e007f}";
        for format in hidden.chars().chain("\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{2028}\u{2029}".chars()) {
            let name = format!("al{format}ice");
            assert_eq!(Caller::new(&name, Vec::<&str>::new(), "i"), Err(InvalidCaller), "{name:?}");
            assert_eq!(Caller::new("alice", [name.as_str()], "i"), Err(InvalidCaller), "{name:?}");
        }
        assert_eq!(Caller::new(&"x".repeat(257), Vec::<&str>::new(), "i"), Err(InvalidCaller));
        assert!(Caller::new("李雷", ["团队"], "i").is_ok());
    }
}
