use std::io::Write;

use proptest::prelude::*;

use super::*;

/// The secret key of RFC 8032 section 7.1, test 1, in the PKCS#8 of RFC 8410.
const KEY_OF_RFC_8032: &str =
    "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
/// Both were computed with another implementation (`cryptography` of Python).
const VKEY: &str = "example.com/audit+57840a0c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
const NOTE: &str = "example.com/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\
    \u{2014} example.com/audit V4QKDJUv6wXL2zBpDDJllnCbj/L1V+Hn8d/CfGuBxhIio3SIFEr6Slu2dgIqqwqXnKOaQSDVZ/D3N2lVJEulzbJNUQw=\n";

fn pem(label: &str, der: &str) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(hex::decode(der).unwrap()))
}

fn origin() -> Origin {
    "example.com/audit".parse().unwrap()
}

fn loaded(text: &str) -> Result<Signer, crate::domain::Mistake> {
    // `tempfile` makes it readable by its owner alone.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Signer::load(file.path(), &origin())
}

fn signer() -> Signer {
    loaded(&pem("PRIVATE KEY", KEY_OF_RFC_8032)).unwrap()
}

#[test]
fn a_checkpoint_is_byte_for_byte_that_of_another_implementation() {
    let signer = signer();
    let root = Digest::of(&[]);
    assert_eq!(signer.checkpoint(0, &root), NOTE);
    assert_eq!(signer.verifier().to_string(), VKEY);
    let verifier: Verifier = VKEY.parse().unwrap();
    assert_eq!(&verifier, signer.verifier());
    let read = Checkpoint::read(NOTE, Some(&verifier)).unwrap();
    assert_eq!((read.origin().as_str(), read.size(), read.root()), ("example.com/audit", 0, root));
}

/// A tree head of Go's checksum database, and its public key. Its origin is not the name of its key, so it is no
/// checkpoint of a log of ours; its key id and its signature are what they are here.
#[test]
fn a_signature_in_the_wild_holds() {
    let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let verifier: Verifier = key.parse().unwrap();
    let text = "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let line = "\u{2014} sum.golang.org \
        Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=";
    let line = SignatureLine::read(line).unwrap();
    assert_eq!(line.key_id, verifier.key_id(&line.name.parse().unwrap()));
    assert!(verifier.holds(text.as_bytes(), &line.signature));
    assert!(!verifier.holds(text.replace("20852163", "20852164").as_bytes(), &line.signature));
}

#[test]
fn a_change_to_any_byte_of_a_note_is_refused() {
    let verifier: Verifier = VKEY.parse().unwrap();
    for at in 0..NOTE.len() {
        for bit in 0..8 {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(Checkpoint::read(&changed, Some(&verifier)).is_err(), "byte {at} bit {bit}");
        }
        let cut = NOTE.get(..at).into_iter().chain(NOTE.get(at + 1..));
        assert!(cut.into_iter().all(|cut| Checkpoint::read(cut, Some(&verifier)).is_err()), "cut at {at}");
    }
    assert_eq!(Checkpoint::read(&format!("{NOTE}\n"), None), Err(BadNote::Form));
}

#[test]
fn what_is_no_checkpoint_is_refused_also_without_a_key() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let line = "\u{2014} a AAAAAAA=";
    let good = format!("a\n7\n{root}\n\n{line}\n");
    assert_eq!(Checkpoint::read(&good, None).unwrap().size(), 7);
    for bad in [
        format!("a\n07\n{root}\n\n{line}\n"),
        format!("a\n+7\n{root}\n\n{line}\n"),
        format!("a\n-7\n{root}\n\n{line}\n"),
        format!("a\n7\n{root}\nmore\n\n{line}\n"),
        format!("a\n7\n\n{root}\n\n{line}\n"),
        format!("a b\n7\n{root}\n\n{line}\n"),
        format!("a+b\n7\n{root}\n\n{line}\n"),
        format!("\n7\n{root}\n\n{line}\n"),
        format!("a\n7\n{}\n\n{line}\n", root.trim_end_matches('=')),
        format!("a\n7\nAAAA\n\n{line}\n"),
        format!("a\n7\n{root}\n\n"),
        format!("a\n7\n{root}\n\n{line}"),
        format!("a\r\n7\r\n{root}\r\n\r\n{line}\r\n"),
        format!("a\n7\n{root}\n\n- a AAAAAAA=\n"),
        format!("a\n7\n{root}\n\n\u{2014} a AAA=\n"),
        format!("a\n7\n{root}\n\n{}", format!("{line}\n").repeat(MOST_SIGNATURES + 1)),
        format!("{}\n7\n{root}\n\n{line}\n", "a".repeat(129)),
        "x".repeat(LONGEST_NOTE + 1),
    ] {
        assert_eq!(Checkpoint::read(&bad, None), Err(BadNote::Form), "{bad:?}");
    }
    let most = format!("a\n7\n{root}\n\n{}", format!("{line}\n").repeat(MOST_SIGNATURES));
    Checkpoint::read(&most, None).unwrap();
}

