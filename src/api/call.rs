//! Steps 7 to 10: the call at Cloud Infinite, from the intent to what was said.

use std::sync::Arc;

use tokio::time::Instant;

use super::error::Error;
use super::route::Target;
use super::shared::{Shared, Snapshot};
use super::trail::Trail;
use crate::audit::Intent;
use crate::ci::{self, Asked, Operation, Unserved};
use crate::credentials::Generation;
use crate::signing::{SignedRequest, Window};
use crate::upstream::Received;

/// A call that may be made, since its intent is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) intent: &'a Intent,
    pub(super) target: &'a Target,
}

impl Call<'_> {
    /// Signs, sends and reads.
    pub(super) async fn run(self, keys: Arc<Generation>, trail: &mut Trail) -> Result<ci::Answer, Error> {
        let signed = self.sign(&keys, trail)?;
        let received = self.send(signed, trail).await?;
        let said = self.read(&received, trail)?;
        trail.call_seen(received.reply().status, said.request_id.clone());
        Ok(said)
    }

    /// Steps 7 and 8. The request is made of what the permit allows.
    pub(super) fn sign(self, keys: &Generation, trail: &Trail) -> Result<SignedRequest, Error> {
        let permit = self.intent.permit();
        let window = Window::around(trail.now(), self.snapshot.signature_lifetime);
        let request = ci::request(Operation::of(permit.action()), permit.bucket(), permit.region());
        let signed = request.sign(keys.keys(), window).map_err(Error::Signing)?;
        self.shared.metrics().signed();
        Ok(signed)
    }

    /// Step 9.
    async fn send(self, signed: SignedRequest, trail: &mut Trail) -> Result<Received, Error> {
        let deadline = trail.deadline();
        if Instant::now() >= deadline {
            return Err(Error::Late);
        }
        trail.call_begins();
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
        result.map_err(|unserved| match unserved {
            Unserved::Fault(fault) => Error::Fault(fault, received.retry_after()),
            Unserved::Unreadable(why, request_id) => Error::Unreadable(why, reply.status, request_id),
        })
    }
}
