//! The log on standard error: all of it for who reads, and no harm from who does not.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Cloud, Folder, Process, Served, program, run, until};

/// A gateway whose standard error is a pipe, and the other end of that, read until it serves.
fn piped(folder: &Folder) -> (Served, BufReader<File>) {
    let pipe = folder.path("stderr");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut end = BufReader::new(OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
    let gateway = program(&["serve", "--config", &folder.config()]);
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "exec \"$@\" 2>\"$0\""]).arg(&pipe);
    shell.arg(gateway.get_program()).args(gateway.get_args());
    let process = Process::start(shell);
    let serving = lines_until(&mut end, "serving").pop().unwrap();
    (Served::at(process, &serving), end)
}

/// Every line up to the one with this message.
fn lines_until(end: &mut BufReader<File>, message: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = Vec::new();
    while lines.last().is_none_or(|line| line["message"] != message) {
        let mut line = String::new();
        end.read_line(&mut line).unwrap();
        lines.push(serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}")));
    }
    lines
}

/// Far more calls than lines go into a pipe; the id of each.
fn many_calls(served: &Served, token: &str) -> Vec<String> {
    let call = |_| served.enable(token).expect(200).header("x-request-id").unwrap().to_owned();
    (0..300).map(call).collect()
}

/// The ids of the calls of which the log tells.
fn told(lines: &[Value]) -> Vec<&str> {
    let calls = lines.iter().filter(|line| line["message"] == "request" && line["caller"] == "alice");
    calls.map(|line| line["request_id"].as_str().unwrap()).collect()
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody_and_what_is_dropped_is_counted() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let (served, mut end) = piped(&folder);
    let calls = many_calls(&served, &folder.token("alice"));
    assert_eq!(served.admin_get("/readyz").expect(200).body, "ready\n");
    assert_eq!(served.metric("log_lines_dropped_total"), 0, "there is room for so many");

    // Each of its mistakes is a line.
    let policy = folder.read("policy.toml");
    folder
        .write("policy.toml", &format!("version = \"2.0\"\n{}", "[[statement]]\neffect = \"perhaps\"\n".repeat(5000)));
    let dropped = until("nothing was dropped", || {
        served.reload().expect(422);
        Some(served.metric("log_lines_dropped_total")).filter(|dropped| *dropped > 0)
    });
    served.enable(&folder.token("alice")).expect(200);
    assert_eq!(served.admin_get("/readyz").expect(200).body, "ready\n");

    let reader = std::thread::spawn(move || lines_until(&mut end, "stopped"));
    folder.write("policy.toml", &policy);
    served.reload().expect(200);
    served.ended_by(Signal::TERM).expect(0);
    let lines = reader.join().unwrap();
    assert_eq!(told(&lines)[..calls.len()], calls, "what came before is all there");
    let gap: Vec<_> = lines.iter().filter(|line| line["lines"].is_u64()).collect();
    assert!(gap[0]["message"].as_str().unwrap().contains("lines of the log were dropped"), "{gap:?}");
    let missing: u64 = gap.iter().map(|line| line["lines"].as_u64().unwrap()).sum();
    assert!(missing >= u64::try_from(dropped).unwrap(), "{gap:?}");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_process_from_ending() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let (served, _end) = piped(&folder);
    many_calls(&served, &folder.token("alice"));
    served.ended_by(Signal::TERM).expect(0);
}

#[test]
fn every_line_is_there_after_the_end_also_for_who_reads_late() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let (served, mut end) = piped(&folder);
    let calls = many_calls(&served, &folder.token("alice"));
    served.process().signal(Signal::TERM);
    let lines = lines_until(&mut end, "stopped");
    assert_eq!(told(&lines), calls);
    served.ended().expect(0);
}

#[test]
fn what_was_logged_stands_before_why_it_does_not_start() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "file = \"policy.toml\"", "file = \"policy.toml\"\ncandidate = \"policy.next\"");
    folder.write("policy.next", "version = ");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[admin]\nlisten = \"{}\"", taken.local_addr().unwrap());
    folder.change("gateway.toml", "[admin]\nlisten = \"127.0.0.1:0\"", &listen);
    let ended = run(&["serve", "--config", &folder.config()]).expect(1);
    let (log, complaint) = ended.stderr.split_once("ci-gateway: ").unwrap();
    assert!(log.contains("policy.next:1") && log.ends_with('\n'), "{log}");
    assert!(complaint.contains("in use"), "{complaint}");
}
