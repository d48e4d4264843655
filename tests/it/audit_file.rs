//! The life of the audit file while the program runs: renamed, deleted, cut, torn, wanted by two; and a standard output
//! that nobody reads.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::support::load::{Buckets, load};
use crate::support::process::{Cloud, Folder, Served, program, run, until};
use crate::support::records::{by_bucket, count, follow};

fn audit_is_well(served: &Served) {
    until("the audit is not well", || (served.metric("audit_usable") == 1).then_some(()));
}

// Row 114.
#[test]
fn rotation_under_load_loses_no_record() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let (token, buckets, end) = (folder.token("alice"), Buckets::default(), AtomicBool::new(false));
    let current = folder.path("audit.jsonl");
    let mut files: Vec<PathBuf> = Vec::new();
    let answers = std::thread::scope(|scope| {
        let answers = scope.spawn(|| load(8, served.address(), &token, &buckets, &end));
        for n in 1..=6 {
            cloud.wait_for(n * 40);
            let old = folder.path(&format!("audit.jsonl.{n}"));
            fs::rename(&current, &old).unwrap();
            if n % 2 == 0 {
                served.reload().expect(200);
            } else {
                served.process().signal(Signal::HUP);
            }
            until("no new file", || current.exists().then_some(()));
            files.push(old);
        }
        end.store(true, Ordering::Relaxed);
        answers.join().unwrap()
    });
    served.ended_by(Signal::TERM).expect(0);
    files.push(current);
    let records = follow(&files);
    let (intents, outcomes) = (by_bucket(&records, "intent"), by_bucket(&records, "outcome"));
    assert!(answers.len() >= 240 && answers.values().all(|status| *status == 200), "{answers:?}");
    assert_eq!((intents.len(), outcomes.len()), (answers.len(), answers.len()));
    assert!(answers.keys().all(|bucket| intents.contains_key(bucket) && outcomes.contains_key(bucket)));
    let named: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    run(&[&["audit", "verify"], named.as_slice()].concat()).expect(0);
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.lines().next_back().unwrap().contains(r#""type":"checkpoint""#), "{}", file.display());
    }
}

#[test]
fn a_file_that_is_deleted_or_cut_is_noticed_and_told() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let token = folder.token("alice");
    served.enable(&token).expect(200);
    fs::remove_file(folder.path("audit.jsonl")).unwrap();
    served.enable(&token).expect(200);
    let text = folder.read("audit.jsonl");
    assert!(text.contains(r#""reason":"replaced""#) && text.lines().count() == 3, "{text}");
    OpenOptions::new().write(true).open(folder.path("audit.jsonl")).unwrap().set_len(0).unwrap();
    served.enable(&token).expect(200);
    let text = folder.read("audit.jsonl");
    assert!(text.contains(r#""reason":"truncated""#) && text.lines().count() == 3, "{text}");
    assert_eq!(served.metric("audit_file_lost_total"), 2);
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    assert!(log.contains("the audit file was deleted") && log.contains("has become shorter"), "{log}");
}

#[test]
fn a_torn_tail_is_set_aside_at_the_next_start() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let token = folder.token("alice");
    let served = Served::from(&folder);
    served.enable(&token).expect(200);
    served.ended_by(Signal::KILL);
    let whole = folder.read("audit.jsonl");
    let (torn, _) = whole.split_at(whole.len() - 30);
    fs::write(folder.path("audit.jsonl"), torn).unwrap();
    let served = Served::from(&folder);
    served.enable(&token).expect(200);
    served.ended_by(Signal::TERM).expect(0);
    let records = follow(&[folder.path("audit.jsonl")]);
    let recovered = records.iter().find(|record| record["type"] == "recovered").unwrap();
    let aside = folder.read(recovered["set_aside"]["file"].as_str().unwrap());
    assert!(!aside.is_empty() && torn.ends_with(&aside), "{aside}");
    assert_eq!((count(&records, "type", "intent"), count(&records, "type", "outcome")), (2, 1));
}

#[test]
fn a_second_gateway_on_one_file_does_not_start() {
    let folder = Folder::without_cloud();
    let first = Served::from(&folder);
    let ended = run(&["serve", "--config", &folder.config()]).expect(64);
    assert!(ended.stderr.contains("audit.jsonl") && ended.stderr.contains("another process writes it"), "{ended:?}");
    first.ended_by(Signal::TERM).expect(0);
    Served::from(&folder);
}

#[test]
fn a_log_that_cannot_be_written_says_what_comes_of_it() {
    let cloud = Cloud::start();
    for (on_failure, told, other) in [
        ("refuse", "not ready until it can", "unrecorded"),
        ("serve", "calls go on unrecorded, as configured", "not ready"),
    ] {
        let folder = Folder::of(&cloud);
        let settings = format!("file = \"/dev/full\"\non_failure = \"{on_failure}\"");
        folder.change("gateway.toml", "file = \"audit.jsonl\"", &settings);
        let log = Served::from(&folder).ended_by(Signal::TERM).expect(0).stderr;
        let line = log.lines().find(|line| line.contains("the audit cannot be written:")).unwrap();
        assert!(line.contains(told) && !line.contains(other), "{line}");
    }
}

/// A gateway whose standard output is a pipe, and the other end of that.
fn piped(folder: &Folder) -> (Served, fs::File) {
    let pipe = folder.path("stdout");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let end = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let gateway = program(&["serve", "--config", &folder.config()]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .env_clear()
        .args(["-c", "exec \"$@\" >\"$0\""])
        .arg(&pipe)
        .arg(gateway.get_program())
        .args(gateway.get_args());
    (Served::start(shell), end)
}

#[test]
fn a_standard_output_that_nobody_reads_holds_up_nobody_where_it_is_a_copy() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "file = \"audit.jsonl\"", "file = \"audit.jsonl\"\nsink = \"both\"");
    let (served, mut pipe) = piped(&folder);
    let token = folder.token("alice");
    // Far more than a pipe takes.
    for _ in 0..150 {
        served.enable(&token).expect(200);
    }
    assert_eq!(served.admin_get("/readyz").expect(200).body, "ready\n");
    std::thread::sleep(std::time::Duration::from_millis(1200));
    std::thread::spawn(move || io::copy(&mut pipe, &mut io::sink()));
    until("nothing was dropped", || (served.metric("audit_stdout_dropped_total") > 0).then_some(()));
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    assert_eq!(log.matches("does not take the copy of the audit").count(), 1, "{log}");
    let records = follow(&[folder.path("audit.jsonl")]);
    assert_eq!((count(&records, "type", "intent"), count(&records, "type", "outcome")), (150, 150));
}

#[test]
fn a_standard_output_that_nobody_reads_refuses_where_it_is_all_there_is() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "file = \"audit.jsonl\"", "sink = \"stdout\"");
    let (served, mut pipe) = piped(&folder);
    let token = folder.token("alice");
    let refused = until("it is never refused", || {
        let answer = served.enable(&token);
        (answer.status() == 503).then(|| answer.refusal())
    });
    assert_eq!(refused, (503, "audit_unavailable".to_owned(), "not_sent".to_owned()));
    assert_eq!(served.admin_get("/readyz").expect(503).body, "unready\n");
    let arrived = cloud.requests().len();
    served.enable(&token).expect(503);
    assert_eq!(cloud.requests().len(), arrived);
    std::thread::spawn(move || io::copy(&mut pipe, &mut io::sink()));
    audit_is_well(&served);
    served.enable(&token).expect(200);
}

