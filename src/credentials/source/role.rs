//! The names that a role is asked for by.

use std::fmt;
use std::str::FromStr;

/// Longer than any role's name that CAM takes.
const LONGEST_ARN: usize = 512;

/// A role: `qcs::cam::uin/<uin>:roleName/<name>`, or `roleId` in the place of `roleName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn(Box<str>);

/// The name of a session: 2 to 128 of letters, digits and `_+=,.@-` (`AssumeRole`, parameter `RoleSessionName`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(Box<str>);

/// The name of a role: 1 to 128 of letters, digits and `_+=,.@-` (`CreateRole`, parameter `RoleName`), which need no escape in
/// a path; not of dots alone, which would leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(Box<str>);

impl RoleName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoleArn {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SessionName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRole;

    /// # Errors
    /// [`InvalidRole`] shows the form.
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let parts = text.strip_prefix("qcs::cam::uin/").and_then(|rest| rest.split_once(':'));
        let (uin, role) = parts.ok_or(InvalidRole::Arn)?;
        let name = role.strip_prefix("roleName/").or_else(|| role.strip_prefix("roleId/"));
        let is_uin = !uin.is_empty() && uin.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        if is_uin && is_name && text.len() <= LONGEST_ARN { Ok(Self(text.into())) } else { Err(InvalidRole::Arn) }
    }
}

impl FromStr for RoleName {
    type Err = InvalidRole;

    /// # Errors
    /// [`InvalidRole`] shows the form.
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let is_dots = text.bytes().all(|byte| byte == b'.');
        if is_word(text, 1) && !is_dots { Ok(Self(text.into())) } else { Err(InvalidRole::Name) }
    }
}

impl FromStr for SessionName {
    type Err = InvalidRole;

    /// # Errors
    /// [`InvalidRole`] shows the form.
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        if is_word(text, 2) { Ok(Self(text.into())) } else { Err(InvalidRole::Session) }
    }
}

/// What CAM takes for a name, of so many characters at least.
fn is_word(text: &str, shortest: usize) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (shortest..=128).contains(&text.len()) && text.bytes().all(fits)
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name of a role or session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// Not of the form of a role.
    #[error("write a role as CAM shows it, `qcs::cam::uin/<uin>:roleName/<name>`")]
    Arn,
    /// Not of the form of a role's name.
    #[error("write 1 to 128 letters, digits and `_+=,.@-`, not dots alone")]
    Name,
    /// Not of the form of a session's name.
    #[error("write 2 to 128 letters, digits and `_+=,.@-`")]
    Session,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_as_cam_shows_it() {
        for text in ["qcs::cam::uin/100001:roleName/ci-gateway", "qcs::cam::uin/1:roleId/46116"] {
            assert_eq!(text.parse::<RoleArn>().unwrap().as_str(), text);
        }
        for text in
            ["", "ci-gateway", "qcs::cam::uin/:roleName/a", "qcs::cam::uin/1:roleName/", "qcs::cam::uin/x:roleName/a"]
        {
            assert_eq!(text.parse::<RoleArn>(), Err(InvalidRole::Arn), "{text}");
        }
    }

    #[test]
    fn a_name_of_a_role_stays_in_its_place_of_a_path() {
        for text in ["CI-Gateway_1", "a+b=c,d.e@f", "a..b"] {
            assert_eq!(text.parse::<RoleName>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "é", &"a".repeat(129)] {
            assert_eq!(text.parse::<RoleName>(), Err(InvalidRole::Name), "{text}");
        }
    }

    #[test]
    fn a_session_has_a_name_that_the_cloud_takes() {
        assert_eq!("ci-gateway@pod_1".parse::<SessionName>().unwrap().as_str(), "ci-gateway@pod_1");
        for text in ["", "a", "a b", "ä1", &"a".repeat(129)] {
            assert_eq!(text.parse::<SessionName>(), Err(InvalidRole::Session), "{text}");
        }
    }
}
