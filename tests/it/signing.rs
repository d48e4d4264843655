//! `sign` and `verify`: the same numbers as the official SDKs, and the stage that differs named.

use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::process::{Ended, Folder, Process, program};

/// What the SDKs computed, each with its keys.
fn vectors() -> Vec<Value> {
    let text = include_str!("../vectors/signing.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap().clone();
    assert!(vectors.len() >= 19, "only {} vectors", vectors.len());
    vectors
}

/// The one with this name.
fn vector(name: &str) -> Value {
    vectors().into_iter().find(|vector| vector["name"] == name).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The input of `sign`.
fn to_sign(vector: &Value) -> Value {
    let names: Vec<&String> = vector["signed_headers"].as_object().unwrap().keys().collect();
    json!({
        "method": vector["method"], "path": vector["path"], "params": vector["params"],
        "headers": vector["headers"], "key_time": vector["key_time"], "signed_headers": names,
    })
}

/// The input of `verify`: the same with the signature in its header.
fn to_verify(vector: &Value) -> Value {
    let mut request = to_sign(vector);
    request["headers"]["authorization"] = vector["authorization"].clone();
    request
}

/// The command with the keys of `vector`.
fn with_keys(arguments: &[&str], vector: &Value) -> Command {
    let mut command = program(arguments);
    command.env("TENCENTCLOUD_SECRET_ID", text(vector, "secret_id"));
    command.env("TENCENTCLOUD_SECRET_KEY", text(vector, "secret_key"));
    command
}

/// Gives `input` to `command`; whatever comes of it, the secret key is not in what is said.
fn said(command: Command, input: &str) -> Ended {
    let secret = command.get_envs().find(|(name, _)| *name == "TENCENTCLOUD_SECRET_KEY").and_then(|(_, value)| value);
    let secret = secret.map(|value| value.to_str().unwrap().trim().to_owned());
    let ended = Process::with_input(command, input).ended();
    if let Some(secret) = secret {
        assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret), "{ended:#?}");
    }
    ended
}

fn verify(vector: &Value, request: &Value) -> Ended {
    said(with_keys(&["verify", "--json", "--request", "-"], vector), &request.to_string())
}

/// Panics unless `verify` says no to `request`, and names `stage`.
#[track_caller]
fn assert_differs(vector: &Value, request: &Value, stage: &str) {
    let ended = verify(vector, request).expect(2);
    let verdict: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&verdict["verifies"], &verdict["stage"]), (&json!(false), &json!(stage)), "{request}: {verdict}");
    assert_ne!(verdict["expected"], verdict["found"], "{verdict}");
    assert!(text(&verdict, "hint").len() > 10, "{verdict}");
}

#[test]
fn sign_gives_every_stage_that_the_official_sdks_give() {
    let folder = Folder::without_cloud();
    for vector in vectors() {
        let input = to_sign(&vector).to_string();
        folder.write("request.json", &input);
        for (file, input) in [("-", input.as_str()), (folder.path_text("request.json").as_str(), "")] {
            let ended = said(with_keys(&["sign", "--request", file], &vector), input).expect(0);
            assert_eq!(ended.stderr, "");
            let stages: Map<String, Value> = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(stages.len(), 4, "{stages:?}");
            for stage in ["http_string", "string_to_sign", "signature", "authorization"] {
                assert_eq!(stages[stage], vector[stage], "{}: {stage}", vector["name"]);
            }
        }
    }
}

#[test]
fn verify_agrees_with_every_signature_of_the_official_sdks() {
    let folder = Folder::without_cloud();
    for vector in vectors() {
        let mut request = to_verify(&vector);
        let printed = verify(&vector, &request).expect(0).stdout;
        // The windows of the vectors are long over, which is a note and no verdict.
        assert!(
            printed.starts_with("{\"verifies\":true,\"notes\":[\"") && printed.contains("window ended"),
            "{printed}"
        );
        // The window and the names of the headers stand in the header itself, and stages may be given to compare.
        let parts = request.as_object_mut().unwrap();
        parts.retain(|name, _| name != "key_time" && name != "signed_headers");
        for stage in ["http_string", "string_to_sign", "signature"] {
            parts.insert(stage.to_owned(), vector[stage].clone());
        }
        folder.write("request.json", &request.to_string());
        let ended = said(with_keys(&["verify", "--request", &folder.path_text("request.json")], &vector), "").expect(0);
        assert!(ended.stdout.starts_with("verifies: every stage agrees\n"), "{}", ended.stdout);
    }
}

