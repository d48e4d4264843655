//! The rules of `docs/architecture.md`, held against the sources: who may name whom, what is pure, what stands in one
//! place only. Each rule is a function from sources to what breaks it, and is also shown something that does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::allow_attributes,
    reason = "tests may be blunt"
)]

#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::{Source, sources};

/// From left to right: a room names only rooms further right. Those of one entry do not name each other.
const ORDER: [&[&str]; 10] = [
    &["cli"],
    &["config"],
    &["server"],
    &["api"],
    &["auth", "audit", "policy", "upstream", "telemetry"],
    &["ci"],
    &["signing"],
    &["credentials"],
    &["outgoing"],
    &["domain"],
];
/// Apart from the order: only the command line starts it, and it knows the nouns alone.
const APART: &str = "stand_in";
const PURE: [&str; 4] = ["domain", "policy", "signing", "ci"];
const READERS_OF_THE_ENVIRONMENT: [&str; 3] =
    ["src/config/", "src/credentials/source/environment.rs", "src/cli/stand_in.rs"];
const SAY_NOTHING: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "types", "mod"];
const MOST_LINES: usize = 400;

type Rule = fn(&[Source]) -> Vec<String>;

#[track_caller]
fn assert_holds(rule: Rule) {
    let broken = rule(&sources());
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// That `rule` sees what is wrong in a file with this text, at this line.
#[track_caller]
fn assert_sees(rule: Rule, path: &str, text: &str, line: usize) {
    let broken = rule(&[Source::new(path, text)]);
    let place = format!("{path}:{line}: ");
    assert!(broken.len() == 1 && broken[0].starts_with(&place), "{text:?} at {path}: {broken:?}");
}

#[track_caller]
fn assert_lets_pass(rule: Rule, path: &str, text: &str) {
    let broken = rule(&[Source::new(path, text)]);
    assert!(broken.is_empty(), "{text:?} at {path}: {broken:?}");
}

fn rank(room: &str) -> Option<usize> {
    ORDER.iter().position(|rooms| rooms.contains(&room))
}

fn may_name(from: &str, to: &str) -> bool {
    match (rank(from), rank(to)) {
        _ if from == to => true,
        // The permit is what an intent is made of.
        _ if (from, to) == ("audit", "policy") => true,
        (Some(from), Some(to)) => from < to,
        (Some(_), None) => from == "cli" && to == APART,
        (None, Some(_)) => from == APART && to == "domain",
        (None, None) => false,
    }
}

fn arrows(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let Some(room) = source.room() else { continue };
        for (line, named) in source.rooms_named() {
            if !may_name(room, &named) {
                broken.push(format!("{}:{line}: `{room}` may not name `{named}`", source.path()));
            }
        }
    }
    broken
}

#[test]
fn a_room_names_only_those_to_its_right() {
    assert_holds(arrows);
}

#[test]
fn a_room_that_names_one_to_its_left_is_seen() {
    for (path, text, line) in [
        ("src/signing/key.rs", "use crate::server::Drain;", 1),
        ("src/domain.rs", "fn f() {\n    crate::ci::host();\n}", 2),
        ("src/ci.rs", "use crate::{\n    domain::Bucket,\n    api::{Api, Line},\n};", 3),
        ("src/policy/rules.rs", "use crate::auth;", 1),
        ("src/policy.rs", "use crate::audit;", 1),
        ("src/server/tls.rs", "use crate::config::Server;", 1),
        ("src/config.rs", "use crate::cli;", 1),
        ("src/stand_in/verify.rs", "use crate::signing::Stages;", 1),
        ("src/upstream.rs", "use crate::stand_in::StandIn;", 1),
        ("src/ci/host.rs", "use super::super::api;", 1),
        ("src/ci.rs", "use super::{domain, upstream};", 1),
        ("src/ci.rs", "use crate::*;", 1),
        ("src/signing.rs", "#[cfg(test)]\nuse crate::api;\nuse crate::server;", 3),
    ] {
        assert_sees(arrows, path, text, line);
    }
    for (path, text) in [
        ("src/audit.rs", "use crate::policy::Permit;"),
        ("src/cli/dev.rs", "use crate::stand_in::StandIn;\nuse crate::{api, domain};"),
        ("src/api/line.rs", "use super::error;\nuse crate::api::route;"),
        ("src/ci/request.rs", "// use crate::server;\n/// [`crate::api`]\nconst A: &str = \"crate::api\";"),
        ("src/signing.rs", "#[cfg(test)]\nmod tests {\n    use crate::server;\n}"),
        ("src/domain.rs", "pub(crate) struct A;\nuse crate::domain::B;"),
    ] {
        assert_lets_pass(arrows, path, text);
    }
}

