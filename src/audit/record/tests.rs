//! What a caller is named changes nothing about the form of a line.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::audit::{Position, Sealed, Tree};
use crate::domain::{Method, is_printable};

fn sealed(record: &Record) -> Vec<u8> {
    let mut line = Vec::new();
    // The longest number that a record can have.
    let mut position =
        Position::after(Default::default(), Tree::from_peaks(u64::MAX - 1, vec![Default::default(); 63]).unwrap());
    position.seal(record, &mut line);
    line
}

fn finished<'a>(statement: &'a str, policy: &'a str, upstream: &'a UpstreamSeen) -> Finished<'a> {
    Finished {
        status: 504,
        code: Some(Code::CredentialsUnavailable),
        outcome: Outcome::NotSent,
        attempts: u32::MAX,
        decision: Some("permit"),
        statement: Some(statement),
        policy: Some(policy),
        upstream: Some(upstream),
        took: Duration::from_secs(100_000),
    }
}

/// Of an intent with the longest number that there can be.
fn place() -> &'static Place {
    static PLACE: LazyLock<Place> = LazyLock::new(|| {
        let place = Place::default();
        place.tell(u64::MAX);
        place
    });
    &PLACE
}

fn request<'a>(id: &'a str, caller: &'a Caller, key: &'a str, bucket: &'a Bucket, region: &'a Region) -> Request<'a> {
    Request {
        request_id: id,
        at: Timestamp::MAX,
        caller,
        client_ip: Some("1111:2222:3333:4444:5555:6666:7777:8888".parse().unwrap()),
        operation: Operation::all().max_by_key(|operation| operation.action().as_str().len()).unwrap(),
        bucket,
        region,
        validate_only: false,
        generation: i64::MIN,
        key: Some(key),
        place: place(),
    }
}

proptest! {
    // Row 110.
    #[test]
    fn a_line_of_any_texts_is_one_short_line_of_json(
        name in "[\"\\\\a\u{e9}\u{6c49}]{1,80}",
        texts in proptest::collection::vec((any::<String>(), 0_usize..80), 6),
    ) {
        let texts: Vec<String> = texts.iter().map(|(text, times)| text.repeat(*times)).collect();
        let caller = Caller::new(&name, Vec::<&str>::new(), &texts[0]).unwrap().known_by(Method::Certificate).with_key_id(&texts[1]);
        let longest = format!("{}-1234567890", "b".repeat(50));
        let (bucket, region) = (&longest.parse::<Bucket>().unwrap(), "ap-chongqing".parse::<Region>().unwrap());
        let seen = UpstreamSeen {
            status: 599,
            code: FaultCode::read(&"C".repeat(64)),
            request_id: RequestId::read(&"r".repeat(64)),
        };
        let request = request(&texts[2], &caller, &texts[3], bucket, &region);
        let line = sealed(&Record::outcome(&request, &finished(&texts[4], &texts[5], &seen)));
        prop_assert!(line.len() <= LONGEST_LINE, "{}", line.len());
        let text = std::str::from_utf8(&line).unwrap().strip_suffix('\n').unwrap();
        prop_assert!(text.chars().all(is_printable));
        let read: Value = serde_json::from_str(text).unwrap();
        prop_assert_eq!(read["caller"].as_str(), Some(name.as_str()));
        prop_assert_eq!(read["type"].as_str(), Some("outcome"));
        prop_assert_eq!(read["intent"].as_u64(), Some(u64::MAX));
        prop_assert!(Sealed::read(text.as_bytes()).is_ok());
    }
}

#[test]
fn the_longest_line_that_there_can_be_is_short_enough() {
    let long = "\u{1}".repeat(5000);
    let caller = Caller::new(&"\"".repeat(256), Vec::<&str>::new(), &long).unwrap().with_key_id(&long);
    let (bucket, region) = ("b-1".parse::<Bucket>().unwrap(), "ap-chongqing".parse::<Region>().unwrap());
    let seen = UpstreamSeen { status: 599, code: FaultCode::read("C"), request_id: RequestId::read("r") };
    let record = Record::outcome(&request(&long, &caller, &long, &bucket, &region), &finished(&long, &long, &seen));
    let line = sealed(&record);
    assert!((3000..=LONGEST_LINE).contains(&line.len()), "{}", line.len());
}

#[test]
fn the_records_of_the_log_itself_are_short_lines_of_json() {
    let tree = Tree::from_peaks((1 << 40) - 1, vec![Default::default(); 40]).unwrap();
    let aside = Aside { file: "x".repeat(4000), bytes: u64::MAX, sha256: Default::default() };
    let torn = Recovery::Damaged { aside, from: u64::MAX, to: u64::MAX };
    for record in [
        Record::opened(&"\u{7f}".repeat(4000), Reason::Truncated, &tree, Timestamp::MAX),
        Record::checkpoint(&tree, Timestamp::MAX),
        Record::recovered(&torn, Timestamp::MAX),
        Record::recovered(&Recovery::WriteFailed { suspect_from: Some(u64::MAX) }, Timestamp::MAX),
        Record::recovered(&Recovery::OutcomesLost(u64::MAX), Timestamp::MAX),
    ] {
        let line = sealed(&record);
        assert!(line.len() <= LONGEST_LINE, "{}", line.len());
        let read: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["type"], record.kind().as_str());
    }
}
