//! `ci-gateway audit …`, on logs that are sealed here a second time, from the description of the form alone.

mod log;

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ci_gateway::audit::{Digest, Tree, is_consistent, is_included, leaf};
use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Call, Cloud, Ended, Folder, Process, SMART_AUDIO, Served, program, run};
use log::{Asked, Log, Outcome};

const DAY: &str = "2026-11-21";

/// A day's work: alice enables a bucket, bob may not, and a checkpoint is made.
fn yesterday() -> Log {
    let mut log = Log::new();
    log.opened("new");
    let alice = Asked::new("first-request", "alice", "ci:CreateAsrBucket").at(&format!("{DAY}T10:00:00Z"));
    let intent = log.intent(&alice);
    log.outcome(&alice.at(&format!("{DAY}T10:00:01Z")), Outcome::applied().of(intent));
    let bob = Asked::new("bobs-request", "bob", "ci:DeleteAsrBucket").at(&format!("{DAY}T11:00:00Z"));
    log.outcome(&bob.denied(), Outcome::forbidden());
    log.checkpoint();
    log
}

fn folder_with(log: &Log) -> Folder {
    let folder = Folder::without_cloud();
    folder.write("audit.jsonl", &log.text());
    folder.write("audit.jsonl.checkpoints", log.notes());
    folder.write_secret("checkpoint.key", &log.key());
    folder
}

fn audit(folder: &Folder, arguments: &[&str]) -> Ended {
    let mut command: Command = program(&[]);
    command.arg("audit").args(arguments).current_dir(folder.path(""));
    Process::start(command).ended()
}

