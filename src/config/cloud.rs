//! `[credentials]` and `[ci]`: our keys, and how Cloud Infinite is reached.

pub(super) mod keys;

use std::collections::HashMap;
use std::time::Duration;

use super::Ci;
use super::reader::Table;
use super::units::minutes;
use super::values::Wrong;
use crate::domain::{Bucket, Region};
use crate::upstream::{self, Endpoint, InvalidEndpoint};

pub(super) fn ci(table: &Table<'_>) -> Option<Ci> {
    let default_region = table.parsed("default_region");
    let buckets = buckets(table);
    let endpoint = endpoint(table);
    let lifetimes = Duration::from_secs(10)..=minutes(10);
    let signature_lifetime = table.duration("signature_lifetime", lifetimes);
    let max_clock_correction = table.duration("max_clock_correction", Duration::ZERO..=minutes(24 * 60));
    let connect_timeout = table.duration("connect_timeout", Duration::from_millis(10)..=minutes(1));
    let response_timeout = table.duration("response_timeout", Duration::from_millis(100)..=minutes(5));
    let upstream = upstream::Settings {
        endpoint: endpoint?,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
    };
    Some(Ci {
        default_region,
        buckets: buckets?,
        upstream,
        signature_lifetime: signature_lifetime?,
        max_clock_correction: max_clock_correction?,
    })
}

/// A time-out that never comes is a mistake if somebody wrote it; if it is the default, nobody expects it.
pub(super) fn check_time_outs(table: &Table<'_>, upstream: &upstream::Settings, request_timeout: Duration) {
    for (key, time_out) in
        [("connect_timeout", upstream.connect_timeout), ("response_timeout", upstream.response_timeout)]
    {
        if time_out > request_timeout && table.is_written(key) {
            let hint = "make it shorter than server.request_timeout, or that longer";
            table.mistake(key, "never comes: server.request_timeout is over before", hint);
        }
    }
}

/// `Some(None)` where the real hosts are called.
fn endpoint(table: &Table<'_>) -> Option<Option<Endpoint>> {
    let anywhere = table.switch("unsafe_endpoint");
    // A broken switch is told by itself; the endpoint is then judged as if it were on, to tell no second time.
    let read = table.with("endpoint", |text| Endpoint::parse(text, anywhere.unwrap_or(true)).map_err(wrong_endpoint));
    if table.has("endpoint") { Some(Some(read?)) } else { Some(None) }
}

/// Without the text: somebody may have written a password into it.
fn wrong_endpoint(why: InvalidEndpoint) -> Wrong {
    match why {
        InvalidEndpoint::NeedsUnsafe => {
            let hint = format!("{why}; set unsafe_endpoint = true if you trust whoever answers there");
            Wrong::new("is a host that is not trusted unasked", hint)
        }
        InvalidEndpoint::Localhost => Wrong::new("is a host that is not trusted unasked", why.to_string()),
        InvalidEndpoint::NotAUri | InvalidEndpoint::Scheme | InvalidEndpoint::MoreThanAnAddress => {
            Wrong::new("cannot be used", why.to_string())
        }
    }
}

fn buckets(table: &Table<'_>) -> Option<HashMap<Bucket, Region>> {
    let entries = table.tables("buckets")?;
    let mut buckets = HashMap::with_capacity(entries.len());
    let mut complete = true;
    for entry in &entries {
        entry.need("name", "the full name, `<name>-<APPID>`");
        entry.need("region", "the bucket's region, as in `ap-chongqing`");
        let (name, region) = (entry.parsed::<Bucket>("name"), entry.parsed::<Region>("region"));
        let (Some(name), Some(region)) = (name, region) else {
            complete = false;
            continue;
        };
        if buckets.insert(name, region).is_some() {
            entry.mistake("name", "is the bucket of an earlier entry too", "keep one of the two");
        }
    }
    complete.then_some(buckets)
}
