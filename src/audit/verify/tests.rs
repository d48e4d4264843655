use super::samples::{ORIGIN, Said, judged, noted, ordinary, signer, written};
use super::*;
use crate::audit::reading::BadLine;
use crate::audit::{BadNote, Signer};

fn wrong(files: &[Vec<u8>], notes: &str) -> (String, Wrong) {
    let finding = judged(files, noted(notes, None)).finding.unwrap();
    (format!("{}:{}", finding.name(), finding.line()), finding.wrong().clone())
}

#[test]
fn a_log_as_it_was_written_is_in_order_and_what_was_looked_at_is_told() {
    let log = written(&ordinary(60));
    let notes = noted(&log.notes, Some(signer().verifier()));
    let verdict = judged(&[log.lines.concat()], notes);
    assert_eq!(verdict.finding, None);
    let seen = verdict.seen;
    assert_eq!((seen.begins, seen.ends, seen.agreed, seen.covered, seen.unseen), (0, 60, 3, 59, 0));
    assert_eq!(seen.log.as_deref(), Some(ORIGIN));
    let mut tree = Tree::default();
    log.lines.iter().for_each(|line| tree.append(line.strip_suffix(b"\n").unwrap()));
    assert_eq!(seen.root, Some(tree.root()));
    let nothing = |files: &[Vec<u8>]| judged(files, Notes::default()).finding.map(|finding| finding.wrong().clone());
    assert_eq!((nothing(&[]), nothing(&[Vec::new()])), (Some(Wrong::Nothing), Some(Wrong::Nothing)));
}

#[test]
fn several_files_are_one_log_in_whatever_order_they_are_named() {
    let mut said = ordinary(60);
    (said[20], said[40]) = (Said::Opened("rotated"), Said::Opened("started"));
    let log = written(&said);
    let file = |range: std::ops::Range<usize>| log.lines[range].concat();
    let verdict = judged(&[file(40..60), file(0..20), file(20..40)], noted(&log.notes, None));
    assert_eq!((verdict.finding, verdict.seen.ends), (None, 60));
    let (empty, noise) = (Vec::new(), b"x\n".to_vec());
    let verdict = judged(&[file(40..60), empty.clone(), file(0..20), empty, file(20..40)], noted(&log.notes, None));
    assert_eq!((verdict.finding, verdict.seen.ends), (None, 60));
    // The bad line is told, and not that all the others are missing.
    let (place, form) = wrong(&[[noise.clone(), file(20..40)].concat(), file(0..20)], "");
    assert_eq!((place.as_str(), form), ("0:1", Wrong::Line(BadLine::Form)));
    assert_eq!(wrong(&[noise, file(0..20)], ""), ("0:1".to_owned(), Wrong::Line(BadLine::Form)));
    let (place, missing) = wrong(&[file(40..60), file(0..20)], &log.notes);
    assert_eq!((place.as_str(), missing), ("0:1", Wrong::Missing { from: 20, to: 39 }));
}

#[test]
fn a_file_alone_is_followed_from_its_own_tree_and_earlier_checkpoints_are_told_as_not_looked_at() {
    let mut said = ordinary(60);
    said[30] = Said::Opened("rotated");
    let log = written(&said);
    let seen = judged(&[log.lines[30..].concat()], noted(&log.notes, None)).seen;
    assert_eq!((seen.begins, seen.ends, seen.agreed, seen.unseen), (30, 60, 2, 1));
    let (place, middle) = wrong(&[log.lines[31..].concat()], &log.notes);
    assert_eq!((place.as_str(), middle), ("0:1", Wrong::NoBeginning));
    // The tree that it begins with is another one: the checkpoints tell.
    said[3] = Said::Intent(1000);
    let verdict = judged(&[written(&said).lines[30..].concat()], noted(&log.notes, None));
    let forged = verdict.finding.unwrap().wrong().clone();
    assert!(matches!(forged, Wrong::NotWhatWasSigned { from: 30, size: 49, .. }), "{forged}");
    assert_eq!((verdict.seen.begins, verdict.seen.ends, verdict.seen.root), (30, 30, None));
}