fn object(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_log_in_order_is_said_to_be_with_all_that_was_not_looked_at() {
    let folder = folder_with(&yesterday());
    let key = audit(&folder, &["key", "checkpoint.key", "--name", log::ORIGIN]).expect(0).stdout;
    let whole = audit(&folder, &["verify", "audit.jsonl", "--public-key", key.trim()]).expect(0);
    assert!(
        whole.stdout.starts_with("in order: records 0 to 4 of the log \"example.com/audit\", held against 1 signed"),
        "{whole:?}"
    );
    assert!(whole.stdout.contains("not checked: after the newest checkpoint: 1 record,"), "{whole:?}");
    folder.write("key.txt", &key);
    audit(&folder, &["verify", "audit.jsonl", "--public-key", "key.txt"]).expect(0);
    let trusting = audit(&folder, &["verify", "--config", "gateway.toml"]).expect(0);
    assert!(trusting.stdout.contains("not checked: no --public-key"), "{trusting:?}");
    fs::remove_file(folder.path("audit.jsonl.checkpoints")).unwrap();
    let alone = object(&audit(&folder, &["verify", "audit.jsonl", "--json"]).expect(0));
    assert_eq!((&alone["ok"], &alone["ends"], &alone["checkpoints"]["agreed"]), (&true.into(), &5.into(), &0.into()));
    assert!(alone["not_checked"][0].as_str().unwrap().contains("no checkpoints"), "{alone}");
}

/// Row 115.
#[test]
fn a_byte_of_yesterday_a_lost_line_and_a_cut_are_told_by_their_line() {
    let log = yesterday();
    let folder = folder_with(&log);
    let told = |text: &str| {
        folder.write("audit.jsonl", text);
        let json = audit(&folder, &["verify", "audit.jsonl", "--json"]).expect(2);
        let finding = object(&json)["findings"][0].clone();
        let people = audit(&folder, &["verify", "audit.jsonl"]).expect(2).stdout;
        let place = format!("{}:{}", finding["place"].as_str().unwrap(), finding["line"]);
        assert!(people.starts_with(&format!("wrong: {place}: ")) && people.contains("\n  hint: "), "{people}");
        (place, finding["what"].as_str().unwrap().to_owned())
    };
    let (place, what) = told(&log.text().replace("bobs-request", "eves-request"));
    assert!(place == "audit.jsonl:4" && what.contains("were changed"), "{place} {what}");
    let lines: Vec<String> = log.text().split_inclusive('\n').map(str::to_owned).collect();
    let (place, what) = told(&[&lines[..2], &lines[3..]].concat().concat());
    assert!(place == "audit.jsonl:3" && what.contains("records 2 to 2 are missing"), "{place} {what}");
    let (place, what) = told(&lines[..3].concat());
    assert!(place == "audit.jsonl:4" && what.contains("covers 4 records and the files hold only 3"), "{place} {what}");
    let (place, what) = told(log.text().trim_end());
    assert!(place == "audit.jsonl:5" && what.contains("ends within this line"), "{place} {what}");
}

#[test]
fn what_cannot_be_read_and_what_cannot_be_meant_have_their_own_exit_status() {
    let folder = folder_with(&yesterday());
    assert!(audit(&folder, &["verify", "none.jsonl"]).expect(1).stderr.contains("none.jsonl"));
    assert!(audit(&folder, &["verify", "audit.jsonl", "--checkpoints", "none"]).expect(1).stderr.contains("none"));
    assert!(audit(&folder, &["verify"]).expect(64).stderr.contains("no file of the audit log is named"));
    let key = audit(&folder, &["verify", "audit.jsonl", "--public-key", "policy.toml"]).expect(64);
    assert!(key.stderr.contains("not an Ed25519 public key"), "{key:?}");
    assert!(audit(&folder, &["verify", "--config", "none.toml"]).expect(64).stderr.contains("none.toml"));
    let other = Log::with_key().key();
    folder.write_secret("other.key", &other);
    let key = audit(&folder, &["key", "other.key", "--name", log::ORIGIN]).expect(0).stdout;
    let refused = audit(&folder, &["verify", "audit.jsonl", "--public-key", key.trim()]).expect(2);
    assert!(refused.stdout.starts_with("wrong: audit.jsonl:6: no checkpoint that is signed with"), "{refused:?}");
    assert!(
        refused.stdout.contains("not checked: audit.jsonl.checkpoints:1: 1 checkpoint of another key"),
        "{refused:?}"
    );
    let own = audit(&folder, &["key", "checkpoint.key", "--name", log::ORIGIN]).expect(0).stdout;
    let both = ["verify", "audit.jsonl", "--public-key", key.trim(), "--public-key", own.trim()];
    audit(&folder, &both).expect(0);
    fs::write(folder.path("audit.jsonl.checkpoints"), "").unwrap();
    audit(&folder, &both).expect(2);
    assert!(audit(&folder, &["key", "policy.toml"]).expect(64).stderr.contains("policy.toml"));
    assert!(audit(&folder, &["key", "other.key", "--name", "two words"]).expect(64).stderr.contains("--name"));
}

#[test]
fn who_enabled_a_bucket_and_when_is_one_command() {
    let folder = folder_with(&yesterday());
    let bucket = ["show", "audit.jsonl", "--bucket", "test-1234567890", "--action", "ci:CreateAsrBucket"];
    let shown = audit(&folder, &bucket).expect(0).stdout;
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert_eq!(lines[1][..3], ["2026-11-21T10:00:00Z", "alice", "ci:CreateAsrBucket"], "{shown}");
    assert!(lines[1].contains(&"applied") && lines[1].contains(&"ci-request-1"), "{shown}");
    let all = audit(&folder, &["show", "--config", "gateway.toml", "--json"]).expect(0).stdout;
    let rows: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["caller"], &rows[0]["outcome"], &rows[0]["took_ms"]),
        (&"alice".into(), &"applied".into(), &12.5.into())
    );
    assert_eq!((&rows[1]["caller"], &rows[1]["decision"]), (&"bob".into(), &"denied".into()));
}

