//! TLS on both sides: the cloud must prove who it is before anything is sent, and callers choose their HTTP.

use std::io::ErrorKind;
use std::net::TcpListener;

use http::Version;
use rcgen::{CertificateParams, date_time_ymd};

use crate::support::process::{Authority, Call, Cloud, Folder, Process, Served, TlsCaller, program, run};

/// A gateway in front of `cloud` that trusts `authority` and no other.
fn trusting(authority: &Authority, cloud: &Cloud, more: &[(&str, &str)]) -> (Folder, Served) {
    let folder = Folder::of(cloud);
    folder.write("authority.pem", &authority.pem());
    let roots = folder.path_text("authority.pem");
    let served = Served::from_with(&folder, &[&[("SSL_CERT_FILE", roots.as_str())], more].concat());
    (folder, served)
}

#[test]
fn a_cloud_whose_certificate_is_of_a_trusted_authority_is_called() {
    let authority = Authority::new();
    let cloud = authority.paper_for("127.0.0.1").cloud();
    let (folder, served) = trusting(&authority, &cloud, &[]);
    assert_eq!(served.enable(&folder.token("alice")).expect(200).json()["service"], "smart-audio");
    let requests = cloud.requests();
    assert_eq!((requests.len(), requests[0].verified), (1, true));
    assert_eq!(&*requests[0].host, "test-1234567890.ci.ap-chongqing.myqcloud.com");
}

#[test]
fn a_cloud_that_cannot_prove_who_it_is_is_told_nothing() {
    let authority = Authority::new();
    let mut expired = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    for (why, paper) in [
        ("another authority", Authority::new().paper_for("127.0.0.1")),
        ("another address", authority.paper_for("127.0.0.2")),
        ("a name that is no address", authority.paper_for("localhost")),
        ("a certificate of yesteryear", authority.paper(expired)),
    ] {
        let cloud = paper.cloud();
        let (folder, served) = trusting(&authority, &cloud, &[]);
        let answer = served.enable(&folder.token("alice"));
        assert_eq!(answer.refusal(), (503, "upstream_unavailable".to_owned(), "not_sent".to_owned()), "{why}");
        assert!(answer.header("retry-after").is_some(), "{why}: {answer:?}");
        assert_eq!(served.metric("upstream_attempts_total{result=\"tls\"}"), 1, "{why}");
        assert!(cloud.requests().is_empty(), "{why}");
    }
}

#[test]
fn plain_http_at_the_port_of_a_tls_cloud_and_the_other_way_round_come_to_nothing() {
    let plain = Cloud::start();
    let authority = Authority::new();
    let folder = Folder::with_endpoint(&plain.endpoint().replace("http:", "https:"));
    folder.write("authority.pem", &authority.pem());
    let served = Served::from_with(&folder, &[("SSL_CERT_FILE", &folder.path_text("authority.pem"))]);
    let answer = served.enable(&folder.token("alice"));
    assert_eq!(answer.refusal(), (503, "upstream_unavailable".to_owned(), "not_sent".to_owned()));
    assert!(plain.requests().is_empty());

    let secure = authority.paper_for("127.0.0.1").cloud();
    let folder = Folder::with_endpoint(&secure.endpoint().replace("https:", "http:"));
    let served = Served::from(&folder);
    assert!(served.enable(&folder.token("alice")).status() >= 502);
    assert!(secure.requests().is_empty());
}

#[test]
fn without_any_root_certificate_it_does_not_start_and_says_what_to_install() {
    let folder = Folder::with_endpoint("https://127.0.0.1:9");
    for command in ["serve", "check"] {
        let mut command = program(&[command, "--config", &folder.config()]);
        command.env("SSL_CERT_FILE", "/nowhere/roots.pem").env("SSL_CERT_DIR", "/nowhere");
        let ended = Process::start(command).ended().expect(64);
        assert!(ended.stderr.contains("ca-certificates") && ended.stderr.contains("SSL_CERT_FILE"), "{ended:?}");
    }
    // Plain HTTP to loopback needs none.
    let plain = Folder::without_cloud();
    run(&["check", "--config", &plain.config()]).expect(0);
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .map(|name| (name, address.as_str()));
    let authority = Authority::new();
    let secure = authority.paper_for("127.0.0.1").cloud();
    let (folder, served) = trusting(&authority, &secure, &names);
    served.enable(&folder.token("alice")).expect(200);

    let plain = Cloud::start();
    let folder = Folder::of(&plain);
    let served = Served::from_with(&folder, &names);
    served.enable(&folder.token("alice")).expect(200);
    assert_eq!((secure.requests().len(), plain.requests().len()), (1, 1));
    assert_eq!(proxy.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody asked the proxy");
}

#[test]
fn callers_over_tls_choose_between_http_1_and_http_2() {
    let cloud = Cloud::start();
    let authority = Authority::new();
    let folder = Folder::of(&cloud);
    authority.certify(&folder, "");
    let served = Served::from(&folder);
    let (address, alice) = (served.address(), folder.token("alice"));
    for (protocol, version) in [("http/1.1", Version::HTTP_11), ("h2", Version::HTTP_2)] {
        let caller = TlsCaller { authority: &authority, paper: None, protocol };
        let (spoken, status, problem) = caller.enable(address, None).unwrap();
        assert_eq!((spoken, status, &problem["code"]), (version, 401, &"unauthenticated".into()));
        let (spoken, status, answer) = caller.enable(address, Some(&alice)).unwrap();
        assert_eq!((spoken, status, &answer["service"]), (version, 200, &"smart-audio".into()));
    }
    assert_eq!(cloud.requests().len(), 2);
    // Who speaks plain HTTP to this port hears nothing.
    assert!(Call::get("/healthz").make(address).is_err());
}

#[test]
fn where_client_certificates_are_asked_for_nobody_comes_in_without_one() {
    let cloud = Cloud::start();
    let (authority, strangers) = (Authority::new(), Authority::new());
    let folder = Folder::of(&cloud);
    authority.certify(&folder, ", client_ca = \"authority.pem\"");
    let served = Served::from(&folder);
    let (address, alice) = (served.address(), folder.token("alice"));
    for protocol in ["http/1.1", "h2"] {
        let call = |paper| TlsCaller { authority: &authority, paper, protocol }.enable(address, Some(&alice));
        assert_eq!(call(None), None);
        assert_eq!(call(Some(strangers.paper_for("client"))), None);
        assert_eq!(call(Some(authority.paper_for("client"))).unwrap().1, 200);
    }
    assert_eq!(cloud.requests().len(), 2);
}
