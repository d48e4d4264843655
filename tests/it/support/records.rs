//! The audit's files, read as whoever verifies them would: each line's digest, each record's place, each tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ci_gateway::audit::{LONGEST_LINE, Position, Sealed};
use serde_json::Value;

/// The records of these files in their order, which are one log from its beginning; panics at the first that is not.
#[track_caller]
pub(crate) fn follow<P: AsRef<Path>>(files: &[P]) -> Vec<Value> {
    let mut position = Position::default();
    let mut records = Vec::new();
    for file in files {
        let file = file.as_ref();
        let bytes = fs::read(file).unwrap();
        for (n, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let place = format!("{}:{}", file.display(), n + 1);
            assert!(line.len() <= LONGEST_LINE && line.ends_with(b"\n"), "{place}");
            let record: Value = serde_json::from_slice(line).unwrap_or_else(|why| panic!("{place}: {why}"));
            assert!(n > 0 || record["type"] == "opened", "{place}: {record}");
            if record["type"] == "checkpoint" {
                assert_eq!(record["root"], position.tree().root().to_string(), "{place}");
            }
            let sealed = Sealed::read(&line[..line.len() - 1]).unwrap_or_else(|why| panic!("{place}: {why}"));
            position.follow(&sealed).unwrap_or_else(|why| panic!("{place}: {why}"));
            records.push(record);
        }
    }
    records
}

/// The records of `kind` that are about requests, by the request's bucket; panics if there are two of one.
pub(crate) fn by_bucket(records: &[Value], kind: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for record in records.iter().filter(|record| record["type"] == kind) {
        let bucket = record["bucket"].as_str().unwrap().to_owned();
        assert!(found.insert(bucket, record.clone()).is_none(), "twice: {record}");
    }
    found
}

pub(crate) fn count(records: &[Value], member: &str, value: &str) -> usize {
    records.iter().filter(|record| record[member] == value).count()
}
