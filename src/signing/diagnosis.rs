//! Why a signature does not match: what we signed, held against what Cloud Infinite says that it verified.
//!
//! Its refusal `SignatureDoesNotMatch` carries the HttpString of its own computation, which it calls `FormatString`, and
//! the StringToSign. The first part of them that differs from ours tells who changed what on the way; if none does, only
//! the key is left.

use std::fmt;

use zeroize::Zeroizing;

use super::Stages;
use crate::domain::is_printable;

/// Longer texts are cut: the HttpString of the longest token is under 26 KiB.
const LONGEST: usize = 32 * 1024;
/// Characters that are shown before the first difference, and from there on.
const BEFORE: usize = 16;
const AFTER: usize = 32;

/// What Cloud Infinite says that it verified. It may hold the token of temporary keys, so it is not shown as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct RefusedSignature {
    http_string: Option<Zeroizing<String>>,
    string_to_sign: Option<Zeroizing<String>>,
}

impl RefusedSignature {
    /// The texts of the nodes `FormatString` and `StringToSign`, as far as they are there.
    #[must_use]
    pub fn new(format_string: Option<&str>, string_to_sign: Option<&str>) -> Self {
        let kept = |text: &str| Zeroizing::new(text.chars().take(LONGEST).collect());
        Self { http_string: format_string.map(kept), string_to_sign: string_to_sign.map(kept) }
    }
}

impl fmt::Debug for RefusedSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedSignature(***)")
    }
}

/// The likely cause of a signature that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Both sides signed the same text.
    SecretKey,
    /// The method differs.
    Method,
    /// The path differs.
    Path,
    /// Parameters were added, lost, renamed or put into another order.
    ParameterList,
    /// A parameter has another value, or one in another spelling.
    ParameterValue,
    /// Signed headers were added, lost or renamed.
    HeaderList,
    /// `Host` is another one.
    Host,
    /// Another signed header has another value.
    HeaderValue,
    /// The times of the signature differ.
    Window,
    /// Their StringToSign is not that of their HttpString.
    Hash,
    /// What they say is not in the form that is documented.
    Unreadable,
    /// They do not say what they verified.
    NotShown,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 12] = [
        Self::SecretKey,
        Self::Method,
        Self::Path,
        Self::ParameterList,
        Self::ParameterValue,
        Self::HeaderList,
        Self::Host,
        Self::HeaderValue,
        Self::Window,
        Self::Hash,
        Self::Unreadable,
        Self::NotShown,
    ];

    /// The word in metrics and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretKey => "secret_key",
            Self::Method => "method",
            Self::Path => "path",
            Self::ParameterList => "parameter_list",
            Self::ParameterValue => "parameter_value",
            Self::HeaderList => "header_list",
            Self::Host => "host",
            Self::HeaderValue => "header_value",
            Self::Window => "window",
            Self::Hash => "hash",
            Self::Unreadable => "unreadable",
            Self::NotShown => "not_shown",
        }
    }

    /// What it means and what to do, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SecretKey => {
                "both sides signed the same text: the SecretKey is not the one of this SecretId, so copy both anew from where they were made"
            }
            Self::Method => "the method was changed on the way: look at the proxies between here and Cloud Infinite",
            Self::Path => "the path was changed or encoded anew on the way: look at the proxies in between",
            Self::ParameterList => "parameters were added, lost, renamed or put into another order on the way",
            Self::ParameterValue => "a parameter's value was changed or encoded anew on the way",
            Self::HeaderList => "Cloud Infinite looked at other headers than those that were signed",
            Self::Host => {
                "a proxy rewrites `Host`: let it pass the name on unchanged, or connect without it (see [ci] endpoint)"
            }
            Self::HeaderValue => "a signed header was changed on the way: look at the proxies in between",
            Self::Window => "the times of the signature were changed on the way",
            Self::Hash => "Cloud Infinite hashed another text than the one that it shows: ask its support",
            Self::Unreadable => {
                "Cloud Infinite shows what it verified in an unknown form: compare with `ci-gateway verify`"
            }
            Self::NotShown => "Cloud Infinite does not show what it verified: compare with `ci-gateway verify`",
        }
    }
}

