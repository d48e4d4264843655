use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::auth::samples::{self, PUBLIC, bearer, claims, header, key_set, now, pair, secret_file, with_cache};
use crate::auth::{Authenticator, KeySource, Refused};

const NEVER: Duration = Duration::from_secs(3600);

/// Serves the public keys of the samples, and counts how often.
async fn issuer() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            count.fetch_add(1, Ordering::SeqCst);
            let set = key_set().to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{set}", set.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

fn fetched_from(url: &str) -> IssuerSettings {
    let fetch = FetchSettings {
        url: url.parse().unwrap(),
        ca_file: None,
        refresh: NEVER,
        max_age: NEVER,
        retry: NEVER,
        time: Duration::from_secs(3),
    };
    samples::settings(PUBLIC, KeySource::JwksUrl(fetch))
}

fn load(settings: IssuerSettings, previous: Option<&Authenticator>) -> Authenticator {
    let authenticator = Authenticator::load(&with_cache(vec![settings]), previous).unwrap();
    authenticator.keep_fresh();
    authenticator
}

/// What is answered to a good token of the samples.
async fn asked_now(authenticator: &Authenticator) -> Result<String, Refused> {
    let algorithm = Algorithm::Es256;
    let headers = bearer(&pair(algorithm).sign(&header(algorithm).to_string(), &claims(algorithm).to_string()));
    // Past: a timer of now may take a millisecond, in which the keys may come.
    let deadline = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let caller = authenticator.authenticate((&headers).into(), now(), deadline).await;
    caller.map(|caller| caller.name().to_owned())
}

async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came to pass");
}

