//! `ci-gateway key`, and what an operator does with its keys while the gateway runs.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::process::{Answer, Call, Cloud, Folder, Process, SMART_AUDIO, Served, program, run, until};

const FILE: &str = "api-keys.toml";

/// The key that the command prints, once its entry is in the folder's file.
fn add_key(folder: &Folder, more: &[&str]) -> String {
    let file = folder.path_text(FILE);
    let ended = run(&[&["key", "new", "--file", &file], more].concat()).expect(0);
    assert!(!ended.stderr.contains(ended.stdout.trim()), "{ended:?}");
    ended.stdout.trim().to_owned()
}

fn id_of(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

/// A folder whose gateway takes API keys and nothing else.
fn folder(cloud: &Cloud) -> Folder {
    let folder = Folder::of(cloud);
    let config = folder.read("gateway.toml");
    let (front, rest) = config.split_once("[[auth.jwt]]").unwrap();
    let (_, back) = rest.split_once("[policy]").unwrap();
    folder.write("gateway.toml", &format!("{front}[auth.api_keys]\nfile = \"{FILE}\"\n[policy]{back}"));
    folder
}

fn enable(served: &Served, key: &str) -> Answer {
    Call::post(SMART_AUDIO).header("X-Api-Key", key).make(served.address()).unwrap()
}

#[test]
fn a_new_key_works_after_its_entry_was_added_and_is_shown_nowhere_again() {
    let cloud = Cloud::start();
    let folder = folder(&cloud);
    let key = add_key(&folder, &["--caller", "alice", "--expires", "90d", "--network", "127.0.0.0/8"]);
    let shown = run(&["check", "--config", &folder.config()]).expect(0);
    assert!(shown.stdout.contains("api-keys.toml (1 keys)"), "{shown:?}");
    let served = Served::from(&folder);
    enable(&served, &key).expect(200);
    enable(&served, "").expect(401);
    assert_eq!(cloud.requests().len(), 1);
    let config = served.admin_get("/config").expect(200).body;
    assert!(config.contains(FILE) && !config.contains("sha256:000"), "{config}");
    let secret = key.rsplit('_').next().unwrap();
    let ended = served.ended_by(rustix::process::Signal::TERM).expect(0);
    let (log, file) = (ended.stderr, folder.read(FILE));
    assert!(
        log.contains(&format!("\"key_id\":\"{}\"", id_of(&key))) && log.contains("\"method\":\"api_key\""),
        "{log}"
    );
    // Rows 67 and 72.
    for text in [&log, &file, &config, &folder.read("audit.jsonl")] {
        assert!(!text.contains(secret.get(..8).unwrap()), "{text}");
    }
}

#[test]
fn the_entry_is_shown_on_standard_error_and_the_key_alone_on_standard_output() {
    let ended = run(&["key", "new", "--caller", "alice", "--group", "a", "--group", "b"]).expect(0);
    let key = ended.stdout.trim();
    assert_eq!((ended.stdout.lines().count(), key.len()), (1, 56));
    for part in ["[[key]]", "caller = \"alice\"", "groups = [\"a\", \"b\"]", "hash = \"sha256:", id_of(key)] {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
    let json =
        run(&["key", "new", "--caller", "alice", "--not-after", "2099-01-31T00:00:00+08:00", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["entry"].as_str().unwrap().contains("not_after = 2099-01-30T16:00:00Z"), "{json}");
    assert_eq!(json["id"], id_of(json["key"].as_str().unwrap()));
}

#[test]
fn bad_usage_makes_no_key() {
    for arguments in [
        &["--caller", ""][..],
        &["--caller", "a\nb"],
        &["--caller", "a", "--group", ""],
        &["--caller", "a", "--expires", "soon"],
        &["--caller", "a", "--expires", "-1h"],
        &["--caller", "a", "--expires", "0s"],
        &["--caller", "a", "--not-after", "2001-01-01T00:00:00Z"],
        &["--caller", "a", "--not-after", "2099-01-01"],
        &["--caller", "a", "--expires", "1d", "--not-after", "2099-01-01T00:00:00Z"],
        &["--caller", "a", "--network", "10.0.0.1/8"],
        &["--caller", "a", "--network", "here"],
        &[],
    ] {
        let ended = run(&[&["key", "new"], arguments].concat()).expect(64);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

/// Row 70: a third key of a caller is one too many, and does not get into the file.
#[test]
fn a_third_key_of_a_caller_is_refused_and_leaves_the_file_alone() {
    let folder = Folder::without_cloud();
    add_key(&folder, &["--caller", "alice"]);
    add_key(&folder, &["--caller", "alice"]);
    let before = folder.read(FILE);
    let file = folder.path_text(FILE);
    let ended = run(&["key", "new", "--caller", "alice", "--file", &file]).expect(64);
    assert!(ended.stderr.contains("more than two keys") && ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(folder.read(FILE), before);
}

#[test]
fn a_text_is_said_to_be_a_key_or_not_without_being_repeated() {
    let key = run(&["key", "new", "--caller", "alice"]).expect(0).stdout;
    let check = |input: &str| Process::with_input(program(&["key", "check"]), input).ended();
    let good = check(&key).expect(0);
    assert!(good.stdout.contains(id_of(&key)) && !good.stdout.contains(key.trim()), "{good:?}");
    let mut damaged = key.trim().to_owned();
    damaged.replace_range(30..31, if damaged.get(30..31) == Some("x") { "y" } else { "x" });
    assert!(check(&damaged).expect(2).stdout.contains("NOT fit"));
    assert!(check("hunter2").expect(2).stdout.contains("not the form"));
    check("").expect(2);
}

/// Rows 70 and 71: the old key and the new one hold side by side, the old one is disabled, and no call is lost.
#[test]
fn keys_are_rotated_under_load_without_a_failure_and_a_revoked_one_ends_with_the_reload() {
    const CALLERS: usize = 3;
    let cloud = Cloud::start();
    let folder = folder(&cloud);
    let old = add_key(&folder, &["--caller", "alice"]);
    let served = Served::from(&folder);
    let new = add_key(&folder, &["--caller", "alice"]);
    enable(&served, &new).expect(401);
    let (renewed, done, made) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let key = if renewed.load(Ordering::Relaxed) { &new } else { &old };
                    enable(&served, key).expect(200);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let later = |calls: usize| {
            let goal = made.load(Ordering::Relaxed) + calls;
            until("no calls", || (made.load(Ordering::Relaxed) >= goal).then_some(()));
        };
        later(10);
        served.reload().expect(200);
        later(10);
        renewed.store(true, Ordering::Relaxed);
        // Each has finished the call that it had begun with the old one.
        later(2 * CALLERS + 1);
        let line = format!("id = \"{}\"\n", id_of(&old));
        folder.change(FILE, &line, &format!("{line}disabled = true\n"));
        served.reload().expect(200);
        enable(&served, &old).expect(401);
        later(10);
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(cloud.requests().len(), made.into_inner());
    assert_eq!(served.metric("authentications_total{result=\"disabled_api_key\"}"), 1);
}

#[test]
fn a_broken_file_of_keys_keeps_the_last_good_one_and_is_named_with_its_line() {
    let cloud = Cloud::start();
    let folder = folder(&cloud);
    let key = add_key(&folder, &["--caller", "alice"]);
    let served = Served::from(&folder);
    let good = folder.read(FILE);
    for (broken, told) in [
        (good.replace("caller", "caler"), "api-keys.toml:3: unknown key `caler`"),
        (good.replace("sha256:", "sha1:"), "api-keys.toml:4: `hash` is not"),
        (format!("{good}{good}"), "stands in an earlier entry too"),
        (format!("# {key}\n"), "api-keys.toml:1: an API key itself stands here"),
        ("[[key]".to_owned(), "api-keys.toml:1: not TOML"),
    ] {
        folder.write(FILE, &broken);
        let answer = served.reload().expect(422);
        assert!(answer.body.contains(told) && !answer.body.contains(&key), "{told} in {answer:?}");
        enable(&served, &key).expect(200);
        let checked = run(&["check", "--config", &folder.config()]).expect(64);
        assert!(checked.stderr.contains(told) && !checked.stderr.contains(&key), "{checked:?}");
    }
    std::fs::remove_file(folder.path(FILE)).unwrap();
    assert!(served.reload().expect(422).body.contains("cannot be read"));
    enable(&served, &key).expect(200);
    // An empty file is a good one, in which nobody is let in.
    folder.write(FILE, "");
    served.reload().expect(200);
    enable(&served, &key).expect(401);
}

/// What the README tells scanners, by the scanner that everybody has.
#[test]
fn the_documented_expression_finds_a_key_in_a_text() {
    let folder = Folder::without_cloud();
    let key = run(&["key", "new", "--caller", "alice"]).expect(0).stdout;
    folder.write("leak", &format!("curl -H 'X-Api-Key: {}' https://gateway\n", key.trim()));
    let pattern = ci_gateway::auth::KEY_PATTERN;
    assert!(include_str!("../../README.md").contains(pattern));
    let found = Command::new("grep").args(["-oE", pattern, &folder.path_text("leak")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), key);
}