/// The first difference between what we signed and what Cloud Infinite verified. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    cause: Cause,
    part: String,
    /// Where in the part, in characters, and what is there on either side.
    place: Option<(usize, String, String)>,
}

impl Diagnosis {
    /// Holds `ours` against `theirs`.
    #[must_use]
    pub fn of(ours: &Stages, theirs: &RefusedSignature) -> Self {
        let Some(http_string) = &theirs.http_string else { return Self::plain(Cause::NotShown) };
        let (ours_lines, their_lines) = (lines(ours.http_string()), lines(http_string));
        let ([method, path, parameters, headers], [their_method, their_path, their_parameters, their_headers]) =
            match (ours_lines, their_lines) {
                (Some(ours), Some(theirs)) => (ours, theirs),
                (_, _) => return Self::plain(Cause::Unreadable),
            };
        different(Cause::Method, "method", method, their_method)
            .or_else(|| different(Cause::Path, "path", path, their_path))
            .or_else(|| pairs_differ(Kind::Parameter, parameters, their_parameters))
            .or_else(|| pairs_differ(Kind::Header, headers, their_headers))
            .or_else(|| to_sign_differs(ours.string_to_sign(), theirs.string_to_sign.as_deref()?))
            .unwrap_or_else(|| Self::plain(Cause::SecretKey))
    }

    fn plain(cause: Cause) -> Self {
        Self { cause, part: cause.as_str().to_owned(), place: None }
    }

    /// The likely cause.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Which part of the signed text differs, such as `path` or `header host`.
    #[must_use]
    pub fn part(&self) -> &str {
        &self.part
    }

    /// How many characters of the part are the same.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.place.as_ref().map(|(position, ..)| *position)
    }

    /// What we signed, around the first difference.
    #[must_use]
    pub fn ours(&self) -> Option<&str> {
        self.place.as_ref().map(|(_, ours, _)| ours.as_str())
    }

    /// What Cloud Infinite verified there.
    #[must_use]
    pub fn theirs(&self) -> Option<&str> {
        self.place.as_ref().map(|(.., theirs)| theirs.as_str())
    }
}

/// The four lines of an HttpString. The reader of XML takes away the line ends behind the last one that is not empty.
fn lines(http_string: &str) -> Option<[&str; 4]> {
    let mut lines = http_string.lines().map(str::trim);
    let mut next = || lines.next().unwrap_or_default();
    let four = [next(), next(), next(), next()];
    let [method, path, ..] = four;
    (lines.next().is_none() && !method.is_empty() && path.starts_with('/')).then_some(four)
}

#[derive(Clone, Copy)]
enum Kind {
    Parameter,
    Header,
}

/// Whose value is nobody's to read. No name that is signed today but the first is one of them.
fn is_secret(name: &str) -> bool {
    ["token", "authorization", "signature", "secret", "cookie"].iter().any(|word| name.contains(word))
}

fn pairs(line: &str) -> Option<Vec<(&str, &str)>> {
    line.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=')).collect()
}

fn pairs_differ(kind: Kind, ours: &str, theirs: &str) -> Option<Diagnosis> {
    let (list, part) = match kind {
        Kind::Parameter => (Cause::ParameterList, "parameter"),
        Kind::Header => (Cause::HeaderList, "header"),
    };
    // Without its `=` a value could pass for a name, which is shown.
    let (Some(ours), Some(theirs)) = (pairs(ours), pairs(theirs)) else {
        return Some(Diagnosis { cause: Cause::Unreadable, part: list.as_str().to_owned(), place: None });
    };
    let names = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    different(list, list.as_str(), &names(&ours), &names(&theirs)).or_else(|| {
        let (name, ours, theirs) = ours
            .iter()
            .zip(&theirs)
            .find_map(|((name, ours), (_, theirs))| (ours != theirs).then_some((*name, *ours, *theirs)))?;
        let cause = match (kind, name) {
            (Kind::Parameter, _) => Cause::ParameterValue,
            (Kind::Header, "host") => Cause::Host,
            (Kind::Header, _) => Cause::HeaderValue,
        };
        let part = format!("{part} {name}");
        if is_secret(name) {
            return Some(Diagnosis { cause, part, place: None });
        }
        different(cause, &part, ours, theirs)
    })
}

