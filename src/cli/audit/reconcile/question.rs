//! Asking Cloud Infinite what is so now, by a signed GET.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::ci::{self, CreateTime, Operation, Unserved, What};
use crate::config::Config;
use crate::credentials::{Credentials, NoKeys};
use crate::domain::{Bucket, Mistakes, Region, Service, Verb};
use crate::signing::Window;
use crate::upstream::Upstream;

/// Whether a service is on for a bucket.
pub(super) enum Said {
    /// It is; since when, if that could be read.
    Enabled(Option<String>),
    /// It is not.
    NotEnabled,
    /// Why that is not known.
    CannotTell(String),
}

/// Asks with the gateway's keys. It can only read: the operation is made here.
pub(super) struct Inquirer {
    credentials: Credentials,
    upstream: Upstream,
    lifetime: Duration,
    patience: Duration,
}

impl Inquirer {
    /// With the keys and the connections of `config`.
    pub(super) async fn new(config: &Config) -> Result<Self, Mistakes> {
        let credentials = Credentials::load(&config.credentials, None, Timestamp::now())?;
        credentials.ask_once().await;
        Ok(Self {
            credentials,
            upstream: Upstream::new(&config.ci.upstream)?,
            lifetime: config.ci.signature_lifetime,
            patience: config.server.request_timeout,
        })
    }

    /// What is so now.
    pub(super) async fn ask(&self, service: Service, bucket: &Bucket, region: &Region, now: Timestamp) -> Said {
        let operation = Operation::new(service, Verb::Describe);
        let chosen = match self.credentials.keys_for(bucket, now) {
            Ok(chosen) => chosen,
            Err(NoKeys::OtherAccount) => return Said::CannotTell("no keys are configured for its account".to_owned()),
            Err(NoKeys::Unavailable) => return Said::CannotTell("there are no keys to ask with".to_owned()),
        };
        let window = Window::around(now, self.lifetime);
        let signed = match ci::request(operation, bucket, region).sign(chosen.keys().keys(), window) {
            Ok(signed) => signed,
            Err(why) => return Said::CannotTell(why.to_string()),
        };
        let received = match self.upstream.send(signed, Instant::now() + self.patience).await {
            Ok(received) => received,
            Err(why) => return Said::CannotTell(why.to_string()),
        };
        match ci::read(operation, ci::Asked { bucket, region }, received.reply()) {
            Ok(answer) => said(answer.what),
            Err(Unserved::Fault(fault)) => {
                Said::CannotTell(format!("Cloud Infinite refuses to say: {}", fault.kind().as_str()))
            }
            Err(Unserved::Unreadable(why, _)) => Said::CannotTell(why.to_string()),
        }
    }
}

fn said(what: What) -> Said {
    match what {
        What::Described(None) => Said::NotEnabled,
        What::Described(Some(enrolment)) => Said::Enabled(match enrolment.create_time {
            CreateTime::Read(since) => Some(since),
            CreateTime::Raw(_) | CreateTime::Absent => None,
        }),
        What::Created(_) | What::Deleted => Said::CannotTell("the answer is to another question".to_owned()),
    }
}
