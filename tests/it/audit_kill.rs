//! The process is killed in the middle, again and again.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::load::{Buckets, bucket_of, load};
use crate::support::process::{Cloud, Folder, Served};
use crate::support::records::{by_bucket, count, follow};

const CALLERS: usize = 12;

/// How often: a campaign sets the variable.
fn rounds() -> u64 {
    std::env::var("CI_GATEWAY_KILLS").ok().map_or(20, |text| text.parse().expect("a number"))
}

/// What was seen from outside, over all rounds.
#[derive(Default)]
struct Seen {
    answers: BTreeMap<String, u16>,
    arrived: Vec<String>,
    arrivals: u64,
}

/// Starts, loads, and kills after `pause`.
fn round(cloud: &Cloud, folder: &Folder, buckets: &Buckets, pause: Duration, seen: &mut Seen) {
    let (served, token, go_on) = (Served::from(folder), folder.token("alice"), AtomicBool::new(false));
    let address = served.address();
    seen.answers.extend(std::thread::scope(|scope| {
        let load = scope.spawn(|| load(CALLERS, address, &token, buckets, &go_on));
        std::thread::sleep(pause);
        served.ended_by(Signal::KILL);
        load.join().unwrap()
    }));
    let arrivals = cloud.requests();
    seen.arrived.extend(arrivals.iter().filter(|arrival| arrival.number > seen.arrivals).map(bucket_of));
    seen.arrivals = arrivals.last().map_or(seen.arrivals, |arrival| arrival.number);
}

#[test]
fn whatever_was_answered_or_sent_is_on_record_however_often_it_is_killed() {
    let cloud = Cloud::start();
    cloud.delay(Duration::from_millis(2));
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "file = \"audit.jsonl\"", "file = \"audit.jsonl\"\ncheckpoint_records = 50");
    let (buckets, mut seen) = (Buckets::default(), Seen::default());
    let mut seed = u64::from(std::process::id());
    for _ in 0..rounds() {
        // Knuth's generator: another moment in each round and each run.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        round(&cloud, &folder, &buckets, Duration::from_micros((seed >> 33) % 120_000), &mut seen);
    }
    Served::from(&folder).ended_by(Signal::TERM).expect(0);
    holds(&seen, &follow(&[folder.path("audit.jsonl")]));
}

fn holds(seen: &Seen, records: &[Value]) {
    let Seen { answers, arrived, .. } = seen;
    let (intents, outcomes) = (by_bucket(records, "intent"), by_bucket(records, "outcome"));
    assert!(answers.values().all(|status| *status == 200), "{answers:?}");
    for bucket in answers.keys() {
        assert!(
            intents.contains_key(bucket) && outcomes.contains_key(bucket),
            "{bucket} was answered without a record"
        );
    }
    for bucket in arrived {
        assert!(intents.contains_key(bucket), "{bucket} was sent without an intent");
    }
    assert!(outcomes.keys().all(|bucket| intents.contains_key(bucket)));
    assert!(u64::try_from(answers.len()).unwrap() > rounds(), "too few answers: {}", answers.len());
    println!(
        "{} kills: {} answered, {} arrived, {} intents, {} outcomes, {} records in one chain, {} torn tails; 0 missing",
        rounds(),
        answers.len(),
        arrived.len(),
        intents.len(),
        outcomes.len(),
        records.len(),
        count(records, "type", "recovered")
    );
}