/// Algorithm, window and hash, a line each.
fn to_sign_differs(ours: &str, theirs: &str) -> Option<Diagnosis> {
    let (mut ours, mut theirs) = (ours.trim().lines(), theirs.trim().lines());
    let mut next = || (ours.next().unwrap_or_default().trim(), theirs.next().unwrap_or_default().trim());
    let (algorithm, window, hash) = (next(), next(), next());
    different(Cause::Unreadable, "algorithm", algorithm.0, algorithm.1)
        .or_else(|| different(Cause::Window, "window", window.0, window.1))
        .or_else(|| different(Cause::Hash, "hash", hash.0, hash.1))
}

fn different(cause: Cause, part: &str, ours: &str, theirs: &str) -> Option<Diagnosis> {
    if ours == theirs {
        return None;
    }
    let position = ours.chars().zip(theirs.chars()).take_while(|(ours, theirs)| ours == theirs).count();
    let place = Some((position, around(ours, position), around(theirs, position)));
    Some(Diagnosis { cause, part: part.to_owned(), place })
}

/// A short piece of `text`, of characters that can be shown.
fn around(text: &str, position: usize) -> String {
    let shown = text.chars().skip(position.saturating_sub(BEFORE)).take(BEFORE + AFTER);
    shown.map(|c| if is_printable(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credentials::Keys;
    use crate::signing::View;

    const TOKEN: &str = "marker-of-the-token";

    fn stages() -> Stages {
        let keys = Keys::new("id", "key", Some(TOKEN)).unwrap();
        let view = View {
            method: "GET",
            path: "/asrbucket",
            params: &[("bucketNames", "a-1"), ("pageSize", "10")],
            headers: &[("host", "ci.ap-x.myqcloud.com"), ("x-ci-security-token", TOKEN)],
        };
        Stages::compute(view, &keys, "100;200".parse().unwrap()).unwrap()
    }

    /// What is said if Cloud Infinite shows our own texts with `old` replaced by `new`.
    fn after(old: &str, new: &str) -> Diagnosis {
        let stages = stages();
        let (http_string, to_sign) = (stages.http_string(), stages.string_to_sign());
        assert!(http_string.contains(old) || to_sign.contains(old), "{old}");
        let theirs = RefusedSignature::new(Some(&http_string.replace(old, new)), Some(&to_sign.replace(old, new)));
        Diagnosis::of(&stages, &theirs)
    }

    #[test]
    fn each_part_that_can_differ_has_its_cause_and_its_place() {
        for (old, new, cause, part, position) in [
            ("get\n", "head\n", Cause::Method, "method", 0),
            ("/asrbucket", "/asr%62ucket", Cause::Path, "path", 4),
            ("&pagesize=10", "", Cause::ParameterList, "parameter_list", 11),
            ("bucketnames=a-1&pagesize=10", "pagesize=10&bucketnames=a-1", Cause::ParameterList, "parameter_list", 0),
            ("pagesize=10", "pagesize=100", Cause::ParameterValue, "parameter pagesize", 2),
            ("a-1", "a%2D1", Cause::ParameterValue, "parameter bucketnames", 1),
            ("host=", "date=x&host=", Cause::HeaderList, "header_list", 0),
            ("ci.ap-x", "proxy.ap-x", Cause::Host, "header host", 0),
            ("100;200", "100;300", Cause::Window, "window", 4),
        ] {
            let diagnosis = after(old, new);
            assert_eq!((diagnosis.cause(), diagnosis.part()), (cause, part), "{old} -> {new}");
            assert_eq!(diagnosis.position(), Some(position), "{old} -> {new}: {diagnosis:?}");
            assert_ne!(diagnosis.ours(), diagnosis.theirs(), "{old} -> {new}");
        }
    }

    #[test]
    fn where_nothing_differs_only_the_key_is_left() {
        assert_eq!(after("get", "get"), Diagnosis::plain(Cause::SecretKey));
        let stages = stages();
        let trimmed = |text: &str| text.trim().replace('\n', "\r\n\t");
        let theirs =
            RefusedSignature::new(Some(&trimmed(stages.http_string())), Some(&trimmed(stages.string_to_sign())));
        assert_eq!(Diagnosis::of(&stages, &theirs).cause(), Cause::SecretKey);
        let theirs = RefusedSignature::new(Some(stages.http_string()), None);
        assert_eq!(Diagnosis::of(&stages, &theirs).cause(), Cause::SecretKey);
    }

    #[test]
    fn what_is_not_shown_or_of_an_unknown_form_is_told_as_such() {
        let stages = stages();
        for (http_string, cause) in [
            (None, Cause::NotShown),
            (Some(""), Cause::Unreadable),
            (Some("get /asrbucket"), Cause::Unreadable),
            (Some("get\n/asrbucket\n\n\n\nmore"), Cause::Unreadable),
            (Some("get\n/asrbucket\nbucketnames:a\n"), Cause::Unreadable),
        ] {
            let theirs = RefusedSignature::new(http_string, Some(stages.string_to_sign()));
            assert_eq!(Diagnosis::of(&stages, &theirs).cause(), cause, "{http_string:?}");
        }
        let other = RefusedSignature::new(Some(stages.http_string()), Some("sha1\n100;200\n0000"));
        assert_eq!(Diagnosis::of(&stages, &other).cause(), Cause::Hash);
    }

    #[test]
    fn a_token_is_never_shown_also_where_it_is_what_differs() {
        let diagnosis = after(TOKEN, "marker-of-another-token");
        assert_eq!((diagnosis.cause(), diagnosis.part()), (Cause::HeaderValue, "header x-ci-security-token"));
        for diagnosis in [
            diagnosis,
            after("token=", "token:"),
            after("host=", "h="),
            after("&x-ci-security-token=", "&x-ci-security-token:"),
            after("x-ci-security-token=", "x-ci-security-token%3D"),
            after("\nhost", "host"),
        ] {
            assert!(!format!("{diagnosis:?}").contains("marker"), "{diagnosis:?}");
        }
        assert!(!format!("{:?}", RefusedSignature::new(Some(TOKEN), Some(TOKEN))).contains("marker"));
    }

    #[test]
    fn causes_have_words_of_their_own() {
        let words: std::collections::BTreeSet<_> = Cause::ALL.map(Cause::as_str).into_iter().collect();
        assert_eq!(words.len(), Cause::ALL.len());
    }

    proptest! {
        #[test]
        fn whatever_is_shown_is_short_printable_and_without_the_token(
            http_string in "\\PC{0,80}|(get|post)\n/[a-z/]{0,9}\n[a-z=&%]{0,30}\n(host=[a-z.&=]{0,30}|x-ci-security-token=marker)",
            to_sign in "\\PC{0,60}",
        ) {
            let theirs = RefusedSignature::new(Some(&http_string), Some(&to_sign));
            let diagnosis = Diagnosis::of(&stages(), &theirs);
            for text in [diagnosis.ours(), diagnosis.theirs()].into_iter().flatten() {
                prop_assert!(text.chars().count() <= BEFORE + AFTER && text.chars().all(is_printable));
                prop_assert!(!text.contains("marker"));
            }
        }
    }
}
