//! The life of a request here: entered, delayed, verified, applied, answered; a fault may come in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HOST, HeaderName, LOCATION, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::answer::{Answer, Reply, Sent};
use super::enrolments::{Enrolments, Search};
use super::fault::Fault;
use super::key_service::{Asked, KeyService, KeyServices};
use super::ledger::{Answered, Arrival, Ledger, Verdict};
use super::place::{Place, service_of_path};
use super::refusal::Refusal;
use super::request::Received;
use super::strike::Faults;
use super::verify::{Stages, Terms, verify};
use super::xml::{self, About, Nodes};
use super::{KnownBuckets, KnownKey, Settings};
use crate::domain::Bucket;

const LARGEST_BODY: usize = 64 * 1024;
const TRACE_ID: HeaderName = HeaderName::from_static("x-ci-trace-id");
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>502</title></head><body>A proxy's page.<br></body></html>\n";

/// Everything that requests share.
#[derive(Debug)]
pub(super) struct World {
    settings: Settings,
    keys: Mutex<Arc<[KnownKey]>>,
    faults: Mutex<Faults>,
    enrolments: Mutex<Enrolments>,
    ledger: Ledger,
    key_services: KeyServices,
    instance: u32,
    answers: AtomicU64,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let faults = Mutex::new(settings.faults.clone());
        let keys = Mutex::new(settings.keys.as_slice().into());
        let ledger = Ledger::new();
        let key_services = KeyServices::beside(&ledger, settings.key_services.clone());
        // The number only keeps the ids of two runs apart; without randomness they may collide.
        let instance = getrandom::u32().unwrap_or(0);
        Self {
            settings,
            keys,
            faults,
            enrolments: Mutex::default(),
            ledger,
            key_services,
            instance,
            answers: AtomicU64::new(0),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        *self.faults() = faults;
    }

    /// The questions for keys so far.
    pub(super) fn asked(&self, service: KeyService) -> Vec<Arrival> {
        self.key_services.ledger(service).arrivals()
    }

    pub(super) fn set_keys(&self, keys: &[KnownKey]) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    fn keys(&self) -> Arc<[KnownKey]> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers one request; `None` to reset the connection instead.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Option<Response<Sent>> {
        let (head, body) = request.into_parts();
        match KeyService::of(&head) {
            None => self.serve(&head, body).await,
            Some(service) => self.give_keys(service, &head, body).await,
        }
    }

    async fn serve(&self, head: &Parts, body: Incoming) -> Option<Response<Sent>> {
        let number = self.ledger.enter(head, Timestamp::now());
        let plan = self.faults().draw();
        tokio::time::sleep(plan.delay).await;
        let body = whole(body).await.map(drop).ok_or(Refusal::BodyTooLarge);
        let visit = self.visit(head, plan.shifted(Timestamp::now()));
        let (verdict, answer) = visit.answer(body, plan.trouble);
        self.ledger.finish(number, verdict);
        answer.into_response(&visit.request_id, visit.now)
    }

