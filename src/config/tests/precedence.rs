//! Which layer wins, and what a value from each of them becomes.

use super::*;
use crate::api::Rate;
use crate::auth::{Algorithm, KeySource};
use crate::credentials::{DefaultSettings, FileSettings, SourceSettings};

fn env_of(environment: &[(&str, &str)]) -> Config {
    parse_with(LEAST, environment).unwrap()
}

fn default(config: &Config) -> &DefaultSettings {
    config.credentials.default.as_ref().unwrap()
}

#[test]
fn a_small_file_is_filled_up_with_the_defaults() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.listener.max_connections, 1024);
    assert_eq!(config.server.listener.tls, None);
    assert_eq!(config.server.request_timeout, Duration::from_secs(15));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.policy_file, Path::new("/etc/gw/policy.json"));
    assert_eq!(config.auth.issuers[0].keys, KeySource::Jwks("/etc/gw/keys.json".into()));
    assert_eq!(default(&config).source, SourceSettings::Environment);
    assert_eq!(config.ci.default_region, None);
    assert_eq!(config.ci.signature_lifetime, Duration::from_secs(300));
    assert_eq!(config.limits, Limits { in_flight: 512, per_caller: None, failed_authentications: None });
    assert_eq!(config.log_format, LogFormat::Json);
}

