//! The line itself: each step turns a value into a stronger one, and nothing below a step runs if it refuses.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::error::{Ended, Error};
use super::limits::Place;
use super::request_id::RequestId;
use super::route::{Route, Target, route};
use super::shared::{Shared, Snapshot};
use super::trail::{Came, Sent, Trail};
use super::{Peer, Refusal, Unready, answer, body, problem, shadow};
use crate::audit::Intent;
use crate::auth::{Looked, Presented, Refused};
use crate::ci::{self, Asked, Operation, Unserved};
use crate::domain::{Caller, Code, Outcome};
use crate::policy::{Permit, Resource};
use crate::signing::{SignedRequest, Window};
use crate::upstream::Received;

/// An answer, what became of the call, and a code if the answer is that all is not well.
type Answered = (Response<Full<Bytes>>, Outcome, Option<Code>);

/// From a request's head to its finished answer.
pub(super) async fn run<B>(shared: Arc<Shared>, id: RequestId, sent: Sent, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let peer = request.extensions().get::<Peer>().copied();
    let method = request.method().clone();
    let client = peer.and_then(|peer| shared.trusted_proxies().client(peer, request.headers()));
    let mut trail = Trail::begin(Arc::clone(&shared), id.clone(), Came { peer, client }, sent);
    match steps(&shared, request, &mut trail).await {
        Ok((response, outcome, code)) => {
            trail.served(response.status(), code, outcome);
            response
        }
        Err(error) => {
            let response = problem::response(&error, &method, &id);
            trail.failed(&error);
            response
        }
    }
}

async fn steps<B>(shared: &Shared, request: Request<B>, trail: &mut Trail) -> Result<Answered, Error>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if let Some(refusal) = request.extensions().get::<Refusal>() {
        return Err(Error::Refused(*refusal));
    }
    let snapshot = shared.snapshot();
    let (head, body) = request.into_parts();
    match route(&head.method, &head.uri, &snapshot.regions)? {
        Route::Operation(target) => operation(shared, &snapshot, &head, body, target, trail).await,
        Route::OpenApi => Ok((answer::openapi(), Outcome::NotSent, None)),
        Route::Problem(code) => Ok((answer::problem_page(code), Outcome::NotSent, None)),
        Route::Health => {
            let ready = shared.ready(trail.now());
            Ok((answer::health(ready), Outcome::NotSent, ready.err().map(Unready::code)))
        }
    }
}

/// Steps 2 to 11 of a request that is about a bucket.
async fn operation<B>(
    shared: &Shared,
    snapshot: &Snapshot,
    head: &Parts,
    body: B,
    target: Target,
    trail: &mut Trail,
) -> Result<Answered, Error>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let target = Arc::new(target);
    trail.target = Some(Arc::clone(&target));
    let caller = authenticate(shared, snapshot, head, trail).await?;
    trail.caller = Some(Arc::clone(&caller));
    let _place = admit(shared, &caller)?;
    let permit = decide(shared, snapshot, &caller, &target, trail)?;
    body::check(target.operation.verb(), &head.headers, body, trail.deadline()).await?;
    let intent = intend(shared, permit, trail).await?;
    let signed = sign(shared, snapshot, &intent, trail)?;
    if target.validate_only {
        return Ok((answer::validated(&target, &caller, &intent), Outcome::NotSent, None));
    }
    let received = send(snapshot, signed, trail).await?;
    let said = read(&target, &received, trail)?;
    trail.call_seen(received.reply().status, said.request_id.clone());
    Ok((answer::served(&target, &said), Outcome::Applied, None))
}