fn counted(authenticator: &Authenticator) -> u64 {
    authenticator.key_sets().iter().flat_map(|set| &set.fetches).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn keys_stay_over_a_reload_that_does_not_change_where_they_come_from() {
    let (url, asked) = issuer().await;
    let first = load(fetched_from(&url), None);
    assert_eq!(asked_now(&first).await, Err(Refused::KeysUnavailable), "nothing has come yet");
    until(|| counted(&first) == 1).await;
    assert_eq!(asked_now(&first).await.as_deref(), Ok("alice"));

    // Rules change at once, and the keys stay.
    let second = load(IssuerSettings { prefix: "corp:".to_owned(), ..fetched_from(&url) }, Some(&first));
    drop(first);
    assert_eq!(asked_now(&second).await.as_deref(), Ok("corp:alice"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // Another address is another set, and its fetches are counted on.
    let (other, asked_there) = issuer().await;
    let third = load(fetched_from(&other), Some(&second));
    assert_eq!(asked_now(&third).await, Err(Refused::KeysUnavailable));
    until(|| counted(&third) == 2).await;
    assert_eq!(asked_now(&third).await.as_deref(), Ok("alice"));
    assert_eq!((asked.load(Ordering::SeqCst), asked_there.load(Ordering::SeqCst)), (1, 1));

    // The same one is read anew for other algorithms, before anything is fetched.
    let fewer = IssuerSettings { algorithms: vec![Algorithm::EdDsa], ..fetched_from(&other) };
    let fourth = Authenticator::load(&with_cache(vec![fewer]), Some(&third)).unwrap();
    assert!(asked_now(&fourth).await.is_err());
    assert_eq!(fourth.key_sets().first().map(|set| (set.keys, set.skipped)), Some((1, 2)));
}

fn with_max_age(url: &str, max_age: Duration) -> IssuerSettings {
    let mut settings = fetched_from(url);
    let KeySource::JwksUrl(fetch) = &mut settings.keys else { panic!() };
    fetch.max_age = max_age;
    settings
}

// Row 62.
#[tokio::test]
async fn another_max_age_is_applied_to_the_last_good_set_while_its_issuer_is_down() {
    let (url, _asked) = issuer().await;
    let first = load(fetched_from(&url), None);
    until(|| counted(&first) == 1).await;
    // None of these fetches anything: the issuer might as well be down.
    let reloaded = |max_age, previous: &Authenticator| {
        Authenticator::load(&with_cache(vec![with_max_age(&url, max_age)]), Some(previous)).unwrap()
    };
    let longer = reloaded(2 * NEVER, &first);
    assert_eq!(asked_now(&longer).await.as_deref(), Ok("alice"));
    let shorter = reloaded(Duration::from_nanos(1), &longer);
    assert_eq!(asked_now(&shorter).await, Err(Refused::KeysUnavailable));
    let again = reloaded(NEVER, &shorter);
    assert_eq!(asked_now(&again).await.as_deref(), Ok("alice"));
}

fn remote(settings: &IssuerSettings) -> Arc<Remote> {
    let KeySource::JwksUrl(fetch) = &settings.keys else { panic!() };
    Remote::load(settings, fetch, None).unwrap()
}

#[tokio::test]
async fn a_fetch_comes_before_the_set_is_too_old_whatever_the_jitter() {
    let remote = remote(&fetched_from("http://127.0.0.1:1/jwks"));
    remote.set.take(Ok(key_set().to_string().into()));
    let closes = remote.set.pace().fetched.unwrap() + NEVER;
    for _ in 0..100 {
        assert!(remote.set.next_look() < closes);
    }
}

#[tokio::test]
async fn only_so_many_wait_for_an_unknown_key_and_one_more_is_answered_at_once() {
    // It accepts nobody, and so answers nobody.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", silent.local_addr().unwrap());
    let mut settings = fetched_from(&url);
    let KeySource::JwksUrl(fetch) = &mut settings.keys else { panic!() };
    fetch.time = NEVER;
    let remote = remote(&settings);
    let deadline = Instant::now() + NEVER;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..MOST_WAITING {
        let remote = Arc::clone(&remote);
        waiting.spawn(async move { remote.renewed(deadline).await });
    }
    until(|| remote.waiting.available_permits() == 0).await;
    assert!(!samples::at_once(remote.renewed(deadline)));
    waiting.shutdown().await;
    assert_eq!(remote.waiting.available_permits(), MOST_WAITING);
}

#[tokio::test]
async fn the_work_of_ten_thousand_reloads_ends_with_them() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let mut last = None;
    for n in 0..10_000 {
        // Each has another address, so that nothing stays of the one before.
        last = Some(load(fetched_from(&format!("http://{port}/{n}")), last.as_ref()));
        tokio::task::yield_now().await;
    }
    until(|| alive() <= before + 1).await;
    drop(last);
    until(|| alive() == before).await;
}

#[tokio::test]
async fn ten_thousand_reloads_without_a_change_keep_one_task_and_one_fetch() {
    let (url, asked) = issuer().await;
    let mut last = load(fetched_from(&url), None);
    until(|| counted(&last) == 1).await;
    let before = Handle::current().metrics().num_alive_tasks();
    for _ in 0..10_000 {
        last = load(fetched_from(&url), Some(&last));
    }
    assert_eq!(asked_now(&last).await.as_deref(), Ok("alice"));
    assert_eq!((Handle::current().metrics().num_alive_tasks(), asked.load(Ordering::SeqCst)), (before, 1));
}

// The generation of the keys goes on when they change, and not when the same ones come again.
#[tokio::test]
async fn the_same_answer_leaves_the_same_keys_in_force() {
    let (url, _asked) = issuer().await;
    let settings = fetched_from(&url);
    let KeySource::JwksUrl(fetch) = &settings.keys else { panic!() };
    let remote = Remote::load(&settings, fetch, None).unwrap();
    let empty = remote.held().generation();
    for _ in 0..2 {
        assert!(remote.set.fetched(Wanted::BySchedule).await);
    }
    let first = remote.held().generation();
    assert_ne!(first, empty);
    assert!(remote.set.fetched(Wanted::ByUnknownKey).await, "one that was asked for");
    assert!(!remote.set.fetched(Wanted::ByUnknownKey).await, "and no second one so soon");
    assert_eq!(remote.held().generation(), first);
    let other = samples::Pair::new(Algorithm::EdDsa).jwk;
    remote.set.take(Ok(serde_json::json!({ "keys": [other] }).to_string().into()));
    assert_ne!(remote.held().generation(), first);
}

#[test]
fn a_file_of_authorities_holds_certificates_and_nothing_that_is_passed_over() {
    let good = rcgen::generate_simple_self_signed(vec!["issuer.example".to_owned()]).unwrap().cert.pem();
    let mut settings = fetched_from("https://issuer.example/jwks");
    let mut told = |text: &str| {
        let file = secret_file(text);
        let KeySource::JwksUrl(fetch) = &mut settings.keys else { panic!() };
        fetch.ca_file = Some(file.path().to_owned());
        Remote::check(fetch).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(told(&good), Ok(()));
    assert_eq!(told(&format!("{good}{good}")), Ok(()));
    assert!(told("").unwrap_err().contains("0 certificates"));
    assert!(told("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
}