#[test]
fn requests_are_shown_by_every_filter_and_a_filter_that_nothing_can_meet_is_a_mistake() {
    let mut log = yesterday();
    log.intent(&Asked::new("lost-request", "carol", "ci:CreateMediaBucket").at("2026-11-22T10:00:00Z"));
    let folder = folder_with(&log);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let shown = audit(&folder, &[&["show", "audit.jsonl", "--json"], arguments].concat()).expect(0).stdout;
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["request_id"].as_str().unwrap().to_owned();
        shown.lines().map(id).collect()
    };
    assert_eq!(ids(&[]), ["first-request", "bobs-request", "lost-request"]);
    assert_eq!(ids(&["--caller", "bob"]), ["bobs-request"]);
    assert_eq!(ids(&["--request-id", "lost-request"]), ["lost-request"]);
    assert_eq!(ids(&["--outcome", "none"]), ["lost-request"]);
    assert_eq!(ids(&["--since", "2026-11-22"]), ["lost-request"]);
    assert_eq!(ids(&["--until", "2026-11-21T11:00:00Z"]), ["first-request"]);
    assert_eq!(ids(&["--limit", "2"]), ["bobs-request", "lost-request"]);
    assert_eq!(audit(&folder, &["show", "audit.jsonl", "--caller", "eve"]).expect(0).stdout, "no such request\n");
    for (arguments, expected) in [
        (["--action", "ci:CreateAsrBuckt"], "did you mean `ci:CreateAsrBucket`?"),
        (["--outcome", "aplied"], "did you mean `applied`?"),
        (["--bucket", "NoBucket"], "--bucket"),
        (["--since", "yesterday"], "2027-01-31"),
        (["--caller", ""], "--caller: is empty"),
        (["--request-id", ""], "--request-id: is empty"),
        (["--limit", "0"], "0 shows nothing"),
    ] {
        let ended = audit(&folder, &[["show", "audit.jsonl"], arguments].concat()).expect(64);
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
}

