//! Client certificates: who gets through the handshake, whom a certificate names, and what a reload changes.

mod papers;

use std::io::{Read, Write};
use std::net::TcpStream;

use ci_gateway::auth::{KeyTerms, NewKey};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use rcgen::{DistinguishedName, DnType};
use rustix::process::Signal;
use serde_json::json;

use crate::support::process::{
    AUDIENCE, Authority, Cloud, Folder, ISSUER, JWT_SECRET, PATIENCE, Paper, Served, TlsCaller, run, until,
};
use papers::{ALICE, SERIAL, Tree, dns, named, params, raw_name, uri};

/// A gateway that lets in the clients of `authority` and takes their names from `user_from`.
fn folder(cloud: &Cloud, authority: &Authority, user_from: &str) -> Folder {
    let folder = Folder::of(cloud);
    authority.certify(&folder, ", client_ca = \"authority.pem\", client_crl = \"revoked.pem\"");
    folder.write("revoked.pem", &authority.revoking(&[], 4000));
    folder.change("gateway.toml", "[policy]", &format!("[auth.mtls]\nuser_from = \"{user_from}\"\n[policy]"));
    folder.change("policy.toml", "\"user:alice\"", &format!("[\"user:alice\", \"user:{ALICE}\"]"));
    folder
}

/// Status and code of the answer to who shows `paper`; `None` if the handshake fails.
fn answer(authority: &Authority, served: &Served, paper: Paper) -> Option<(u16, String)> {
    answer_to(authority, served, paper, None)
}

fn answer_to(
    authority: &Authority,
    served: &Served,
    paper: Paper,
    header: Option<(&str, &str)>,
) -> Option<(u16, String)> {
    let caller = TlsCaller { authority, paper: Some(paper), protocol: "http/1.1" };
    let (_, status, body) = caller.enable_with(served.address(), header)?;
    Some((status, body["code"].as_str().unwrap_or_default().to_owned()))
}

#[test]
fn a_certificate_names_its_caller_who_then_needs_nothing_else() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    assert!(
        run(&["check", "--config", &folder.config()]).expect(0).stdout.contains("san_uri of the client certificate")
    );
    let served = Served::from(&folder);
    for protocol in ["http/1.1", "h2"] {
        let caller = TlsCaller { authority: &authority, paper: Some(authority.paper(params(|_| ()))), protocol };
        assert_eq!(caller.enable(served.address(), None).unwrap().1, 200);
    }
    let stranger = authority.paper(named(vec![uri("spiffe://example.org/mallory")]));
    assert_eq!(answer(&authority, &served, stranger), Some((403, "forbidden".to_owned())));
    assert_eq!(cloud.requests().len(), 2);
    let record = format!(r#""caller":"{ALICE}","issuer":"mtls","method":"mtls","client_ip""#);
    assert!(folder.read("audit.jsonl").contains(&record), "{}", folder.read("audit.jsonl"));
}

#[test]
fn a_dns_name_or_a_common_name_is_the_caller_where_that_is_configured() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let common_name = |name: &str| {
        params(|params| {
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
        })
    };
    for (user_from, good, bad) in [
        ("san_dns", named(vec![dns("alice"), uri("a:b")]), named(vec![dns("bob"), uri("a:b")])),
        ("subject_cn", common_name("alice"), common_name("bob")),
    ] {
        let folder = folder(&cloud, &authority, user_from);
        let served = Served::from(&folder);
        assert_eq!(answer(&authority, &served, authority.paper(good)).unwrap().0, 200, "{user_from}");
        assert_eq!(answer(&authority, &served, authority.paper(bad)).unwrap().0, 403, "{user_from}");
    }
    assert_eq!(cloud.requests().len(), 2);
}