    async fn give_keys(&self, service: KeyService, head: &Parts, body: Incoming) -> Option<Response<Sent>> {
        let ledger = self.key_services.ledger(service);
        let number = ledger.enter(head, Timestamp::now());
        let plan = self.faults().draw_for(service);
        tokio::time::sleep(plan.delay).await;
        let body = whole(body).await;
        let now = plan.shifted(Timestamp::now());
        let asked = Asked { head, body: body.as_deref(), keys: &self.known_keys(), now };
        let (verdict, answer) = self.key_services.answer(service, asked, plan.trouble);
        ledger.finish(number, verdict);
        answer.into_response(&self.id(now, 1), now)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that lie still, and those that were given for a while.
    fn known_keys(&self) -> Vec<KnownKey> {
        let mut keys = self.key_services.keys();
        keys.extend(self.keys().iter().cloned());
        keys
    }

    fn visit<'a>(&'a self, head: &'a Parts, now: Timestamp) -> Visit<'a> {
        Visit { world: self, head, now, request_id: self.id(now, 1), trace_id: self.id(now, 2) }
    }

    /// Base64 of a text of the form of `62f34edf_90fa5064_7241_1`, which is what CI's ids decode to.
    fn id(&self, now: Timestamp, kind: u8) -> String {
        let count = self.answers.fetch_add(1, Ordering::Relaxed);
        STANDARD.encode(format!("{:08x}_{:08x}_{count:x}_{kind}", now.as_second(), self.instance))
    }
}

/// A body of at most 64 KiB; `None` for a larger one, or one that ends early.
async fn whole(body: Incoming) -> Option<Bytes> {
    Limited::new(body, LARGEST_BODY).collect().await.ok().map(|body| body.to_bytes())
}

/// One call while it is being answered.
struct Visit<'a> {
    world: &'a World,
    head: &'a Parts,
    /// By the stand-in's own clock, which may be skewed.
    now: Timestamp,
    request_id: String,
    trace_id: String,
}