#[test]
fn other_keys_signatures_change_nothing_and_alone_they_do_not_do() {
    let verifier: Verifier = VKEY.parse().unwrap();
    let other = "\u{2014} witness.example AAAAAAA=\n";
    Checkpoint::read(&format!("{NOTE}{other}"), Some(&verifier)).unwrap();
    let (text, ours) = NOTE.split_once("\n\n").unwrap();
    let refused = |note: String| Checkpoint::read(&note, Some(&verifier)).unwrap_err();
    // A log signs its own checkpoints: what does not say so is half a note.
    assert_eq!(refused(format!("{text}\n\n{other}")), BadNote::Form);
    assert_eq!(refused(format!("{text}\n\n\u{2014} example.com/audit V4QKDAAA\n")), BadNote::Form);
    let forged = format!("\u{2014} example.com/audit V4QKD{}=\n", "A".repeat(86));
    assert_eq!(refused(format!("{text}\n\n{ours}{forged}")), BadNote::Forged);
    let elsewhere = signer().checkpoint(3, &Digest::of(&[])).replace("example.com/audit", "example.com/other");
    assert_eq!(refused(elsewhere), BadNote::OtherLog);
}

#[test]
fn a_bare_public_key_verifies_and_another_one_does_not() {
    let info = "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let verifier = Verifier::from_pem(pem("PUBLIC KEY", info).as_bytes()).unwrap();
    Checkpoint::read(NOTE, Some(&verifier)).unwrap();
    let other = Verifier::from_pem(pem("PUBLIC KEY", &info.replace("d75a", "d75b")).as_bytes()).unwrap();
    assert_eq!(Checkpoint::read(NOTE, Some(&other)), Err(BadNote::NotSigned));
    for der in ["302a300506032b6571032100d75a", "", info.get(2..).unwrap(), &format!("{info}00")] {
        assert_eq!(Verifier::from_pem(pem("PUBLIC KEY", der).as_bytes()), Err(InvalidKey), "{der}");
    }
}

#[test]
fn a_file_that_holds_no_such_key_is_named_and_nothing_of_it_is_shown() {
    let whole = pem("PRIVATE KEY", KEY_OF_RFC_8032);
    let p256 = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for text in [
        "",
        "marker",
        &whole.replace("PRIVATE", "PUBLIC"),
        &p256,
        &pem("PRIVATE KEY", KEY_OF_RFC_8032.get(..94).unwrap()),
    ] {
        let mistake = loaded(text).unwrap_err().to_string();
        assert!(mistake.contains("is no Ed25519") && mistake.contains("genpkey"), "{mistake}");
        assert!(!mistake.contains("marker"));
    }
    assert!(!format!("{:?}", signer()).contains("9d61"));
}

proptest! {
    #[test]
    fn what_is_signed_is_read_back(size: u64, root: [u8; 32]) {
        let signer = signer();
        let read = Checkpoint::read(&signer.checkpoint(size, &root.into()), Some(signer.verifier())).unwrap();
        prop_assert_eq!(read, Checkpoint { origin: origin(), size, root: root.into() });
    }

    #[test]
    fn the_readers_take_any_text_without_a_panic(text in "(\\PC|\n|\u{2014} ){0,200}", cut in 0_usize..300) {
        let _ = text.parse::<Verifier>();
        let _ = Checkpoint::read(&text, None);
        let cut = (0..=cut.min(NOTE.len())).rev().find(|at| NOTE.is_char_boundary(*at)).unwrap();
        let (start, end) = NOTE.split_at(cut);
        let _ = Checkpoint::read(&format!("{start}{text}{end}"), None);
    }

    #[test]
    fn a_key_has_one_spelling(at in 0..VKEY.len(), to in any::<char>()) {
        let mut changed: Vec<char> = VKEY.chars().collect();
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(changed.parse::<Verifier>().is_ok(), changed == VKEY);
    }
}