#[test]
fn a_token_or_a_key_names_the_caller_in_place_of_the_certificate() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    let key = NewKey::make(KeyTerms { caller: "alice".to_owned(), ..KeyTerms::default() }).unwrap();
    folder.write("api-keys.toml", &key.entry());
    folder.change("gateway.toml", "[auth.mtls]", "[auth.api_keys]\nfile = \"api-keys.toml\"\n[auth.mtls]");
    let served = Served::from(&folder);
    let ask =
        |name: &str, header| answer_to(&authority, &served, authority.paper(named(vec![uri(name)])), Some(header));
    let (alice, bob) = (format!("Bearer {}", folder.token("alice")), format!("Bearer {}", folder.token("bob")));
    assert_eq!(ask("a:mallory", ("authorization", &alice)).unwrap().0, 200);
    assert_eq!(ask("a:mallory", ("x-api-key", key.text())).unwrap().0, 200);
    assert_eq!(cloud.requests().len(), 2);
    // Whatever else is said is not made good by a certificate that would do.
    assert_eq!(ask(ALICE, ("authorization", &bob)), Some((403, "forbidden".to_owned())));
    assert_eq!(ask(ALICE, ("authorization", "Bearer x")), Some((401, "invalid_token".to_owned())));
    assert_eq!(ask(ALICE, ("x-api-key", "x")), Some((401, "invalid_token".to_owned())));
    assert_eq!(ask(ALICE, ("authorization", "Basic x")), Some((401, "unauthenticated".to_owned())));
    assert_eq!(cloud.requests().len(), 2);
}

/// Row 74.
#[test]
fn a_certificate_that_does_not_hold_does_not_get_through_the_handshake() {
    let (cloud, tree) = (Cloud::start(), Tree::new());
    let folder = folder(&cloud, &tree.authority, "san_uri");
    folder.write("revoked.pem", &tree.lists());
    let served = Served::from(&folder);
    for paper in tree.good() {
        assert_eq!(answer(&tree.authority, &served, paper).unwrap().0, 200);
    }
    let sent = cloud.requests().len();
    let mut reasons = Vec::new();
    for (why, reason, paper) in tree.bad() {
        assert_eq!(answer(&tree.authority, &served, paper), None, "{why}");
        reasons.push(reason);
    }
    let caller = TlsCaller { authority: &tree.authority, paper: None, protocol: "http/1.1" };
    assert_eq!(caller.enable(served.address(), Some(&folder.token("alice"))), None);
    reasons.push("peer sent no certificates");
    assert_eq!(cloud.requests().len(), sent);
    let failed = "connection_events_total{event=\"failed_handshake\",listener=\"business\"}";
    let count = i64::try_from(reasons.len()).unwrap();
    until("not all were counted", || (served.metric(failed) == count).then_some(()));
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let mut told: Vec<&str> = log.lines().filter(|line| line.contains("no TLS handshake")).collect();
    assert!(told.len() == reasons.len() && reasons.len() > 12, "{told:#?}");
    // The lines of two connections may come in either order.
    for reason in reasons {
        let at = told.iter().position(|line| line.contains(reason));
        told.remove(at.unwrap_or_else(|| panic!("{reason} in {told:#?}")));
    }
}

/// Row 75.
#[test]
fn a_certificate_without_one_clean_name_is_nobodys() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let (by_uri, by_dns) = (folder(&cloud, &authority, "san_uri"), folder(&cloud, &authority, "san_dns"));
    let (by_uri, by_dns) = (Served::from(&by_uri), Served::from(&by_dns));
    let (uri_tag, dns_tag) = (0x86, 0x82);
    let common_name_alone = || {
        params(|params| {
            params.subject_alt_names = Vec::new();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, "alice");
        })
    };
    for (why, served, params) in [
        ("only a common name", &by_uri, common_name_alone()),
        ("only a common name", &by_dns, common_name_alone()),
        ("two of a kind", &by_uri, named(vec![uri(ALICE), uri(ALICE)])),
        ("two of a kind", &by_dns, named(vec![dns("alice"), dns("bob")])),
        ("another kind", &by_dns, named(vec![uri("alice:alice")])),
        ("a NUL", &by_uri, raw_name(uri_tag, b"spiffe://example.org/alice\0.evil")),
        ("a NUL", &by_dns, raw_name(dns_tag, b"alice\0.evil")),
        ("a wildcard", &by_dns, named(vec![dns("*.example")])),
        ("a wildcard", &by_uri, named(vec![uri("spiffe://example.org/*")])),
        ("no characters", &by_uri, raw_name(uri_tag, b"")),
        ("no characters", &by_dns, raw_name(dns_tag, b"")),
        ("no URI", &by_uri, named(vec![uri("alice")])),
        ("a line break", &by_dns, raw_name(dns_tag, b"alice\n")),
        ("no DER", &by_dns, raw_name(0x3f, b"")),
    ] {
        let refused = answer(&authority, served, authority.paper(params));
        assert_eq!(refused, Some((401, "invalid_token".to_owned())), "{why}");
    }
    assert!(cloud.requests().is_empty());
    for reason in ["unnamed_certificate", "invalid_certificate_name", "unreadable_certificate"] {
        assert!(by_dns.metric(&format!("authentications_total{{result=\"{reason}\"}}")) > 0, "{reason}");
    }
}

