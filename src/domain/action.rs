//! CAM's names for what the gateway can do.

use std::fmt;
use std::str::FromStr;

use super::{Service, Verb};

/// A CAM action that the gateway knows, such as `ci:CreateAsrBucket`.
///
/// Source: the action list of Cloud Infinite, <https://cloud.tencent.com/document/product/460/41741>,
/// and the pages of the six activation calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    service: Service,
    verb: Verb,
}

impl Action {
    /// How many there are: six services by three verbs.
    pub const COUNT: usize = Service::ALL.len() * Verb::ALL.len();

    /// The action that allows `verb` on `service`.
    #[must_use]
    pub const fn new(service: Service, verb: Verb) -> Self {
        Self { service, verb }
    }

    /// Every known action: six services by three verbs.
    pub fn all() -> impl Iterator<Item = Self> {
        Service::ALL.into_iter().flat_map(|service| Verb::ALL.map(|verb| Self { service, verb }))
    }

    /// The service that the action is about.
    #[must_use]
    pub const fn service(self) -> Service {
        self.service
    }

    /// What the action does to the service.
    #[must_use]
    pub const fn verb(self) -> Verb {
        self.verb
    }

    /// The name in CAM's language, with the `ci:` prefix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match (self.service, self.verb) {
            (Service::SmartAudio, Verb::Create) => "ci:CreateAsrBucket",
            (Service::SmartAudio, Verb::Describe) => "ci:DescribeAsrBuckets",
            (Service::SmartAudio, Verb::Delete) => "ci:DeleteAsrBucket",
            (Service::Media, Verb::Create) => "ci:CreateMediaBucket",
            (Service::Media, Verb::Describe) => "ci:DescribeMediaBuckets",
            (Service::Media, Verb::Delete) => "ci:DeleteMediaBucket",
            (Service::Documents, Verb::Create) => "ci:CreateDocProcessBucket",
            (Service::Documents, Verb::Describe) => "ci:DescribeDocProcessBucket",
            (Service::Documents, Verb::Delete) => "ci:DeleteDocProcessBucket",
            (Service::Images, Verb::Create) => "ci:CreatePicProcessBucket",
            (Service::Images, Verb::Describe) => "ci:DescribePicProcessBucket",
            (Service::Images, Verb::Delete) => "ci:DeletePicProcessBucket",
            (Service::Ai, Verb::Create) => "ci:CreateAiProcessBucket",
            (Service::Ai, Verb::Describe) => "ci:DescribeAiProcessBucket",
            (Service::Ai, Verb::Delete) => "ci:DeleteAiProcessBucket",
            (Service::Files, Verb::Create) => "ci:CreateFileProcessBucket",
            (Service::Files, Verb::Describe) => "ci:DescribeFileProcessBucket",
            (Service::Files, Verb::Delete) => "ci:DeleteFileProcessBucket",
        }
    }

    /// A number below 18, distinct for each action: the index into per-action arrays and bit sets.
    #[must_use]
    pub const fn index(self) -> usize {
        self.service as usize * Verb::ALL.len() + self.verb as usize
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    /// Reads `ci:Name` or CAM's longer `name/ci:Name`; upper and lower case count.
    ///
    /// # Errors
    /// [`UnknownAction`] for any other text.
    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let name = text.strip_prefix("name/").unwrap_or(text);
        Self::all().find(|action| action.as_str() == name).ok_or(UnknownAction)
    }
}

/// The text names no action of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an action of this gateway")]
pub struct UnknownAction;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_from_both_of_its_spellings() {
        for action in Action::all() {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(format!("name/{action}").parse(), Ok(action));
        }
    }

    #[test]
    fn indices_are_a_permutation_of_zero_to_seventeen() {
        let indices: Vec<usize> = Action::all().map(Action::index).collect();
        assert_eq!(indices, (0..18).collect::<Vec<_>>());
    }

    #[test]
    fn case_and_foreign_services_are_refused() {
        for text in ["ci:createasrbucket", "cos:PutObject", "CreateAsrBucket", "ci:CreateAsrBucket ", ""] {
            assert_eq!(text.parse::<Action>(), Err(UnknownAction), "{text}");
        }
    }
}
