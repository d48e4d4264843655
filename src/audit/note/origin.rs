//! The name of a log.

use std::fmt;
use std::str::FromStr;

/// Longer ones are no names, and would not leave a record the room for what it says.
const LONGEST: usize = 128;

/// What a log is called, in its checkpoints and as the name of its key: 1 to 128 bytes without a space, a plus or
/// anything that cannot be seen. Best an address without a scheme, such as `example.com/ci-gateway/eu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Box<str>);

impl Origin {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if is_name(text) && text.len() <= LONGEST { Ok(Self(text.into())) } else { Err(InvalidOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the specification of notes allows as the name of a key.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The text is no name of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 128 bytes without spaces and `+`")]
pub struct InvalidOrigin;
