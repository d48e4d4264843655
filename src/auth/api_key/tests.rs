//! The file of hashes and what a key opens.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const HASH: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

fn terms() -> KeyTerms {
    KeyTerms { caller: "alice".to_owned(), ..KeyTerms::default() }
}

fn asked(terms: KeyTerms, more: &str, source: Option<&str>) -> Result<Arc<Caller>, Reason> {
    let key = NewKey::make(terms).unwrap();
    let keys = ApiKeys::parse(&format!("{}{more}", key.entry()), "keys.toml").unwrap();
    keys.caller(key.text(), source.map(|source| source.parse().unwrap()), now())
}

#[test]
fn a_new_key_is_its_caller_with_its_groups_and_its_id() {
    let terms = KeyTerms { groups: vec!["a \"b\" \\c".to_owned(), "团队".to_owned()], ..terms() };
    let key = NewKey::make(terms).unwrap();
    let keys = ApiKeys::parse(&key.entry(), "keys.toml").unwrap();
    let caller = keys.caller(key.text(), None, now()).unwrap();
    assert_eq!((caller.name(), caller.issuer(), caller.key_id()), ("alice", "api_key", Some(key.id())));
    assert_eq!(caller.groups().collect::<Vec<_>>(), ["a \"b\" \\c", "团队"]);
    assert_eq!(caller.method(), crate::domain::Method::ApiKey);
}

#[test]
fn what_is_stored_or_shown_is_not_the_key() {
    let key = NewKey::make(terms()).unwrap();
    let secret = key.text().rsplit_once('_').unwrap().1;
    for text in [key.entry(), format!("{key:?}"), format!("{:?}", ApiKeys::parse(&key.entry(), "k").unwrap())] {
        assert!(!text.contains(secret.get(..8).unwrap()), "{text}");
    }
}

#[test]
fn each_way_not_to_hold_has_its_word() {
    let until = |end: &str| KeyTerms { not_after: Some(end.parse().unwrap()), ..terms() };
    assert!(asked(until("2026-11-22T00:00:01Z"), "", None).is_ok());
    assert_eq!(asked(until("2026-11-22T00:00:00Z"), "", None), Err(Reason::ExpiredApiKey));
    assert_eq!(asked(terms(), "disabled = true\n", None), Err(Reason::DisabledApiKey));
    assert!(asked(terms(), "disabled = false\n", None).is_ok());

    let key = NewKey::make(terms()).unwrap();
    let keys = ApiKeys::parse(&key.entry(), "keys.toml").unwrap();
    let ask = |text: &str| keys.caller(text, None, now()).unwrap_err();
    assert_eq!(ask(NewKey::make(terms()).unwrap().text()), Reason::UnknownApiKey);
    assert_eq!(ask(&key.text().replace("cigw_", "cigv_")), Reason::MalformedApiKey);
    let damaged = key.text().chars().rev().map(|c| if c == '_' { '_' } else { 'x' });
    assert_eq!(ask(&damaged.rev().collect::<String>().replace("xxxx_", "cigw_")), Reason::DamagedApiKey);
    assert_eq!(ask(""), Reason::MalformedApiKey);
}

/// Row 68: an id that is known does not open anything by itself.
#[test]
fn a_known_id_with_another_secret_does_not_hold() {
    let (mine, other) = (NewKey::make(terms()).unwrap(), NewKey::make(terms()).unwrap());
    let entry = mine.entry().replace(mine.id(), other.id());
    let keys = ApiKeys::parse(&entry, "keys.toml").unwrap();
    assert_eq!(keys.caller(other.text(), None, now()), Err(Reason::WrongApiKey));
}

/// Row 69.
#[test]
fn a_key_with_networks_holds_from_there_alone() {
    let networks = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(|text| KeyTerms::network(text).unwrap());
    let ask = |source| asked(KeyTerms { networks: networks.to_vec(), ..terms() }, "", source);
    for source in ["10.1.2.3", "192.0.2.7", "fd12::1", "::ffff:10.1.2.3"] {
        assert!(ask(Some(source)).is_ok(), "{source}");
    }
    for source in ["11.0.0.1", "192.0.2.8", "fe80::1", "::1", "::10.1.2.3", "::ffff:11.0.0.1"] {
        assert_eq!(ask(Some(source)), Err(Reason::WrongNetwork), "{source}");
    }
    assert_eq!(ask(None), Err(Reason::WrongNetwork));
}

fn mistakes(text: &str) -> String {
    ApiKeys::parse(text, "keys.toml").unwrap_err().to_string()
}

fn entry(id: char, caller: &str, more: &str) -> String {
    let id = id.to_string().repeat(12);
    format!("[[key]]\nid = \"{id}\"\ncaller = \"{caller}\"\nhash = \"{HASH}\"\n{more}\n")
}

