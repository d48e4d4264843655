//! The README names every code, configuration key and metric that there is.

use ci_gateway::domain::Code;

const README: &str = include_str!("../../README.md");
const KEYS: &str = include_str!("../../config/default.toml");
const METRICS: &str = include_str!("../../src/telemetry/metrics.rs");

fn assert_named(words: impl Iterator<Item = String>, at_least: usize) {
    let words: Vec<String> = words.collect();
    assert!(words.len() >= at_least, "only {words:?}");
    for word in words {
        assert!(README.contains(&format!("`{word}`")), "the README does not name `{word}`");
    }
}

#[test]
fn every_code_stands_in_the_readme() {
    assert_named(Code::ALL.into_iter().map(|code| code.as_str().to_owned()), 23);
}

/// A key is `name = value` or, commented out, `#name = value` without a blank after the `#`.
#[test]
fn every_configuration_key_stands_in_the_readme() {
    let keys = KEYS.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
    let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert_named(keys.map(|(name, _)| name).filter(is_name).map(str::to_owned), 30);
}

/// A metric is declared as `field: Type = "name" details;`.
#[test]
fn every_metric_stands_in_the_readme() {
    let names = METRICS.lines().filter(|line| line.ends_with(';') && line.starts_with("        "));
    let name = |line: &str| Some(line.split_once(" = \"")?.1.split_once('"')?.0.to_owned());
    assert_named(names.filter_map(name), 19);
}
