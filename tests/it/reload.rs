//! Reloads: a good one is in force for the next request, a bad one changes nothing, and none costs a request.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ci_gateway::stand_in::KnownKey;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::support::process::{Cloud, Folder, SECRET_ID, SECRET_KEY, Served, until, write_with_mode};

const SUCCESS: &str = "config_last_reload_success";
const FAILED: &str = "config_reloads_total{result=\"failed\"}";
const OK: &str = "config_reloads_total{result=\"ok\"}";

#[test]
fn post_reload_puts_a_new_policy_in_force() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let (alice, bob) = (folder.token("alice"), folder.token("bob"));
    served.enable(&alice).expect(200);
    served.enable(&bob).expect(403);

    folder.change("policy.toml", "user:alice", "user:bob");
    served.enable(&alice).expect(200);
    let reloaded = served.reload().expect(200).json();
    assert_eq!((&reloaded["reloaded"], &reloaded["generation"]), (&true.into(), &2.into()));
    served.enable(&alice).expect(403);
    served.enable(&bob).expect(200);
    assert_eq!((served.metric(SUCCESS), served.metric(OK), served.metric(FAILED)), (1, 1, 0));
    assert_eq!(served.admin_get("/reload").expect(405).header("allow"), Some("POST"));
}

#[test]
fn sighup_puts_a_new_policy_in_force_and_a_broken_one_changes_nothing() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    let good = folder.read("policy.toml");

    folder.write("policy.toml", "version = \"2.0\"\n");
    served.process().signal(Signal::HUP);
    until("no reload", || (served.metric(OK) == 1).then_some(()));
    served.enable(&alice).expect(403);

    folder.write("policy.toml", "version = ");
    served.process().signal(Signal::HUP);
    until("no reload", || (served.metric(FAILED) == 1).then_some(()));
    assert_eq!(served.metric(SUCCESS), 0);
    served.enable(&alice).expect(403);

    folder.write("policy.toml", &good);
    served.process().signal(Signal::HUP);
    until("no reload", || (served.metric(OK) == 2).then_some(()));
    assert_eq!((served.metric(SUCCESS), served.metric("config_generation")), (1, 3));
    served.enable(&alice).expect(200);
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    assert!(log.contains("the last good one stays") && log.contains("policy.toml:1"), "{log}");
}

/// A way to break the files of a running gateway, and what is said of it.
struct Break {
    how: fn(&Folder),
    told: &'static str,
}

/// A reload that waited for its writer would be the last one.
fn replace_by_pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn breaks() -> Vec<Break> {
    let of = |how, told| Break { how, told };
    vec![
        // the configuration
        of(|f| f.write("gateway.toml", ""), "is missing"),
        of(|f| f.write("gateway.toml", "[server\n"), "gateway.toml:1: not TOML"),
        of(|f| f.change("gateway.toml", "[policy]", "[polcy]"), "polcy"),
        of(|f| f.change("gateway.toml", "drain_delay = \"0s\"", "drain_delay = 0"), "drain_delay"),
        of(
            |f| f.change("gateway.toml", "drain_delay", "listen = \"127.0.0.1:0\"\ndrain_delay"),
            "gateway.toml:4: not TOML",
        ),
        of(|f| f.change("gateway.toml", "http://127.0.0.1", "http://10.0.0.1"), "unsafe_endpoint = true"),
        of(|f| f.change("gateway.toml", "\"HS256\"", "\"none\""), "is `none`"),
        of(|f| write_with_mode(&f.path("gateway.toml"), b"[server]\n# \xff\n", 0o644), "is not UTF-8"),
        of(|f| f.write("gateway.toml", &"#".repeat(1024 * 1024 + 1)), "is larger than"),
        of(|f| fs::remove_file(f.path("gateway.toml")).unwrap(), "gateway.toml: cannot be read"),
        // the policy
        of(|f| fs::remove_file(f.path("policy.toml")).unwrap(), "policy.toml: the policy cannot be read"),
        of(|f| f.write("policy.toml", "[[statement]\n"), "policy.toml:1"),
        of(|f| f.write("policy.toml", "[[statement]]\n"), "needs its `version`"),
        of(|f| f.change("policy.toml", "ci:*", "ci:Creat"), "ci:Creat"),
        of(|f| f.change("policy.toml", "\"allow\"", "\"Allow\""), "did you mean `allow`?"),
        of(|f| f.change("policy.toml", "user:alice", "alice"), "user:"),
        of(|f| f.change("policy.toml", "qcs::ci:::bucket/prod-*/*", "qcs:ci"), "qcs:ci"),
        of(|f| f.change("policy.toml", "not-in-production", "alice-may"), "alice-may"),
        of(|f| f.change("policy.toml", "effect = \"allow\"\n", ""), "effect"),
        of(
            |f| f.change("policy.toml", "effect = \"allow\"", "condition = { equals = {} }\neffect = \"allow\""),
            "equals",
        ),
        of(|f| write_with_mode(&f.path("policy.toml"), b"# \xff", 0o644), "policy.toml"),
        of(|f| replace_by_pipe(&f.path("policy.toml")), "policy.toml: the policy cannot be read: it is not a regular"),
        of(|f| replace_by_pipe(&f.path("gateway.toml")), "gateway.toml: cannot be read: it is not a regular file"),
        // the secrets
        of(|f| write_with_mode(&f.path("jwt.secret"), f.read("jwt.secret").as_bytes(), 0o604), "its mode 0604"),
        of(|f| f.write_secret("jwt.secret", "short"), "jwt.secret: "),
        of(|f| fs::remove_file(f.path("jwt.secret")).unwrap(), "jwt.secret: cannot be read"),
        of(|f| write_with_mode(&f.path("keys"), f.read("keys").as_bytes(), 0o660), "its mode 0660"),
        of(|f| f.write_secret("keys", ""), "holds neither names with values nor exactly two lines"),
        of(|f| f.write_secret("keys", "secret_id = AKID\n"), "has no `secret_key`"),
        of(|f| f.write_secret("keys", "{\"secretId\": \"AKID\","), "is not the JSON of keys"),
        of(|f| fs::remove_file(f.path("keys")).unwrap(), "keys: cannot be read"),
    ]
}

