//! Real faults under the audit file: a full disk, a folder that is read-only, a sync that fails. They need rights and
//! programs that a developer's machine may lack, so `.ci/run` runs them, in a mount namespace of their own.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::load::{Buckets, bucket_of, load};
use crate::support::process::{Call, Cloud, Folder, Served, program, until};
use crate::support::records::{by_bucket, count, follow};

/// A filesystem in memory, unmounted with the value.
struct Disk(PathBuf);

impl Disk {
    fn mount(place: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&place).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&place).status().unwrap();
        assert!(status.success(), "mount needs root, best under `unshare -m`");
        Self(place)
    }

    /// Writes until no byte more goes in.
    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 512] {
            while ballast.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn folder_with_audit_at(cloud: &Cloud, file: &str) -> Folder {
    let folder = Folder::of(cloud);
    let settings = format!("file = \"{file}\"\nreserve = \"64KiB\"");
    folder.change("gateway.toml", "file = \"audit.jsonl\"", &settings);
    folder
}

fn is_refused(served: &Served, token: &str, cloud: &Cloud) {
    let before = cloud.requests().len();
    let refusal = served.enable(token).refusal();
    assert_eq!(refusal, (503, "audit_unavailable".to_owned(), "not_sent".to_owned()));
    assert_eq!(cloud.requests().len(), before, "sent without a record");
    assert_eq!(served.admin_get("/readyz").expect(503).body, "unready\n");
}

fn is_ready_again(served: &Served) {
    until("it does not recover", || (served.admin_get("/readyz").status() == 200).then_some(()));
}

/// Every call that was made has its two records, in one chain.
fn nothing_is_missing(cloud: &Cloud, file: &Path) -> Vec<Value> {
    let records = follow(&[file]);
    let arrivals = cloud.requests().len();
    let sent = records.iter().filter(|record| record["type"] == "outcome" && record["attempts"] == 1).count();
    assert_eq!(sent, arrivals, "{records:#?}");
    assert!(count(&records, "type", "intent") >= arrivals);
    records
}

#[test]
#[ignore = "needs root: run by .ci/run"]
fn a_full_disk_stops_new_calls_and_loses_no_outcome() {
    let cloud = Cloud::start();
    let folder = folder_with_audit_at(&cloud, "disk/audit.jsonl");
    let disk = Disk::mount(folder.path("disk"), "size=1m");
    let served = Served::from(&folder);
    let (token, buckets, end) = (folder.token("alice"), Buckets::default(), AtomicBool::new(false));
    let answers = std::thread::scope(|scope| {
        let answers = scope.spawn(|| load(8, served.address(), &token, &buckets, &end));
        cloud.wait_for(40);
        disk.fill();
        until("the disk is never full", || (served.metric("audit_usable") == 0).then_some(()));
        end.store(true, Ordering::Relaxed);
        answers.join().unwrap()
    });
    assert!(answers.values().all(|status| matches!(status, 200 | 503)), "{answers:?}");
    // For one caller alone there may be space for some more.
    until("it is never refused", || (served.ask_only(&token).status() == 503).then_some(()));
    is_refused(&served, &token, &cloud);
    let checks = served.admin_get("/readyz?verbose").expect(503).body;
    assert!(checks.contains("[-] audit failed: since ") && checks.contains("No space left"), "{checks}");
    // Whoever was answered 200 has both records already, on the full disk.
    let records = follow(&[disk.0.join("audit.jsonl")]);
    let of_load: Vec<Value> = records.into_iter().filter(|record| record["validate_only"] == false).collect();
    let (intents, outcomes) = (by_bucket(&of_load, "intent"), by_bucket(&of_load, "outcome"));
    for (bucket, _) in answers.iter().filter(|(_, status)| **status == 200) {
        assert!(intents.contains_key(bucket) && outcomes.contains_key(bucket), "{bucket}");
    }
    assert!(cloud.requests().iter().all(|arrival| intents.contains_key(&bucket_of(arrival))));
    disk.empty();
    is_ready_again(&served);
    served.enable(&token).expect(200);
    served.ended_by(Signal::TERM).expect(0);
    nothing_is_missing(&cloud, &disk.0.join("audit.jsonl"));
}

/// Calls are under way, the disk is full, and so many requests are refused meanwhile; then there is space again.
fn calls_outlast_refusals(size: &str, refusals: i64) -> Vec<Value> {
    let cloud = Cloud::start();
    let folder = folder_with_audit_at(&cloud, "disk/audit.jsonl");
    let disk = Disk::mount(folder.path("disk"), size);
    let served = Served::from(&folder);
    let (token, buckets, end) = (folder.token("alice"), Buckets::default(), AtomicBool::new(false));
    cloud.delay(Duration::from_secs(8));
    let call = |n: u32| Call::post(&format!("/v1/buckets/made{n}-1234567890/smart-audio")).token(&token);
    let mut made: Vec<_> = (0..4).map(|n| call(n).begin(served.address()).unwrap()).collect();
    cloud.wait_for(4);
    disk.fill();
    until("it is never refused", || (served.ask_only(&token).status() == 503).then_some(()));
    std::thread::scope(|scope| {
        scope.spawn(|| load(8, served.address(), &token, &buckets, &end));
        // An intent and an outcome of each.
        let enough = || (served.metric("audit_failures_total") >= 2 * refusals).then_some(());
        until("too few are refused", enough);
        end.store(true, Ordering::Relaxed);
    });
    for call in &mut made {
        call.answer().unwrap().expect(200);
    }
    disk.empty();
    is_ready_again(&served);
    let lost = served.metric("audit_outcomes_lost_total");
    served.ended_by(Signal::TERM).expect(0);
    let records = nothing_is_missing(&cloud, &disk.0.join("audit.jsonl"));
    let told: i64 = records.iter().filter_map(|record| record["outcomes_lost"].as_i64()).sum();
    assert_eq!(told, lost);
    records
}

#[test]
#[ignore = "needs root: run by .ci/run"]
fn refusals_on_a_full_disk_never_cost_the_outcome_of_a_call_and_are_counted() {
    let records = calls_outlast_refusals("size=48m", 5200);
    assert!(records.iter().any(|record| record["reason"] == "outcomes_lost"));
}

/// What was kept is written by its real size, in portions: there is not much more space than that.
#[test]
#[ignore = "needs root: run by .ci/run"]
fn a_small_disk_that_was_full_takes_all_that_was_kept() {
    let records = calls_outlast_refusals("size=1m", 400);
    assert!(count(&records, "code", "audit_unavailable") >= 400);
}

#[test]
#[ignore = "needs root: run by .ci/run"]
fn a_folder_that_has_become_read_only_stops_new_calls() {
    let cloud = Cloud::start();
    let folder = folder_with_audit_at(&cloud, "disk/audit.jsonl");
    fs::create_dir(folder.path("disk")).unwrap();
    let served = Served::from(&folder);
    let token = folder.token("alice");
    served.enable(&token).expect(200);
    // What an operator sees after `mount -o ro`: another filesystem stands at the path, and takes nothing.
    let disk = Disk::mount(folder.path("disk"), "ro");
    until("it is not noticed", || (served.metric("audit_usable") == 0).then_some(()));
    is_refused(&served, &token, &cloud);
    let checks = served.admin_get("/readyz?verbose").expect(503).body;
    assert!(checks.contains("Read-only file system"), "{checks}");
    drop(disk);
    is_ready_again(&served);
    served.enable(&token).expect(200);
    served.ended_by(Signal::TERM).expect(0);
    let records = nothing_is_missing(&cloud, &folder.path("disk/audit.jsonl"));
    assert_eq!(count(&records, "type", "intent"), 2);
}

/// A gateway some of whose system calls fail. The tracer ends when the gateway does.
fn traced(folder: &Folder, which: &[&str]) -> (Served, Pid) {
    let gateway = program(&["serve", "--config", &folder.config()]);
    let mut strace = Command::new("strace");
    let pid = folder.path("pid");
    strace.env_clear().env("PATH", "/usr/bin:/bin");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(which);
    strace
        .args(["/bin/sh", "-c", "echo $$ >\"$0\"; exec \"$@\""])
        .arg(&pid)
        .arg(gateway.get_program())
        .args(gateway.get_args());
    let served = Served::start(strace);
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    (served, Pid::from_raw(pid).unwrap())
}

#[test]
#[ignore = "needs root and strace: run by .ci/run"]
fn a_sync_that_fails_is_never_believed_again() {
    for fault in ["fdatasync:error=EIO:when=12..14", "fdatasync:error=ENOSPC:when=13..13"] {
        let cloud = Cloud::start();
        let folder = folder_with_audit_at(&cloud, "audit.jsonl");
        let (served, gateway) = traced(&folder, &["-e", &format!("inject={fault}")]);
        let token = folder.token("alice");
        until("no sync fails", || {
            let answer = served.enable(&token);
            assert!(matches!(answer.status(), 200 | 503), "{answer:?}");
            (served.metric("audit_usable") == 0).then_some(())
        });
        is_refused(&served, &token, &cloud);
        is_ready_again(&served);
        for _ in 0..5 {
            served.enable(&token).expect(200);
        }
        kill_process(gateway, Signal::TERM).unwrap();
        served.ended().expect(0);
        let records = nothing_is_missing(&cloud, &folder.path("audit.jsonl"));
        assert_eq!(count(&records, "reason", "write_failed"), 1, "{fault}");
    }
}

#[test]
#[ignore = "needs root and strace: run by .ci/run"]
fn a_write_that_fails_leaves_no_half_line() {
    for fault in ["error=EROFS:when=9..10", "error=EDQUOT:when=10..11"] {
        let cloud = Cloud::start();
        let folder = folder_with_audit_at(&cloud, "audit.jsonl");
        let file = folder.path_text("audit.jsonl");
        let (served, gateway) = traced(&folder, &["-P", &file, "-e", &format!("inject=write:{fault}")]);
        let token = folder.token("alice");
        for _ in 0..12 {
            let answer = served.enable(&token);
            assert!(matches!(answer.status(), 200 | 503), "{answer:?}");
        }
        is_ready_again(&served);
        served.enable(&token).expect(200);
        kill_process(gateway, Signal::TERM).unwrap();
        served.ended().expect(0);
        nothing_is_missing(&cloud, &folder.path("audit.jsonl"));
    }
}