/// Where certificates are asked for and name nobody, they are the way in and no more.
#[test]
fn without_mtls_in_the_configuration_a_certificate_names_nobody() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = Folder::of(&cloud);
    authority.certify(&folder, ", client_ca = \"authority.pem\"");
    let served = Served::from(&folder);
    let refused = answer(&authority, &served, authority.paper(named(vec![uri("alice:a"), dns("alice")])));
    assert_eq!(refused, Some((401, "unauthenticated".to_owned())));
    assert!(cloud.requests().is_empty());
}

/// Row 76.
#[test]
fn a_reload_takes_up_a_new_list_and_keeps_the_old_one_when_the_new_one_is_junk() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    let served = Served::from(&folder);
    let revoked = || authority.paper(params(|params| params.serial_number = Some(SERIAL.into())));
    let status = |paper| answer(&authority, &served, paper).map(|(status, _)| status);
    assert_eq!(status(revoked()), Some(200));
    folder.write("revoked.pem", &authority.revoking(&[SERIAL], 4000));
    assert_eq!(status(revoked()), Some(200));
    served.reload().expect(200);
    assert_eq!((status(revoked()), status(authority.paper(params(|_| ())))), (None, Some(200)));

    let good = folder.read("revoked.pem");
    let half = good.get(..good.len() / 2).unwrap();
    let other_kind = good.replace("X509 CRL", "CERTIFICATE");
    let no_list = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    for junk in ["", "junk", half, other_kind.as_str(), no_list] {
        folder.write("revoked.pem", junk);
        let answer = served.reload().expect(422);
        assert!(answer.body.contains("revoked.pem: ") && answer.body.contains("hint"), "{answer:?}");
        assert_eq!(served.metric("config_last_reload_success"), 0);
        assert!(run(&["check", "--config", &folder.config()]).expect(64).stderr.contains("revoked.pem: "));
        assert_eq!((status(revoked()), status(authority.paper(params(|_| ())))), (None, Some(200)), "{junk}");
    }
    // A list that is past its next update could be one that somebody keeps back: nobody is let in.
    folder.write("revoked.pem", &authority.revoking(&[], 2021));
    served.reload().expect(200);
    assert_eq!(status(authority.paper(params(|_| ()))), None);
    folder.write("revoked.pem", &authority.revoking(&[], 4000));
    served.reload().expect(200);
    assert_eq!(status(revoked()), Some(200));
    assert_eq!(served.metric("config_last_reload_success"), 1);
}

#[test]
fn a_reload_takes_up_a_new_certificate_and_authority_or_none_of_them() {
    let (cloud, old, new) = (Cloud::start(), Authority::new(), Authority::new());
    let folder = folder(&cloud, &old, "san_uri");
    let served = Served::from(&folder);
    let ask = |whom: &Authority, client: &Authority| {
        answer(whom, &served, client.paper(params(|_| ()))).map(|(status, _)| status)
    };
    assert_eq!((ask(&old, &old), ask(&new, &new)), (Some(200), None));
    // The key of another certificate, and a policy that would let nobody do anything.
    let (policy, server) = (folder.read("policy.toml"), folder.read("server.pem"));
    folder.write("server.pem", &new.pem());
    folder.write("policy.toml", "version = \"2.0\"\n");
    assert!(served.reload().expect(422).body.contains("server.pem"));
    assert_eq!(ask(&old, &old), Some(200));
    // The other way round: good files for TLS, and no policy.
    folder.write("server.pem", &server);
    folder.write("policy.toml", "version = ");
    folder.write("revoked.pem", &old.revoking(&[100], 4000));
    served.reload().expect(422);
    assert_eq!(ask(&old, &old), Some(200));

    folder.write("policy.toml", &policy);
    folder.change("gateway.toml", "authority.pem", "new.pem");
    folder.write("new.pem", &new.pem());
    folder.write("revoked.pem", &new.revoking(&[], 4000));
    let reloaded = served.reload().expect(200).json();
    assert_eq!(reloaded["needs_restart"], serde_json::json!([]));
    assert_eq!((ask(&old, &old), ask(&old, &new)), (None, Some(200)));
    assert!(served.admin_get("/config").expect(200).body.contains("new.pem"));
}

