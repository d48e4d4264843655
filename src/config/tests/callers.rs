//! The ways to be known other than a token.

use super::*;

const POLICY: &str = "[policy]\nfile = 'p'\n";
const TLS: &str = "[server]\ntls = { certificate = 'c', private_key = 'k', client_ca = 'a' }\n";

#[track_caller]
fn told(text: &str, expected: &[&str]) {
    let mistakes = parse(&format!("{POLICY}{text}")).unwrap_err().into_vec();
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.to_string().contains(expected), "{expected:?} in {mistake}");
        assert!(mistake.hint_text().is_some(), "{mistake}");
    }
}

#[test]
fn api_keys_or_certificates_are_enough_without_any_issuer() {
    let keys = parse(&format!("{POLICY}[auth.api_keys]\nfile = 'h'\n")).unwrap();
    assert_eq!((keys.auth.issuers.len(), keys.api_keys.as_deref()), (0, Some(Path::new("/etc/gw/h"))));
    assert!(keys.files.iter().any(|file| *file == NamedFile::ApiKeys("/etc/gw/h".into())));
    for (word, part) in
        [("san_uri", UserFrom::SanUri), ("san_dns", UserFrom::SanDns), ("subject_cn", UserFrom::SubjectCn)]
    {
        let named = parse(&format!("{POLICY}{TLS}[auth.mtls]\nuser_from = '{word}'\n")).unwrap();
        assert_eq!((named.auth.issuers.len(), named.user_from), (0, Some(part)));
    }
    let both = with("[auth.api_keys]\nfile = 'h'\n").unwrap();
    assert_eq!((both.auth.issuers.len(), both.user_from), (1, None));
    told("", &["nobody could call: add [[auth.jwt]]"]);
    told("[auth]\njwt = []\n", &["`auth.jwt` is empty"]);
}

#[test]
fn what_is_missing_misspelt_or_pointless_is_told() {
    told("[auth.api_keys]\n", &["gw.toml:3: `auth.api_keys.file` is missing"]);
    told("[auth.api_keys]\nfle = 'h'\n", &["`auth.api_keys.file` is missing", "did you mean `auth.api_keys.file`?"]);
    told(&format!("{TLS}[auth.mtls]\n"), &["gw.toml:5: `auth.mtls.user_from` is missing"]);
    told(&format!("{TLS}[auth.mtls]\nuser_from = 'cn'\n"), &["gw.toml:6: `auth.mtls.user_from` is `cn`"]);
    let mtls = "[auth.mtls]\nuser_from = 'san_uri'\n";
    told(mtls, &["gw.toml:3: `auth.mtls` needs certificates, and none are asked for"]);
    let without_authority = TLS.replace(", client_ca = 'a'", "");
    told(&format!("{without_authority}{mtls}"), &["gw.toml:5: `auth.mtls` needs certificates"]);
    let list_alone = TLS.replace("client_ca = 'a'", "client_crl = 'r'");
    told(
        &format!("{list_alone}[auth.api_keys]\nfile = 'h'\n"),
        &["gw.toml:4: `server.tls.client_crl` is set, and no client_ca"],
    );
}

/// Their callers would be the same as those of API keys and certificates, for rates and records.
#[test]
fn an_issuer_cannot_have_the_name_of_another_way_to_be_known() {
    for name in ["api_key", "mtls"] {
        let mistakes = parse(&LEAST.replace("https://i", name)).unwrap_err().to_string();
        assert!(mistakes.starts_with("gw.toml:4: `auth.jwt[0].issuer` is the name by which"), "{mistakes}");
    }
}
