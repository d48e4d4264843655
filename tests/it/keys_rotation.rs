//! Our keys while they change: rotated under load, wrong, refused, ended, several at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ci_gateway::stand_in::KeyServiceSettings;
use jiff::Timestamp;
use rustix::process::Signal;

use crate::support::process::{
    Answer, Call, Cloud, Folder, SECRET_ID, SECRET_KEY, Served, run, until, write_with_mode,
};

const REFRESHES: &str = "keys_refreshes_total{account=\"default\",result=\"ok\"}";
const CALLERS: usize = 3;
/// A cloud forgets a key long after its last request; so many rotations take longer than a request is let take.
const REMEMBERED: usize = 2000;

fn key(number: usize) -> (String, String) {
    (format!("AKIDOFROTATION{number}"), format!("secret-key-of-rotation-{number}"))
}

fn ours() -> (String, String) {
    (SECRET_ID.to_owned(), SECRET_KEY.to_owned())
}

fn put(folder: &Folder, name: &str, (id, key): &(String, String)) {
    folder.write_secret(name, &format!("secret_id = {id}\nsecret_key = {key}\n"));
}

/// Lets callers call all the time while `change` happens; their answers are all 200. How many there were.
fn under_load(served: &Served, token: &str, change: impl FnOnce()) -> usize {
    let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    served.enable(token).expect(200);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        change();
        let before = made.load(Ordering::Relaxed);
        until("nobody calls", || (made.load(Ordering::Relaxed) > before + CALLERS).then_some(()));
        done.store(true, Ordering::Relaxed);
    });
    made.into_inner()
}

// Row F41: every signature verifies under exactly one generation.
#[test]
fn keys_that_rotate_under_load_cost_no_request_and_leave_no_signature_that_does_not_verify() {
    let rotations: usize = std::env::var("CI_GATEWAY_ROTATIONS").map_or(500, |text| text.parse().unwrap());
    let (cloud, mut known) = (Cloud::start(), VecDeque::from([ours()]));
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    let made = under_load(&served, &alice, || {
        for number in 0..rotations {
            known.push_back(key(number));
            if known.len() > REMEMBERED {
                known.pop_front();
            }
            cloud.knows(known.make_contiguous());
            put(&folder, "keys", &key(number));
            served.reload().expect(200);
        }
    });
    println!("{rotations} rotations, {made} requests");
    let account = served.admin_get("/keys").expect(200).json()["accounts"][0].clone();
    assert_eq!((&account["refreshes"], &account["refusals"]), (&(rotations + 1).into(), &0.into()), "{account}");
    assert_eq!(account["generations"][0]["number"], rotations + 1);
    // A request that is refused is sent a second time: none was.
    assert_eq!(cloud.count(), made as u64);
    assert!(cloud.requests().iter().all(|request| request.verified && request.applied));
}

#[test]
fn an_old_key_is_deleted_at_the_cloud_while_callers_call_and_nobody_notices() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    under_load(&served, &folder.token("alice"), || {
        cloud.knows(&[ours(), key(1)]);
        put(&folder, "keys", &key(1));
        served.reload().expect(200);
        let is_quiet = || {
            let generations = served.admin_get("/keys").expect(200).json()["accounts"][0]["generations"].clone();
            (generations[0]["uses"].as_u64() > Some(9) && generations[1]["in_flight"] == 0).then_some(generations)
        };
        let generations = until("the old key stays in use", is_quiet);
        assert_eq!((&generations[0]["state"], &generations[1]["state"]), (&"current".into(), &"kept".into()));
        assert_eq!(generations[1]["safe_to_delete"], false, "a signature of the old key lives for minutes");
        cloud.knows(&[key(1)]);
    });
    assert!(cloud.requests().iter().all(|request| request.verified));
    assert_eq!(served.metric("keys_safe_to_delete{account=\"default\"}"), 0);
}