#[test]
fn lines_that_cannot_be_read_are_told_and_the_others_are_shown() {
    let log = yesterday();
    let folder = folder_with(&log);
    folder.write("audit.jsonl", &log.text().replace("bobs-request", "eves\u{1b}[2Jrequest"));
    let ended = audit(&folder, &["show", "audit.jsonl"]).expect(2);
    assert!(ended.stdout.contains("alice") && !ended.stdout.contains("bob"), "{ended:?}");
    assert!(ended.stderr.contains("audit.jsonl:4: the bytes of this record were changed"), "{ended:?}");
    folder.write("noise.txt", &"noise\n".repeat(30));
    let noise = audit(&folder, &["show", "noise.txt"]).expect(2).stderr;
    assert!(
        noise.contains("noise.txt:20: ") && noise.contains("has 10 more lines") && noise.lines().count() == 22,
        "{noise}"
    );
    let mut hostile = Log::new();
    hostile.opened("new");
    hostile.outcome(
        &Asked::new("request-id", "eve\\u001b[2J", "ci:CreateAsrBucket").at("2026-11-22T10:00:00Z"),
        Outcome::applied(),
    );
    folder.write("audit.jsonl", &hostile.text());
    let shown = audit(&folder, &["show", "audit.jsonl"]).expect(0).stdout;
    assert!(shown.contains("eve\u{fffd}[2J") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_proof_needs_nothing_but_the_checkpoint_and_the_record() {
    let log = yesterday();
    let folder = folder_with(&log);
    let digest = |value: &Value| -> Digest {
        let bytes: [u8; 32] = STANDARD.decode(value.as_str().unwrap()).unwrap().try_into().unwrap();
        bytes.into()
    };
    let proof = object(&audit(&folder, &["prove", "audit.jsonl", "--seq", "2"]).expect(0));
    let path: Vec<Digest> = proof["proof"].as_array().unwrap().iter().map(digest).collect();
    let text = log.text();
    let record = leaf(text.lines().nth(2).unwrap().as_bytes());
    assert_eq!((&proof["index"], &proof["size"], digest(&proof["leaf"])), (&2.into(), &4.into(), record));
    assert!(log.notes().contains(proof["root"].as_str().unwrap()));
    assert!(is_included(&record, 2, 4, &digest(&proof["root"]), &path));
    let proof = object(&audit(&folder, &["prove", "audit.jsonl", "--from", "3"]).expect(0));
    let path: Vec<Digest> = proof["proof"].as_array().unwrap().iter().map(digest).collect();
    let mut old = Tree::default();
    text.lines().take(3).for_each(|line| old.append(line.as_bytes()));
    assert!(is_consistent(3, &old.root(), 4, &digest(&proof["root"]), &path));
    // The checkpoint itself is the newest record, and no checkpoint covers it yet.
    let beyond = audit(&folder, &["prove", "audit.jsonl", "--seq", "4"]).expect(1);
    assert!(beyond.stderr.contains("covers those before 4"), "{beyond:?}");
    audit(&folder, &["prove", "audit.jsonl"]).expect(64);
    folder.change("audit.jsonl", "bobs-request", "eves-request");
    assert!(audit(&folder, &["prove", "audit.jsonl", "--seq", "1"]).expect(2).stderr.contains("audit.jsonl:4"));
}

/// Rows 114 and 115, by the program itself: what one gateway wrote, was killed over, rotated and signed.
#[test]
fn the_log_of_a_gateway_that_was_killed_and_rotated_is_in_order_and_shows_who_did_what() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.write_secret("checkpoint.key", &Log::with_key().key());
    let signed = "file = \"audit.jsonl\"\ncheckpoint_key_file = \"checkpoint.key\"\ncheckpoint_file = \"notes\"";
    folder.change("gateway.toml", "file = \"audit.jsonl\"", signed);
    let served = Served::from(&folder);
    served.enable(&folder.token("alice")).expect(200);
    served.enable(&folder.token("bob")).expect(403);
    served.ended_by(Signal::KILL);
    let served = Served::from(&folder);
    fs::rename(folder.path("audit.jsonl"), folder.path("audit.jsonl.1")).unwrap();
    served.reload().expect(200);
    served.enable(&folder.token("alice")).expect(200);
    served.ended_by(Signal::TERM).expect(0);
    let key = audit(&folder, &["key", "--config", "gateway.toml"]).expect(0).stdout;
    let both = ["verify", "--config", "gateway.toml", "audit.jsonl", "audit.jsonl.1", "--public-key", key.trim()];
    let verified = object(&audit(&folder, &[&both[..], &["--json"]].concat()).expect(0));
    assert_eq!((&verified["begins"], &verified["log"]), (&0.into(), &"ci-gateway".into()), "{verified}");
    assert!(verified["checkpoints"]["agreed"].as_u64() >= Some(2), "{verified}");
    let shown = audit(&folder, &["show", "audit.jsonl.1", "audit.jsonl", "--outcome", "applied"]).expect(0).stdout;
    assert_eq!(shown.matches("  alice   ci:CreateAsrBucket ").count(), 2, "{shown}");
    let none = audit(&folder, &["show", "audit.jsonl.1", "audit.jsonl", "--outcome", "none"]).expect(0).stdout;
    assert_eq!(none, "no such request\n");
    let newest = audit(&folder, &["verify", "--config", "gateway.toml"]).expect(0).stdout;
    assert!(newest.contains("what came before was not looked at"), "{newest}");
    folder.change("audit.jsonl.1", "\"caller\":\"alice\"", "\"caller\":\"carol\"");
    let told = audit(&folder, &both).expect(2).stdout;
    assert!(told.starts_with("wrong: audit.jsonl.1:2: record 1: "), "{told}");
}

/// A cloud in which Smart Audio is on for the test's bucket, and a folder with an audit log of its own.
fn enabled() -> (Cloud, Folder) {
    let cloud = Cloud::start();
    let served = Folder::of(&cloud);
    served.change("gateway.toml", "file = \"audit.jsonl\"", "");
    let gateway = Served::from(&served);
    Call::post(SMART_AUDIO).token(&served.token("alice")).make(gateway.address()).unwrap().expect(200);
    let folder = Folder::of(&cloud);
    (cloud, folder)
}

#[test]
fn what_became_of_calls_without_a_known_outcome_is_asked_of_the_cloud_by_get_alone() {
    let (cloud, folder) = enabled();
    let mut log = Log::new();
    log.opened("new");
    let asked = |id: &str, action: &str| Asked::new(id, "alice", action).at("2026-11-22T09:00:00Z");
    log.intent(&asked("create-lost", "ci:CreateAsrBucket"));
    log.intent(&asked("create-other", "ci:CreateMediaBucket"));
    let intent = log.intent(&asked("delete-unknown", "ci:DeleteDocProcessBucket"));
    log.outcome(&asked("delete-unknown", "ci:DeleteDocProcessBucket"), Outcome::unknown().of(intent));
    log.intent(&asked("only-read", "ci:DescribeAsrBuckets"));
    let earlier = Asked::new("answered-one", "alice", "ci:CreateDocProcessBucket").at("2026-11-22T08:00:00Z");
    let intent = log.intent(&earlier);
    log.outcome(&earlier, Outcome::applied().of(intent));
    log.intent(&Asked::new("in-progress", "alice", "ci:CreateFileProcessBucket").at(&Timestamp::now().to_string()));
    folder.write("audit.jsonl", &log.text());
    let before = cloud.requests().len();
    let listed = audit(&folder, &["reconcile", "--config", "gateway.toml", "--offline", "--json"]).expect(2);
    assert_eq!((listed.stdout.lines().count(), cloud.requests().len()), (3, before));
    let ended = audit(&folder, &["reconcile", "--config", "gateway.toml", "--json"]).expect(2);
    let rows: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<_> =
        rows.iter().map(|row| (row["request_id"].as_str().unwrap(), row["verdict"].as_str().unwrap())).collect();
    let expected = [
        ("create-lost", "apparently applied"),
        ("create-other", "apparently not applied"),
        ("delete-unknown", "apparently applied"),
    ];
    assert!(expected.iter().all(|one| verdicts.contains(one)) && verdicts.len() == 3, "{verdicts:?}");
    let asked = cloud.requests().split_off(before);
    assert!(asked.len() == 3 && asked.iter().all(|request| &*request.method == "GET"), "{asked:?}");
    let people = audit(&folder, &["reconcile", "--config", "gateway.toml"]).expect(2).stdout;
    assert!(people.contains("enabled since 20") && people.contains("not enabled"), "{people}");
}

#[test]
fn what_a_later_call_has_changed_cannot_be_told_any_more() {
    let (_cloud, folder) = enabled();
    let mut log = Log::new();
    log.opened("new");
    let asked = |id: &str, at: &str| Asked::new(id, "alice", "ci:CreateAsrBucket").at(at);
    log.intent(&asked("lost-request", "2026-11-22T09:00:00Z"));
    log.outcome(&asked("later-request", "2026-11-22T09:10:00Z"), Outcome::applied());
    folder.write("audit.jsonl", &log.text());
    let ended = audit(&folder, &["reconcile", "--config", "gateway.toml", "--json"]).expect(2);
    assert_eq!(object(&ended)["verdict"], "cannot tell: a later call may have changed it");
}

#[test]
fn what_a_later_call_of_unknown_outcome_may_have_changed_cannot_be_told() {
    let (_cloud, folder) = enabled();
    let mut log = Log::new();
    log.opened("new");
    let asked = |action: &str, at: &str| Asked::new("request-id", "alice", action).at(at);
    let create = log.intent(&asked("ci:CreateAsrBucket", "2026-11-22T09:00:00Z"));
    log.outcome(&asked("ci:CreateAsrBucket", "2026-11-22T09:00:01Z"), Outcome::unknown().of(create));
    let delete = log.intent(&asked("ci:DeleteAsrBucket", "2026-11-22T09:10:00Z"));
    log.outcome(&asked("ci:DeleteAsrBucket", "2026-11-22T09:10:01Z"), Outcome::unknown().of(delete));
    // Known not to have changed anything, and of another service.
    let refused = log.intent(&asked("ci:DeleteAsrBucket", "2026-11-22T09:20:00Z"));
    log.outcome(&asked("ci:DeleteAsrBucket", "2026-11-22T09:20:01Z"), Outcome::rejected().of(refused));
    log.intent(&asked("ci:DeleteMediaBucket", "2026-11-22T09:30:00Z"));
    folder.write("audit.jsonl", &log.text());
    let ended = audit(&folder, &["reconcile", "--config", "gateway.toml", "--json"]).expect(2);
    let rows: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<_> = rows.iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    let expected = ["cannot tell: a later call may have changed it", "apparently not applied", "apparently applied"];
    assert_eq!(verdicts, expected);
}

#[test]
fn a_configuration_names_rotated_files_too_and_what_is_missing_is_told() {
    let folder = Folder::without_cloud();
    let mut log = Log::new();
    log.opened("new");
    log.intent(&Asked::new("lost-request", "alice", "ci:CreateAsrBucket").at("2026-11-22T09:00:00Z"));
    log.opened("rotated");
    log.opened("rotated");
    let lines: Vec<String> = log.text().split_inclusive('\n').map(str::to_owned).collect();
    folder.write("audit.jsonl", &lines[3]);
    folder.write("audit.jsonl.1", &lines[2]);
    folder.write("audit.jsonl.2", &lines[..2].concat());
    folder.write("audit.jsonl.torn-20261122T090000Z", &lines[1]);
    folder.write("audit.jsonl.bak", "noise\n");
    let reconcile = ["reconcile", "--config", "gateway.toml", "--offline"];
    let all = audit(&folder, &reconcile).expect(2);
    assert!(all.stdout.contains("lost-request") && all.stderr.is_empty(), "{all:?}");
    assert!(audit(&folder, &["show", "--config", "gateway.toml"]).expect(0).stdout.contains("alice"));
    fs::remove_file(folder.path("audit.jsonl.1")).unwrap();
    let gap = audit(&folder, &reconcile).expect(2);
    assert!(gap.stderr.contains("records 2 to 2 were not looked at"), "{gap:?}");
    fs::remove_file(folder.path("audit.jsonl.2")).unwrap();
    let end = audit(&folder, &reconcile).expect(2);
    assert!(end.stderr.contains("records 0 to 2 were not looked at"), "{end:?}");
    assert!(!end.stdout.contains("every create and delete"), "{end:?}");
    // The file begins before: nothing since then is missing.
    audit(&folder, &[&reconcile[..], &["--since", "2026-11-22"]].concat()).expect(0);
}

#[test]
fn what_a_shell_names_beside_the_log_is_used_or_left_out_and_standard_input_is_read() {
    let log = yesterday();
    let folder = folder_with(&log);
    folder.write("audit.jsonl.torn-20261122T090000Z", "{\"v\":1");
    let named = ["audit.jsonl", "audit.jsonl.checkpoints", "audit.jsonl.torn-20261122T090000Z"];
    let told = object(&audit(&folder, &[&["verify", "--json"], &named[..]].concat()).expect(0));
    assert_eq!((&told["files"], &told["checkpoints"]["agreed"]), (&1.into(), &1.into()), "{told}");
    assert!(told["not_checked"].to_string().contains("torn-20261122T090000Z: what a start had set aside"), "{told}");
    let mut command = program(&["audit", "verify", "-"]);
    command.stdin(fs::File::open(folder.path("audit.jsonl")).unwrap());
    let piped = command.current_dir(folder.path("")).output().unwrap();
    assert!(piped.status.success() && piped.stdout.starts_with(b"in order: records 0 to 4 "), "{piped:?}");
    fs::write(folder.path("audit.jsonl.2.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    let gz = audit(&folder, &["verify", "audit.jsonl.2.gz"]).expect(64);
    assert!(gz.stderr.contains("is compressed") && gz.stderr.contains("zcat audit.jsonl.2.gz |"), "{gz:?}");
    // As standard output has it.
    let note = serde_json::json!({ "type": "checkpoint", "note": log.notes().strip_suffix('\n').unwrap() });
    folder.write("stdout.jsonl", &format!("{}{note}\n", log.text()));
    let inline = object(&audit(&folder, &["verify", "stdout.jsonl", "--json"]).expect(0));
    assert_eq!(inline["checkpoints"]["agreed"], 1, "{inline}");
    audit(&folder, &["show", "stdout.jsonl"]).expect(0);
    folder.write("empty.jsonl", "");
    assert!(audit(&folder, &["verify", "empty.jsonl"]).expect(2).stdout.contains("there is no record at all"));
}

#[test]
fn a_request_id_that_is_used_again_hides_no_call_of_which_nothing_came() {
    let folder = Folder::without_cloud();
    let mut log = Log::new();
    log.opened("new");
    let asked = |at: &str| Asked::new("retry-0002", "alice", "ci:CreateAsrBucket").at(at);
    log.intent(&asked("2026-11-22T09:00:00Z"));
    log.opened("started");
    log.outcome(&asked("2026-11-22T09:10:00Z").denied(), Outcome::forbidden());
    let again = log.intent(&asked("2026-11-22T09:20:00Z"));
    log.outcome(&asked("2026-11-22T09:20:01Z"), Outcome::rejected().of(again));
    // Another log, whose records have the same numbers.
    let mut other = Log::new();
    other.opened("new");
    let intent = other.intent(&asked("2026-11-23T09:00:00Z"));
    other.outcome(&asked("2026-11-23T09:00:01Z"), Outcome::rejected().of(intent));
    folder.write("audit.jsonl", &(log.text() + &other.text()));
    let shown = audit(&folder, &["show", "audit.jsonl", "--json"]).expect(0).stdout;
    let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = rows.iter().map(|row| (row["time"].as_str().unwrap(), row["outcome"].as_str())).collect();
    let expected = [
        ("2026-11-22T09:00:00Z", None),
        ("2026-11-22T09:10:00Z", Some("not_sent")),
        ("2026-11-22T09:20:00Z", Some("rejected")),
        ("2026-11-23T09:00:00Z", Some("rejected")),
    ];
    assert_eq!(outcomes, expected);
    let listed = audit(&folder, &["reconcile", "--config", "gateway.toml", "--offline", "--json"]).expect(2);
    assert_eq!(object(&listed)["time"], "2026-11-22T09:00:00Z");
}

#[test]
fn with_nothing_to_reconcile_nobody_is_asked() {
    let (cloud, folder) = enabled();
    folder.write("audit.jsonl", &yesterday().text());
    let before = cloud.requests().len();
    let ended = audit(&folder, &["reconcile", "--config", "gateway.toml"]).expect(0);
    assert!(ended.stdout.starts_with("nothing to reconcile"), "{ended:?}");
    let mut log = Log::new();
    log.opened("new");
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    log.intent(&Asked::new("lost-request", "alice", "ci:CreateAsrBucket").at(&hour_ago.to_string()));
    folder.write("audit.jsonl", &log.text());
    audit(&folder, &["reconcile", "--config", "gateway.toml", "--since", "30m"]).expect(0);
    assert_eq!(cloud.requests().len(), before);
    assert!(run(&["audit", "reconcile", &folder.path_text("audit.jsonl")]).expect(64).stderr.contains("--config"));
}

#[test]
fn a_cloud_that_cannot_be_asked_is_no_answer() {
    let folder = Folder::without_cloud();
    let mut log = Log::new();
    log.opened("new");
    log.intent(&Asked::new("lost-request", "alice", "ci:CreateAsrBucket").at("2026-11-22T09:00:00Z"));
    folder.write("audit.jsonl", &log.text());
    let told = object(&audit(&folder, &["reconcile", "--config", "gateway.toml", "--json"]).expect(2));
    assert_eq!((&told["verdict"], &told["enabled"]), (&"cannot tell".into(), &Value::Null));
}
