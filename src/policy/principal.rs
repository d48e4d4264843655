//! Whom a statement is about.

use crate::domain::Caller;

use super::findings::{Flaw, quoted};

/// How principals are written, for hints.
pub(super) const SPELLING: &str = "write `user:NAME`, `group:NAME`, or `*` for every caller";

/// One principal of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Principal<'t> {
    /// `*`: every authenticated caller.
    Everyone,
    /// `user:NAME`.
    User(&'t str),
    /// `group:NAME`: by token or by the policy's own `[groups]`.
    Group(&'t str),
}

impl<'t> Principal<'t> {
    /// # Errors
    /// A [`Flaw`] if the text is none of the three spellings or names someone whom no caller can be.
    pub(super) fn parse(text: &'t str) -> Result<Self, Flaw> {
        match (text, text.split_once(':')) {
            ("*", _) => Ok(Self::Everyone),
            (_, Some(("user", user))) => name(user).map(Self::User),
            (_, Some(("group", group))) => name(group).map(Self::Group),
            (_, Some(_)) => Err(Flaw::new(format!("unknown kind of principal {}", quoted(text)), SPELLING)),
            (_, None) => {
                let hint = format!("did you mean {}? {SPELLING}", quoted(&format!("user:{text}")));
                Err(Flaw::new(format!("the principal {} is neither a user nor a group", quoted(text)), hint))
            }
        }
    }
}

/// A name that stands alone, where its place in the file says whether it is a user's or a group's.
///
/// # Errors
/// A [`Flaw`] as for a principal, and for a principal's prefix that has slipped in: a group called
/// `group:speech` would leave the deny for `group:speech` without its members.
pub(super) fn bare_name(text: &str) -> Result<&str, Flaw> {
    const HINT: &str = "write the bare name: users in `[users]` and as members in `[groups]`, groups left of the `=` in \
                        `[groups]`; what a group may do stands in a `[[statement]]`";
    match text.split_once(':') {
        Some(("user" | "group", _)) => {
            Err(Flaw::new(format!("{} has a prefix that only principals have", quoted(text)), HINT))
        }
        Some(_) | None => name(text),
    }
}

/// A name that a caller or a group can have.
///
/// # Errors
/// A [`Flaw`] if none can. That holds for names with `*` too: CAM has no wildcards in names, and a deny for
/// `user:svc-*` that nobody is called would deny nothing.
fn name(text: &str) -> Result<&str, Flaw> {
    if text.contains('*') {
        let what = format!("the name {} holds a `*`, which is no wildcard in names", quoted(text));
        return Err(Flaw::new(what, "name each user or group; `*` alone as principal is every caller"));
    }
    match Caller::new(text, None::<&str>, "policy") {
        Ok(_) => Ok(text),
        Err(why) => Err(Flaw::new(format!("no caller can be called {}", quoted(text)), why.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_everything_after_the_first_colon() {
        assert_eq!(Principal::parse("*"), Ok(Principal::Everyone));
        assert_eq!(Principal::parse("user:alice"), Ok(Principal::User("alice")));
        assert_eq!(Principal::parse("group:团队"), Ok(Principal::Group("团队")));
        let service = "system:serviceaccount:speech:transcriber";
        assert_eq!(Principal::parse(&format!("user:{service}")), Ok(Principal::User(service)));
        assert_eq!(bare_name(service), Ok(service));
    }

    #[test]
    fn whom_no_caller_can_be_is_refused() {
        for text in
            ["", "user:", "group:", "user:a\nb", "user:svc-*", "group:*", "alice", "role:admin", "User:alice", "**"]
        {
            assert!(Principal::parse(text).is_err(), "{text}");
        }
        for text in ["", "*", "user:alice", "group:a", "a\0"] {
            assert!(bare_name(text).is_err(), "{text}");
        }
    }
}