impl Visit<'_> {
    fn answer(&self, body: Result<(), Refusal>, trouble: Option<Fault>) -> (Verdict, Answer) {
        let received = body.and_then(|()| Received::read(self.head)).and_then(|received| {
            let keys = self.world.known_keys();
            let terms = Terms { keys: &keys, require_signed_host: self.world.settings.require_signed_host };
            verify(&received, terms, self.now).map(|()| received)
        });
        let verified = received.is_ok();
        if let Some((answer, code)) = trouble.and_then(|fault| self.instead(fault)) {
            return (verdict(verified, false, &answer, code), answer);
        }
        match received.and_then(|received| self.apply(&received)) {
            Ok(nodes) => {
                let answer = self.spoilt(&nodes, trouble);
                (verdict(true, true, &answer, None), answer)
            }
            // A refusal is never spoilt: a test would not see that it made a mistake.
            Err(refusal) => {
                let answer = Answer::Reply(self.refuse(&refusal));
                (verdict(verified, false, &answer, Some(refusal.code())), answer)
            }
        }
    }

    /// Carries the call out.
    fn apply(&self, request: &Received) -> Result<Nodes, Refusal> {
        let service = service_of_path(request.path()).ok_or(Refusal::UnknownPath)?;
        let place = Place::of_host(request.host())?;
        let mut enrolments = self.world.enrolments.lock().unwrap_or_else(PoisonError::into_inner);
        match (request.method(), place) {
            (&Method::POST, Place::Bucket(..)) if !request.announces_length() => Err(Refusal::NoLength),
            (&Method::POST, Place::Bucket(bucket, region)) => {
                self.world.settings.buckets.admit(&bucket)?;
                Ok(Nodes::enrolled(service, &enrolments.enrol(service, bucket, region, self.now)))
            }
            (&Method::DELETE, Place::Bucket(bucket, region)) => {
                self.world.settings.buckets.admit(&bucket)?;
                let nodes = Nodes::removed(&bucket);
                enrolments.remove(service, bucket, region);
                Ok(nodes)
            }
            (&Method::GET, Place::Region(region)) => {
                Ok(Nodes::listed(service, &enrolments.list(service, &Search::read(request, &region)?)))
            }
            (&Method::POST | &Method::DELETE, Place::Region(_)) => Err(Refusal::BucketHostNeeded),
            (&Method::GET, Place::Bucket(..)) => Err(Refusal::ListHostNeeded),
            (_, Place::Region(_) | Place::Bucket(..)) => Err(Refusal::MethodNotAllowed),
        }
    }

    /// What a fault answers in the call's stead, with the code of the error; `None` for faults that strike after it.
    fn instead(&self, fault: Fault) -> Option<(Answer, Option<&'static str>)> {
        let refused = |refusal: Refusal| (self.refuse(&refusal), Some(refusal.code()));
        let (reply, code) = match fault {
            Fault::Status(status) => refused(Refusal::Fault(status)),
            Fault::Throttle(seconds) => {
                let (reply, code) = refused(Refusal::SlowDown);
                (reply.with(RETRY_AFTER, seconds.to_string()), code)
            }
            Fault::PlainHttp308 => (self.redirect(), None),
            Fault::JsonError => (self.json_error(), Some("InvalidArgument")),
            Fault::ResetBefore => return Some((Answer::HangUp, None)),
            Fault::Delay(_)
            | Fault::Skew(_)
            | Fault::ResetAfter
            | Fault::Truncated
            | Fault::WrongXml
            | Fault::NotXml
            | Fault::Empty => return None,
        };
        Some((Answer::Reply(reply), code))
    }

    /// The answer to a call that was carried out, as a fault leaves it.
    fn spoilt(&self, nodes: &Nodes, fault: Option<Fault>) -> Answer {
        let xml = |body: String| Reply::xml(StatusCode::OK, body);
        let whole = || xml(nodes.under(xml::ROOT, &self.request_id));
        let Some(fault) = fault else { return Answer::Reply(whole()) };
        Answer::Reply(match fault {
            Fault::ResetAfter => return Answer::HangUp,
            Fault::Truncated => whole().cut(),
            Fault::WrongXml => xml(nodes.under("Result", &self.request_id)),
            Fault::NotXml => xml(PAGE.to_owned()).of_type("text/html"),
            Fault::Empty => xml(String::new()),
            Fault::Delay(_)
            | Fault::Skew(_)
            | Fault::Status(_)
            | Fault::Throttle(_)
            | Fault::ResetBefore
            | Fault::PlainHttp308
            | Fault::JsonError => whole(),
        })
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        let received = refusal.is_about_the_signature().then(|| Received::read(self.head).ok()).flatten();
        let stages = received.as_ref().and_then(Stages::shown);
        let (request_id, trace_id) = (&*self.request_id, &*self.trace_id);
        let about = About { resource: &self.resource(), stages: stages.as_ref(), request_id, trace_id };
        let body = xml::error(refusal, about, self.now);
        let reply = Reply::xml(refusal.status(), body).with(TRACE_ID, &self.trace_id);
        if *refusal == Refusal::MethodNotAllowed { reply.with(ALLOW, "GET, POST, DELETE") } else { reply }
    }

    fn json_error(&self) -> Reply {
        let message = "A fault that the stand-in was told to play.";
        let body = json!({"Code": "InvalidArgument", "Message": message, "RequestId": self.request_id});
        Reply::xml(StatusCode::BAD_REQUEST, body.to_string()).of_type("application/json")
    }

    /// What CI is said to answer to plain HTTP (a comment in the Node SDK; its body is not known).
    fn redirect(&self) -> Reply {
        let query = self.head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Reply::xml(StatusCode::PERMANENT_REDIRECT, String::new())
            .with(LOCATION, format!("https://{}{query}", self.resource()))
    }

    /// Host and path, as in real captures. It is never empty: the path of a request has at least one character.
    fn resource(&self) -> String {
        let host = self.head.headers.get(HOST).map(|host| host.as_bytes().escape_ascii().to_string());
        format!("{}{}", host.unwrap_or_default(), self.head.uri.path())
    }
}

fn verdict(verified: bool, applied: bool, answer: &Answer, code: Option<&'static str>) -> Verdict {
    let answer = match answer {
        Answer::Reply(reply) => Answered::Status(reply.status().as_u16(), code),
        Answer::HangUp => Answered::HungUp,
    };
    Verdict { verified, applied, answer }
}

impl KnownBuckets {
    fn admit(&self, bucket: &Bucket) -> Result<(), Refusal> {
        let known = match self {
            Self::AllButMissing => !bucket.as_str().starts_with("missing-"),
            Self::Only(buckets) => buckets.contains(bucket),
        };
        if known { Ok(()) } else { Err(Refusal::NoSuchBucket) }
    }
}
