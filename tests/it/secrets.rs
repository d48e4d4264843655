//! No secret comes out anywhere: marked secrets go in, everything that comes out is searched, byte for byte.

mod search;

use std::fs;
use std::time::Duration;

use ci_gateway::auth::{KeyTerms, NewKey};
use ci_gateway::stand_in::{Fault, KnownKey};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::json;
use sha1::Sha1;

use crate::support::process::{
    Authority, Call, Cloud, Folder, Process, SMART_AUDIO, Served, TlsCaller, program, write_with_mode,
};
use search::Search;

// Each is its own pattern, with characters that base64, URLs and JSON treat in their own ways.
const SECRET_ID: &str = "AKIDofTheCanaries";
const SECRET_KEY: &str = "kEy+Q7z/81=canary~one&Zx9";
const STS_TOKEN: &str = "sTs+tOk/en=canary~two&Vw8;yU7tS6";
const SHARED_SECRET: &str = "jWt+sEc/ret=canary~three&Rq5,nM4-and-long-enough";
const BAD_TOKEN: &str = "bAdt0ken.canary-four.Lk3Jh2";
const PASSWORD: &str = "pAsSw0rd-canary-five-Gf1Ds9";
const COOKIE: &str = "c0okie-canary-six-Pb7Vc6";
const API_KEY: &str = "aPiKey-canary-seven-Xz5Ty4";
/// Of the right form; the checksum does not fit, and nobody knows it.
const WHOLE_API_KEY: &str = "cigw_cAnArY7q3Zk1_wHoLeKeYcAnArYtWeLvEpQ8rT2vX5zB7nM4k6J";
const IN_QUERY: &str = "iNqUery-canary-eight-We3Qa2";
const IN_BODY: &str = "iNbOdy-canary-nine-Mi1Uj8";
const OTHER_KEY: &str = "oThErKey+canary/ten=Hg6Fb5";

const KEYS: [(&str, &str); 4] = [
    ("TENCENTCLOUD_SECRET_ID", SECRET_ID),
    ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY),
    ("TENCENTCLOUD_TOKEN", STS_TOKEN),
    // Also past the caps on libraries, which a filter could try by naming what is inside of them.
    ("RUST_LOG", "trace,hyper=trace,hyper_util::client=trace,h2=trace,h2::codec=trace,h2::hpack=trace,h2::proto=trace"),
];

fn marked() -> Search {
    Search::new(&[
        SECRET_KEY,
        STS_TOKEN,
        SHARED_SECRET,
        BAD_TOKEN,
        PASSWORD,
        COOKIE,
        API_KEY,
        WHOLE_API_KEY,
        IN_QUERY,
        IN_BODY,
        OTHER_KEY,
    ])
}

/// A folder whose shared secret is marked, for a gateway whose keys stand in its environment.
fn marked_folder(cloud: &Cloud) -> Folder {
    let folder = Folder::of(cloud);
    folder.take_keys_from_environment();
    folder.write_secret("jwt.secret", SHARED_SECRET);
    folder.change("gateway.toml", "[audit]", "response_timeout = \"400ms\"\n[audit]");
    folder
}

fn cloud_that_knows(secret_key: &str) -> Cloud {
    Cloud::with_keys(vec![KnownKey::new(SECRET_ID, secret_key, Some(STS_TOKEN))])
}

/// Everything that came out of one gateway.
#[derive(Default)]
struct Heard(String);

impl Heard {
    fn hear(&mut self, said: &str) {
        self.0.push_str(said);
        self.0.push('\n');
    }

    /// Makes the call and listens to the whole answer.
    fn call(&mut self, call: &Call, served: &Served) -> u16 {
        let answer = call.make(served.address()).unwrap();
        self.hear(&answer.head);
        self.hear(&answer.body);
        answer.status()
    }

    /// Every page of the admin listener.
    fn admin(&mut self, served: &Served) {
        for page in ["/metrics", "/keys", "/config", "/readyz?verbose", "/livez", "/version", "/nothing"] {
            let answer = served.admin_get(page);
            self.hear(&answer.head);
            self.hear(&answer.body);
        }
    }

    /// The gateway's end: both its outputs and its audit.
    fn end(&mut self, served: Served, folder: &Folder) {
        let ended = served.ended_by(Signal::TERM).expect(0);
        self.hear(&ended.stdout);
        self.hear(&ended.stderr);
        self.hear(&folder.read("audit.jsonl"));
    }