#[test]
fn every_broken_file_keeps_the_last_good_configuration_in_force() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let (alice, bob) = (folder.token("alice"), folder.token("bob"));
    let names = [("gateway.toml", 0o644), ("policy.toml", 0o644), ("jwt.secret", 0o600), ("keys", 0o600)];
    let good = names.map(|(name, mode)| (folder.path(name), folder.read(name), mode));
    let breaks = breaks();
    assert!(breaks.len() > 20);
    for (n, Break { how, told }) in breaks.iter().enumerate() {
        how(&folder);
        let answer = served.reload().expect(422);
        assert!(
            answer.body.contains("\"reloaded\":false") && answer.body.contains(told),
            "{told:?} in {}",
            answer.body
        );
        assert!(!answer.body.contains(SECRET_KEY), "{answer:?}");
        assert_eq!((served.metric(SUCCESS), served.metric(FAILED)), (0, i64::try_from(n).unwrap() + 1), "{told}");
        served.enable(&alice).expect(200);
        served.enable(&bob).expect(403);
        assert_eq!(served.get("/healthz").expect(200).body, "ready");
        for (path, text, mode) in &good {
            write_with_mode(path, text.as_bytes(), *mode);
        }
    }
    assert_eq!(served.metric("config_generation"), 1);
    served.reload().expect(200);
    assert_eq!((served.metric(SUCCESS), served.metric("config_generation")), (1, 2));
}

#[test]
fn two_hundred_reloads_with_rotating_keys_cost_no_request() {
    const RELOADS: usize = 200;
    const CALLERS: usize = 3;
    let rotated = ("AKIDOFTHEROTATION", "the-rotated-secret-key");
    let keys = [(SECRET_ID, SECRET_KEY), rotated];
    let cloud = Cloud::with_keys(keys.map(|(id, key)| KnownKey::new(id, key, None)).to_vec());
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    served.enable(&alice).expect(200);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for n in 0..RELOADS {
            let (id, key) = keys[n % 2];
            folder.write_secret("keys", &format!("secret_id = {id}\nsecret_key = {key}\n"));
            // Every second one comes as a signal, which may be merged with the next.
            if n % 4 == 1 {
                served.process().signal(Signal::HUP);
            } else {
                served.reload().expect(200);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let made = made.into_inner();
    assert!(made > CALLERS, "only {made} calls");
    assert!(served.metric("config_generation") > 150);
    assert_eq!((served.metric(FAILED), served.metric("panics_total")), (0, 0));
    assert_eq!(cloud.requests().len(), made);
    assert!(cloud.requests().iter().all(|request| request.verified && request.applied));
}

#[test]
fn sections_that_wait_for_a_restart_are_named_and_shown_as_they_are_in_force() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    folder.change(
        "gateway.toml",
        "interval = \"off\"",
        "interval = \"1h\"\n[limits]\nfailed_authentications = \"1/1s\"",
    );
    folder.change("gateway.toml", "[admin]", "trusted_proxies = [\"127.0.0.1\"]\n[admin]");
    let reloaded = served.reload().expect(200).json();
    assert_eq!(reloaded["needs_restart"], serde_json::json!(["server", "limits", "reload"]));
    let shown = served.admin_get("/config").expect(200).json();
    assert_eq!(
        (&shown["reload"]["interval"], &shown["limits"]["failed_authentications"]),
        (&"off".into(), &"off".into())
    );
    assert_eq!(shown["server"]["trusted_proxies"], serde_json::json!([]));
}