#[test]
fn verify_says_no_to_every_change_of_a_signed_request() {
    let mut tried = 0;
    for vector in vectors() {
        let request = to_verify(&vector);
        for (changed, stage) in changes(&vector, &request) {
            assert_differs(&vector, &changed, stage);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} changes");
}

/// `request` with one thing changed at a time, and the first stage in which that shows.
fn changes(vector: &Value, request: &Value) -> Vec<(Value, &'static str)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = request.clone();
        change(&mut changed);
        changed
    };
    let mut changes = vec![
        (with(&|request| request["method"] = json!("PATCH")), "signature"),
        (with(&|request| request["path"] = json!("/other")), "signature"),
        (with(&|request| request["key_time"] = json!("1;2")), "key_time"),
        (with(&|request| request["params"]["one-more"] = json!("")), "url_param_list"),
        (with(&|request| request["signed_headers"] = json!(["another"])), "header_list"),
    ];
    // Given the HttpString as the cloud saw it, the difference shows where it is.
    for (part, value) in [("method", "PATCH"), ("path", "/other")] {
        let changed = with(&|request| {
            request[part] = json!(value);
            request["http_string"] = vector["http_string"].clone();
        });
        changes.push((changed, "http_string"));
    }
    if let Some(name) = vector["params"].as_object().unwrap().keys().next() {
        changes.push((with(&|request| request["params"][name] = json!("changed")), "signature"));
        changes.push((without(request, "params", name), "url_param_list"));
    }
    if let Some(name) = vector["signed_headers"].as_object().unwrap().keys().next() {
        changes.push((with(&|request| request["headers"][name] = json!("changed")), "signature"));
        changes.push((without(request, "headers", name), "header_list"));
    }
    changes
}

fn without(request: &Value, part: &str, name: &str) -> Value {
    let mut changed = request.clone();
    changed[part].as_object_mut().unwrap().remove(name).unwrap();
    changed
}

#[test]
fn verify_says_no_to_another_key_and_to_a_changed_authorization() {
    let right = vector("ci-post-asrbucket-len-type-host");
    let request = to_verify(&right);
    for (key, value, stage) in
        [("secret_key", "another-secret-key", "signature"), ("secret_id", "AKIDOFSOMEBODYELSE", "secret_id")]
    {
        let mut other = right.clone();
        other[key] = json!(value);
        assert_differs(&other, &request, stage);
    }
    let signature = text(&right, "signature");
    for (old, new, stage) in [
        (signature, "0000000000000000000000000000000000000000", "signature"),
        ("q-header-list=content-length;", "q-header-list=", "header_list"),
        ("q-url-param-list=", "q-url-param-list=page", "url_param_list"),
        ("q-sign-algorithm=sha1", "q-sign-algorithm=md5", "authorization"),
        ("q-signature", "q-sig", "authorization"),
        ("q-sign-time=", "q-sign-time=1", "authorization"),
    ] {
        let header = text(&right, "authorization");
        assert!(header.contains(old), "{old}");
        let mut changed = request.clone();
        changed["headers"]["authorization"] = json!(header.replacen(old, new, 1));
        assert_differs(&right, &changed, stage);
    }
    // Nothing but the lower-case name of the header matters, and no header at all verifies nothing.
    assert_differs(&right, &to_sign(&right), "authorization");
    let mut upper = to_sign(&right);
    upper["headers"]["Authorization"] = right["authorization"].clone();
    verify(&right, &upper).expect(0);
}

