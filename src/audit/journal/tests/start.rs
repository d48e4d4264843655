//! What a start finds: parts that were renamed away, bytes that are no log, records that were changed, pipes, modes.

use std::os::unix::fs::OpenOptionsExt;

use super::*;
use crate::audit::reading::Lines;
use crate::audit::verify::{self, Wrong};

/// What a process that was killed leaves: its log as it stood, without an end.
async fn killed(lines: u32) -> (Place, Vec<u8>) {
    let place = Place::new();
    let journal = place.open();
    for n in 1..=lines {
        write(&journal, n).await.unwrap();
    }
    let bytes = fs::read(place.path()).unwrap();
    drop(journal);
    (place, bytes)
}

fn private(path: &Path, bytes: &[u8]) {
    let _missing = fs::remove_file(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    io::Write::write_all(&mut file, bytes).unwrap();
}

#[tokio::test]
async fn a_log_that_was_renamed_away_while_no_gateway_ran_goes_on_behind_its_newest_part() {
    let place = Place::new();
    let parts = ["audit.jsonl.1", "audit.jsonl-20261122"].map(|name| place.beside(name));
    for (n, part) in parts.iter().enumerate() {
        let journal = place.open();
        write(&journal, n as u32).await.unwrap();
        drop(journal);
        fs::rename(place.path(), part).unwrap();
    }
    // A copy of an old part is newer only by its date.
    private(&place.beside("audit.jsonl.copy"), &fs::read(&parts[0]).unwrap());
    private(&place.beside("audit.jsonl.1.gz"), b"\x1f\x8b");
    private(&place.beside("audit.jsonl.checkpoints"), b"");
    drop(place.open());
    let records = follow(&[&parts[..], &[place.path()]].concat());
    assert_eq!((&records[6]["reason"], &records[6]["tree"]["size"]), (&"rotated".into(), &6.into()));
}

#[tokio::test]
async fn a_part_that_another_gateway_writes_is_no_part_of_this_log() {
    let place = Place::new();
    let _other = open(&place.beside("audit.jsonl-other")).unwrap();
    drop(place.open());
    assert_eq!(place.records()[0]["reason"], "new");
}

#[tokio::test]
async fn a_log_goes_on_behind_any_amount_of_bytes_that_are_none() {
    let (place, log) = killed(2).await;
    private(&place.path(), &log);
    // More than is looked at in one piece, and more than was looked at at all once.
    let garbage = 70 * 1024 * 1024;
    fs::File::options().write(true).open(place.path()).unwrap().set_len(log.len() as u64 + garbage).unwrap();
    drop(place.open());
    let records = place.records();
    assert_eq!(kinds(&records)[..5], ["opened", "outcome", "outcome", "opened", "recovered"]);
    assert_eq!((&records[3]["reason"], &records[4]["reason"]), (&"started".into(), &"torn_tail".into()));
    assert_eq!(records[4]["set_aside"]["bytes"], garbage);
}

#[tokio::test]
async fn nothing_is_written_behind_half_a_line_however_long_it_is() {
    let place = Place::new();
    let half = vec![b'x'; 3 * 1024 * 1024];
    private(&place.path(), &half);
    drop(place.open());
    let records = place.records();
    assert_eq!(kinds(&records)[..2], ["opened", "recovered"]);
    let aside = records[1]["set_aside"]["file"].as_str().unwrap().to_owned();
    assert!(fs::read(place.beside(&aside)).unwrap() == half);
    // The same while it runs.
    let place = Place::new();
    let journal = place.open();
    write(&journal, 1).await.unwrap();
    private(&place.beside("other"), &half);
    fs::rename(place.beside("other"), place.path()).unwrap();
    write(&journal, 2).await.unwrap();
    drop(journal);
    let text = fs::read(place.path()).unwrap();
    assert!(text.split(|byte| *byte == b'\n').all(|line| line.is_empty() || Sealed::read(line).is_ok()));
}

/// What the start says of the bytes, and what `verify` says of the log that goes on.
fn restarted(bytes: &[u8]) -> (Value, Option<Wrong>) {
    let place = Place::new();
    private(&place.path(), bytes);
    drop(place.open());
    let records = place.records();
    let recovered = records.iter().find(|record| record["type"] == "recovered").unwrap().clone();
    let log =
        verify::Log { name: "log".to_owned(), lines: Lines::new(io::Cursor::new(fs::read(place.path()).unwrap())) };
    let verdict = verify::verify(&mut [log], verify::Notes::default(), None).unwrap();
    (recovered, verdict.finding.map(|finding| finding.wrong().clone()))
}

#[tokio::test]
async fn records_that_were_changed_while_no_gateway_ran_are_told_and_verify_finds_it() {
    let (_, log) = killed(4).await;
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let changed = |at: usize| {
        let mut lines: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        let byte = lines[at].len() - 80;
        lines[at][byte] ^= 1;
        lines.concat()
    };
    let taken_out = [lines[..2].concat(), lines[3..].concat()].concat();
    for (bytes, from, to) in [(changed(2), 2, 4), (changed(4), 4, 4), (taken_out, 2, 4)] {
        let (recovered, finding) = restarted(&bytes);
        assert_eq!((&recovered["reason"], &recovered["damaged"]["from"]), (&"damaged".into(), &from.into()));
        assert_eq!(recovered["damaged"]["to"], to);
        assert_eq!(finding, Some(Wrong::Damaged { from, to }));
    }
    let (recovered, finding) = restarted(&log[..log.len() - 80]);
    assert_eq!((&recovered["reason"], finding), (&"torn_tail".into(), None));
}

#[test]
fn a_file_that_others_can_write_is_refused_with_what_to_do() {
    for mode in [0o666, 0o620, 0o602] {
        let place = Place::new();
        private(&place.path(), b"");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
        let mistake = open(&place.path()).unwrap_err().to_string();
        assert!(mistake.contains("audit.jsonl") && mistake.contains("chmod 600"), "{mistake}");
        assert_eq!(fs::read(place.path()).unwrap(), b"");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
        place.open();
    }
}

#[tokio::test]
async fn a_pipe_without_a_reader_is_a_trouble_until_there_is_one() {
    let place = Place::new();
    let pipe = place.beside("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let journal = open(&pipe).unwrap();
    assert!(journal.health().trouble().is_some());
    assert!(journal.intent(line(1), soon()).await.is_err());
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    until(|| journal.health().trouble().is_none());
    write(&journal, 2).await.unwrap();
}

#[tokio::test]
async fn no_size_is_signed_twice_when_the_log_is_lost() {
    let place = Place::new();
    let key = place.beside("key");
    private(&key, rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem().as_bytes());
    let mut settings = settings(64 * 1024, 1000);
    settings.checkpoints.key_file = Some(key);
    let notes = || fs::read_to_string(place.beside("audit.jsonl.checkpoints")).unwrap();
    let run = async |settings: &Settings, lines: u32| {
        let journal = open_with(&place.path(), settings).unwrap();
        for n in 0..lines {
            write(&journal, n).await.unwrap();
        }
        drop(journal);
    };
    run(&settings, 5).await;
    let signed = notes();
    assert!(signed.starts_with("test\n6\n"), "{signed}");
    fs::remove_file(place.path()).unwrap();
    run(&settings, 5).await;
    assert_eq!(notes(), signed);
    // What is larger is signed again.
    run(&settings, 1).await;
    assert!(notes().starts_with(&signed) && notes().contains("\n\ntest\n9\n"), "{}", notes());
    // A log of another name has its own sizes.
    fs::remove_file(place.path()).unwrap();
    settings.name = "other".parse().unwrap();
    run(&settings, 5).await;
    assert!(notes().contains("\n\nother\n6\n"), "{}", notes());
}
