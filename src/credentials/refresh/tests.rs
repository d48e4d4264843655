//! The work under simulated time: the clock goes with tokio's, which jumps ahead when everybody sleeps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::time::Instant;

use super::*;
use crate::credentials::generation::Generation;
use crate::credentials::source::Asked;
use crate::credentials::{Keys, NoKeys};

/// Gives keys that live for an hour, as long as nothing is wrong with it.
#[derive(Debug)]
struct Scripted {
    started: (Instant, Timestamp),
    life: Option<Duration>,
    fails: AtomicBool,
    asked: AtomicUsize,
    at_once: AtomicUsize,
}

impl Source for Scripted {
    fn keys(&self) -> Asked<'_> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            assert_eq!(self.at_once.fetch_add(1, Ordering::Relaxed), 0, "it is asked twice at once");
            sleep(Duration::from_millis(200)).await;
            self.at_once.fetch_sub(1, Ordering::Relaxed);
            if self.fails.load(Ordering::Relaxed) {
                return Err(Mistake::new("scripted", "has no keys today"));
            }
            let keys = Keys::new(&format!("id-{number}"), "key", Some("token")).unwrap();
            Ok(Issued { keys, expires: self.life.map(|life| later(self.now(), life)) })
        })
    }
}

impl Scripted {
    fn now(&self) -> Timestamp {
        later(self.started.1, self.started.0.elapsed())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

struct World {
    keyring: Arc<Keyring>,
    source: Arc<Scripted>,
}

impl World {
    fn start(life: Option<Duration>) -> Self {
        let began = "2026-11-22T00:00:00Z".parse().unwrap();
        let source = Arc::new(Scripted {
            started: (Instant::now(), began),
            life,
            fails: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
        });
        let keyring = Arc::new(Keyring::new("test", began));
        let asked: Arc<dyn Source> = Arc::<Scripted>::clone(&source);
        let clock = Arc::clone(&source);
        tokio::spawn(keep_fresh(Arc::clone(&keyring), asked, move || clock.now()));
        Self { keyring, source }
    }

    fn choose(&self) -> Result<Arc<Generation>, NoKeys> {
        self.keyring.held().choose(self.source.now())
    }

    /// The number of the answer that the keys in use come from.
    fn in_use(&self) -> Option<String> {
        self.choose().ok().map(|keys| keys.keys().secret_id().to_owned())
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn keys_are_renewed_five_minutes_before_their_end_and_up_to_a_tenth_earlier() {
    let world = World::start(Some(2 * HOUR));
    assert_eq!(world.choose().unwrap_err(), NoKeys::Unavailable, "nothing has come yet");
    sleep(Duration::from_secs(103 * 60)).await;
    assert_eq!((world.in_use().as_deref(), world.source.asked()), (Some("id-0"), 1));
    sleep(Duration::from_secs(13 * 60)).await;
    assert_eq!((world.in_use().as_deref(), world.source.asked()), (Some("id-1"), 2));
    let other = || world.keyring.held().other_than(&world.choose().unwrap(), world.source.now());
    assert_eq!(other().unwrap().keys().secret_id(), "id-0", "the ones before hold until their own end");
    sleep(Duration::from_secs(5 * 60)).await;
    assert!(other().is_none());
}

#[tokio::test(start_paused = true)]
async fn keys_that_live_shortly_are_renewed_at_half_of_it() {
    let world = World::start(Some(Duration::from_secs(60)));
    sleep(Duration::from_secs(600)).await;
    assert!((19..=24).contains(&world.source.asked()), "{} answers in ten minutes", world.source.asked());
    let forever = World::start(Some(Duration::from_millis(1)));
    sleep(Duration::from_secs(60)).await;
    assert!(forever.source.asked() <= 60, "asked without a pause");
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_failures_is_outlived_until_the_keys_really_end_and_mended_by_itself() {
    let world = World::start(Some(HOUR));
    sleep(Duration::from_secs(40 * 60)).await;
    world.source.fails.store(true, Ordering::Relaxed);
    let before = world.source.asked();
    sleep(Duration::from_secs(19 * 60 + 59)).await;
    assert_eq!(world.in_use().as_deref(), Some("id-0"), "good until its end, though no new one comes");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.choose().unwrap_err(), NoKeys::Unavailable);
    sleep(Duration::from_secs(40 * 60)).await;
    assert_eq!(world.choose().unwrap_err(), NoKeys::Unavailable);
    let attempts = world.source.asked() - before;
    // 1, 2, 4, 8, 16 and then 30 seconds apart, give or take a tenth, for about 50 minutes.
    assert!((80..=130).contains(&attempts), "{attempts} attempts");
    let problem = world.keyring.held().problem.clone().unwrap();
    assert_eq!(problem.why.what(), "has no keys today");
    assert!(
        world.source.now().duration_since(problem.since) > SignedDuration::from_mins(44),
        "since the first of them"
    );
    world.source.fails.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(40)).await;
    assert!(world.in_use().is_some() && world.keyring.held().problem.is_none(), "mended by itself");
    let [taken, failed] = world.keyring.asked();
    assert_eq!((taken, failed + taken), (2, world.source.asked() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_reload_asks_at_once_whether_the_source_fails_or_not() {
    let world = World::start(Some(HOUR));
    sleep(Duration::from_secs(60)).await;
    world.keyring.wake();
    sleep(Duration::from_millis(300)).await;
    assert_eq!((world.in_use().as_deref(), world.source.asked()), (Some("id-1"), 2));
    world.source.fails.store(true, Ordering::Relaxed);
    sleep(HOUR).await;
    world.source.fails.store(false, Ordering::Relaxed);
    world.keyring.wake();
    sleep(Duration::from_millis(300)).await;
    assert!(world.in_use().is_some());
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_refused_are_asked_for_again_at_once_and_then_ever_more_slowly() {
    for life in [None, Some(2 * HOUR)] {
        let world = World::start(life);
        sleep(Duration::from_secs(60)).await;
        let first = world.choose().unwrap();
        world.keyring.ask_anew(&first);
        sleep(Duration::from_millis(300)).await;
        assert_eq!((world.in_use().as_deref(), world.source.asked()), (Some("id-1"), 2));
        world.keyring.ask_anew(&first);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(world.source.asked(), 2, "those are the current ones no more");
        for _ in 0..600 {
            world.keyring.ask_anew(&world.choose().unwrap());
            sleep(Duration::from_secs(1)).await;
        }
        // 1, 2, 4, 8, 16 and then 30 seconds apart.
        assert!((22..=27).contains(&world.source.asked()), "{} answers in ten minutes", world.source.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_last_are_asked_for_again_by_a_reload() {
    let world = World::start(None);
    sleep(100 * HOUR).await;
    assert_eq!((world.in_use().as_deref(), world.source.asked()), (Some("id-0"), 1));
    world.keyring.wake();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.in_use().as_deref(), Some("id-1"));
}

#[tokio::test(start_paused = true)]
async fn keys_that_have_ended_before_they_came_are_no_keys() {
    let world = World::start(Some(Duration::ZERO));
    sleep(Duration::from_secs(60)).await;
    assert!(world.choose().is_err());
    assert!(world.keyring.held().problem.as_ref().is_some_and(|problem| problem.why.what().contains("ended at")));
}

#[test]
fn pauses_double_up_to_half_a_minute() {
    assert_eq!([1, 2, 3, 5, 6, 60, u32::MAX].map(|failures| pause(failures).as_secs()), [1, 2, 4, 16, 30, 30, 30]);
}