/// No I/O, no clock, no environment, no chance, no waiting.
fn purity(sources: &[Source]) -> Vec<String> {
    const OF_STD: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];
    const WORDS: [&str; 8] = ["tokio", "SystemTime", "Instant", "async", "await", "getrandom", "hyper", "tracing"];
    let mut broken = Vec::new();
    for source in sources.iter().filter(|source| source.room().is_some_and(|room| PURE.contains(&room))) {
        let of_std = source.names_in("std").into_iter().filter(|(_, name)| OF_STD.contains(&name.as_str()));
        let words = WORDS.iter().flat_map(|word| source.lines_with_word(word).map(|line| (line, (*word).to_owned())));
        let clocks = source.lines_with("::now(").map(|line| (line, "::now()".to_owned()));
        for (line, what) in of_std.chain(words).chain(clocks) {
            broken.push(format!("{}:{line}: `{what}` in a pure room", source.path()));
        }
    }
    broken
}

#[test]
fn domain_policy_signing_and_ci_do_nothing_but_compute() {
    assert_holds(purity);
}

#[test]
fn what_is_not_pure_is_seen() {
    for text in [
        "use std::fs::File;",
        "use std::{net::IpAddr, fmt};",
        "fn f() -> T { std::env::var(\"A\") }",
        "use tokio::time::sleep;",
        "fn f() -> Timestamp { jiff::Timestamp::now() }",
        "use std::time::SystemTime;",
        "use std::time::Instant;",
        "pub async fn f() {}",
    ] {
        for room in PURE {
            assert_sees(purity, &format!("src/{room}/x.rs"), text, 1);
        }
        assert_lets_pass(purity, "src/upstream/x.rs", text);
    }
    let fine = "use std::fmt;\n// std::fs and Timestamp::now()\nfn instant(async_: &str) -> std::time::Duration {}";
    assert_lets_pass(purity, "src/ci/x.rs", fine);
}

fn environment(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        if READERS_OF_THE_ENVIRONMENT.iter().any(|reader| source.path().starts_with(reader)) {
            continue;
        }
        for (line, _) in source.names_in("std").into_iter().filter(|(_, name)| name == "env") {
            broken.push(format!("{}:{line}: only {READERS_OF_THE_ENVIRONMENT:?} read the environment", source.path()));
        }
    }
    broken
}

#[test]
fn the_environment_is_read_in_three_places() {
    assert_holds(environment);
    assert_sees(environment, "src/server.rs", "\nuse std::env;", 2);
    assert_sees(environment, "src/credentials/keys.rs", "fn f() { std::env::var_os(X) }", 1);
    assert_lets_pass(environment, "src/config/environment.rs", "use std::env;");
    assert_lets_pass(environment, "src/api.rs", "const A: &str = env!(\"CARGO_PKG_NAME\");");
}

/// The file whose one function may; the compiler keeps all others out, as `expose` is private.
const READER_OF_THE_SECRET_KEY: &str = "src/credentials/keys.rs";

/// Says where each place is but the one that may.
fn exposures(sources: &[Source]) -> Vec<String> {
    let elsewhere = sources.iter().filter(|source| source.path() != READER_OF_THE_SECRET_KEY);
    let lines = |source: &Source| -> Vec<String> {
        let place = |line| format!("{}:{line}: only {READER_OF_THE_SECRET_KEY} reads a SecretKey", source.path());
        source.lines_with(".expose()").chain(source.lines_with("::expose")).map(place).collect()
    };
    elsewhere.flat_map(lines).collect()
}

