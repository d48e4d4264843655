//! Each kind of mistake: where it is said to be, and what it says to do.

use proptest::prelude::*;

use super::*;

/// The first mistake of a file that begins with what is given, so that lines count from it.
fn only(text: &str) -> Mistake {
    only_of(&format!("{text}\n{LEAST}"), &[])
}

fn only_of(text: &str, environment: &[(&str, &str)]) -> Mistake {
    let mut mistakes = parse_with(text, environment).unwrap_err().into_vec();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.remove(0)
}

fn assert_told(mistake: &Mistake, line: usize, what: &str, hint: &str) {
    assert_eq!((mistake.place(), mistake.line()), ("gw.toml", Some(line)), "{mistake}");
    assert!(mistake.what().contains(what), "{what:?} in {mistake}");
    assert!(mistake.hint_text().is_some_and(|text| text.contains(hint)), "{hint:?} in {mistake}");
}

#[test]
fn an_unknown_key_or_table_is_told_with_the_nearest_known_one() {
    for (text, line, what, hint) in [
        ("[server]\n\nlisen = 'x'", 3, "`server.lisen`", "did you mean `server.listen`?"),
        ("[sever]\nlisten = 'x'", 1, "`sever`", "did you mean `server`?"),
        (
            "[server]\ntls = { certificat = 'x', certificate = 'c', private_key = 'k' }",
            2,
            "`server.tls.certificat`",
            "`server.tls.certificate`",
        ),
        ("[server]\nconnect_timeout = '1s'", 2, "`server.connect_timeout`", "did you mean `ci.connect_timeout`?"),
        (
            "[[ci.buckets]]\nname = 'a-1'\nregion = 'r'\n[[ci.buckets]]\nname = 'b-1'\nregion = 'r'\nnam = 'x'",
            7,
            "`ci.buckets[1].nam`",
            "`ci.buckets[].name`",
        ),
        ("[limits]\nqqq = 1", 2, "`limits.qqq`", "known here: failed_authentications, in_flight, per_caller"),
        ("[credentials]\nsecret_key = 'marker'", 2, "`credentials.secret_key`", "name a file that holds it"),
        ("\"server.listen\" = 'x'", 1, "`server.listen`", "plain words"),
        ("[server]\nListen = 'x'", 2, "`server.Listen`", "did you mean `server.listen`?"),
    ] {
        let mistake = only(text);
        assert_told(&mistake, line, what, hint);
        assert!(mistake.what().starts_with("unknown key"), "{mistake}");
        assert!(!mistake.to_string().contains("marker"));
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_the_right_one() {
    for (text, line, what, hint) in [
        ("[server]\nlisten = 8080", 2, "is a number, and no text", "double quotes"),
        ("[server]\nmax_connections = '12'", 2, "is a text, and no whole number", "without quotes"),
        ("[server]\nmax_connections = 1.5", 2, "no whole number", "without quotes"),
        ("[server]\nmax_connections = 0", 2, "out of bounds", "from 1 to 100000"),
        ("[server]\nmax_connections = 99999999999999999999", 2, "no whole number", "from 1 to 100000"),
        ("[ci]\nunsafe_endpoint = 'true'", 2, "neither true nor false", "without quotes"),
        ("[server]\ndrain_delay = 2020-01-01", 2, "is a date", "double quotes"),
        ("server = 1", 1, "`server` is a table", "[server]"),
        ("[server]\ntls = 'x'", 2, "`server.tls` is a table", "[server.tls]"),
        ("[ci]\nbuckets = { name = 'a-1' }", 2, "list of tables", "[[ci.buckets]]"),
        ("[ci]\nbuckets = ['a-1']", 2, "`ci.buckets[0]` is a table", "its keys"),
        ("[credentials]\napp_ids = [\n'1',\n2,\n]", 4, "`credentials.app_ids[1]` is a number", "double quotes"),
        ("[audit]\nfile = ''", 2, "is empty", "leave the key out"),
        ("[audit]\nfile = '~/a'", 2, "only a shell", "in full"),
    ] {
        assert_told(&only(text), line, what, hint);
    }
}

#[test]
fn a_value_that_cannot_be_read_is_told_with_how_to_write_it() {
    for (text, line, what, hint) in [
        ("[server]\nlisten = 'localhost:1'", 2, "`localhost:1`", "127.0.0.1:8080"),
        ("[server]\nlisten = ':8080'", 2, "no address", "0.0.0.0:8080"),
        ("[server]\nrequest_timeout = '5'", 2, "`5`, which is no duration", "`5s`"),
        ("[server]\ntrusted_proxies = '10.0.0.0/33'", 2, "which is no network", "`10.0.0.0/8`"),
        ("[server]\ntrusted_proxies = ['proxy.internal']", 2, "`proxy.internal`, which is no network", "an address"),
        ("[server]\ntrusted_proxies = ['10.0.0.7/8']", 2, "an address within a network", "`10.0.0.0/8`"),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", 2, "is everybody", "the proxies alone"),
        ("[server]\ntrusted_proxies = ['::ffff:10.0.0.0/104']", 2, "mapped into IPv6", "as IPv4"),
        ("[reload]\ninterval = '1ms'", 2, "`1ms`", "from `100ms`"),
        ("[reload]\ninterval = 'never'", 2, "which is no duration", "`250ms`"),
        ("[server]\nrequest_timeout = '-5s'", 2, "no duration", "`250ms`"),
        ("[server]\nrequest_timeout = '0s'", 2, "is `0s`", "from `100ms` to `5m`"),
        ("[ci]\nsignature_lifetime = '11m'", 2, "is `11m`", "from `10s` to `10m`"),
        ("[ci]\ndefault_region = 'Beijing'", 2, "`ci.default_region` is `Beijing`", "ap-chongqing"),
        ("[[ci.buckets]]\nname = 'nobody'\nregion = 'r'", 2, "`ci.buckets[0].name` is `nobody`", "APPID"),
        ("[credentials]\napp_ids = ['x']", 2, "`credentials.app_ids[0]` is `x`", "APPID"),
        ("[audit]\non_failure = 'ignore'", 2, "is `ignore`", "one of `refuse`, `serve`"),
        ("[audit]\nsink = 'both'", 1, "`audit.file` is missing", "name the file"),
        ("[audit]\nfile = 'a'\nsink = 'stdout'", 3, "is `stdout`, and a file is named", "write `both`"),
        ("[audit]\nname = 'a b'", 2, "`audit.name` is `a b`", "without spaces"),
        ("[audit]\nreserve = '8MB'", 2, "is `8MB`, which is no size", "`8MiB`"),
        ("[audit]\nreserve = '1KiB'", 2, "is `1KiB`", "from `64KiB` to `1GiB`"),
        ("[audit]\ncheckpoint_records = 5", 2, "is out of bounds", "from 10 to 10000"),
        ("[audit]\ncheckpoint_file = 'c'", 2, "and no checkpoint_key_file", "name the key"),
        ("[limits]\nper_caller = '100'", 2, "no rate", "`100/1s`"),
        ("[telemetry]\nlog_format = 'a\\u001bb'".replace('\'', "\"").as_str(), 2, "is `a\\u{1b}b`", "`json`, `text`"),
    ] {
        assert_told(&only(text), line, what, hint);
    }
}

#[test]
fn an_endpoint_that_is_not_trusted_needs_the_operators_word_and_is_not_repeated() {
    assert_told(&only("[ci]\nendpoint = 'http://10.0.0.1'"), 2, "not trusted", "unsafe_endpoint = true");
    assert_told(&only("[ci]\nendpoint = 'http://localhost:3'"), 2, "not trusted", "write 127.0.0.1");
    let mistake = only("[ci]\nendpoint = 'https://u:marker@h'");
    assert_told(&mistake, 2, "cannot be used", "scheme, host and port only");
    assert!(!mistake.to_string().contains("marker"));
}

#[test]
fn an_issuer_needs_exactly_one_source_of_keys_that_goes_with_its_algorithms() {
    let entry = |keys: &str, algorithms: &str| {
        let text = format!("[policy]\nfile = 'p'\n[[auth.jwt]]\nissuer = 'i'\naudience = 'a'\n{keys}\n{algorithms}\n");
        only_of(&text, &[])
    };
    assert_told(&entry("", "algorithms = ['RS256']"), 3, "`auth.jwt[0].jwks_url` is missing", "secret_file");
    let both = entry("jwks_file = 'j'\nsecret_file = 's'", "algorithms = ['RS256']");
    assert_told(&both, 7, "is set, and jwks_file too", "keep one");
    assert_told(&entry("jwks_file = 'j'", "algorithms = ['RS256', 'HS256']"), 7, "does not go with jwks_file", "RS256");
    assert_told(&entry("secret_file = 's'", "algorithms = ['ES256']"), 7, "does not go with secret_file", "`HS256`");
    assert_told(&entry("jwks_file = 'j'", "algorithms = ['none']"), 7, "is `none`", "`EdDSA`");
    assert_told(&entry("jwks_file = 'j'", "algorithms = []"), 7, "is empty", "at least one");
    assert_told(&entry("jwks_file = 'j'", ""), 3, "`auth.jwt[0].algorithms` is missing", "RS256");
}

#[test]
fn what_is_given_twice_or_contradicts_itself_is_told() {
    let second = "[[auth.jwt]]\nissuer = 'https://i'\naudience = 'b'\nalgorithms = ['RS256']\njwks_file = 'k'";
    assert!(only(second).what().contains("`auth.jwt[1].issuer` is the issuer of an earlier entry"));
    let bucket = "[[ci.buckets]]\nname = 'a-1'\nregion = 'r'\n";
    assert_told(&only(&format!("{bucket}{bucket}")), 5, "`ci.buckets[1].name`", "keep one");
    assert_told(&only("[credentials]\nfile = 'k'"), 2, "source is `environment`", "source = \"file\"");
    assert_told(&only("[credentials]\nsource = 'file'"), 1, "`credentials.file` is missing", "secret_key");
    assert_told(&only("[server]\ntls = { certificate = 'c' }"), 2, "`server.tls.private_key` is missing", "PEM");
    assert_told(&only("[admin]\nlisten = '127.0.0.1:8080'"), 2, "taken by `server.listen`", "port of its own");
    assert_told(&only("[admin]\nlisten = '0.0.0.0:8080'"), 2, "taken by `server.listen`", "port of its own");
    assert_told(&only("[ci]\nresponse_timeout = '20s'"), 2, "never comes", "server.request_timeout");
}

#[test]
fn a_default_that_another_key_makes_pointless_is_no_mistake() {
    assert!(with("[server]\nrequest_timeout = '1s'\n").is_ok());
    assert!(with("[server]\nlisten = '127.0.0.1:0'\n[admin]\nlisten = '127.0.0.1:0'\n").is_ok());
}

#[test]
fn what_comes_later_is_known_and_refused_with_what_to_use_instead() {
    let mistake = only("[telemetry]\notlp_endpoint = 'x'");
    assert_told(&mistake, 2, "`telemetry.otlp_endpoint`", "/metrics");
    assert!(mistake.what().ends_with("is not available in this build yet"), "{mistake}");
}

#[test]
fn a_source_of_keys_needs_its_own_keys_and_no_others() {
    let credentials = |text: &str| only(&format!("[credentials]\n{text}"));
    for (text, line, what, hint) in [
        ("source = 'file'", 1, "`credentials.file` is missing", "secret_id"),
        ("source = 'command'", 1, "`credentials.command` is missing", "the program and its arguments"),
        (
            "source = 'assume_role'\nbase = 'environment'\nrole_arn = 'x'\nsts_region = 'ap-x'",
            4,
            "role_arn",
            "roleName",
        ),
        ("source = 'web_identity'\nsts_endpoint = 'https://evil.test'", 3, "cannot be used", "tencentcloudapi.com"),
        ("source = 'cvm_role'\nmetadata_endpoint = 'http://10.0.0.1'", 3, "cannot be used", "169.254.0.0/16"),
        ("source = 'cvm_role'\nrole_name = '..'", 3, "role_name` is `..`", "not dots alone"),
        ("source = 'cvm_role'\nrole_name = 'a/b'", 3, "role_name` is `a/b`", "letters, digits"),
        ("source = 'command'\ncommand = []", 3, "names no program", "first"),
        ("source = 'command'\ncommand = ['x']\ncommand_timeout = '2m'", 4, "is `2m`", "to `1m`"),
        ("source = 'command'\ncommand = ['x']\nfile = 'y'", 4, "is set, and source is `command`", "source = \"file\""),
        ("previous_file = 'y'", 2, "is set, and source is `environment`", "source = \"file\""),
        ("[[credentials.account]]\nsource = 'environment'", 2, "app_id` is missing", "APPID"),
        ("[[credentials.account]]\napp_id = '1'", 2, "source` is missing", "as in [credentials]"),
        ("[[credentials.account]]\napp_id = 'x'\nsource = 'environment'", 3, "is `x`", "APPID"),
    ] {
        let mistake = credentials(text);
        assert!(
            mistake.what().contains(what) && mistake.hint_text().is_some_and(|told| told.contains(hint)),
            "{mistake}"
        );
        assert!(what.contains("missing") || mistake.line() == Some(line), "{mistake}");
    }
    let twice = "[[credentials.account]]\napp_id = '1'\nsource = 'environment'\n".repeat(2);
    assert_told(&only(&twice), 5, "`credentials.account[1].app_id` is the account of an earlier", "one of the two");
    let mut mistakes = with("[credentials]\nsource = 'assume_role'\nfile = 'x'\n").unwrap_err().into_vec();
    mistakes.retain(|mistake| mistake.what().ends_with("is missing"));
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
}

#[test]
fn accounts_alone_leave_no_default_and_a_written_source_keeps_one() {
    let account = "[[credentials.account]]\napp_id = '1'\nsource = 'file'\nfile = 'one'\n";
    let alone = with(account).unwrap();
    assert_eq!((alone.credentials.default, alone.credentials.accounts.len()), (None, 1));
    assert_eq!(alone.files.read_by_reload().filter(|file| file.ends_with("one")).count(), 1);
    assert!(with(&format!("[credentials]\nsource = 'environment'\n{account}")).unwrap().credentials.default.is_some());
}

#[test]
fn keys_are_fetched_safely_or_the_key_is_a_mistake() {
    let with = |keys: &str| only_of(&LEAST.replace("jwks_file = 'keys.json'", keys), &[]);
    for (keys, what, hint) in [
        ("jwks_url = 'http://i/k'", "`auth.jwt[0].jwks_url` is `http://i/k`", "http is for 127.0.0.1 alone"),
        ("jwks_url = 'http://localhost/k'", "jwks_url", "http is for 127.0.0.1 alone"),
        ("jwks_url = 'i/k'", "jwks_url", "https://issuer.example.com"),
        ("jwks_url = 'https://u:p@i/k'", "jwks_url", "scheme, host"),
        ("jwks_url = 'https://i/k'\njwks_refresh = '1s'", "is `1s`", "from `10s`"),
        ("jwks_url = 'https://i/k'\njwks_max_age = '5m'", "too old before", "jwks_max_age"),
        ("jwks_url = 'https://i/k'\njwks_max_age = '10m'", "too old before", "twice"),
        ("jwks_url = 'https://i/k'\njwks_max_age = '1199s'", "too old before", "twice"),
        ("jwks_url = 'https://i/k'\njwks_refresh = '24h'\njwks_max_age = '23h'", "too old before", "longer one"),
        ("jwks_file = 'k'\njwks_ca_file = 'c'", "jwks_url is not", "leave it out"),
        ("jwks_file = 'k'\njwks_refresh = '5m'", "jwks_url is not", "leave it out"),
        ("jwks_file = 'k'\nprofile = 'oidc'", "is `oidc`", "`rfc9068`"),
        ("jwks_file = 'k'\nrequired_scope = ''", "is empty", "leave the key out"),
    ] {
        let mistake = with(keys);
        let told = mistake.to_string();
        assert!(told.contains(what) && told.contains(hint) && mistake.line().is_some(), "{keys}: {told}");
    }
}

#[test]
fn the_bounds_of_the_token_cache_are_told() {
    assert_told(&only("[auth]\ntoken_cache = -1"), 2, "`auth.token_cache` is out of bounds", "0 to 1000000");
    assert_told(&only("[auth]\ntoken_cache_time = '2h'"), 2, "is `2h`", "to `1h`");
    assert!(with("[auth]\ntoken_cache = 0\n").is_ok());
}

#[test]
fn a_value_from_the_environment_is_located_by_its_variable() {
    for (name, value, what, hint) in [
        ("CI_GATEWAY__SERVER__LISTEN", "x", "`server.listen` is `x`", "127.0.0.1:8080"),
        ("CI_GATEWAY__SERVER__MAX_CONNECTIONS", "1e3", "out of bounds", "whole number"),
        ("CI_GATEWAY__CI__UNSAFE_ENDPOINT", "yes", "neither true nor false", "`true`"),
        ("CI_GATEWAY__SERVER__TYPO", "marker", "unknown key `server.typo`", "known here: drain_delay"),
        ("CI_GATEWAY__AUTH__JWT__0__ALGORITHMS", "RS256,none", "is `none`", "`EdDSA`"),
        ("CI_GATEWAY__AUTH__JWT__0__LEEWAY", "1h", "is `1h`", "to `5m`"),
        ("CI_GATEWAY__AUTH__JWT", "x", "is a list of tables", "two brackets"),
        ("CI_GATEWAY__SERVER", "x", "does not go with what is set there", "only keys take a value"),
        ("CI_GATEWAY__SERVER__0__LISTEN", "x", "does not go with what is set there", "by its number"),
        ("CI_GATEWAY__SERVER__LISTEN__X", "x", "does not go with what is set there", "only keys take a value"),
        ("CI_GATEWAY__SERVER__TLS__CERTIFICATE", "x", "`server.tls.private_key` is missing", "PEM"),
    ] {
        let mistake = only_of(LEAST, &[(name, value)]);
        assert_eq!((mistake.place(), mistake.line()), (format!("environment variable {name}").as_str(), None));
        assert!(mistake.what().contains(what) && mistake.hint_text().unwrap().contains(hint), "{mistake}");
        assert!(!mistake.to_string().contains("marker"));
    }
}

#[test]
fn an_entry_that_variables_skip_is_missing() {
    let name = "CI_GATEWAY__CI__BUCKETS__1__NAME";
    let region = "CI_GATEWAY__CI__BUCKETS__1__REGION";
    let mistake = only_of(LEAST, &[(name, "a-1"), (region, "r")]);
    assert!(mistake.what().contains("`ci.buckets[0]` is missing"), "{mistake}");
}

#[test]
fn a_variable_does_not_hide_that_the_file_has_no_table_there() {
    let text = format!("server = 5\n{LEAST}");
    let mistakes = parse_with(&text, &[("CI_GATEWAY__SERVER__LISTEN", "127.0.0.1:1")]).unwrap_err().into_vec();
    assert_told(&mistakes[0], 1, "`server` is a table", "[server]");
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
}

#[test]
fn every_mistake_is_told_at_once_and_in_the_order_of_the_file() {
    let text = "[telemetry]\nlog_format = 'xml'\n[server]\nlisten = 'x'\ntypo = 1\n[admin]\nlisten = 1\n[policy]\n";
    let mistakes = parse_with(text, &[("CI_GATEWAY__CI__ENDPOINT", "x")]).unwrap_err().into_vec();
    let lines: Vec<_> = mistakes.iter().map(Mistake::line).collect();
    assert_eq!(lines, [Some(2), Some(4), Some(5), Some(7), Some(8), None, None], "{mistakes:?}");
    assert_eq!(mistakes[6].place(), "environment variable CI_GATEWAY__CI__ENDPOINT");
}

#[test]
fn broken_toml_is_told_with_its_line_and_with_what_the_environment_has_wrong() {
    let mistakes = parse_with("[server]\nlisten = 127.0.0.1\n", &[("CI_GATEWAY__X.Y", "1")]).unwrap_err().into_vec();
    assert_told(&mistakes[0], 2, "not TOML at column", "double quotes");
    assert_eq!(mistakes.last().unwrap().place(), "environment variable CI_GATEWAY__X.Y");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let not_there = Config::load(&folder.path().join("gw.toml")).unwrap_err().to_string();
    assert!(not_there.contains("gw.toml: cannot be read") && not_there.contains("--config"), "{not_there}");
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"[server]\n# gr\xfc\xdfe\n").unwrap();
    assert!(Config::load(&latin).unwrap_err().to_string().contains("latin.toml:2: is not UTF-8"));
    assert!(Config::load(folder.path()).is_err());
    assert!(Config::load(Path::new("/dev/zero")).unwrap_err().to_string().contains("is not a regular file"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_a_configuration_makes_the_reader_panic(
        lines in proptest::collection::vec(
            "(\\[{1,2}(server|auth\\.jwt|ci\\.buckets|\"a\\[9{12}\\]\")\\]{1,2})|((listen|tls|jwt|\"x\\[-1\\]\"|a\\.b) = (1|-9{20}|'x'|\\{a = 1\\}|\\[1, 'x'\\]|nan|1979-05-27))", 0..8),
        name in "CI_GATEWAY_{1,3}[A-Z_0-9\\[\\].-]{0,20}",
        value in "\\PC{0,20}",
    ) {
        let _ = parse_with(&lines.join("\n"), &[(&name, &value)]);
        let _ = parse_with(&format!("{LEAST}{}", lines.join("\n")), &[(&name, &value)]);
    }
}