#[test]
fn records_that_do_not_say_of_the_tree_what_is_so_are_told() {
    let zeros = "0".repeat(64);
    for members in [
        format!(r#""type":"checkpoint","time":"2026-11-22T10:00:00Z","size":2,"root":"{zeros}","peaks":["{zeros}"]"#),
        r#""type":"opened","log":"x","tree":{"size":1,"peaks":[]}"#.to_owned(),
        format!(r#""type":"opened","log":"x","tree":{{"size":2,"peaks":["{zeros}"]}}"#),
    ] {
        let mut said = ordinary(6);
        said[2] = Said::Other(members);
        let (place, tree) = wrong(&[written(&said).lines.concat()], "");
        assert_eq!((place.as_str(), tree), ("0:3", Wrong::OtherTree));
    }
}

#[test]
fn what_a_record_cannot_say_is_told_by_name() {
    for (members, expected) in [
        (r#""type":"probe""#, "is of the type \"probe\""),
        (r#""type":"checkpoint","size":2"#, "missing field `"),
        (r#""kind":"intent""#, "not the form of a record"),
        (r#""type":"recovered","time":"yesterday","reason":"x""#, "does not say what a record of its type says"),
    ] {
        let mut said = ordinary(6);
        said[2] = Said::Other(members.to_owned());
        let verdict = judged(&[written(&said).lines.concat()], Notes::default());
        let finding = verdict.finding.unwrap().to_string();
        assert!(finding.starts_with("0:3: record 2: ") && finding.contains(expected), "{finding}");
    }
}

#[test]
fn recoveries_are_told_and_are_in_order() {
    let mut said = ordinary(6);
    said[2] = Said::Other(r#""type":"recovered","time":"2026-11-22T10:00:00Z","reason":"torn_tail""#.to_owned());
    let verdict = judged(&[written(&said).lines.concat()], Notes::default());
    let recovery = Recovery { name: "0".to_owned(), line: 3, reason: "torn_tail".to_owned() };
    assert_eq!((verdict.finding, verdict.seen.recoveries), (None, vec![recovery]));
}

#[test]
fn lines_that_were_moved_removed_or_cut_are_told_apart() {
    let log = written(&ordinary(30));
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = log.lines.clone();
        change(&mut lines);
        wrong(&[lines.concat()], &log.notes)
    };
    let at = |place: &str, wrong: Wrong| (place.to_owned(), wrong);
    assert_eq!(with(&|lines| lines.swap(3, 7)), at("0:4", Wrong::Moved { seq: 3, to_line: 8 }));
    assert_eq!(with(&|lines| drop(lines.drain(3..6))), at("0:4", Wrong::Missing { from: 3, to: 5 }));
    assert_eq!(with(&|lines| lines.insert(4, lines[3].clone())), at("0:5", Wrong::Again { expected: 4, found: 3 }));
    assert_eq!(with(&|lines| lines[9][20] ^= 1), at("0:10", Wrong::Line(BadLine::Form)));
}

#[test]
fn a_log_that_was_cut_is_told_by_its_newest_checkpoint() {
    let log = written(&ordinary(60));
    let (place, cut) = wrong(&[log.lines[..55].concat()], &log.notes);
    let expected = Wrong::Truncated { place: "notes:13".to_owned(), covers: 59, holds: 55 };
    assert_eq!((place.as_str(), cut), ("0:56", expected));
    let (_, none) = wrong(&[Vec::new()], &log.notes);
    assert!(matches!(none, Wrong::Truncated { holds: 0, .. }));
}

/// Read with the log's key, and what was found.
fn read(text: &str, keys: &[&Signer]) -> (Notes, Vec<(u64, Wrong)>) {
    let mut notes = Notes::signed_with(keys.iter().map(|signer| signer.verifier().clone()).collect());
    let mut findings = Vec::new();
    notes.read("n", text.as_bytes(), &mut findings).unwrap();
    let findings = findings.iter().map(|found| (found.line(), found.wrong().clone())).collect();
    (notes, findings)
}

fn lines_of(notes: &Notes) -> Vec<u64> {
    (0..).map_while(|n| notes.get(n)).map(|noted| noted.line).collect()
}

#[test]
fn bad_checkpoints_are_told_by_their_line_and_the_others_are_still_read() {
    let log = written(&ordinary(60));
    let key = signer();
    let read = |text: &str| {
        let (notes, findings) = read(text, &[&key]);
        (lines_of(&notes), findings)
    };
    assert_eq!(read(&log.notes), (vec![1, 7, 13], Vec::new()));
    let forged = log.notes.replacen("\n24\n", "\n23\n", 1);
    assert_eq!(read(&forged), (vec![7, 13], vec![(1, Wrong::Note(BadNote::Forged))]));
    let cut = log.notes.strip_suffix('\n').unwrap();
    assert_eq!(read(cut).0, [1, 7, 13]);
    let cut: String = log.notes.chars().take(log.notes.chars().count() - 9).collect();
    assert_eq!(read(&cut), (vec![1, 7], vec![(13, Wrong::Note(BadNote::Form))]));
    let other = Signer::of_seed("other.example", [7; 32]).checkpoint(1, &Digest::default());
    assert_eq!(read(&other).1, [(1, Wrong::Note(BadNote::OtherLog))]);
    assert_eq!(read(&"x".repeat(100_000)).1, [(1, Wrong::Note(BadNote::Form))]);
}

#[test]
fn a_note_that_was_written_in_half_is_no_finding_once_whole_ones_follow() {
    let log = written(&ordinary(60));
    let key = signer();
    let lines: Vec<&str> = log.notes.split_inclusive('\n').collect();
    let (first, others) = (lines[..5].concat(), lines[6..].concat());
    for cut in 1..first.len() {
        let Some(half) = first.get(..cut) else { continue };
        for between in ["", "\n", "\n\n"] {
            let (notes, findings) = read(&format!("{half}{between}{others}"), &[&key]);
            assert_eq!(findings, [], "{cut} {between:?}");
            // It may have spoiled the one behind it.
            assert!(notes.last().is_some_and(|last| last.checkpoint.size() == 59), "{cut} {between:?}");
            assert!(between != "\n\n" || lines_of(&notes).len() >= 2, "{cut}");
            let halves = notes.half_written().len();
            assert!(halves > 0 || lines_of(&notes).len() == 3, "{cut} {between:?} {notes:?}");
        }
        let (_, findings) = read(half, &[&key]);
        let is_whole = cut + 1 >= first.len();
        assert!(is_whole || findings == [(1, Wrong::Note(BadNote::Form))], "{cut} {findings:?}");
    }
}

#[test]
fn a_renewed_key_leaves_the_notes_of_the_other_unverified_and_both_keys_verify_all() {
    let log = written(&ordinary(60));
    let (key, renewed) = (signer(), Signer::of_seed(ORIGIN, [8; 32]));
    let lines: Vec<&str> = log.notes.split_inclusive('\n').collect();
    let tree = |size: usize| {
        let mut tree = Tree::default();
        log.lines[..size].iter().for_each(|line| tree.append(line.strip_suffix(b"\n").unwrap()));
        tree.root()
    };
    let [second, third] = [49, 59].map(|size| renewed.checkpoint(size as u64, &tree(size)));
    let text = format!("{}{second}\n{third}\n", lines[..6].concat());
    let verdict = |keys: &[&Signer]| {
        let (notes, findings) = read(&text, keys);
        assert_eq!(findings, []);
        let unverified: Vec<_> = notes.unverified().iter().map(|run| (run.place.clone(), run.count)).collect();
        let verdict = judged(&[log.lines.concat()], notes);
        (verdict.finding.map(|finding| finding.wrong().clone()), verdict.seen.agreed, unverified)
    };
    assert_eq!(verdict(&[&key]), (None, 1, vec![("n:7".to_owned(), 2)]));
    assert_eq!(verdict(&[&renewed]), (None, 2, vec![("n:1".to_owned(), 1)]));
    assert_eq!(verdict(&[&key, &renewed]), (None, 3, Vec::new()));
    // Nothing is signed with the key that was named.
    let stranger = Signer::of_seed(ORIGIN, [9; 32]);
    assert_eq!(verdict(&[&stranger]), (Some(Wrong::Unsigned), 0, vec![("n:1".to_owned(), 3)]));
    assert_eq!(verdict(&[]), (None, 3, Vec::new()));
}

#[test]
fn notes_among_the_records_are_checkpoints_too() {
    let log = written(&ordinary(60));
    let lines: Vec<&str> = log.notes.split_inclusive('\n').collect();
    let line = |n: usize| {
        let note = serde_json::json!({ "type": "checkpoint", "note": lines[6 * n..6 * n + 5].concat() });
        format!("{note}\n").into_bytes()
    };
    // As standard output has them: each behind its record.
    let with = |line: &dyn Fn(usize) -> Vec<u8>| {
        let file =
            [log.lines[..25].concat(), line(0), log.lines[25..52].concat(), line(1), log.lines[52..].concat(), line(2)];
        let key = Notes::signed_with(vec![signer().verifier().clone()]);
        judged(&[file.concat()], key)
    };
    let verdict = with(&line);
    assert_eq!((verdict.finding, verdict.seen.agreed, verdict.seen.covered), (None, 3, 59));
    let swapped = with(&|n| line(if n == 2 { 1 } else { n })).finding.unwrap();
    assert!(matches!(swapped.wrong(), Wrong::NotWhatWasSigned { size: 49, .. }), "{swapped}");
    let forged = with(&|n| String::from_utf8(line(n)).unwrap().replace("\\n49\\n", "\\n48\\n").into_bytes());
    assert_eq!(forged.finding.unwrap().wrong(), &Wrong::Note(BadNote::Forged));
    let other = Signer::of_seed(ORIGIN, [8; 32]).checkpoint(24, &Digest::default());
    let other = format!("{}\n", serde_json::json!({ "type": "checkpoint", "note": other })).into_bytes();
    let verdict = with(&|n| if n == 2 { line(n) } else { other.clone() });
    assert_eq!((verdict.finding, verdict.seen.agreed), (None, 1));
    assert_eq!(verdict.notes.unverified(), [Unverified { place: "0:26".to_owned(), count: 2 }]);
}

#[test]
fn whoever_names_a_key_is_told_if_no_note_is_there() {
    let log = written(&ordinary(60));
    let verdict = judged(&[log.lines.concat()], noted("", Some(signer().verifier())));
    assert_eq!(verdict.finding.unwrap().wrong(), &Wrong::Unsigned);
    let before = written(&ordinary(25)).notes;
    let mut said = ordinary(60);
    said[30] = Said::Opened("rotated");
    let later = judged(&[written(&said).lines[30..].concat()], noted(&before, Some(signer().verifier())));
    assert_eq!(later.finding.unwrap().wrong(), &Wrong::Unsigned);
}

#[test]
fn the_leaves_are_kept_for_proofs() {
    let mut said = ordinary(60);
    said[30] = Said::Opened("rotated");
    let log = written(&said);
    let bytes = log.lines[30..].concat();
    let mut logs = [Log { name: "0".to_owned(), lines: Lines::new(bytes.as_slice()) }];
    let mut grove = Grove::default();
    let seen = verify(&mut logs, Notes::default(), Some(&mut grove)).unwrap().seen;
    let path = grove.inclusion(45, 60).unwrap();
    assert!(crate::audit::is_included(&grove.leaf(45).unwrap(), 45, 60, &seen.root.unwrap(), &path));
    assert!(matches!(wrong(&[b"x\n".to_vec()], "").1, Wrong::Line(BadLine::Form)));
}
