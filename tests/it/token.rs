//! `token`: what it mints a served gateway believes, and what it cannot mint it explains.

use std::fs::File;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use crate::support::process::{
    AUDIENCE, Cloud, Ended, Folder, ISSUER, JWT_SECRET, Served, program, run, write_with_mode,
};

/// `token` for the tests' issuer and audience.
fn token(more: &[&str]) -> Ended {
    run(&[&["token", "--issuer", ISSUER, "--audience", AUDIENCE], more].concat())
}

fn printed(more: &[&str]) -> String {
    let ended = token(more).expect(0);
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1));
    ended.stdout.trim_end().to_owned()
}

#[test]
fn a_token_from_the_shared_secret_is_accepted_and_one_from_another_secret_is_not() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let secret = folder.path_text("jwt.secret");
    let alice = printed(&["--secret-file", &secret, "--caller", "alice"]);
    assert_eq!(served.enable(&alice).expect(200).json()["service"], "smart-audio");

    let bob = printed(&["--secret-file", &secret, "--caller", "bob", "--groups", "a,b"]);
    assert_eq!(served.enable(&bob).refusal(), (403, "forbidden".to_owned(), "not_sent".to_owned()));

    folder.write_secret("other.secret", &JWT_SECRET.replace("shared", "strange"));
    let stranger = printed(&["--secret-file", &folder.path_text("other.secret"), "--caller", "alice"]);
    assert_eq!(served.enable(&stranger).refusal(), (401, "invalid_token".to_owned(), "not_sent".to_owned()));
    assert_eq!(cloud.requests().len(), 1);
}

#[test]
fn groups_in_a_token_are_groups_of_the_policy() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("policy.toml", "\"user:alice\"", "\"group:speech\"");
    let served = Served::from(&folder);
    let token = |groups: &str| {
        printed(&["--secret-file", &folder.path_text("jwt.secret"), "--caller", "carol", "--groups", groups])
    };
    served.enable(&token("video,speech")).expect(200);
    served.enable(&token("video")).expect(403);
}

#[test]
fn a_token_from_a_private_key_is_accepted_by_its_public_half() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    folder.write_secret("key.pem", &pair.serialize_pem());
    let public = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    let set =
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "use": "sig", "x": public }] });
    folder.write("keys.json", &set.to_string());
    folder.change("gateway.toml", "\"HS256\"", "\"EdDSA\"");
    folder.change("gateway.toml", "secret_file = \"jwt.secret\"", "jwks_file = \"keys.json\"");
    let served = Served::from(&folder);
    let key = folder.path_text("key.pem");
    let minted = ["--private-key", &key, "--algorithm", "EdDSA", "--key-id", "k1", "--caller", "alice", "--json"];
    let about: Value = serde_json::from_str(&printed(&minted)).unwrap();
    assert_eq!((&about["caller"], &about["issuer"]), (&json!("alice"), &json!(ISSUER)));
    served.enable(about["token"].as_str().unwrap()).expect(200);
}

#[test]
fn bad_usage_is_64_and_says_what_is_asked_for() {
    let folder = Folder::without_cloud();
    folder.write_secret("short", "too short: marker");
    write_with_mode(&folder.path("open"), JWT_SECRET.as_bytes(), 0o644);
    let (secret, short, open) = (folder.path_text("jwt.secret"), folder.path_text("short"), folder.path_text("open"));
    for (more, told) in [
        (&["--caller", "alice"][..], "--secret-file"),
        (&["--secret-file", &secret], "--caller"),
        (
            &["--secret-file", &secret, "--private-key", "k", "--algorithm", "RS256", "--caller", "a"],
            "cannot be used with",
        ),
        (&["--private-key", &secret, "--caller", "a"], "--algorithm"),
        (&["--private-key", &secret, "--algorithm", "none", "--caller", "a"], "RS256"),
        (&["--private-key", &secret, "--algorithm", "RS256", "--caller", "a"], "PEM"),
        (&["--secret-file", &secret, "--caller", "a", "--lifetime", "soon"], "`30m`, `1h` or `168h`"),
        (&["--secret-file", &secret, "--caller", "a", "--lifetime", "0s"], "from a second to 366 days"),
        (&["--secret-file", &secret, "--caller", "a", "--lifetime", "10000h"], "from a second to 366 days"),
        (&["--secret-file", &secret, "--caller", ""], "caller"),
        (&["--secret-file", &short, "--caller", "a"], "openssl rand -base64 32"),
        (&["--secret-file", &open, "--caller", "a"], "chmod 600"),
        (&["--secret-file", "/nowhere/secret", "--caller", "a"], "/nowhere/secret"),
        (&["--secret", JWT_SECRET, "--caller", "a"], "--secret-file"),
    ] {
        let ended = token(more).expect(64);
        assert!(ended.stdout.is_empty() && ended.stderr.contains(told), "{told:?} for {more:?}: {ended:?}");
        assert!(!ended.stderr.contains("marker"), "{ended:?}");
    }
}

#[test]
fn a_token_that_cannot_be_written_is_a_failure_and_no_panic() {
    let folder = Folder::without_cloud();
    let arguments = ["token", "--issuer", "i", "--audience", "a", "--caller", "c", "--secret-file"];
    let mut command = program(&arguments);
    command.arg(folder.path("jwt.secret")).stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"), "{output:?}");
}