#[test]
fn standard_output_has_the_same_lines_as_the_file_and_the_signed_checkpoints() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    folder.write_secret("audit.key", &key);
    folder.change(
        "gateway.toml",
        "file = \"audit.jsonl\"",
        "file = \"audit.jsonl\"\nsink = \"both\"\nname = \"gateway.example/audit\"\ncheckpoint_key_file = \"audit.key\"\n\
         checkpoint_records = 10",
    );
    let served = Served::from(&folder);
    let token = folder.token("alice");
    for _ in 0..20 {
        served.enable(&token).expect(200);
    }
    let stdout = served.ended_by(Signal::TERM).expect(0).stdout;
    let (notes, lines): (Vec<&str>, Vec<&str>) = stdout.lines().partition(|line| line.contains("\"note\":"));
    assert_eq!(lines, folder.read("audit.jsonl").lines().collect::<Vec<_>>());
    let records = follow(&[folder.path("audit.jsonl")]);
    let checkpoints: Vec<_> = records.iter().filter(|record| record["type"] == "checkpoint").collect();
    let said: Vec<serde_json::Value> = notes.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<&str> = said.iter().map(|line| line["note"].as_str().unwrap()).collect();
    assert!(said.len() >= 4 && said.len() == checkpoints.len(), "{stdout}");
    for (note, record) in said.iter().zip(checkpoints) {
        let checkpoint = ci_gateway::audit::Checkpoint::read(note, None).unwrap();
        assert_eq!(checkpoint.origin().as_str(), "gateway.example/audit");
        assert_eq!(
            (checkpoint.size(), checkpoint.root().to_string()),
            (record["size"].as_u64().unwrap(), record["root"].as_str().unwrap().to_owned())
        );
    }
    let key =
        run(&["audit", "key", &folder.path_text("audit.key"), "--name", "gateway.example/audit"]).expect(0).stdout;
    let verified = run(&["audit", "verify", &folder.path_text("audit.jsonl"), "--public-key", key.trim()]).expect(0);
    assert!(verified.stdout.contains(&format!("held against {} signed", said.len())), "{verified:?}");
    let file: String = said.iter().map(|note| format!("{note}\n")).collect();
    assert_eq!(folder.read("audit.jsonl.checkpoints"), file);
}