    #[track_caller]
    fn assert_holds_nothing_of(&self, search: &Search) {
        assert_eq!(search.found_in(&self.0), None);
        // What Cloud Infinite would accept for the length of the window.
        assert!(!self.0.contains("q-signature"), "a signature came out");
    }
}

/// The key of each window in which something may have been signed: as secret as the SecretKey while it lasts.
fn sign_keys(from: i64, until: i64) -> Vec<String> {
    let key = |now: i64| {
        let mut mac = Hmac::<Sha1>::new_from_slice(SECRET_KEY.as_bytes()).unwrap();
        mac.update(format!("{};{}", now - 60, now + 300).as_bytes());
        hex::encode(mac.finalize().into_bytes())
    };
    (from..=until).map(key).collect()
}

#[test]
fn nothing_that_a_gateway_says_holds_a_secret() {
    let began = Timestamp::now().as_second();
    let cloud = cloud_that_knows(SECRET_KEY);
    let folder = marked_folder(&cloud);
    let key = NewKey::make(KeyTerms { caller: "alice".to_owned(), ..KeyTerms::default() }).unwrap();
    folder.write("api-keys.toml", &key.entry());
    folder.change("gateway.toml", "[policy]", "[auth.api_keys]\nfile = \"api-keys.toml\"\n[policy]");
    let served = Served::from_with(&folder, &KEYS);
    let (alice, bob) = (folder.token("alice"), folder.token("bob"));
    let mut heard = Heard::default();
    assert_eq!(heard.call(&Call::post(SMART_AUDIO).header("X-Api-Key", key.text()), &served), 200);
    assert_eq!(heard.call(&Call::post(SMART_AUDIO).token(key.text()), &served), 200);
    good_calls(&mut heard, &served, &alice);
    refused_calls(&mut heard, &served, &alice, &bob);
    troubled_calls(&mut heard, &served, &cloud, &alice);
    reloads_of_api_keys(&mut heard, &served, &folder);
    reloads(&mut heard, &served, &folder);
    heard.admin(&served);
    heard.end(served, &folder);
    let mut search = marked();
    for token in [&alice, &bob] {
        search.add(token);
    }
    // What comes before it is the key's id, which stands in the log on purpose.
    search.add(key.text().rsplit('_').next().unwrap());
    assert!(heard.0.contains(key.id()));
    sign_keys(began, Timestamp::now().as_second()).iter().for_each(|key| search.add(key));
    heard.assert_holds_nothing_of(&search);
    // The log was as talkative as it can be, and all of it was searched.
    for word in
        ["\"serving\"", "upstream_timeout", "invalid_token", "not reloaded", "\"type\":\"intent\"", "ci_gateway_"]
    {
        assert!(heard.0.contains(word), "{word} was not heard");
    }
}

fn good_calls(heard: &mut Heard, served: &Served, token: &str) {
    for service in ["smart-audio", "media", "documents", "images", "ai", "files"] {
        let path = format!("/v1/buckets/test-1234567890/{service}");
        for call in [Call::post(&path), Call::get(&path), Call::delete(&path)] {
            assert_eq!(heard.call(&call.token(token), served), 200);
        }
    }
    assert_eq!(heard.call(&Call::post(&format!("{SMART_AUDIO}?validate_only=true")).token(token), served), 200);
    for path in ["/healthz", "/openapi.json", "/problems/forbidden"] {
        assert_eq!(heard.call(&Call::get(path), served), 200);
    }
}

fn refused_calls(heard: &mut Heard, served: &Served, alice: &str, bob: &str) {
    let post = Call::post(SMART_AUDIO);
    for (status, call) in [
        (403, post.clone().token(bob)),
        (401, post.clone()),
        (401, post.clone().token(BAD_TOKEN)),
        (401, post.clone().token(&format!("{alice}x"))),
        (401, post.clone().header("Authorization", &format!("Basic {PASSWORD}"))),
        (401, post.clone().header("Authorization", PASSWORD)),
        (401, post.clone().header("Cookie", &format!("session={COOKIE}"))),
        (401, post.clone().header("X-Api-Key", API_KEY)),
        (401, post.clone().header("X-Api-Key", WHOLE_API_KEY)),
        (401, post.clone().token(WHOLE_API_KEY)),
        (400, post.clone().token(alice).header("X-Api-Key", WHOLE_API_KEY)),
        (400, Call::post(&format!("{SMART_AUDIO}?access_token={IN_QUERY}")).token(alice)),
        (400, post.clone().token(alice).body(&format!("{{\"password\":\"{IN_BODY}\"}}"))),
        (413, post.clone().token(alice).body(&IN_BODY.repeat(300))),
        (501, post.clone().header("Transfer-Encoding", BAD_TOKEN).token(alice)),
        (404, Call::get("/nothing").token(alice)),
    ] {
        assert_eq!(heard.call(&call, served), status, "{call:?}");
    }
    let everything = post.token(alice).header("Cookie", COOKIE);
    assert_eq!(heard.call(&everything.header("Proxy-Authorization", PASSWORD), served), 200);
}

