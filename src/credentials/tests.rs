//! Accounts, their generations, and which of them sign.

use std::path::Path;

use super::*;

const MINUTES: [i64; 4] = [0, 1, 2, 3];

fn minute(n: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * n).unwrap()
}

fn write(file: &Path, id: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, format!("{id}\nsecret-{id}\n")).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A folder with a key file, and the settings of an account of it.
struct World {
    folder: tempfile::TempDir,
    settings: Settings,
    credentials: Credentials,
}

impl World {
    fn with(id: &str, previous: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("keys"), id);
        let beside = folder.path().join("previous");
        previous.iter().for_each(|id| write(&beside, id));
        let file = FileSettings { path: folder.path().join("keys"), previous: previous.map(|_| beside) };
        let default = DefaultSettings { source: SourceSettings::File(file), app_ids: Vec::new() };
        let settings = Settings { default: Some(default), accounts: Vec::new() };
        let credentials = Credentials::load(&settings, None, minute(0)).unwrap();
        Self { folder, settings, credentials }
    }

    fn rotate(&mut self, id: &str, now: Timestamp) {
        write(&self.folder.path().join("keys"), id);
        let mut fresh = Credentials::load(&self.settings, Some(&self.credentials), now).unwrap();
        fresh.begin(now);
        self.credentials = fresh;
    }

    fn choose(&self, now: Timestamp) -> Chosen {
        self.credentials.keys_for(&"a-1234567890".parse().unwrap(), now).unwrap()
    }

    fn ids(&self, now: Timestamp) -> (String, Option<String>) {
        let chosen = self.choose(now);
        let id = |generation: &Generation| generation.keys().secret_id().to_owned();
        let held = chosen.account.keyring().held();
        let other = held.generations().find(|other| !Arc::ptr_eq(other, chosen.keys()));
        (id(chosen.keys()), other.map(|other| id(other)))
    }

    fn states(&self, now: Timestamp) -> Vec<GenerationState> {
        self.credentials.states(now, Duration::from_secs(300)).remove(0).generations
    }
}

fn pair(first: &str, other: &str) -> (String, Option<String>) {
    (first.to_owned(), Some(other.to_owned()))
}

#[test]
fn a_file_that_changes_is_a_new_generation_beside_the_one_before() {
    let mut world = World::with("one", None);
    assert_eq!(world.ids(minute(0)), ("one".to_owned(), None));
    let before = world.choose(minute(0)).keys().clone();
    world.rotate("two", minute(1));
    assert_eq!(world.ids(minute(1)), pair("two", "one"));
    assert_eq!(before.keys().secret_id(), "one", "a request keeps its own");
    let number = world.choose(minute(1)).keys().number();
    world.rotate("two", minute(2));
    assert_eq!((world.ids(minute(2)), world.choose(minute(2)).keys().number()), (pair("two", "one"), number));
    world.rotate("one", minute(3));
    assert_eq!(world.ids(minute(3)), pair("one", "two"));
    assert_eq!(world.choose(minute(3)).keys().number(), before.number(), "the same keys are the same generation");
    world.rotate("three", minute(4));
    assert_eq!(world.ids(minute(4)), pair("three", "one"));
}

#[test]
fn what_a_reload_finds_is_held_from_the_moment_it_is_in_force() {
    let world = World::with("one", None);
    write(&world.folder.path().join("keys"), "two");
    let mut fresh = Credentials::load(&world.settings, Some(&world.credentials), minute(1)).unwrap();
    assert_eq!(world.ids(minute(1)).0, "one");
    fresh.begin(minute(1));
    assert_eq!(world.ids(minute(1)).0, "two", "the account is the same one");
    std::fs::write(world.folder.path().join("keys"), "broken").unwrap();
    let mistakes = Credentials::load(&world.settings, Some(&fresh), minute(2)).unwrap_err();
    assert!(mistakes.to_string().contains("exactly two lines"), "{mistakes}");
    assert_eq!(world.ids(minute(2)).0, "two");
}

#[test]
fn the_keys_from_before_can_stand_in_a_file_of_their_own() {
    let mut world = World::with("two", Some("one"));
    assert_eq!(world.ids(minute(0)), pair("two", "one"));
    write(&world.folder.path().join("previous"), "two");
    world.rotate("three", minute(1));
    assert_eq!(world.ids(minute(1)), pair("three", "two"));
    let states: Vec<_> = world.states(minute(1)).iter().map(|state| (state.generation, state.state)).collect();
    assert_eq!(states, [("current", "current"), ("previous", "kept")]);
}

