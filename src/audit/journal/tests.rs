//! Real files in a real folder, and a pipe in the place of a disk that hangs.

mod start;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::audit::{Checkpoints, OnFailure, Position, Sealed};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("audit.jsonl")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> Journal {
        open(&self.path()).unwrap()
    }

    fn records(&self) -> Vec<Value> {
        follow(&[self.path()])
    }
}

fn settings(reserve: u64, records: u64) -> Settings {
    Settings {
        sink: None,
        on_failure: OnFailure::Refuse,
        name: "test".parse().unwrap(),
        sync: true,
        reserve,
        checkpoints: Checkpoints { records, interval: Duration::from_secs(3600), key_file: None, file: None },
    }
}

fn open(path: &Path) -> Result<Journal, Mistake> {
    open_with(path, &settings(64 * 1024, 1000))
}

fn open_with(path: &Path, settings: &Settings) -> Result<Journal, Mistake> {
    Journal::open(settings, &Sink::File(path.to_owned()), Box::new(|_, _| ()))
}

/// The records of these files, which are one log from its beginning.
#[track_caller]
fn follow(paths: &[PathBuf]) -> Vec<Value> {
    let mut position = Position::default();
    let mut records = Vec::new();
    for path in paths {
        for line in fs::read(path).unwrap().split_inclusive(|byte| *byte == b'\n') {
            let sealed = Sealed::read(line.strip_suffix(b"\n").expect("a whole line")).unwrap();
            let record: Value = serde_json::from_slice(line).unwrap();
            if record["type"] == "checkpoint" {
                assert_eq!(record["root"], position.tree().root().to_string());
            }
            position.follow(&sealed).unwrap();
            records.push(record);
        }
    }
    records
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["type"].as_str().unwrap()).collect()
}

fn line(n: u32) -> Record {
    Record::of_members(&format!("\"type\":\"outcome\",\"n\":{n}"))
}