#[test]
fn verify_tells_people_the_stage_and_what_to_look_at() {
    let vector = vector("ci-post-asrbucket-host-only");
    let mut request = to_verify(&vector);
    request["path"] = json!("/docbucket");
    let ended = said(with_keys(&["verify", "--request", "-"], &vector), &request.to_string()).expect(2);
    assert!(ended.stdout.starts_with("does not verify: the stage `signature` differs\n"), "{ended:?}");
    assert!(ended.stdout.contains(text(&vector, "signature")) && ended.stdout.contains("hint"), "{ended:?}");
    assert!(!ended.stdout.contains('\x1b') && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_request_that_cannot_be_read_is_bad_usage_and_the_message_says_how_to_write_it() {
    let vector = vector("ci-post-asrbucket-host-only");
    let good = to_sign(&vector);
    let with = |name: &str, value: Value| {
        let mut request = good.clone();
        request[name] = value;
        request.to_string()
    };
    for (input, told) in [
        (String::new(), r#"it looks like {"method""#),
        ("POST /asrbucket".to_owned(), r#"it looks like {"method""#),
        ("[]".to_owned(), r#"it looks like {"method""#),
        (without(&json!({ "r": good.clone() }), "r", "method")["r"].to_string(), "missing field `method`"),
        (with("methdo", json!("POST")), "unknown field `methdo`"),
        (with("headers", json!(["host"])), r#"it looks like {"method""#),
        (with("params", json!({ "pageNumber": 1 })), r#"it looks like {"method""#),
        (with("path", json!("asrbucket")), "the path must begin with `/`"),
        (with("path", json!("/a\nb")), "hold no line end"),
        (with("method", json!("PO ST")), "the method must be letters"),
        (with("key_time", json!(null)), r#"write it as `"<start>;<end>"`"#),
        (with("key_time", json!("2;1")), "the start before the end"),
        (with("key_time", json!("soon")), "in Unix seconds"),
        (with("signed_headers", json!(["x-not-there"])), "which `headers` does not hold"),
        (with("params", json!({ "": "x" })), "a parameter has no name"),
    ] {
        let ended = said(with_keys(&["sign", "--request", "-"], &vector), &input).expect(64);
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with("ci-gateway: "), "{input}: {ended:?}");
        assert!(ended.stderr.contains(told), "{told:?} for {input}: {ended:?}");
    }
    let nowhere = said(with_keys(&["sign", "--request", "/nowhere/request.json"], &vector), "").expect(64);
    assert!(nowhere.stderr.contains("`/nowhere/request.json` cannot be read"), "{nowhere:?}");
    let usage = said(with_keys(&["sign"], &vector), "").expect(64);
    assert!(usage.stderr.contains("--request <FILE>"), "{usage:?}");
}

#[test]
fn what_stands_twice_is_refused_because_its_signature_is_not_defined() {
    let vector = vector("ci-post-asrbucket-nothing-signed");
    let request = |part: &str| format!(r#"{{"method":"POST","path":"/a","key_time":"1;2",{part}}}"#);
    for part in [
        r#""params":{"a":"1","a":"2"}"#,
        r#""params":{"a":"1","A":"1"}"#,
        r#""headers":{"host":"a","host":"a"}"#,
        r#""headers":{"Host":"a","host":"b"},"signed_headers":["host"]"#,
    ] {
        for command in ["sign", "verify"] {
            let mut input = request(part);
            if command == "verify" {
                input = input.replacen("{", &format!(r#"{{"authorization":{},"#, authorization_over(part)), 1);
            }
            let ended = said(with_keys(&[command, "--request", "-"], &vector), &input).expect(64);
            assert!(ended.stderr.contains("stands twice") && ended.stdout.is_empty(), "{input}: {ended:?}");
        }
    }
    let twice = request(r#""method":"GET""#);
    let ended = said(with_keys(&["sign", "--request", "-"], &vector), &twice).expect(64);
    assert!(ended.stderr.contains("duplicate field `method`"), "{ended:?}");
}

/// A header whose lists agree with `part`, so that the duplicate itself is what is found.
fn authorization_over(part: &str) -> Value {
    let (params, headers) = if part.contains("params") { ("a;a", "") } else { ("", "host") };
    json!(format!(
        "q-sign-algorithm=sha1&q-ak={}&q-sign-time=1;2&q-key-time=1;2&q-header-list={headers}&q-url-param-list={params}\
         &q-signature={}",
        text(&vector("ci-post-asrbucket-nothing-signed"), "secret_id"),
        "0".repeat(40),
    ))
}

#[test]
fn without_usable_keys_nothing_is_signed_and_the_variable_is_named() {
    let vector = vector("ci-post-asrbucket-host-only");
    let input = to_sign(&vector).to_string();
    for command in ["sign", "verify"] {
        let ended = said(program(&[command, "--request", "-"]), &input).expect(64);
        assert!(ended.stderr.contains("the variable TENCENTCLOUD_SECRET_ID is not set"), "{ended:?}");
        for secret in ["", " marker-with-blanks ", "marker\nmarker", "ключ"] {
            let mut keys = with_keys(&[command, "--request", "-"], &vector);
            keys.env("TENCENTCLOUD_SECRET_KEY", secret);
            let ended = Process::with_input(keys, &input).ended().expect(64);
            assert!(ended.stderr.contains("TENCENTCLOUD_SECRET_KEY") && ended.stdout.is_empty(), "{ended:?}");
            assert!(!ended.stderr.contains("marker") && !ended.stderr.contains("ключ"), "{ended:?}");
        }
    }
}
