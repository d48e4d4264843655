//! Steps 7 to 10: the call at Cloud Infinite, from the intent to what was said.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::error::Error;
use super::route::Target;
use super::shared::{Shared, Snapshot};
use super::trail::Trail;
use super::{clock, diagnosis};
use crate::audit::Intent;
use crate::ci::{self, Asked, Fault, Operation, Unserved};
use crate::credentials::{Chosen, Generation, NoKeys};
use crate::signing::{Request, SignedRequest, Window};
use crate::upstream::{Exchange, Received, comes_of_clocks};

/// A call that may be made, since its intent is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) intent: &'a Intent,
    pub(super) target: &'a Target,
}

/// What a signature was made of beside the keys.
#[derive(Clone, Copy, Debug)]
struct Made {
    /// What was added to our time.
    correction: SignedDuration,
    window: Window,
}

/// One attempt that brought an answer back.
struct Attempt {
    made: Made,
    /// What o'clock it was at Cloud Infinite.
    told: Option<Timestamp>,
    result: Result<ci::Answer, Error>,
}

impl Attempt {
    fn refuses_keys(&self) -> bool {
        self.result.as_ref().err().and_then(Error::fault).and_then(Fault::refuses_key).is_some()
    }

    /// What the account has to sign with instead, if the keys of this attempt were refused and there is time.
    fn other_keys(&self, chosen: &Chosen, trail: &Trail) -> Option<Arc<Generation>> {
        if self.refuses_keys() && Instant::now() < trail.deadline() { chosen.other(trail.now()) } else { None }
    }
}

impl Call<'_> {
    /// Signs, sends and reads; once more if only the clocks were in the way, and once more with the account's other keys
    /// if Cloud Infinite refuses these. Their source is then asked again too, and nobody waits for that.
    ///
    /// A create is sent again like all the others: a call whose signature is refused was not carried out, which is what
    /// invariant 8 of the contract asks for.
    pub(super) async fn run(self, chosen: &Chosen, trail: &mut Trail) -> Result<ci::Answer, Error> {
        let keys = chosen.keys();
        let first = self.attempt(keys, trail).await?;
        let last =
            if self.is_mended_by_the_clock(&first, trail) { self.again(first, keys, trail).await? } else { first };
        if last.refuses_keys() {
            chosen.ask_anew();
        }
        match last.other_keys(chosen, trail) {
            None => last.result,
            Some(other) => self.again(last, &other, trail).await?.result,
        }
    }

    /// Another attempt after `before`, which stands if nothing more is sent.
    async fn again(self, before: Attempt, keys: &Arc<Generation>, trail: &mut Trail) -> Result<Attempt, Error> {
        match self.attempt(keys, trail).await {
            Err(Error::NoKeys(_) | Error::Late) => Ok(before),
            result => result,
        }
    }

    /// Whether a new signature of the same keys would be another one, and would hold where the first did not.
    fn is_mended_by_the_clock(self, attempt: &Attempt, trail: &Trail) -> bool {
        let (Err(Error::Fault(fault, _)), Some(told)) = (&attempt.result, attempt.told) else { return false };
        comes_of_clocks(fault.kind(), attempt.made.window, told)
            && self.correction() != attempt.made.correction
            && Instant::now() < trail.deadline()
    }

    async fn attempt(self, keys: &Arc<Generation>, trail: &mut Trail) -> Result<Attempt, Error> {
        let (signed, made) = self.signed(keys, trail)?;
        let sent = trail.now();
        let received = self.send(signed, keys, trail).await?;
        let exchange = Exchange { sent, received: trail.now() };
        let result = self.read(&received, trail);
        let fault = result.as_ref().err().and_then(Error::fault);
        if result.is_ok() || fault.is_some_and(Fault::takes_key) {
            keys.is_accepted(trail.now());
        } else if let Some(why) = fault.and_then(Fault::refuses_key) {
            keys.is_refused(why, trail.now());
        }
        let told = received.told(fault.and_then(Fault::server_time));
        if let Some(told) = told {
            let most = self.snapshot.max_clock_correction;
            clock::learn(self.shared.clock(), self.shared.metrics(), told, exchange, most);
        }
        if let Some(theirs) = fault.and_then(Fault::refused_signature) {
            let diagnosis = self.request().diagnose(keys.keys(), made.window, theirs).map_err(Error::Signing)?;
            diagnosis::tell(self.shared.metrics(), trail.id(), &diagnosis);
        }
        Ok(Attempt { made, told, result })
    }

    /// Steps 7 and 8.
    pub(super) fn sign(self, keys: &Generation, trail: &Trail) -> Result<SignedRequest, Error> {
        self.signed(keys, trail).map(|(signed, _)| signed)
    }

    /// Keys may have ended since they were chosen: the intent was waited for, or an attempt.
    fn signed(self, keys: &Generation, trail: &Trail) -> Result<(SignedRequest, Made), Error> {
        if !keys.holds(trail.now()) {
            return Err(Error::NoKeys(NoKeys::Unavailable));
        }
        let correction = self.correction();
        let now = trail.now().saturating_add(correction).unwrap_or_else(|_| trail.now());
        let window = Window::around(now, self.snapshot.signature_lifetime);
        let signed = self.request().sign(keys.keys(), window).map_err(Error::Signing)?;
        self.shared.metrics().signed();
        Ok((signed, Made { correction, window }))
    }

    /// The request is made of what the permit allows.
    fn request(self) -> Request {
        let permit = self.intent.permit();
        ci::request(Operation::of(permit.action()), permit.bucket(), permit.region())
    }

    /// What is to be added to our time now.
    fn correction(self) -> SignedDuration {
        self.shared.clock().correction(self.snapshot.max_clock_correction)
    }

    /// Step 9.
    async fn send(self, signed: SignedRequest, keys: &Arc<Generation>, trail: &mut Trail) -> Result<Received, Error> {
        let deadline = trail.deadline();
        if Instant::now() >= deadline {
            return Err(Error::Late);
        }
        trail.call_begins();
        trail.keys = Some(Arc::clone(keys));
        keys.goes_out(trail.now());
        let result = self.snapshot.upstream.send(signed, deadline).await;
        result.map_err(|why| {
            trail.call_ends(why.as_str());
            Error::Send(why)
        })
    }

    /// Step 10.
    fn read(self, received: &Received, trail: &mut Trail) -> Result<ci::Answer, Error> {
        let reply = received.reply();
        let Target { bucket, region, .. } = self.target;
        let result = ci::read(self.target.operation, Asked { bucket, region }, reply);
        trail.call_ends(match &result {
            Ok(_) => "applied",
            Err(Unserved::Fault(fault)) => fault.kind().as_str(),
            Err(Unserved::Unreadable(..)) => "unreadable",
        });
        if let Ok(said) = &result {
            trail.call_seen(reply.status, said.request_id.clone());
        }
        result.map_err(|unserved| match unserved {
            Unserved::Fault(fault) => Error::Fault(fault, received.retry_after()),
            Unserved::Unreadable(why, request_id) => Error::Unreadable(why, reply.status, request_id),
        })
    }
}