#[test]
fn a_wrong_new_key_is_told_and_the_old_one_serves() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    put(&folder, "keys", &(SECRET_ID.to_owned(), "not-the-secret-key".to_owned()));
    served.reload().expect(200);
    for _ in 0..6 {
        served.enable(&alice).expect(200);
    }
    // The first three were refused and signed anew; then the old key goes first.
    let verified: Vec<bool> = cloud.requests().iter().map(|request| request.verified).collect();
    assert_eq!(verified, [false, true, false, true, false, true, true, true, true]);
    let generations = served.admin_get("/keys").expect(200).json()["accounts"][0]["generations"].clone();
    assert_eq!((&generations[0]["state"], &generations[0]["refusals"]), (&"refused".into(), &3.into()));
    assert_eq!((&generations[1]["state"], &generations[1]["uses"]), (&"kept".into(), &6.into()));
    assert_eq!(served.metric("keys_refusals_total{account=\"default\"}"), 3);
    let table = run(&["keys", "status", "--config", &status_config(&folder, &served)]).expect(0).stdout;
    assert!(table.contains("refused") && table.contains("Ask every replica"), "{table}");
    // What is wrong with the key does not outlive it.
    put(&folder, "keys", &ours());
    served.reload().expect(200);
    served.enable(&alice).expect(200);
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let told = |words: &str| log.lines().find(|line| line.contains(words)).expect("the log tells").to_owned();
    for line in [told("refuses the key again and again"), told("\"Cloud Infinite refuses the key\"")] {
        assert!(line.contains("SignatureDoesNotMatch") && line.contains("copy both again"), "{line}");
    }
    assert!(!log.contains("not-the-secret-key"));
}

// F40, and F28 with keys that know no end: those of STS in a file.
#[test]
fn temporary_keys_past_their_end_are_refused_keys_and_the_others_serve() {
    let lives = KeyServiceSettings { session_lifetime: Duration::ZERO, ..KeyServiceSettings::default() };
    let cloud = Cloud::with_key_services(lives);
    let ended = Call::get("/latest/meta-data/cam/security-credentials/ci-gateway");
    let ended = ended.make(cloud.stand_in().address()).unwrap().expect(200).json();
    let [id, secret, token] = ["TmpSecretId", "TmpSecretKey", "Token"].map(|name| ended[name].as_str().unwrap());
    let folder = Folder::of(&cloud);
    folder.write_secret("keys", &format!("secret_id = {id}\nsecret_key = {secret}\ntoken = {token}\n"));
    put(&folder, "keys.before", &ours());
    folder.change("gateway.toml", "file = \"keys\"", "file = \"keys\"\nprevious_file = \"keys.before\"");
    let served = Served::from(&folder);
    served.enable(&folder.token("alice")).expect(200);
    let verified: Vec<bool> = cloud.requests().iter().map(|request| request.verified).collect();
    assert_eq!(verified, [false, true]);
    let generations = served.admin_get("/keys").expect(200).json()["accounts"][0]["generations"].clone();
    assert_eq!((&generations[0]["state"], &generations[0]["refusals"]), (&"refused".into(), &1.into()));
    assert_eq!(served.metric("keys_refusals_total{account=\"default\"}"), 1);
}

/// A configuration by which `keys status` finds the gateway, which took a free port.
fn status_config(folder: &Folder, served: &Served) -> String {
    let admin = format!("[admin]\nlisten = \"{}\"", served.admin());
    folder.write("status.toml", &folder.read("gateway.toml").replace("[admin]\nlisten = \"127.0.0.1:0\"", &admin));
    folder.path_text("status.toml")
}

#[test]
fn keys_status_shows_what_the_gateway_says_and_fails_where_none_answers() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    put(&folder, "keys.before", &key(1));
    folder.change("gateway.toml", "file = \"keys\"", "file = \"keys\"\nprevious_file = \"keys.before\"");
    let served = Served::from(&folder);
    served.enable(&folder.token("alice")).expect(200);
    let config = status_config(&folder, &served);
    let told = run(&["keys", "status", "--json", "--config", &config]).expect(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["accounts"], served.admin_get("/keys").expect(200).json()["accounts"]);
    assert_eq!(told["accounts"][0]["generations"][1]["uses"], 0);
    let table = run(&["keys", "status", "--config", &config]).expect(0).stdout;
    assert!(table.contains("default (file)") && table.contains("not yet"), "{table}");
    for secret in [SECRET_ID, SECRET_KEY, "AKIDOFROTATION", "secret-key"] {
        assert!(!table.contains(secret) && !told.to_string().contains(secret));
    }
    let other = folder.read("status.toml").replace(&served.admin().to_string(), &served.address().to_string());
    folder.write("other.toml", &other);
    let ended = run(&["keys", "status", "--config", &folder.path_text("other.toml")]).expect(1);
    assert!(ended.stderr.contains("404 Not Found") && ended.stderr.contains("hint: another program"), "{ended:?}");
    drop(served);
    let ended = run(&["keys", "status", "--config", &config]).expect(1);
    assert!(ended.stderr.contains("does not answer") && ended.stderr.contains("hint: start the gateway"), "{ended:?}");
    run(&["keys", "status", "--config", "/nowhere"]).expect(64);
}

