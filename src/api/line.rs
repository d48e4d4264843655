//! The line itself: each step turns a value into a stronger one, and nothing below a step runs if it refuses.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use rustls_pki_types::CertificateDer;

use super::call::Call;
use super::error::{Ended, Error};
use super::limits::Place;
use super::request_id::RequestId;
use super::route::{Route, Target, route};
use super::shared::{Shared, Snapshot};
use super::trail::{Came, Sent, Trail};
use super::{Peer, Refusal, Unready, answer, body, problem, shadow};
use crate::audit::Intent;
use crate::auth::{Looked, Presented, Refused};
use crate::domain::{Caller, Code, Outcome};
use crate::policy::{Permit, Resource};

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
            trail.served(response.status(), code, outcome).await;
            response
        }
        Err(error) => {
            let response = problem::response(&error, &method, &id);
            trail.failed(&error).await;
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
    let (generation, snapshot) = shared.in_force();
    trail.judged_by(generation);
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
    let chosen = snapshot.credentials.keys_for(permit.bucket(), trail.now()).map_err(Error::NoKeys)?;
    trail.keys = Some(Arc::clone(chosen.keys()));
    let intent = intend(shared, permit, trail).await?;
    let call = Call { shared, snapshot, intent: &intent, target: &target };
    if target.validate_only {
        call.sign(chosen.keys(), trail)?;
        return Ok((answer::validated(&target, &caller, &intent), Outcome::NotSent, None));
    }
    let said = call.run(&chosen, trail).await?;
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
async fn intend(shared: &Shared, permit: Permit, trail: &mut Trail) -> Result<Intent, Error> {
    let request = trail.audit_request().ok_or(Error::Ended(Ended::Unsent))?;
    let written = shared.audit().intent(permit, &request, trail.deadline()).await;
    let (intent, claim) = written.map_err(Error::Audit)?;
    trail.claim = claim;
    Ok(intent)
}
