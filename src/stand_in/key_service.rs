//! The two services that give keys for a while, on the same listener: the machine's metadata and the Security Token
//! Service.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;
use jiff::Timestamp;

use super::answer::{Answer, Reply};
use super::fault::KeyServiceFault;
use super::keys::KnownKey;
use super::ledger::{Answered, Ledger, Verdict};
use super::sessions::Sessions;
use super::{metadata, sts};

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>A proxy's page.</body></html>\n";
const HTML: &str = "text/html";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// A service that gives keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyService {
    /// The Security Token Service, `POST /` with `X-TC-Action`.
    Sts,
    /// The metadata service of a machine, `GET /latest/meta-data/…`.
    Metadata,
}

impl KeyService {
    const ALL: [Self; 2] = [Self::Sts, Self::Metadata];

    /// The word before its faults.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Metadata => "metadata",
        }
    }

    /// The service that `text` begins with, and the rest behind its colon.
    pub(super) fn before(text: &str) -> Option<(Self, &str)> {
        let (name, rest) = text.split_once(':')?;
        Self::ALL.into_iter().find(|service| service.as_str() == name).map(|service| (service, rest))
    }

    /// The service that a request is for; `None` for Cloud Infinite itself, which has neither such a header nor such a
    /// path.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        if head.headers.contains_key("x-tc-action") {
            Some(Self::Sts)
        } else {
            head.uri.path().starts_with(metadata::ROOT).then_some(Self::Metadata)
        }
    }
}

/// What is known to the services that give keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServiceSettings {
    /// The roles that are bound to the machine, by their names.
    pub roles: Vec<String>,
    /// The one token that a pod may show; `None` takes any that is not empty.
    pub web_identity_token: Option<String>,
    /// How long keys are good for at most, however long they are asked for.
    pub session_lifetime: Duration,
}

impl Default for KeyServiceSettings {
    /// One role, `ci-gateway`; any token; two hours, which is the default of `AssumeRole`.
    fn default() -> Self {
        Self {
            roles: vec!["ci-gateway".to_owned()],
            web_identity_token: None,
            session_lifetime: Duration::from_secs(7200),
        }
    }
}

/// Both services, with the keys that they have given.
#[derive(Debug)]
pub(super) struct KeyServices {
    settings: KeyServiceSettings,
    sessions: Sessions,
    sts: Ledger,
    metadata: Ledger,
}

/// A question for keys, whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) head: &'a Parts,
    /// `None` if it was too large or did not come whole.
    pub(super) body: Option<&'a [u8]>,
    /// Every key that a question may be signed with.
    pub(super) keys: &'a [KnownKey],
    /// By the service's own clock.
    pub(super) now: Timestamp,
}

/// What a service says to a question.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// JSON, or plain text where the service speaks plainly.
    pub(super) body: Body,
    /// The code of a refusal.
    pub(super) code: Option<&'static str>,
    /// Whether the question was signed rightly, where it has to be.
    pub(super) verified: bool,
}

#[derive(Debug)]
pub(super) enum Body {
    Json(serde_json::Value),
    Text(Cow<'static, str>),
}

impl KeyServices {
    /// Entries of both are told to those who watch `ledger`.
    pub(super) fn beside(ledger: &Ledger, settings: KeyServiceSettings) -> Self {
        let sessions = Sessions::new(settings.session_lifetime);
        Self { settings, sessions, sts: ledger.beside(), metadata: ledger.beside() }
    }

    pub(super) fn ledger(&self, service: KeyService) -> &Ledger {
        match service {
            KeyService::Sts => &self.sts,
            KeyService::Metadata => &self.metadata,
        }
    }

    /// The keys that were given, those that have ended among them.
    pub(super) fn keys(&self) -> Vec<KnownKey> {
        self.sessions.keys()
    }

    /// Answers, unless a fault does so in its stead.
    pub(super) fn answer(
        &self,
        service: KeyService,
        asked: Asked<'_>,
        trouble: Option<KeyServiceFault>,
    ) -> (Verdict, Answer) {
        if let Some(answer) = trouble.and_then(instead) {
            let verdict = Verdict { verified: false, applied: false, answer: answered(&answer, None) };
            return (verdict, answer);
        }
        let said = match service {
            KeyService::Sts => sts::answer(asked, &self.settings, &self.sessions),
            KeyService::Metadata => metadata::answer(asked, &self.settings, &self.sessions),
        };
        let (verified, applied, code) = (said.verified, said.code.is_none(), said.code);
        let reply = match said.body {
            Body::Json(value) => Reply::xml(said.status, value.to_string()).of_type(JSON),
            Body::Text(text) => Reply::xml(said.status, text.into_owned()).of_type(TEXT),
        };
        let answer = Answer::Reply(reply);
        (Verdict { verified, applied, answer: answered(&answer, code) }, answer)
    }
}

fn instead(fault: KeyServiceFault) -> Option<Answer> {
    let page = |status| Answer::Reply(Reply::xml(status, PAGE.to_owned()).of_type(HTML));
    match fault {
        KeyServiceFault::Status(status) => {
            Some(page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
        }
        KeyServiceFault::NotJson => Some(page(StatusCode::OK)),
        KeyServiceFault::NotFound => Some(page(StatusCode::NOT_FOUND)),
        KeyServiceFault::Reset => Some(Answer::HangUp),
        KeyServiceFault::Delay(_) | KeyServiceFault::Skew(_) => None,
    }
}

fn answered(answer: &Answer, code: Option<&'static str>) -> Answered {
    match answer {
        Answer::Reply(reply) => Answered::Status(reply.status().as_u16(), code),
        Answer::HangUp => Answered::HungUp,
    }
}
