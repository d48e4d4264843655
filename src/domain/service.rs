//! The six services of Cloud Infinite that a bucket can be enrolled in, and what one can ask of each.

/// A service that is switched on and off per bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Smart Audio: speech recognition and audio processing.
    SmartAudio,
    /// Media processing.
    Media,
    /// Document processing.
    Documents,
    /// Image processing jobs.
    Images,
    /// AI content recognition.
    Ai,
    /// File processing.
    Files,
}

impl Service {
    /// Every service, in the order of the contract.
    pub const ALL: [Self; 6] = [Self::SmartAudio, Self::Media, Self::Documents, Self::Images, Self::Ai, Self::Files];

    /// The word in our paths and answers, as in `/v1/buckets/{bucket}/smart-audio`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SmartAudio => "smart-audio",
            Self::Media => "media",
            Self::Documents => "documents",
            Self::Images => "images",
            Self::Ai => "ai",
            Self::Files => "files",
        }
    }

    /// The service of a path segment; `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == word)
    }
}

/// What is asked of a service: the three calls that all six share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Switch the service on for a bucket (`POST`).
    Create,
    /// Say whether it is on (`GET`).
    Describe,
    /// Switch it off (`DELETE`).
    Delete,
}

impl Verb {
    /// Every verb, in the order of the contract.
    pub const ALL: [Self; 3] = [Self::Create, Self::Describe, Self::Delete];
}