#[test]
fn where_every_key_is_refused_the_caller_is_told_after_one_retry() {
    let cloud = Cloud::start();
    cloud.knows(&[key(7)]);
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    put(&folder, "keys", &key(1));
    served.reload().expect(200);
    let answer = served.enable(&alice).expect(502).json();
    assert_eq!((&answer["code"], &answer["outcome"]), (&"upstream_denied".into(), &"rejected".into()), "{answer}");
    assert_eq!(cloud.requests().len(), 2);
    for _ in 0..4 {
        served.enable(&alice).expect(502);
    }
    // Both are refused again and again: one is tried, and the cloud's answer told.
    assert_eq!(cloud.requests().len(), 2 + 2 + 2 + 1 + 1);
    let readiness = || served.admin_get("/readyz?verbose").expect(200).body;
    let told = readiness();
    let line = told.lines().find(|line| line.starts_with("[-] account default failed: ")).expect("it is told");
    assert_eq!(line.matches(" is refused since 2").count(), 2, "{told}");
    cloud.knows(&[key(1)]);
    served.enable(&alice).expect(200);
    assert!(!readiness().contains("account default"), "one of them serves");
    let records = folder.read("audit.jsonl");
    let attempts: Vec<_> =
        records.lines().filter(|line| line.contains("\"outcome\"") && line.contains("\"attempts\":2")).collect();
    assert_eq!(attempts.len(), 3, "{records}");
}

#[test]
fn a_key_is_taken_again_once_a_refusal_is_about_the_bucket_alone() {
    let cloud = Cloud::start();
    cloud.knows(&[key(7)]);
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let state = || served.admin_get("/keys").expect(200).json()["accounts"][0]["generations"][0]["state"].clone();
    served.enable(&folder.token("alice")).expect(502);
    assert_eq!(state(), "refused");
    cloud.knows(&[ours()]);
    let missing = Call::post("/v1/buckets/missing-1234567890/smart-audio").token(&folder.token("alice"));
    missing.make(served.address()).unwrap().expect(404);
    assert_eq!(state(), "current");
}

#[test]
fn a_bucket_is_served_with_the_keys_of_its_own_account_and_one_of_no_account_is_refused() {
    let cloud = Cloud::start();
    cloud.knows(&[key(1), key(2)]);
    let folder = Folder::of(&cloud);
    for number in [1, 2] {
        put(&folder, &format!("keys.{number}"), &key(number));
    }
    let account = |number: usize, app_id: &str| {
        format!("[[credentials.account]]\napp_id = \"{app_id}\"\nsource = \"file\"\nfile = \"keys.{number}\"\n")
    };
    let accounts = account(1, "1250000001") + &account(2, "1250000002");
    folder.change("gateway.toml", "[credentials]\nsource = \"file\"\nfile = \"keys\"\n", &accounts);
    let served = Served::from(&folder);
    let enable = |bucket: &str| -> Answer {
        Call::post(&format!("/v1/buckets/{bucket}/smart-audio"))
            .token(&folder.token("alice"))
            .make(served.address())
            .unwrap()
    };
    enable("a-1250000001").expect(200);
    enable("a-1250000002").expect(200);
    assert!(cloud.requests().iter().all(|request| request.verified));
    let records = folder.read("audit.jsonl").lines().filter(|line| line.contains("\"intent\"")).count();
    let answer = enable("a-1250000003").expect(403).json();
    assert_eq!((&answer["code"], &answer["outcome"]), (&"account_not_configured".into(), &"not_sent".into()));
    assert_eq!(cloud.requests().len(), 2);
    assert_eq!(folder.read("audit.jsonl").lines().filter(|line| line.contains("\"intent\"")).count(), records);
    let told = served.admin_get("/keys").expect(200).json();
    let used: Vec<_> =
        told["accounts"].as_array().unwrap().iter().map(|it| it["generations"][0]["uses"].clone()).collect();
    assert_eq!(used, [1, 1]);
}

/// A folder whose gateway asks the program `keys.sh`, which prints what `script` prints.
fn with_command(cloud: &Cloud, script: &str) -> Folder {
    let folder = Folder::of(cloud);
    write_with_mode(&folder.path("keys.sh"), script.as_bytes(), 0o755);
    let command = format!("source = \"command\"\ncommand = [\"/bin/sh\", \"{}\"]\n", folder.path_text("keys.sh"));
    folder.change("gateway.toml", "source = \"file\"\nfile = \"keys\"\n", &command);
    folder
}