#[test]
fn keys_that_are_refused_again_and_again_go_second_until_one_request_finds_them_good() {
    let mut world = World::with("old", None);
    world.rotate("bad", minute(0));
    let bad = world.choose(minute(0)).keys().clone();
    (0..2).for_each(|_| bad.is_refused(KeyRefusal::UnknownId, minute(0)));
    assert_eq!(world.ids(minute(0)), pair("bad", "old"));
    bad.is_refused(KeyRefusal::UnknownId, minute(0));
    assert_eq!(world.ids(minute(0)), pair("old", "bad"));
    assert_eq!(world.states(minute(0)).iter().map(|state| state.state).collect::<Vec<_>>(), ["refused", "kept"]);
    let again = || [world.ids(minute(1)), world.ids(minute(1))];
    assert_eq!(again(), [pair("bad", "old"), pair("bad", "old")], "who only asks sends nothing");
    bad.goes_out(minute(1));
    assert_eq!(again(), [pair("old", "bad"), pair("old", "bad")], "one tries");
    bad.is_accepted(minute(1));
    assert_eq!(world.ids(minute(1)), pair("bad", "old"));
}

#[test]
fn nobody_is_locked_out_where_there_is_nothing_better() {
    let mut world = World::with("one", None);
    let refuse = |keys: &Generation| (0..9).for_each(|_| keys.is_refused(KeyRefusal::UnknownId, minute(0)));
    refuse(world.choose(minute(0)).keys());
    assert_eq!(world.ids(minute(0)).0, "one");
    world.rotate("two", minute(0));
    refuse(world.choose(minute(0)).keys());
    assert_eq!(world.ids(minute(0)).0, "two", "both are refused: the current ones go first");
}

#[test]
fn keys_can_be_deleted_when_others_have_served_and_no_signature_of_theirs_lives_on() {
    let mut world = World::with("one", None);
    let one = world.choose(minute(0)).keys().clone();
    one.goes_out(minute(0));
    world.rotate("two", minute(1));
    let is_safe = |world: &World, now| world.states(now)[1].safe_to_delete;
    assert!(!is_safe(&world, minute(60)), "the new ones have not served yet");
    world.choose(minute(1)).keys().is_accepted(minute(1));
    assert!(!is_safe(&world, minute(60)), "a request in progress has them");
    drop(one);
    assert!(MINUTES.iter().all(|n| !is_safe(&world, minute(*n))), "a signature lives for five minutes");
    assert!(is_safe(&world, minute(6)));
    let chosen = world.choose(minute(10));
    assert!(is_safe(&world, minute(10)), "a request that may yet want them has not got them");
    let old = chosen.other(minute(10)).unwrap();
    old.goes_out(minute(10));
    drop(old);
    assert!(!is_safe(&world, minute(60)), "they were used since");
    assert!(!world.states(minute(60))[0].safe_to_delete, "never the current ones");
}

#[test]
fn what_is_tried_after_a_refusal_is_what_the_account_has_then() {
    let mut world = World::with("one", None);
    let chosen = world.choose(minute(0));
    assert!(chosen.other(minute(0)).is_none());
    world.rotate("two", minute(0));
    assert_eq!(chosen.other(minute(0)).unwrap().keys().secret_id(), "two", "it came while the request was under way");
    (0..3).for_each(|_| chosen.other(minute(0)).unwrap().is_refused(KeyRefusal::UnknownId, minute(0)));
    assert!(chosen.other(minute(0)).is_none(), "refused again and again");
}

#[test]
fn a_bucket_is_served_by_its_own_account() {
    let world = World::with("default", None);
    let Some(DefaultSettings { source, .. }) = world.settings.default.clone() else { panic!() };
    let other = world.folder.path().join("other");
    write(&other, "other");
    let account = AccountSettings {
        app_id: "1".parse().unwrap(),
        source: SourceSettings::File(FileSettings { path: other, previous: None }),
    };
    let id = |settings: &Settings, bucket: &str| {
        let credentials = Credentials::load(settings, None, minute(0)).unwrap();
        let chosen = credentials.keys_for(&bucket.parse().unwrap(), minute(0));
        chosen.map(|chosen| chosen.keys().keys().secret_id().to_owned())
    };
    let all = Settings { accounts: vec![account.clone()], ..world.settings.clone() };
    assert_eq!([id(&all, "a-1"), id(&all, "a-2")], [Ok("other".to_owned()), Ok("default".to_owned())]);
    let none = Settings { default: None, ..all.clone() };
    assert_eq!([id(&none, "a-1"), id(&none, "a-2")], [Ok("other".to_owned()), Err(NoKeys::OtherAccount)]);
    let bound = DefaultSettings { source, app_ids: vec!["3".parse().unwrap()] };
    let bound = Settings { default: Some(bound), ..all };
    assert_eq!([id(&bound, "a-3"), id(&bound, "a-2")], [Ok("default".to_owned()), Err(NoKeys::OtherAccount)]);
}