/// Every fault of the cloud, and one call that meets it.
fn troubled_calls(heard: &mut Heard, served: &Served, cloud: &Cloud, token: &str) {
    for (fault, status) in [
        (Fault::Status(500), 503),
        (Fault::Status(503), 503),
        (Fault::Throttle(1), 503),
        (Fault::ResetBefore, 503),
        (Fault::ResetAfter, 503),
        (Fault::Truncated, 502),
        (Fault::WrongXml, 502),
        (Fault::NotXml, 502),
        (Fault::Empty, 502),
        (Fault::PlainHttp308, 502),
        (Fault::JsonError, 502),
        (Fault::Delay(Duration::from_secs(2)), 504),
    ] {
        cloud.set_faults(fault);
        let answered = heard.call(&Call::post(SMART_AUDIO).token(token), served);
        assert_eq!(answered, status, "{fault}");
    }
    cloud.delay(Duration::ZERO);
}

/// Reloads over files of hashes in which keys stand, whole and as other values.
fn reloads_of_api_keys(heard: &mut Heard, served: &Served, folder: &Folder) {
    let hashes = folder.read("api-keys.toml");
    for broken in [
        format!("# {WHOLE_API_KEY}\n"),
        format!("[[key]]\nid = \"{WHOLE_API_KEY}\"\n"),
        format!("[[key]]\n\"{WHOLE_API_KEY}\" = \n"),
        format!("[[key]]\nhash = \"{OTHER_KEY}\"\nid = \"{OTHER_KEY}\"\nnetworks = [\"{OTHER_KEY}\"]\n"),
        format!("[[key]]\ndisabled = \"{OTHER_KEY}\"\nnot_after = \"{OTHER_KEY}\"\ngroups = \"{OTHER_KEY}\"\n"),
        format!("[[key]]\nhash = {OTHER_KEY}\n"),
    ] {
        folder.write("api-keys.toml", &broken);
        let answer = served.reload().expect(422);
        heard.hear(&answer.head);
        heard.hear(&answer.body);
    }
    folder.write("api-keys.toml", &hashes);
}

/// Reloads over good files, and over files that are broken around their secrets.
fn reloads(heard: &mut Heard, served: &Served, folder: &Folder) {
    let mut reload = |status| {
        let answer = served.reload().expect(status);
        heard.hear(&answer.head);
        heard.hear(&answer.body);
    };
    reload(200);
    write_with_mode(&folder.path("jwt.secret"), SHARED_SECRET.as_bytes(), 0o644);
    reload(422);
    folder.write_secret("jwt.secret", PASSWORD);
    reload(422);
    folder.write_secret("jwt.secret", SHARED_SECRET);
    folder.change("gateway.toml", "source = \"environment\"", "source = \"file\"\nfile = \"keys\"");
    for broken in [
        OTHER_KEY.to_owned(),
        format!("secret_key = {OTHER_KEY}\n"),
        format!("secret_id = {SECRET_ID}\nsecret_key = {OTHER_KEY}\nsecret_key = {OTHER_KEY}\n"),
        format!("secret_id = {SECRET_ID}\n{OTHER_KEY} = secret_key\n"),
        format!("secret_id = {SECRET_ID}\nsecret_key = {OTHER_KEY} {OTHER_KEY}\n"),
        json!({ "secretId": SECRET_ID, "secretKey": [OTHER_KEY] }).to_string(),
        format!("{{\"secretKey\": \"{OTHER_KEY}\""),
    ] {
        folder.write_secret("keys", &broken);
        reload(422);
    }
    let config = folder.read("gateway.toml");
    folder.write("gateway.toml", &format!("{config}\n[credentials]\nsecret_key = \"{OTHER_KEY}\"\n"));
    reload(422);
    folder.write(
        "gateway.toml",
        &config.replace("[credentials]", &format!("[credentials]\nsecret_key = \"{OTHER_KEY}\"")),
    );
    reload(422);
    folder.write_secret("keys", &format!("secret_id = {SECRET_ID}\nsecret_key = {OTHER_KEY}\n"));
    folder.write("gateway.toml", &config);
    reload(200);
}