fn intent(n: u32) -> Record {
    Record::intent_of_members(&format!("\"type\":\"intent\",\"n\":{n}"))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn write(journal: &Journal, n: u32) -> Result<(), Unwritten> {
    journal.post(line(n), None)?.settled().await
}

fn until(condition: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "it never came to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn a_log_goes_on_over_starts_in_a_file_of_the_owner_alone() {
    let place = Place::new();
    for n in 0..3 {
        let journal = place.open();
        write(&journal, n).await.unwrap();
        assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let records = place.records();
    let one = ["opened", "outcome", "checkpoint"];
    assert_eq!(kinds(&records), [one, one, one].concat());
    let reasons: Vec<_> = [0, 3, 6].map(|n| records[n]["reason"].as_str().unwrap()).into();
    assert_eq!(reasons, ["new", "started", "started"]);
    assert_eq!((&records[3]["tree"]["size"], &records[3]["log"]), (&3.into(), &"test".into()));
}

#[tokio::test]
async fn what_is_reserved_is_given_back_at_the_end() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    let metadata = fs::metadata(place.path()).unwrap();
    assert!(metadata.blocks() * 512 >= 64 * 1024 && metadata.len() < 4096, "{metadata:?}");
    assert!(journal.health().counts().reserved.is_some_and(|bytes| bytes >= 8 * 1024));
    drop(journal);
    assert!(fs::metadata(place.path()).unwrap().blocks() * 512 <= 16 * 1024);
}

#[test]
fn a_journal_that_is_dropped_has_written_every_line() {
    let place = Place::new();
    let journal = place.open();
    for n in 0..5000 {
        let _nobody_waits = journal.post(line(n), None).unwrap();
    }
    drop(journal);
    let records = place.records();
    let mine: Vec<_> = records.iter().filter_map(|record| record["n"].as_u64()).collect();
    assert_eq!(mine, (0..5000).collect::<Vec<_>>());
    // Opened, one after each thousand or more, one at the end.
    assert!(kinds(&records).iter().filter(|kind| **kind == "checkpoint").count() >= 4);
}

#[tokio::test]
async fn many_that_wait_are_made_durable_at_once() {
    let place = Place::new();
    let (commits, seen) = std::sync::mpsc::channel();
    let on_commit = Box::new(move |count, _| commits.send(count).unwrap());
    let journal = Journal::open(&settings(64 * 1024, 1000), &Sink::File(place.path()), on_commit).unwrap();
    let waiting: Vec<_> = (0..2000).map(|n| journal.post(line(n), None).unwrap()).collect();
    for waiting in waiting {
        waiting.settled().await.unwrap();
    }
    drop(journal);
    let commits: Vec<usize> = seen.iter().collect();
    assert_eq!(commits.iter().sum::<usize>(), 2000);
    assert!(commits.len() < 1000, "{} commits", commits.len());
}

#[test]
fn a_second_writer_of_one_file_is_refused_and_one_of_another_is_not() {
    let place = Place::new();
    let first = place.open();
    let mistake = open(&place.path()).unwrap_err().to_string();
    assert!(mistake.contains("audit.jsonl") && mistake.contains("another process writes it"), "{mistake}");
    open(&place.beside("other.jsonl")).unwrap();
    drop(first);
    place.open();
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let mistake = open(Path::new("/nowhere/audit.jsonl")).unwrap_err().to_string();
    assert!(mistake.contains("/nowhere/audit.jsonl"), "{mistake}");
}

// Row 114.
#[tokio::test]
async fn a_file_that_is_renamed_away_is_left_with_a_checkpoint_and_the_log_goes_on_in_a_new_one() {
    let place = Place::new();
    let old = place.beside("audit.jsonl.1");
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    fs::rename(place.path(), &old).unwrap();
    journal.look();
    write(&journal, 2).await.unwrap();
    drop(journal);
    let records = follow(&[old.clone(), place.path()]);
    assert_eq!(kinds(&records), ["opened", "outcome", "checkpoint", "opened", "outcome", "checkpoint"]);
    assert_eq!((&records[3]["reason"], &records[3]["tree"]["size"]), (&"rotated".into(), &3.into()));
    assert_eq!(follow(&[old]).len(), 3);
}

#[tokio::test]
async fn a_rename_is_noticed_without_being_told() {
    let place = Place::new();
    let old = place.beside("audit.jsonl.1");
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    fs::rename(place.path(), &old).unwrap();
    until(|| place.path().exists());
    write(&journal, 2).await.unwrap();
    assert_eq!(journal.health().counts().lost, 0);
    drop(journal);
    let records = follow(&[old, place.path()]);
    assert_eq!(records[3]["reason"], "replaced");
}

#[tokio::test]
async fn a_file_that_is_deleted_is_noticed_before_the_next_record() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    fs::remove_file(place.path()).unwrap();
    write(&journal, 2).await.unwrap();
    let text = fs::read_to_string(place.path()).unwrap();
    assert!(text.lines().next().unwrap().contains(r#""reason":"replaced""#) && text.contains(r#""n":2"#), "{text}");
    assert_eq!(journal.health().counts().lost, 1);
}

#[tokio::test]
async fn a_file_that_was_cut_is_noticed_before_the_next_record() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    // What logrotate's `copytruncate` does.
    fs::copy(place.path(), place.beside("copy")).unwrap();
    fs::File::options().write(true).open(place.path()).unwrap().set_len(0).unwrap();
    write(&journal, 2).await.unwrap();
    drop(journal);
    let records = follow(&[place.beside("copy"), place.path()]);
    assert_eq!(kinds(&records), ["opened", "outcome", "opened", "outcome", "checkpoint"]);
    assert_eq!(records[2]["reason"], "truncated");
}

#[tokio::test]
async fn a_torn_tail_is_set_aside_and_the_log_goes_on() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    drop(journal);
    let whole = fs::read(place.path()).unwrap();
    let torn = br#"{"v":1,"seq":3,"prev":"00"#;
    fs::write(place.path(), [&whole, &torn[..]].concat()).unwrap();
    drop(place.open());
    let records = place.records();
    assert_eq!(kinds(&records), ["opened", "outcome", "checkpoint", "opened", "recovered"]);
    let set_aside = &records[4]["set_aside"];
    let name = set_aside["file"].as_str().unwrap();
    assert!(name.starts_with("audit.jsonl.torn-"), "{name}");
    assert_eq!(fs::read(place.beside(name)).unwrap(), torn);
    assert_eq!(fs::metadata(place.beside(name)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(set_aside["sha256"], crate::audit::Digest::of(&[torn]).to_string());
    assert_eq!((&records[4]["reason"], &set_aside["bytes"]), (&"torn_tail".into(), &torn.len().into()));
}

/// A file cut at any byte: what is whole stays, the rest is set aside, the log goes on.
#[tokio::test]
async fn a_file_that_ends_anywhere_goes_on() {
    let place = Place::new();
    let journal = place.open();
    for n in 0..3 {
        write(&journal, n).await.unwrap();
    }
    drop(journal);
    let whole = fs::read(place.path()).unwrap();
    for cut in (0..whole.len()).step_by(7) {
        let place = Place::new();
        fs::write(place.path(), &whole[..cut]).unwrap();
        drop(place.open());
        let text = fs::read(place.path()).unwrap();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let kept: usize = whole.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
        assert_eq!(text[..kept], whole[..kept], "cut at {cut}");
        let records = place.records();
        assert_eq!(records[lines]["type"], "opened", "cut at {cut}");
        assert_eq!(records[lines]["reason"], if lines == 0 { "new" } else { "started" }, "cut at {cut}");
        assert_eq!(kinds(&records).contains(&"recovered"), kept < cut, "cut at {cut}");
    }
}

#[tokio::test]
async fn another_file_at_the_path_keeps_its_lines_and_half_a_line_of_it_is_set_aside() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    fs::write(place.beside("other"), "not ours\nhalf").unwrap();
    fs::rename(place.beside("other"), place.path()).unwrap();
    write(&journal, 2).await.unwrap();
    drop(journal);
    let text = fs::read_to_string(place.path()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0] == "not ours" && lines[1].contains(r#""reason":"replaced""#), "{text}");
    assert!(lines[2].contains(r#""reason":"torn_tail""#) && lines[3].contains(r#""n":2"#), "{text}");
}

#[test]
fn a_log_goes_on_behind_a_foreign_file_as_a_new_one() {
    let place = Place::new();
    fs::write(place.path(), "{\"type\":\"opened\",\"peaks\":[]}\nnot ours\nhalf").unwrap();
    drop(place.open());
    let text = fs::read_to_string(place.path()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "not ours");
    assert!(lines[2].contains(r#""seq":0,"#) && lines[2].contains(r#""reason":"new""#), "{text}");
}

#[test]
fn a_long_file_is_resumed_from_its_end() {
    let place = Place::new();
    let journal = open_with(&place.path(), &settings(64 * 1024, 100)).unwrap();
    let long = Record::of_members(&format!("\"type\":\"outcome\",\"x\":\"{}\"", "x".repeat(300)));
    for _ in 0..6000 {
        let _nobody_waits = journal.post(long.clone(), None).unwrap();
    }
    drop(journal);
    // The first megabyte is made unreadable: whoever looked there would know nothing.
    let mut bytes = fs::read(place.path()).unwrap();
    let len = bytes.len();
    assert!(len > 1024 * 1024 + 200_000, "{len}");
    bytes[..len - 1024 * 1024 - 1000].fill(b'x');
    fs::write(place.path(), &bytes).unwrap();
    drop(place.open());
    let text = fs::read(place.path()).unwrap();
    let last = text.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
    assert!(Sealed::read(last).unwrap().seq() > 6000);
}

#[tokio::test]
async fn a_full_disk_is_a_trouble_from_the_start_and_counted() {
    let journal = open(Path::new("/dev/full")).unwrap();
    let trouble = journal.health().trouble().expect("in trouble");
    assert!(trouble.why.contains("No space left"), "{trouble:?}");
    let unwritten = journal.intent(intent(1), soon()).await.unwrap_err().to_string();
    assert!(unwritten.contains("cannot be written") && unwritten.contains("No space left"), "{unwritten}");
    assert!(write(&journal, 2).await.is_err());
    assert!(journal.health().counts().failures >= 3);
}

/// A pipe whose reader does not read is a disk that hangs and recovers.
#[tokio::test]
async fn a_disk_that_hangs_is_given_up_in_time_and_goes_on_by_itself() {
    let place = Place::new();
    let pipe = place.beside("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let journal = open(&pipe).unwrap();
    assert_eq!(journal.health().trouble(), None);
    // More than the pipe takes.
    let handed: Vec<_> = (0..1000).map(|n| journal.post(line(n), None).unwrap()).collect();
    let began = Instant::now();
    let unwritten = journal.intent(intent(1), soon()).await.unwrap_err();
    assert!(unwritten.to_string().contains("in time") && began.elapsed() < Duration::from_secs(3));
    assert!(journal.health().trouble().is_some());
    // The next one does not even wait.
    let began = Instant::now();
    journal.intent(intent(1), soon()).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(500));
    // Reads to the end of the tests: it holds the pipe open for writing itself.
    std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
    until(|| journal.health().trouble().is_none());
    for handed in handed {
        handed.settled().await.unwrap();
    }
    write(&journal, 2).await.unwrap();
}

#[tokio::test]
async fn an_outcome_names_its_intent_if_that_is_on_record_also_when_nobody_waited_for_it() {
    let place = Place::new();
    let pipe = place.beside("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let journal = open(&pipe).unwrap();
    let (written, abandoned) = (crate::audit::Place::default(), crate::audit::Place::default());
    // Longer than the pipe takes: it hangs within this one.
    let long = format!("\"type\":\"intent\",\"x\":\"{}\"", "x".repeat(100_000));
    journal.intent(Record::placed(Kind::Intent, &written, &long), soon()).await.unwrap_err();
    let intent = Record::placed(Kind::Intent, &abandoned, "\"type\":\"intent\"");
    drop(journal.post(intent, None).unwrap());
    let outcome = |place, n| Record::placed(Kind::Outcome, place, &format!("\"type\":\"outcome\",\"n\":{n}"));
    let first = journal.post(outcome(&written, 1), None).unwrap();
    let second = journal.post(outcome(&abandoned, 2), None).unwrap();
    let lines = io::BufRead::lines(io::BufReader::new(reader)).map(|line| line.unwrap());
    let records: Vec<Value> = lines.take(4).map(|line| serde_json::from_str(&line).unwrap()).collect();
    assert_eq!(kinds(&records), ["opened", "intent", "outcome", "outcome"]);
    assert_eq!((&records[2]["n"], &records[2]["intent"]), (&1.into(), &records[1]["seq"]));
    assert_eq!((&records[3]["n"], records[3].get("intent")), (&2.into(), None));
    first.settled().await.unwrap();
    second.settled().await.unwrap();
}

#[tokio::test]
async fn what_failed_is_written_again_when_it_can_be_and_nothing_stands_there_twice() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    let claim = journal.intent(intent(0), soon()).await.unwrap();
    // The folder goes away with its file: neither the open file nor a new one counts.
    let folder = place.0.path().to_owned();
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    until(|| journal.health().trouble().is_some());
    assert!(journal.post(line(2), claim).unwrap().settled().await.is_err());
    assert!(journal.intent(intent(3), soon()).await.is_err());
    fs::rename(&away, &folder).unwrap();
    until(|| journal.health().trouble().is_none());
    write(&journal, 4).await.unwrap();
    drop(journal);
    let mine: Vec<_> = place.records().iter().filter_map(|record| record["n"].as_u64()).collect();
    assert_eq!(mine, [1, 0, 2, 4]);
}

fn claims(journal: &Journal) -> usize {
    journal.health.claims.load(Ordering::Relaxed)
}

#[tokio::test]
async fn claims_are_given_back_with_their_outcomes() {
    let place = Place::new();
    let journal = place.open();
    let claim = journal.intent(intent(1), soon()).await.unwrap();
    assert!(claim.is_some() && claims(&journal) == 1);
    journal.post(line(1), claim).unwrap().settled().await.unwrap();
    until(|| claims(&journal) == 0);
    // Of a request that is gone before it could be told.
    drop(journal.post(intent(2), None).unwrap());
    write(&journal, 3).await.unwrap();
    assert_eq!(claims(&journal), 0);
}

/// Lets calls be made, takes the folder away, and floods the journal with refusals before the calls end.
#[tokio::test]
async fn refusals_never_cost_the_outcome_of_a_call_that_was_made() {
    let place = Place::new();
    let journal = place.open();
    let mut made = Vec::new();
    for n in 0..4 {
        made.push(journal.intent(intent(n), soon()).await.unwrap());
    }
    let folder = place.0.path().to_owned();
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    until(|| journal.health().trouble().is_some());
    for n in 0..6000 {
        journal.intent(intent(n), soon()).await.unwrap_err();
        // Waits for its turn, so that the queue is never the narrow place.
        write(&journal, 10_000 + n).await.unwrap_err();
    }
    assert_eq!(claims(&journal), 4, "who is refused claims nothing");
    for (n, claim) in (100..).zip(made) {
        journal.post(line(n), claim).unwrap().settled().await.unwrap_err();
    }
    let lost = journal.health().counts().outcomes_lost;
    assert!(lost > 0 && lost < 6000, "{lost}");
    fs::rename(&away, &folder).unwrap();
    until(|| journal.health().trouble().is_none());
    assert_eq!(claims(&journal), 0);
    drop(journal);
    let records = place.records();
    let mine: Vec<_> = records.iter().filter_map(|record| record["n"].as_u64()).collect();
    assert_eq!(mine[..8], [0, 1, 2, 3, 100, 101, 102, 103]);
    let told: Vec<_> = records.iter().filter_map(|record| record["outcomes_lost"].as_u64()).collect();
    assert_eq!(told, [lost], "the log says how many are missing");
    assert_eq!(mine.len() as u64 + lost, 6000 + 8);
}

/// The queue of a disk that hangs is full of refusals: the outcome of a call has a place all the same.
#[tokio::test]
async fn the_outcome_of_a_call_that_was_made_never_finds_the_queue_full() {
    let place = Place::new();
    let pipe = place.beside("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let journal = open(&pipe).unwrap();
    let claim = journal.intent(intent(1), soon()).await.unwrap();
    let (mut taken, mut waiting) = (0, Vec::new());
    let refused = loop {
        match journal.post(line(2), None) {
            Ok(handed) => waiting.push(handed),
            Err(refused) => break refused,
        }
        taken += 1;
        assert!(taken < 100_000, "the queue has no end");
    };
    assert!(refused.to_string().contains("too many"), "{refused}");
    assert_eq!(journal.health().counts().outcomes_lost, 1);
    let outcome = journal.post(line(3), claim).unwrap();
    let lines = io::BufRead::lines(io::BufReader::new(reader)).map(|line| line.unwrap());
    let mut records = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    assert!(records.by_ref().any(|record| record["n"] == 3));
    outcome.settled().await.unwrap();
    assert!(records.any(|record| record["outcomes_lost"] == 1));
}

#[test]
fn what_is_kept_is_written_in_portions_the_claimed_first() {
    let mut kept = kept::Kept::default();
    let count = Arc::default();
    let long = || Record::of_members(&"x".repeat(3000));
    assert!((0..50).all(|_| kept.keep(long(), None)));
    assert!((0..30).all(|_| kept.keep(long(), Some(Claim::new(&count)))));
    let mut written = Vec::new();
    while let Some(portion) = kept.portion() {
        assert!(portion.bytes <= 64 * 1024 && portion.bytes >= 3000 * portion.records.len() as u64);
        written.push((portion.is_claimed, portion.records.len()));
        let records = portion.records.len();
        kept.drop_first(records);
    }
    assert_eq!(written, [(true, 20), (true, 10), (false, 20), (false, 20), (false, 10)]);
    assert!(kept.is_empty() && count.load(Ordering::Relaxed) == 0);
}