#[test]
fn everything_that_can_be_written_arrives() {
    let config = with(
        "[server]\nlisten = '[::1]:1'\nmax_connections = 7\nheader_read_timeout = '1s'\nrequest_timeout = '1m30s'\n\
         drain_delay = '0s'\ndrain_timeout = '1m'\ntls = { certificate = '/c.pem', private_key = 'k.pem', client_ca = 'a.pem' }\n\
         trusted_proxies = ['10.0.0.0/8', '2001:db8::7']\n\
         [admin]\nlisten = '0.0.0.0:2'\n[credentials]\nsource = 'file'\nfile = 'k'\napp_ids = ['1', '2']\n\
         [ci]\ndefault_region = 'ap-x'\nendpoint = 'http://10.0.0.1:1'\nunsafe_endpoint = true\n\
         signature_lifetime = '10m'\nconnect_timeout = '10ms'\nresponse_timeout = '3s'\n\
         [[ci.buckets]]\nname = 'b-1'\nregion = 'ap-y'\n[audit]\nfile = 'a.jsonl'\non_failure = 'serve'\n\
         [limits]\nin_flight = 1\nper_caller = '3/2s'\nfailed_authentications = '9/1m'\n[telemetry]\nlog_format = 'text'\n[reload]\ninterval = '250ms'\n",
    )
    .unwrap();
    let tls = config.server.listener.tls.as_ref().unwrap();
    assert_eq!(
        (tls.certificate.to_str(), tls.client_ca.as_deref()),
        (Some("/c.pem"), Some(Path::new("/etc/gw/a.pem")))
    );
    let proxies: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "2001:db8::7/128"]);
    assert_eq!(config.server.request_timeout, Duration::from_secs(90));
    assert_eq!(
        default(&config).source,
        SourceSettings::File(FileSettings { path: "/etc/gw/k".into(), previous: None })
    );
    assert_eq!(default(&config).app_ids.len(), 2);
    assert_eq!(config.ci.upstream.endpoint.as_ref().unwrap().to_string(), "http://10.0.0.1:1");
    assert_eq!(config.ci.buckets[&"b-1".parse().unwrap()].as_str(), "ap-y");
    assert_eq!(config.limits.per_caller, Some(Rate { requests: 3, period: Duration::from_secs(2) }));
    let failures = Some(Rate { requests: 9, period: Duration::from_secs(60) });
    assert_eq!(config.limits.failed_authentications, failures);
    assert_eq!(config.log_format, LogFormat::Text);
    assert_eq!(config.watch_interval, Some(Duration::from_millis(250)));
    assert_eq!(with("[reload]\ninterval = 'off'\n").unwrap().watch_interval, None);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = format!("{LEAST}[server]\nlisten = '127.0.0.1:1'\nmax_connections = 5\n");
    let config = parse_with(&text, &[("CI_GATEWAY__SERVER__LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.listener.max_connections, 5);
    assert_eq!(config.set_by_environment, ["CI_GATEWAY__SERVER__LISTEN"]);
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let config = env_of(&[
        ("CI_GATEWAY__SERVER__MAX_CONNECTIONS", "12"),
        ("CI_GATEWAY__SERVER__DRAIN_DELAY", "1m"),
        ("CI_GATEWAY__SERVER__TLS__CERTIFICATE", "c"),
        ("CI_GATEWAY__SERVER__TLS__PRIVATE_KEY", "k"),
        ("CI_GATEWAY__CI__UNSAFE_ENDPOINT", "true"),
        ("CI_GATEWAY__CI__ENDPOINT", "http://h:1"),
        ("CI_GATEWAY__CREDENTIALS__APP_IDS", "007, 12"),
        ("CI_GATEWAY__CI__BUCKETS__0__NAME", "b-1"),
        ("CI_GATEWAY__CI__BUCKETS__0__REGION", "ap-y"),
        ("CI_GATEWAY__LIMITS__PER_CALLER", "1/1s"),
    ]);
    assert_eq!(config.server.listener.max_connections, 12);
    assert_eq!(config.server.listener.tls.as_ref().unwrap().certificate, Path::new("/etc/gw/c"));
    assert_eq!(config.ci.upstream.endpoint.as_ref().unwrap().to_string(), "http://h:1");
    assert_eq!(config.ci.buckets.len(), 1);
    // The crate's own parsing would have made a 7 of the first.
    assert_eq!(default(&config).app_ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["007", "12"]);
}

#[test]
fn a_variable_may_write_a_list_as_json() {
    let source = ("CI_GATEWAY__CREDENTIALS__SOURCE", "command");
    for (written, program, arguments) in [
        (r#"["/bin/x", "a,b"]"#, "/bin/x", vec!["a,b"]),
        ("/bin/x, a", "/bin/x", vec!["a"]),
        ("bin/x", "/etc/gw/bin/x", vec![]),
        ("x", "x", vec![]),
    ] {
        let config = env_of(&[source, ("CI_GATEWAY__CREDENTIALS__COMMAND", written)]);
        let SourceSettings::Command(command) = &default(&config).source else { panic!("{written}") };
        assert_eq!(
            (command.program.as_path(), &command.arguments),
            (Path::new(program), &arguments.iter().map(|word| (*word).to_owned()).collect())
        );
    }
    for written in [r#"["/bin/x", 1]"#, "[/bin/x, a]", r#"["/bin/x""#] {
        let refused = parse_with(LEAST, &[source, ("CI_GATEWAY__CREDENTIALS__COMMAND", written)]).unwrap_err();
        assert!(refused.into_vec().iter().any(|mistake| mistake.to_string().contains("no JSON list")), "{written}");
    }
}

#[test]
fn a_variable_changes_one_key_of_an_entry_and_can_add_an_entry() {
    let config = env_of(&[
        ("CI_GATEWAY__AUTH__JWT__0__AUDIENCE", "b,c"),
        ("CI_GATEWAY__AUTH__JWT[1]__ISSUER", "second"),
        ("CI_GATEWAY__AUTH__JWT[1]__AUDIENCE", "d"),
        ("CI_GATEWAY__AUTH__JWT__1__ALGORITHMS", "HS256"),
        ("CI_GATEWAY__AUTH__JWT__1__SECRET_FILE", "s"),
    ]);
    assert_eq!(config.auth.issuers[0].issuer, "https://i");
    assert_eq!(config.auth.issuers[0].audiences, ["b", "c"]);
    assert_eq!(config.auth.issuers[1].algorithms, [Algorithm::Hs256]);
    assert_eq!(config.auth.issuers[1].keys, KeySource::Secret("/etc/gw/s".into()));
}

#[test]
fn a_text_alone_is_a_list_of_one_and_keeps_its_commas() {
    let config = parse(&LEAST.replace("'a'", "'a,b'")).unwrap();
    assert_eq!(config.auth.issuers[0].audiences, ["a,b"]);
}

#[test]
fn what_is_shown_has_the_shape_of_the_file_and_the_digest_of_its_text() {
    let config = env_of(&[("CI_GATEWAY__SERVER__DRAIN_DELAY", "90s")]);
    let shown = config.redacted();
    assert_eq!(shown["server"]["drain_delay"], "1m30s");
    assert_eq!(shown["auth"]["jwt"][0]["jwks_file"], "/etc/gw/keys.json");
    assert_eq!(shown["digest"], format!("sha256:{}", hex::encode(Sha256::digest(LEAST))));
    assert_eq!(shown["set_by_environment"][0], "CI_GATEWAY__SERVER__DRAIN_DELAY");
}

#[test]
fn what_is_shown_can_be_given_back_and_means_the_same() {
    let config = with(
        "[credentials]\napp_ids = ['1']\n[ci]\ndefault_region = 'ap-x'\n[[ci.buckets]]\nname = 'b-1'\nregion = 'ap-y'\n\
         [limits]\nper_caller = '3/2s'\n[server]\ntls = { certificate = 'c', private_key = 'k', client_ca = 'a', \
         client_crl = 'r' }\n[auth.api_keys]\nfile = 'h'\n[auth.mtls]\nuser_from = 'san_dns'\n",
    )
    .unwrap();
    let mut shown = config.redacted();
    for added in ["digest", "set_by_environment"] {
        shown.as_object_mut().unwrap().remove(added);
    }
    let again = parse(&toml_of(&shown)).unwrap();
    assert_eq!(Config { digest: config.digest.clone(), files: config.files.clone(), ..again }, config);
}

#[test]
fn what_is_shown_of_a_role_is_all_but_its_external_id() {
    let arn = "role_arn = 'qcs::cam::uin/1:roleName/r'\nsts_region = 'ap-x'\nsts_endpoint = 'http://127.0.0.1:1'\n";
    let shown = |text: &str| with(&format!("[credentials]\n{text}")).unwrap().redacted()["credentials"].clone();
    let machine = "role_name = 'r'\nmetadata_endpoint = 'http://127.0.0.1:2'\n";
    for (text, keys) in [
        (format!("source = 'cvm_role'\n{machine}"), &["role_name", "metadata_endpoint"][..]),
        (format!("source = 'assume_role'\nbase = 'cvm_role'\n{machine}{arn}"), &["role_name", "metadata_endpoint"]),
        (format!("source = 'assume_role'\nbase = 'file'\nfile = 'f'\n{arn}"), &["file", "sts_region", "sts_endpoint"]),
        (
            format!("source = 'web_identity'\nprovider_id = 'p'\ntoken_file = 't'\n{arn}"),
            &["provider_id", "token_file", "role_arn", "sts_region", "sts_endpoint"],
        ),
    ] {
        let shown = shown(&text);
        assert!(keys.iter().all(|key| shown[key].is_string()), "{keys:?} in {shown}");
    }
    let role = format!("source = 'assume_role'\nbase = 'environment'\n{arn}");
    assert_eq!(shown(&role)["external_id"], "not set");
    let told = shown(&format!("{role}external_id = 'marker'\n"));
    assert!(told["external_id"] == "set" && !told.to_string().contains("marker"), "{told}");
}

/// JSON without nulls is nearly TOML: an inline table for every object.
fn toml_of(value: &serde_json::Value) -> String {
    fn inline(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let fields = fields.iter().filter(|(_, field)| !field.is_null());
                let fields: Vec<_> = fields.map(|(name, field)| format!("{name} = {}", inline(field))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
            }
            plain => plain.to_string(),
        }
    }
    let sections = value.as_object().unwrap().iter();
    sections.map(|(name, section)| format!("{name} = {}\n", inline(section))).collect()
}
