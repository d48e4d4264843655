//! Logs for the tests, made by the gateway's own sealing.

use super::{Log, Notes, Verdict, in_order, verify};
use crate::audit::reading::Lines;
use crate::audit::{Position, Record, Signer, Verifier};

pub(super) const ORIGIN: &str = "example.com/audit";

/// What a record says, before its place is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Opened(&'static str),
    Intent(u64),
    Outcome(u64),
    Checkpoint,
    Other(String),
}

impl Said {
    fn members(&self, position: &Position) -> String {
        let tree = position.tree();
        let peaks: Vec<String> = tree.peaks().iter().map(|peak| format!("\"{peak}\"")).collect();
        let (size, root, peaks) = (tree.size(), tree.root(), peaks.join(","));
        let time = format!("\"time\":\"2026-11-22T10:00:{:02}Z\"", size % 60);
        let asked = |n: &u64| {
            format!(
                "{time},\"request_id\":\"request-{n}\",\"caller\":\"alice\",\"issuer\":\"https://id.example\",\
                 \"method\":\"jwt\",\"action\":\"ci:CreateAsrBucket\",\"bucket\":\"test-1234567890\",\
                 \"region\":\"ap-chongqing\",\"validate_only\":false,\"decision\":\"permit\",\"generation\":1"
            )
        };
        match self {
            Self::Opened(reason) => format!(
                "\"type\":\"opened\",{time},\"log\":\"{ORIGIN}\",\"reason\":\"{reason}\",\"version\":\"0\",\
                 \"tree\":{{\"size\":{size},\"peaks\":[{peaks}]}}"
            ),
            Self::Intent(n) => format!("\"type\":\"intent\",{}", asked(n)),
            Self::Outcome(n) => format!(
                "\"type\":\"outcome\",{},\"status\":200,\"code\":\"ok\",\"outcome\":\"applied\",\"attempts\":1",
                asked(n)
            ),
            Self::Checkpoint => {
                format!("\"type\":\"checkpoint\",{time},\"size\":{size},\"root\":\"{root}\",\"peaks\":[{peaks}]")
            }
            Self::Other(members) => members.clone(),
        }
    }
}

/// What a log of `records` says: it begins, requests come and go, and every 25 records there is a checkpoint.
pub(super) fn ordinary(records: u64) -> Vec<Said> {
    let said = |n: u64| match n {
        0 => Said::Opened("new"),
        n if n == records - 1 || n % 25 == 24 => Said::Checkpoint,
        n if n % 2 == 1 => Said::Intent(n),
        n => Said::Outcome(n - 1),
    };
    (0..records).map(said).collect()
}

/// A log as the gateway leaves it: its lines, each with its end, and a signed note for each checkpoint.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) notes: String,
}

pub(super) fn signer() -> Signer {
    Signer::of_seed(ORIGIN, [7; 32])
}

pub(super) fn written(said: &[Said]) -> Written {
    let (mut position, mut lines, mut notes) = (Position::default(), Vec::new(), String::new());
    let signer = signer();
    for said in said {
        if *said == Said::Checkpoint {
            notes += &signer.checkpoint(position.seq(), &position.tree().root());
            notes.push('\n');
        }
        let mut line = Vec::new();
        position.seal(&Record::of_members(&said.members(&position)), &mut line);
        lines.push(line);
    }
    Written { lines, notes }
}

/// The notes, all good.
pub(super) fn noted(notes: &str, verifier: Option<&Verifier>) -> Notes {
    let (mut read, mut findings) = (Notes::signed_with(verifier.cloned().into_iter().collect()), Vec::new());
    read.read("notes", notes.as_bytes(), &mut findings).unwrap();
    assert_eq!(findings, []);
    read
}

/// The files are called by their number, from 0.
pub(super) fn judged(files: &[Vec<u8>], notes: Notes) -> Verdict {
    let log = |(n, bytes): (usize, &'_ Vec<u8>)| (n.to_string(), bytes.clone());
    let logs = files.iter().enumerate().map(log);
    let logs = logs.map(|(name, bytes)| Log { name, lines: Lines::new(std::io::Cursor::new(bytes)) }).collect();
    verify(&mut in_order(logs).unwrap(), notes, None).unwrap()
}