/// What comes back to a greeting of this version, which offers suites of TLS 1.2 and of its time.
fn answer_to_hello(served: &Served, version: [u8; 2]) -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 6, 0, 4, 0, 0x1d, 0, 0x17][..], // groups: x25519, secp256r1
        &[0, 11, 0, 2, 1, 0],                       // points: uncompressed
        &[0, 13, 0, 4, 0, 2, 4, 3],                 // signatures: ecdsa_secp256r1_sha256
    ]
    .concat();
    let short = |length: usize| u8::try_from(length).unwrap();
    // No session; ECDHE-ECDSA with AES-128-GCM and with AES-128-CBC; no compression.
    let suites = [0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0, 0, short(extensions.len())];
    let hello = [&version[..], &[7; 32], &suites, &extensions].concat();
    let record = [&[0x16, 3, 1, 0, short(hello.len() + 4), 1, 0, 0, short(hello.len())], hello.as_slice()].concat();
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&record).unwrap();
    let mut said = vec![0; 7];
    stream.read_exact(&mut said).unwrap();
    said
}

/// Row 73.
#[test]
fn tls_1_1_is_refused() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    let served = Served::from(&folder);
    // A handshake goes on with ServerHello (2); else there is a fatal alert (2; RFC 5246 section 7.2).
    let said = answer_to_hello(&served, [3, 3]);
    assert_eq!((said[0], said[5]), (0x16, 2), "{said:?}");
    for version in [[3, 2], [3, 1], [3, 0]] {
        let said = answer_to_hello(&served, version);
        assert_eq!((said[0], said[5]), (0x15, 2), "{version:?}: {said:?}");
    }
}

/// Row 79.
#[test]
fn plain_http_at_the_tls_port_is_closed_without_a_word_of_http() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    let served = Served::from(&folder);
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let token = folder.token("alice");
    let head = format!("POST /v1/buckets/test-1/ai HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = Vec::new();
    // The end may come as a reset, as not all was read.
    let _ = stream.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("HTTP"), "{said:?}");
    assert!(cloud.requests().is_empty());
}

// Row 77. Each is asked twice: the second time the token is remembered.
#[test]
fn row_77_a_token_bound_to_a_certificate_holds_over_no_other_connection() {
    let (cloud, authority) = (Cloud::start(), Authority::new());
    let folder = folder(&cloud, &authority, "san_uri");
    let served = Served::from(&folder);
    let [own, other] = [(); 2].map(|()| authority.paper(params(|_| ())));
    let now = Timestamp::now().as_second();
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600,
        "cnf": { "x5t#S256": own.thumbprint() } });
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes()));
    let token = token.unwrap();
    let caller = |paper| TlsCaller { authority: &authority, paper, protocol: "http/1.1" };
    let (own, other, none) = (caller(Some(own)), caller(Some(other)), caller(None));
    let status = |caller: &TlsCaller<'_>| caller.enable(served.address(), Some(&token)).map(|(_, status, _)| status);
    for _ in 0..2 {
        assert_eq!((status(&other), status(&own)), (Some(401), Some(200)));
    }
    // Without a certificate there is no connection at all here; a listener without TLS is asked in `authentication`.
    assert_eq!(status(&none), None);
    assert_eq!(cloud.requests().len(), 2);
}