#[test]
fn the_secret_key_is_read_in_one_place() {
    assert_holds(exposures);
    let sources = sources();
    let reader = sources.iter().find(|source| source.path() == READER_OF_THE_SECRET_KEY).unwrap();
    assert_eq!(reader.lines_with(".expose()").count(), 1);
    assert_eq!(reader.lines_with("    fn expose(&self)").count(), 1, "it is private");
    assert_sees(exposures, "src/cli/sign.rs", "fn f(key: &SecretKey) {\n    key.expose();\n}", 2);
    assert_sees(exposures, "src/cli/sign.rs", "map(SecretKey::expose)", 1);
}

fn unsafety(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| -> Vec<String> {
        source.lines_with_word("unsafe").map(|line| format!("{}:{line}: `unsafe`", source.path())).collect()
    };
    sources.iter().flat_map(lines).collect()
}

#[test]
fn nothing_is_unsafe() {
    assert_holds(unsafety);
    assert_sees(unsafety, "src/a.rs", "fn f() {\n    unsafe { g() }\n}", 2);
    assert_lets_pass(unsafety, "src/a.rs", "let unsafe_endpoint = \"unsafe\"; // unsafe");
}

fn length(sources: &[Source]) -> Vec<String> {
    let too_long = sources.iter().filter(|source| source.lines() > MOST_LINES);
    too_long.map(|source| format!("{}:{}: over {MOST_LINES} lines", source.path(), source.lines())).collect()
}

#[test]
fn no_file_is_longer_than_one_can_keep_in_mind() {
    assert_holds(length);
    let sources = sources();
    let longest = sources.iter().max_by_key(|source| source.lines()).unwrap();
    println!("the longest file without its tests is {} with {} lines", longest.path(), longest.lines());
    assert_sees(length, "src/a.rs", &"fn f() {}\n".repeat(MOST_LINES + 1), MOST_LINES + 1);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(MOST_LINES));
    assert_lets_pass(length, "src/a.rs", &tested);
}

fn names(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let said = |name: &str| SAY_NOTHING.contains(&name);
        if source.path().trim_end_matches(".rs").split('/').any(said) {
            broken.push(format!("{}:1: a name that says nothing", source.path()));
        }
        for (line, name) in source.modules().into_iter().filter(|(_, name)| said(name)) {
            broken.push(format!("{}:{line}: `{name}` says nothing", source.path()));
        }
    }
    broken
}

#[test]
fn every_module_has_a_name_that_says_something() {
    assert_holds(names);
    assert_sees(names, "src/api/utils.rs", "", 1);
    assert_sees(names, "src/api/mod.rs", "", 1);
    assert_sees(names, "src/api.rs", "mod line;\npub(crate) mod helpers;", 2);
    assert_sees(names, "src/api.rs", "mod common { fn f() {} }", 1);
}

/// The rooms that a library's root declares, in its order.
fn declared(root: &Source) -> Vec<String> {
    root.modules().into_iter().map(|(_, name)| name).collect()
}

#[test]
fn the_rooms_are_those_of_the_plan_in_its_order_and_each_is_there() {
    let rooms: Vec<&str> = ORDER.iter().flat_map(|rooms| rooms.iter().copied()).chain([APART]).collect();
    let sources = sources();
    let root = sources.iter().find(|source| source.path() == "src/lib.rs").unwrap();
    assert_eq!(declared(root), rooms);
    let here: BTreeSet<&str> = sources.iter().filter_map(Source::room).collect();
    assert_eq!(here, rooms.iter().copied().collect());
    let plan = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for room in rooms {
        assert!(sources.iter().any(|source| source.path() == format!("src/{room}.rs")), "src/{room}.rs is missing");
        assert!(plan.contains(&format!("`{room}`")), "docs/architecture.md does not know `{room}`");
    }
    assert_eq!(declared(&Source::new("src/lib.rs", "pub mod a;\n#[cfg(test)]\nmod b;\nmod c;")), ["a", "c"]);
}

#[test]
fn the_main_function_hands_over_to_the_command_line_and_knows_nothing_else() {
    let sources = sources();
    let main = sources.iter().find(|source| source.path() == "src/main.rs").unwrap();
    let named: Vec<String> = main.names_in("ci_gateway").into_iter().map(|(_, name)| name).collect();
    assert_eq!(named, ["cli"]);
}
