//! `default.toml` documents exactly the keys that there are, and the samples are real.

use std::collections::BTreeSet;

use ::config::ValueKind;

use super::*;
use crate::auth::{KeySource, Profile};
use crate::credentials::SourceSettings;

/// `default.toml` with every commented-out key set: lines `#key = value`, `#[table]` and `#[[list]]`.
fn all_keys_set() -> String {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    DEFAULT.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// The paths of all values, entries without their number.
fn paths(values: &Map<String, Value>, table: &str, found: &mut BTreeSet<String>) {
    for (key, value) in values {
        let path = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
        match &value.kind {
            ValueKind::Table(values) => paths(values, &path, found),
            ValueKind::Array(entries) => {
                for entry in entries {
                    if let ValueKind::Table(values) = &entry.kind {
                        paths(values, &format!("{path}[]"), found);
                    } else {
                        found.insert(path.clone());
                    }
                }
                // An empty list is a list of plain values.
                if entries.is_empty() {
                    found.insert(path);
                }
            }
            _ => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn each_documented_key_is_known_and_each_known_key_is_documented() {
    let text = all_keys_set();
    let document = document::read(&text, "default.toml").unwrap();
    let mut documented = BTreeSet::new();
    paths(&document.values, "", &mut documented);

    let origins = Origins::default();
    let reader = Reader::new(&origins, Path::new(""));
    interpret(&reader, &document.values, &text, &origins);
    assert_eq!(documented, reader.known_values());
}

#[test]
fn every_key_has_a_comment_above_it() {
    let mut commented = false;
    for line in DEFAULT.lines() {
        let is_prose = line.strip_prefix('#').is_some_and(|rest| rest.starts_with(' '));
        let is_key = line.trim_start_matches('#').split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        // The keys of an entry of ci.buckets explain each other.
        assert!(!is_key || commented || line.contains("name =") || line.contains("region ="), "{line}");
        commented = is_prose;
    }
}

#[test]
fn the_defaults_need_only_what_nobody_else_can_know() {
    let missing: Vec<_> = parse("").unwrap_err().into_vec();
    let missing: Vec<_> = missing.iter().map(Mistake::what).collect();
    assert_eq!(missing, ["`auth.jwt` is missing", "`policy.file` is missing"]);
}

#[test]
fn an_entry_without_its_optional_keys_means_what_the_documentation_says() {
    let entry = all_keys_set();
    let entry = document::read(&entry, "default.toml").unwrap();
    let documented = |key: &str| {
        let ValueKind::Table(auth) = &entry.values["auth"].kind else { panic!() };
        let ValueKind::Array(entries) = &auth["jwt"].kind else { panic!() };
        let ValueKind::Table(entry) = &entries[0].kind else { panic!() };
        entry[key].clone().into_string().unwrap()
    };
    let issuer = parse(LEAST).unwrap().auth.issuers.remove(0);
    assert_eq!(issuer.user_claim, documented("user_claim"));
    assert_eq!(issuer.groups_claim, documented("groups_claim"));
    assert_eq!(units::show_duration(issuer.leeway), documented("leeway"));
    assert_eq!(issuer.prefix, documented("prefix"));
    assert_eq!((issuer.profile, documented("profile").as_str()), (Profile::Jwt, "jwt"));
    assert_eq!(issuer.required_scope, None);
    let fetched = parse(&LEAST.replace("jwks_file = 'keys.json'", "jwks_url = 'https://i/k'")).unwrap();
    let KeySource::JwksUrl(fetched) = &fetched.auth.issuers[0].keys else { panic!() };
    assert_eq!(units::show_duration(fetched.refresh), documented("jwks_refresh"));
    assert_eq!(units::show_duration(fetched.max_age), documented("jwks_max_age"));
    assert_eq!(fetched.ca_file, None);
}

#[test]
fn a_source_without_its_optional_keys_means_what_the_documentation_says() {
    let entry = all_keys_set();
    let entry = document::read(&entry, "default.toml").unwrap();
    let ValueKind::Table(documented) = &entry.values["credentials"].kind else { panic!() };
    let documented = |key: &str| documented[key].clone().into_string().unwrap();
    let parsed = parse(&format!("{LEAST}[credentials]\nsource = 'command'\ncommand = ['keys']\n")).unwrap();
    let SourceSettings::Command(command) = parsed.credentials.default.unwrap().source else { panic!() };
    assert_eq!(units::show_duration(command.time), documented("command_timeout"));
    assert_eq!((command.program.to_str(), command.arguments.len()), (Some("keys"), 0));
}

#[test]
fn the_documented_conflicts_are_the_only_mistakes_when_every_key_is_set() {
    let mistakes = parse(&all_keys_set()).unwrap_err().into_vec();
    // Each source has keys of its own.
    let is_of_another_source = |mistake: &&Mistake| mistake.what().contains("is set, and source is `");
    assert_eq!(mistakes.iter().filter(is_of_another_source).count(), 15 + 13);
    let others = mistakes.iter().filter(|mistake| !is_of_another_source(mistake));
    let about: Vec<_> = others.map(|mistake| mistake.what().split('`').nth(1).unwrap_or_default()).collect();
    let expected = ["auth.jwt[0].secret_file", "auth.jwt[0].jwks_url", "telemetry.otlp_endpoint"];
    assert_eq!(about.iter().collect::<BTreeSet<_>>(), expected.iter().collect(), "{mistakes:?}");
}

#[test]
fn the_sample_is_valid_and_holds_no_secret() {
    let sample = include_str!("../../../config/example.toml");
    let config = Config::parse(sample, "example.toml", Path::new("config"), std::iter::empty()).unwrap();
    assert_eq!(config.auth.issuers.len(), 2);
    assert_eq!(config.policy_file, Path::new("config/policy.json"));
    for word in ["secret_key", "secret_id", "AKID", "BEGIN"] {
        assert!(!sample.contains(word), "{word}");
    }
}
