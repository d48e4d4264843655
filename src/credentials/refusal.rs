//! What Cloud Infinite can refuse about keys.

/// A refusal of keys, or of the signature that was made with them. Source:
/// <https://www.tencentcloud.com/document/product/436/7730>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Nobody has such a SecretId.
    UnknownId,
    /// The SecretKey is not the one of the SecretId.
    WrongSignature,
    /// The keys were temporary, and have ended.
    Ended,
}

impl KeyRefusal {
    const ALL: [Self; 3] = [Self::UnknownId, Self::WrongSignature, Self::Ended];

    /// The refusal with this code; `None` for a code that is not about keys.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// Cloud Infinite's code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::UnknownId => "InvalidAccessKeyId",
            Self::WrongSignature => "SignatureDoesNotMatch",
            Self::Ended => "ExpiredToken",
        }
    }

    /// What an operator can do.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::UnknownId => {
                "the key was deleted or disabled, or is of another cloud: look at the console's API keys"
            }
            Self::WrongSignature => "the SecretKey is not the one of this SecretId: copy both again, without blanks",
            Self::Ended => {
                "their source has to give new ones in time: look at it, and compare its clock with this machine's"
            }
        }
    }
}
