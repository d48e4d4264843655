//! The `Authorization` header of the COS signature (step 8).

use std::fmt;

use super::{InvalidWindow, Window};

/// The seven fields of the header; `Display` gives its text, `parse` reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    secret_id: &'a str,
    window: Window,
    header_list: &'a str,
    url_param_list: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn new(
        secret_id: &'a str,
        window: Window,
        header_list: &'a str,
        url_param_list: &'a str,
        signature: &'a str,
    ) -> Self {
        Self { secret_id, window, header_list, url_param_list, signature }
    }

    /// Reads a header's text; the fields may stand in any order, each once.
    ///
    /// # Errors
    /// [`InvalidAuthorization`] names the field that is missing, repeated, unknown or unreadable.
    pub fn parse(text: &'a str) -> Result<Self, InvalidAuthorization> {
        let mut fields = Fields::default();
        for field in text.trim().split('&') {
            let (name, value) = field.split_once('=').ok_or(InvalidAuthorization::NotFields)?;
            let place = fields.place(name).ok_or(InvalidAuthorization::UnknownField)?;
            if place.replace(value).is_some() {
                return Err(InvalidAuthorization::RepeatedField);
            }
        }
        fields.read()
    }

    /// `q-ak`: whose key signed.
    #[must_use]
    pub fn secret_id(&self) -> &'a str {
        self.secret_id
    }

    /// `q-sign-time` and `q-key-time`, which are the same.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// `q-header-list`: the names of the signed headers.
    #[must_use]
    pub fn header_list(&self) -> &'a str {
        self.header_list
    }

    /// `q-url-param-list`: the names of the signed parameters.
    #[must_use]
    pub fn url_param_list(&self) -> &'a str {
        self.url_param_list
    }

    /// `q-signature`.
    #[must_use]
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

impl fmt::Display for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret_id, window, header_list, url_param_list, signature } = self;
        write!(f, "q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={window}&q-key-time={window}")?;
        write!(f, "&q-header-list={header_list}&q-url-param-list={url_param_list}&q-signature={signature}")
    }
}

/// Without the signature: it is as good as the key until its window ends.
impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("window", &self.window).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Fields<'a> {
    algorithm: Option<&'a str>,
    secret_id: Option<&'a str>,
    sign_time: Option<&'a str>,
    key_time: Option<&'a str>,
    header_list: Option<&'a str>,
    url_param_list: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn place(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        match name {
            "q-sign-algorithm" => Some(&mut self.algorithm),
            "q-ak" => Some(&mut self.secret_id),
            "q-sign-time" => Some(&mut self.sign_time),
            "q-key-time" => Some(&mut self.key_time),
            "q-header-list" => Some(&mut self.header_list),
            "q-url-param-list" => Some(&mut self.url_param_list),
            "q-signature" => Some(&mut self.signature),
            _ => None,
        }
    }

    fn read(self) -> Result<Authorization<'a>, InvalidAuthorization> {
        let missing = InvalidAuthorization::MissingField;
        if self.algorithm.ok_or(missing("q-sign-algorithm"))? != "sha1" {
            return Err(InvalidAuthorization::Algorithm);
        }
        let sign_time = self.sign_time.ok_or(missing("q-sign-time"))?;
        if self.key_time.ok_or(missing("q-key-time"))? != sign_time {
            return Err(InvalidAuthorization::TwoWindows);
        }
        Ok(Authorization {
            secret_id: self.secret_id.ok_or(missing("q-ak"))?,
            window: sign_time.parse()?,
            header_list: self.header_list.ok_or(missing("q-header-list"))?,
            url_param_list: self.url_param_list.ok_or(missing("q-url-param-list"))?,
            signature: self.signature.ok_or(missing("q-signature"))?,
        })
    }
}

/// Why a text is not such a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorization {
    /// Not `name=value` joined by `&`.
    #[error("not of the form `q-sign-algorithm=sha1&q-ak=…`")]
    NotFields,
    /// A field of another name than the seven.
    #[error("it has a field that is none of the seven `q-` fields")]
    UnknownField,
    /// A field twice.
    #[error("it has a field twice")]
    RepeatedField,
    /// A field is not there.
    #[error("its field `{0}` is missing")]
    MissingField(&'static str),
    /// Another algorithm than `sha1`.
    #[error("its `q-sign-algorithm` is not `sha1`")]
    Algorithm,
    /// `q-sign-time` and `q-key-time` differ, which no official SDK writes.
    #[error("its `q-sign-time` and `q-key-time` differ")]
    TwoWindows,
    /// The window cannot be read.
    #[error("its window cannot be read: {0}")]
    Window(#[from] InvalidWindow),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=1;2&q-key-time=1;2&q-header-list=host&q-url-param-list=&q-signature=abc";

    #[test]
    fn a_header_reads_back_into_its_text() {
        assert_eq!(Authorization::parse(GOOD).unwrap().to_string(), GOOD);
    }

    #[test]
    fn each_way_to_be_wrong_has_its_name() {
        for (from, to, why) in [
            ("q-sign-algorithm=sha1&", "", InvalidAuthorization::MissingField("q-sign-algorithm")),
            ("&q-signature=abc", "", InvalidAuthorization::MissingField("q-signature")),
            ("=sha1", "=sha256", InvalidAuthorization::Algorithm),
            ("q-key-time=1;2", "q-key-time=1;3", InvalidAuthorization::TwoWindows),
            ("=1;2", "=2;1", InvalidAuthorization::Window(InvalidWindow)),
            ("q-ak=AKID", "q-ak=AKID&q-ak=AKID", InvalidAuthorization::RepeatedField),
            ("q-ak=AKID", "q-ak=AKID&x=1", InvalidAuthorization::UnknownField),
            ("q-ak=AKID", "q-ak", InvalidAuthorization::NotFields),
        ] {
            assert_eq!(Authorization::parse(&GOOD.replace(from, to)), Err(why), "{from} -> {to}");
        }
    }

    #[test]
    fn debug_does_not_show_the_signature() {
        assert!(!format!("{:?}", Authorization::parse(GOOD).unwrap()).contains("abc"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
            let _parsed = Authorization::parse(&text);
        }
    }
}