#[tokio::test]
async fn an_account_that_is_heard_of_never_keeps_the_process_from_being_ready_and_its_work_ends_with_it() {
    let mut world = World::with("one", None);
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let waits = CommandSettings {
        program: "cat".into(),
        arguments: vec![pipe.display().to_string()],
        time: Duration::from_secs(60),
    };
    let account = AccountSettings { app_id: "1".parse().unwrap(), source: SourceSettings::Command(waits) };
    world.settings.accounts.push(account);
    let mut credentials = Credentials::load(&world.settings, Some(&world.credentials), minute(0)).unwrap();
    credentials.begin(minute(0));
    let missing = credentials.missing(minute(0)).unwrap();
    assert_eq!(missing.account, "1");
    assert!(missing.to_string().contains("has not answered yet (account 1, since 2027-01-15T08:00:00Z)"), "{missing}");
    // Who writes into a pipe waits for its reader.
    tokio::task::spawn_blocking(move || std::fs::write(&pipe, "nothing").unwrap());
    while credentials.missing(minute(0)).is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let states = credentials.states(minute(0), Duration::ZERO);
    assert!(states[0].missing.as_ref().is_some_and(|why| why.contains("no JSON of keys")), "{states:?}");
    let Entry { account, .. } = credentials.entries.remove(0);
    let keyring = Arc::clone(account.keyring());
    drop((account, credentials));
    while std::sync::Arc::strong_count(&keyring) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The settings of an account whose keys this script prints.
fn printed_by(script: &str) -> Settings {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    let command = CommandSettings { program: "/bin/sh".into(), arguments, time: Duration::from_secs(60) };
    let default = DefaultSettings { source: SourceSettings::Command(command), app_ids: Vec::new() };
    Settings { default: Some(default), accounts: Vec::new() }
}

#[tokio::test]
async fn another_source_of_an_account_takes_over_when_it_gives_keys_and_not_before() {
    let mut world = World::with("one", None);
    let before = world.choose(minute(0)).keys().clone();
    before.is_refused(KeyRefusal::UnknownId, minute(0));
    // Each is asked once, by hand.
    for (script, problem) in
        [("exit 1", true), ("echo '{\"SecretId\": \"two\", \"SecretKey\": \"secret-two\"}'", false)]
    {
        world.settings = printed_by(script);
        world.credentials = Credentials::load(&world.settings, Some(&world.credentials), minute(1)).unwrap();
        assert_eq!((world.ids(minute(1)), world.credentials.missing(minute(1))), (("one".to_owned(), None), None));
        world.credentials.ask_once().await;
        let state = world.credentials.states(minute(1), Duration::ZERO).remove(0);
        assert_eq!((state.problem.is_some(), state.missing), (problem, None));
    }
    assert_eq!(world.ids(minute(2)), pair("two", "one"));
    assert_eq!(world.choose(minute(2)).keys().number(), before.number() + 1);
    let state = world.credentials.states(minute(2), Duration::ZERO).remove(0);
    assert_eq!((state.source, state.refreshes, state.failed_refreshes, state.refusals), ("command", 2, 1, 1));
}

#[test]
fn another_file_of_an_account_is_a_new_generation_too() {
    let mut world = World::with("one", None);
    let other = world.folder.path().join("other");
    write(&other, "two");
    let source = SourceSettings::File(FileSettings { path: other, previous: None });
    world.settings.default = Some(DefaultSettings { source, app_ids: Vec::new() });
    world.credentials = Credentials::load(&world.settings, Some(&world.credentials), minute(1)).unwrap();
    assert_eq!(world.ids(minute(1)), pair("two", "one"));
}

#[test]
fn an_environment_without_keys_is_no_mistake_and_says_what_is_missing() {
    let default = DefaultSettings { source: SourceSettings::Environment, app_ids: Vec::new() };
    let settings = Settings { default: Some(default), accounts: Vec::new() };
    let none = Credentials::load(&settings, None, minute(0)).unwrap();
    assert!(none.missing(minute(0)).unwrap().why.what().contains("TENCENTCLOUD_SECRET_ID"));
    assert_eq!(none.keys_for(&"a-1".parse().unwrap(), minute(0)).unwrap_err(), NoKeys::Unavailable);
}

#[test]
fn nothing_that_is_told_holds_a_part_of_the_keys() {
    let world = World::with("marker", Some("marked"));
    let told = serde_json::to_string(&world.credentials.states(minute(0), Duration::ZERO)).unwrap();
    let told = format!("{told} {:?}", world.credentials);
    assert!(!told.contains("marker") && !told.contains("marked") && !told.contains("secret-"), "{told}");
}
