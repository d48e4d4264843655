//! The operation table: what the gateway can do, and how Cloud Infinite calls it.

use http::Method;

use crate::domain::{Action, Service, Verb};

/// One row of the table: a service by a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    action: Action,
}

/// What Cloud Infinite calls the parts of a service.
struct Names {
    /// The path of its three calls.
    path: &'static str,
    /// The node of a bucket in the answer to a POST.
    node: &'static str,
    /// The node of a bucket in the answer to a GET; old pages have another name for Smart Audio's.
    list_nodes: &'static [&'static str],
}

impl Operation {
    /// The row of `service` and `verb`.
    #[must_use]
    pub const fn new(service: Service, verb: Verb) -> Self {
        Self { action: Action::new(service, verb) }
    }

    /// The row that `action` permits.
    #[must_use]
    pub const fn of(action: Action) -> Self {
        Self { action }
    }

    /// Every row.
    pub fn all() -> impl Iterator<Item = Self> {
        Action::all().map(|action| Self { action })
    }

    /// The CAM action that permits the operation; each has exactly one.
    #[must_use]
    pub const fn action(self) -> Action {
        self.action
    }

    /// The service.
    #[must_use]
    pub const fn service(self) -> Service {
        self.action.service()
    }

    /// The verb.
    #[must_use]
    pub const fn verb(self) -> Verb {
        self.action.verb()
    }

    /// The method, the same on our side and on Cloud Infinite's.
    #[must_use]
    pub const fn method(self) -> Method {
        match self.verb() {
            Verb::Create => Method::POST,
            Verb::Describe => Method::GET,
            Verb::Delete => Method::DELETE,
        }
    }

    /// The path at Cloud Infinite.
    #[must_use]
    pub const fn upstream_path(self) -> &'static str {
        self.names().path
    }

    pub(super) const fn node(self) -> &'static str {
        self.names().node
    }

    pub(super) const fn list_nodes(self) -> &'static [&'static str] {
        self.names().list_nodes
    }

    const fn names(self) -> Names {
        let (path, node, list_nodes): (_, _, &[&str]) = match self.service() {
            Service::SmartAudio => ("/asrbucket", "AsrBucket", &["AsrBucketList", "SpeechBucketList"]),
            Service::Media => ("/mediabucket", "MediaBucket", &["MediaBucketList"]),
            Service::Documents => ("/docbucket", "DocBucket", &["DocBucketList"]),
            Service::Images => ("/picbucket", "PicBucket", &["PicBucketList"]),
            Service::Ai => ("/ai_bucket", "AiBucket", &["AiBucketList"]),
            Service::Files => ("/file_bucket", "FileBucket", &["FileBucketList"]),
        };
        Names { path, node, list_nodes }
    }
}