fn prints(expires: Option<Timestamp>) -> String {
    prints_key(&ours(), expires)
}

fn prints_key((id, key): &(String, String), expires: Option<Timestamp>) -> String {
    let end = expires.map(|end| format!(", \"Expiration\": \"{end}\"")).unwrap_or_default();
    format!("echo '{{\"SecretId\": \"{id}\", \"SecretKey\": \"{key}\"{end}}}'\n")
}

#[test]
fn a_program_that_gave_a_wrong_key_is_asked_again_by_a_reload_and_by_the_refusal_itself() {
    let cloud = Cloud::start();
    let end = Timestamp::now() + Duration::from_secs(12 * 3600);
    let folder = with_command(&cloud, &prints_key(&key(1), Some(end)));
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    until("never ready", || (served.admin_get("/readyz").status() == 200).then_some(()));
    let gives = |script: String| write_with_mode(&folder.path("keys.sh"), script.as_bytes(), 0o755);
    gives(prints(Some(end)));
    served.reload().expect(200);
    // Nothing but the reload has happened.
    until("a reload does not ask", || (served.metric(REFRESHES) == 2).then_some(()));
    served.enable(&alice).expect(200);
    gives(prints_key(&key(2), Some(end)));
    cloud.knows(&[key(2)]);
    served.enable(&alice).expect(502);
    until("a refusal does not ask", || (served.metric(REFRESHES) == 3).then_some(()));
    served.enable(&alice).expect(200);
    // The wrong key was tried once more: it stood beside the one that is refused now.
    let verified: Vec<bool> = cloud.requests().iter().map(|request| request.verified).collect();
    assert_eq!(verified, [true, false, false, true]);
}

#[test]
fn a_command_gives_keys_and_until_it_does_the_gateway_is_not_ready_and_sends_nothing() {
    let cloud = Cloud::start();
    let folder = with_command(&cloud, "echo 'the vault is sealed' >&2; exit 1\n");
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    let readiness = until("no answer of the command", || {
        let readiness = served.admin_get("/readyz?verbose").expect(503).body;
        readiness.contains("the vault is sealed").then_some(readiness)
    });
    assert!(readiness.contains("since 2") && readiness.ends_with("unready\n"), "{readiness}");
    let answer = served.enable(&alice).expect(503).json();
    assert_eq!((&answer["code"], &answer["outcome"]), (&"credentials_unavailable".into(), &"not_sent".into()));
    assert_eq!((cloud.requests().len(), served.metric("keys_usable")), (0, 0));
    write_with_mode(&folder.path("keys.sh"), prints(None).as_bytes(), 0o755);
    until("never ready", || (served.admin_get("/readyz").status() == 200).then_some(()));
    served.enable(&alice).expect(200);
    assert_eq!(served.metric("keys_usable"), 1);
}

#[test]
fn keys_that_end_are_used_until_then_and_not_a_moment_longer() {
    let cloud = Cloud::start();
    let end = Timestamp::now() + Duration::from_secs(4);
    let script = format!("[ -e \"$0.used\" ] && exit 1\ntouch \"$0.used\"\n{}", prints(Some(end)));
    let folder = with_command(&cloud, &script);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    until("never ready", || (served.admin_get("/readyz").status() == 200).then_some(()));
    let refused = until("the keys did not end", || {
        let (before, answer, after) = (Timestamp::now(), served.enable(&alice), Timestamp::now());
        match answer.status() {
            200 => assert!(before < end, "used after their end"),
            503 => assert!(after >= end, "given up before their end"),
            _ => panic!("{answer:?}"),
        }
        (answer.status() == 503).then_some(answer)
    });
    assert_eq!(refused.json()["code"], "credentials_unavailable");
    let sent = cloud.requests().len();
    served.enable(&alice).expect(503);
    assert_eq!(cloud.requests().len(), sent);
    assert!(served.admin_get("/readyz?verbose").expect(503).body.contains(&format!("since {end:.0}")));
    write_with_mode(&folder.path("keys.sh"), prints(None).as_bytes(), 0o755);
    served.reload().expect(200);
    until("not mended", || (served.enable(&alice).status() == 200).then_some(()));
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    for words in ["the keys have ended, and nothing is left to sign with", "there are keys to sign with again"] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
}