#[test]
fn every_mistake_is_told_with_its_line_and_a_cure() {
    for (more, what) in [
        ("groups = 'a'", "keys.toml:5: `groups` is no list"),
        ("groups = [1]", "keys.toml:5: `groups` is no text"),
        ("groups = ['']", "keys.toml:1: a caller's or group's name"),
        ("networks = []", "keys.toml:5: `networks` is empty"),
        ("networks = ['10.0.0.1/8']", "beyond its prefix"),
        ("networks = ['10.0.0.0/33']", "no network"),
        ("networks = ['::ffff:10.0.0.0/104']", "clothes of IPv6"),
        ("not_after = 2027-01-31", "not one moment"),
        ("not_after = 2027-01-31T00:00:00", "not one moment"),
        ("not_after = 5", "is no text"),
        ("disabled = 'yes'", "neither true nor false"),
        ("caler = 'x'", "keys.toml:5: unknown key `caler` (hint: did you mean `caller`?)"),
        ("secret = 'x'", "known here: id, caller"),
    ] {
        let told = mistakes(&entry('a', "alice", more));
        assert!(told.contains(what) && told.contains("hint: ") && told.lines().count() == 1, "{told}");
    }
    for (text, what) in [
        ("[[key]]\nid = 'a'\n", "keys.toml:2: `id` is not 12 letters"),
        ("[[key]]\n", "keys.toml:1: a key needs its `hash`"),
        ("[[key]]\nhash = 'sha256:aa'\n", "keys.toml:2: `hash` is not"),
        ("[key]\nid = 1\n", "keys.toml:1: `key` is a list of tables"),
        ("key = 1\n", "`key` is a list of tables"),
        ("[[keys]]\n", "keys.toml:1: unknown key `keys` (hint: did you mean `key`?)"),
        ("[[key]]\nid = \n", "keys.toml:2: not TOML"),
        (&[entry('a', "x", ""), entry('a', "y", "")].concat(), "keys.toml:6: this `id` stands in an earlier"),
    ] {
        let told = mistakes(text);
        assert!(told.contains(what) && told.contains("hint: "), "{told}");
    }
    assert!(ApiKeys::parse("", "keys.toml").unwrap().is_empty());
}

/// Row 70.
#[test]
fn two_keys_of_a_caller_are_enough_unless_one_is_disabled() {
    let two = [entry('a', "alice", ""), entry('b', "alice", ""), entry('c', "bob", "")].concat();
    assert_eq!(ApiKeys::parse(&two, "k").unwrap().len(), 3);
    let told = mistakes(&[two.clone(), entry('d', "alice", ""), entry('e', "alice", "")].concat());
    assert!(told.starts_with("keys.toml:16: `alice` has more than two keys") && told.lines().count() == 1, "{told}");
    assert!(ApiKeys::parse(&[two, entry('d', "alice", "disabled = true")].concat(), "k").is_ok());
}

/// Row 67.
#[test]
fn a_key_itself_in_the_file_is_refused_and_not_repeated() {
    let key = NewKey::make(terms()).unwrap();
    let (text, secret) = (key.text(), key.text().rsplit_once('_').unwrap().1);
    for broken in [
        format!("[[key]]\nhash = \"{text}\"\n"),
        format!("\n# {text}\n"),
        format!("\n{text} = 1\n"),
        format!("\n[[key]]\ncaller = '{text}'\nid = \n"),
    ] {
        let told = mistakes(&broken);
        assert!(
            told.contains("keys.toml:2: an API key itself") || told.contains("keys.toml:3: an API key itself"),
            "{told}"
        );
        assert!(!told.contains(secret) && !told.contains(key.id()), "{told}");
    }
}

#[test]
fn a_file_that_everybody_can_write_or_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    std::fs::write(&file, "").unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        ApiKeys::load(&file)
    };
    for mode in [0o600, 0o644, 0o664, 0o440] {
        assert!(with_mode(mode).is_ok(), "{mode:o}");
    }
    let told = with_mode(0o646).unwrap_err().to_string();
    assert!(told.contains("everybody") && told.contains("chmod o-w"), "{told}");
    std::fs::write(&file, [0xff]).unwrap();
    assert!(with_mode(0o600).unwrap_err().to_string().contains("is not UTF-8"));
    assert!(ApiKeys::load(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    assert!(ApiKeys::load(&folder.path().join("none")).unwrap_err().to_string().contains("none: cannot be read"));
}

proptest! {
    #[test]
    fn any_text_is_a_file_or_has_mistakes(text in "(\\[\\[key\\]\\]\n|[a-z_]{1,9} = |'[a-z0-9./:-]{0,70}'|\n|[\\[\\]\"'#,{}]|\\PC){0,40}") {
        let _ = ApiKeys::parse(&text, "keys.toml");
    }

    #[test]
    fn whatever_names_a_key_has_they_are_read_as_they_were_given(name in "\\PC{1,40}", group in "\\PC{1,40}") {
        let terms = KeyTerms { caller: name.clone(), groups: vec![group.clone()], ..KeyTerms::default() };
        // Some of these characters no name may have.
        if let Ok(key) = NewKey::make(terms) {
            let keys = ApiKeys::parse(&key.entry(), "keys.toml").unwrap();
            let caller = keys.caller(key.text(), None, now()).unwrap();
            prop_assert_eq!(caller.name(), name);
            prop_assert_eq!(caller.groups().collect::<Vec<_>>(), [group]);
        }
    }
}