#[test]
fn nothing_that_is_said_over_tls_and_http_2_holds_a_secret() {
    let (cloud, authority) = (cloud_that_knows(SECRET_KEY), Authority::new());
    let folder = marked_folder(&cloud);
    authority.certify(&folder, "");
    let private_key = folder.read("server.key");
    let served = Served::from_with(&folder, &KEYS);
    let alice = folder.token("alice");
    let mut heard = Heard::default();
    for protocol in ["http/1.1", "h2"] {
        for (token, status) in [(alice.as_str(), 200), (BAD_TOKEN, 401)] {
            let caller = TlsCaller { authority: &authority, paper: None, protocol };
            let answer = caller.enable(served.address(), Some(token)).unwrap();
            heard.hear(&answer.2.to_string());
            assert_eq!(answer.1, status);
        }
    }
    heard.admin(&served);
    heard.end(served, &folder);
    let mut search = marked();
    search.add(&alice);
    // The first and the last line of a PEM file say what it is.
    private_key.lines().filter(|line| !line.starts_with("-----")).for_each(|line| search.add(line));
    heard.assert_holds_nothing_of(&search);
    for library in ["h2", "hyper", "rustls"] {
        assert!(!heard.0.contains(&format!("\"target\":\"{library}")), "a filter opened the log of {library}");
    }
}

#[test]
fn a_cloud_that_repeats_what_was_signed_is_not_repeated() {
    let cloud = cloud_that_knows("what-the-cloud-knows");
    let folder = marked_folder(&cloud);
    let served = Served::from_with(&folder, &KEYS);
    let mut heard = Heard::default();
    let call = Call::post(SMART_AUDIO).token(&folder.token("alice"));
    assert_eq!(heard.call(&call, &served), 502);
    assert!(heard.0.contains("upstream_denied") && heard.0.contains("SignatureDoesNotMatch"), "{}", heard.0);
    heard.end(served, &folder);
    heard.assert_holds_nothing_of(&marked());
    assert!(!heard.0.contains("StringToSign") && !heard.0.contains("asrbucket"), "{}", heard.0);
}

#[test]
fn no_command_shows_a_secret_of_its_environment_or_its_files() {
    let folder = marked_folder(&cloud_that_knows(SECRET_KEY));
    let request = json!({
        "method": "POST", "path": "/asrbucket", "headers": { "host": "a" }, "key_time": "1;2",
        "authorization": "q-sign-algorithm=sha1",
    });
    folder.write("request.json", &request.to_string());
    let (config, request, secret) = (folder.config(), folder.path_text("request.json"), folder.path_text("jwt.secret"));
    let search = marked();
    let said = |arguments: &[&str], status: i32| {
        let mut command = program(arguments);
        command.envs(KEYS);
        let ended = Process::start(command).ended().expect(status);
        assert_eq!(search.found_in(&format!("{}\n{}", ended.stdout, ended.stderr)), None, "{arguments:?}");
    };
    said(&["check", "--config", &config], 0);
    said(&["check", "--json", "--config", &config], 0);
    said(&["sign", "--request", &request], 0);
    said(&["verify", "--request", &request], 2);
    said(&["healthcheck", "--config", &config], 1);
    let token = ["token", "--issuer", "i", "--audience", "a", "--caller", "c"];
    said(&[&token[..], &["--secret-file", &secret]].concat(), 0);
    said(&[&token[..], &["--private-key", &secret, "--algorithm", "ES256"]].concat(), 64);
    said(&["check", "--config", &secret], 64);
    said(&["sign", "--request", &secret], 64);
    folder.change("gateway.toml", "policy.toml", "jwt.secret");
    said(&["check", "--config", &config], 64);
    said(&["serve", "--config", &config], 64);
}

#[test]
fn the_process_leaves_no_core_dump_and_shows_nothing_in_its_arguments() {
    let folder = marked_folder(&cloud_that_knows(SECRET_KEY));
    let served = Served::from_with(&folder, &KEYS);
    let of_process = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", served.process().id())).unwrap();
    let limits = of_process("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let arguments = of_process("cmdline");
    assert_eq!(arguments.split('\0').skip(1).collect::<Vec<_>>(), ["serve", "--config", &folder.config(), ""]);
    assert_eq!(marked().found_in(&arguments), None);
}
