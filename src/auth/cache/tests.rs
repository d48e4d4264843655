use std::time::Duration;

use jiff::ToSpan;

use super::*;
use crate::auth::binding::Binding;
use crate::auth::json::Object;
use crate::auth::samples::{NOW, now};
use crate::auth::times::Times;
use crate::domain::Caller;

fn cache(entries: usize) -> Cache {
    Cache::new(TokenCacheSettings { entries, time: Duration::from_secs(300) })
}

fn verified(name: &str, expires: i64) -> Verified {
    let times = Times::of(&Object::parse(format!("{{\"exp\":{expires}}}").as_bytes()).unwrap()).unwrap();
    let caller = Arc::new(Caller::new(name, Vec::<&str>::new(), "i").unwrap());
    Verified { issuer: 0, generation: 0, proved: Arc::new(Proved { caller, times, binding: None::<Binding> }) }
}

fn name(cache: &Cache, token: &str, now: Timestamp) -> Option<String> {
    Some(cache.get(cache.fingerprint(token)?, now)?.proved.caller.name().to_owned())
}

#[test]
fn a_token_is_found_until_its_exp_and_no_longer_than_configured() {
    let cache = cache(8);
    for (token, expires, lasts) in [("long", NOW + 3600, 300), ("short", NOW + 20, 20), ("over", NOW - 10, 0)] {
        cache.put(cache.fingerprint(token).unwrap(), verified("alice", expires), now());
        for (seconds, there) in [(-1, false), (0, lasts > 0), (lasts - 1, lasts > 0), (lasts, false), (9999, false)] {
            let at = now() + seconds.seconds();
            assert_eq!(name(&cache, token, at).is_some(), there, "{token} after {seconds} s");
        }
    }
    assert_eq!(name(&cache, "other", now()), None);
}

#[test]
fn it_holds_no_more_than_configured_and_the_newest_are_there() {
    for entries in [1, 7, 8, 100] {
        let cache = cache(entries);
        for n in 0..1000 {
            let token = n.to_string();
            cache.put(cache.fingerprint(&token).unwrap(), verified(&token, NOW + 60), now());
            assert_eq!(name(&cache, &token, now()), Some(token));
        }
        let held: usize = cache.places.iter().map(|place| place.lock().unwrap().entries.len()).sum();
        let room: usize = cache.places.iter().map(|place| place.lock().unwrap().entries.capacity()).sum();
        assert!(held <= entries && room <= entries && held > entries / 2, "{held} of {entries}, room for {room}");
    }
}

#[test]
fn without_entries_nothing_is_hashed_and_nothing_kept() {
    assert!(cache(0).fingerprint("token").is_none());
}

// Row 86 and class C6.
#[test]
fn ten_thousand_alternations_of_two_tokens_never_mix_them_up() {
    let cache = cache(8);
    for n in 0..10_000_u32 {
        let token = if n % 2 == 0 { "alice" } else { "bob" };
        match name(&cache, token, now()) {
            Some(found) => assert_eq!(found, token),
            None => cache.put(cache.fingerprint(token).unwrap(), verified(token, NOW + 60), now()),
        }
    }
    assert_eq!(name(&cache, "alice", now()).as_deref(), Some("alice"));
}

#[test]
fn an_entry_that_is_over_makes_room_first() {
    let cache = cache(8);
    for n in 0..7 {
        cache.put(cache.fingerprint(&format!("good {n}")).unwrap(), verified("alice", NOW + 600), now());
    }
    cache.put(cache.fingerprint("short").unwrap(), verified("bob", NOW + 10), now());
    cache.put(cache.fingerprint("new").unwrap(), verified("carol", NOW + 600), now() + 11.seconds());
    for n in 0..7 {
        assert!(name(&cache, &format!("good {n}"), now() + 11.seconds()).is_some(), "{n}");
    }
}