/// Step 2. Whoever is known is served, whatever others at the same address send.
async fn authenticate(shared: &Shared, snapshot: &Snapshot, head: &Parts, trail: &Trail) -> Result<Arc<Caller>, Error> {
    let certificate = head.extensions.get::<Arc<CertificateDer<'static>>>().map(AsRef::as_ref);
    let presented = Presented { headers: &head.headers, certificate, source: trail.context().ip };
    let result = match snapshot.authenticator.look(presented, trail.now()) {
        Ok(Looked::Known(caller)) => Ok(caller),
        Ok(Looked::Unproved(credentials)) => {
            may_authenticate(shared, trail)?;
            credentials.prove(trail.deadline()).await
        }
        Err(refused) => {
            may_authenticate(shared, trail)?;
            Err(refused)
        }
    };
    shared.metrics().authentication(result.as_ref().map_or_else(Refused::as_str, |_| "ok"));
    if matches!(result, Err(Refused::BadToken(_))) {
        shared.gate().count_failure(trail.source());
    }
    result.map_err(Error::Unauthenticated)
}

fn may_authenticate(shared: &Shared, trail: &Trail) -> Result<(), Error> {
    let admitted = shared.gate().may_authenticate(trail.source());
    admitted.inspect_err(|_| shared.metrics().authentication("over_rate"))
}

/// Step 3.
fn admit(shared: &Shared, caller: &Caller) -> Result<Place, Error> {
    if !shared.is_admitting() {
        return Err(Error::Draining);
    }
    shared.gate().admit(caller, &shared.metrics().in_flight)
}

/// Step 4.
fn decide(
    shared: &Shared,
    snapshot: &Snapshot,
    caller: &Caller,
    target: &Target,
    trail: &mut Trail,
) -> Result<Permit, Error> {
    let action = target.operation.action();
    let resource = Resource::bucket(&target.bucket, &target.region);
    let context = trail.context();
    let decision = snapshot.policy.decide(caller, action, resource, &context);
    shadow::compare(shared, snapshot, caller, target, &context, &decision);
    let word = decision.verdict().as_str();
    shared.metrics().policy_decision(action, word);
    trail.decision = Some(word);
    trail.statement = decision.statement().map(Into::into);
    trail.policy = Some(snapshot.policy.digest().into());
    decision.permit().map_err(Error::Forbidden)
}

/// Step 6. That caller and target are known is what makes a permit, so there is always a request to write down.
async fn intend(shared: &Shared, permit: Permit, trail: &Trail) -> Result<Intent, Error> {
    let request = trail.audit_request().ok_or(Error::Ended(Ended::Unsent))?;
    shared.audit().intent(permit, &request, trail.deadline()).await.map_err(Error::Audit)
}

/// Steps 7 and 8. The request is made of what the permit allows, once the intent is written down.
fn sign(shared: &Shared, snapshot: &Snapshot, intent: &Intent, trail: &Trail) -> Result<SignedRequest, Error> {
    let permit = intent.permit();
    let keys = snapshot.credentials.keys_for(permit.bucket()).map_err(Error::NoKeys)?;
    let window = Window::around(trail.now(), snapshot.signature_lifetime);
    let request = ci::request(Operation::of(permit.action()), permit.bucket(), permit.region());
    let signed = request.sign(keys, window).map_err(Error::Signing)?;
    shared.metrics().signed();
    Ok(signed)
}

/// Step 9.
async fn send(snapshot: &Snapshot, signed: SignedRequest, trail: &mut Trail) -> Result<Received, Error> {
    let deadline = trail.deadline();
    if Instant::now() >= deadline {
        return Err(Error::Late);
    }
    trail.call_begins();
    let result = snapshot.upstream.send(signed, deadline).await;
    result.map_err(|why| {
        trail.call_ends(why.as_str());
        Error::Send(why)
    })
}

/// Step 10.
fn read(target: &Target, received: &Received, trail: &mut Trail) -> Result<ci::Answer, Error> {
    let reply = received.reply();
    let asked = Asked { bucket: &target.bucket, region: &target.region };
    let result = ci::read(target.operation, asked, reply);
    trail.call_ends(match &result {
        Ok(_) => "applied",
        Err(Unserved::Fault(fault)) => fault.kind().as_str(),
        Err(Unserved::Unreadable(..)) => "unreadable",
    });
    result.map_err(|unserved| match unserved {
        Unserved::Fault(fault) => Error::Fault(fault, received.retry_after()),
        Unserved::Unreadable(why, request_id) => Error::Unreadable(why, reply.status, request_id),
    })
}
