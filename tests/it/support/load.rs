//! Callers who never rest: each call is about a bucket of its own, so that it is found again wherever it left a trace.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ci_gateway::stand_in::Arrival;

use super::process::Call;

/// The number of the next bucket; it goes on over several loads.
#[derive(Default)]
pub(crate) struct Buckets(AtomicU64);

impl Buckets {
    fn next(&self) -> String {
        format!("b{}-1234567890", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Lets `callers` call until `end` says so, or the gateway is gone; the status of each answer, by bucket.
pub(crate) fn load(
    callers: usize,
    address: SocketAddr,
    token: &str,
    buckets: &Buckets,
    end: &AtomicBool,
) -> BTreeMap<String, u16> {
    let caller = || {
        let mut answers = BTreeMap::new();
        while !end.load(Ordering::Relaxed) {
            let bucket = buckets.next();
            match Call::post(&format!("/v1/buckets/{bucket}/smart-audio")).token(token).make(address) {
                Ok(answer) => drop(answers.insert(bucket, answer.status())),
                Err(_gone) => break,
            }
        }
        answers
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

/// The bucket that a call at the stand-in is about.
pub(crate) fn bucket_of(arrival: &Arrival) -> String {
    arrival.host.split('.').next().unwrap().to_owned()
}
