//! TLS, and HTTP/2 within it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::support::{Server, bodies, settings};
use crate::server::{Drain, Ended, Settings, Tls, TlsSettings};

/// An authority, and a certificate of it for `localhost`, which serves both ends.
struct Papers {
    folder: TempDir,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("certificate.pem"), certificate.pem()).unwrap();
        write_secret(&folder.path().join("key.pem"), &key.serialize_pem());
        Self { folder, authority: authority.der().clone(), certificate: certificate.der().clone(), key }
    }

    fn settings(&self) -> TlsSettings {
        let file = |name: &str| self.folder.path().join(name);
        TlsSettings {
            certificate: file("certificate.pem"),
            private_key: file("key.pem"),
            client_ca: None,
            client_crl: None,
        }
    }

    async fn server(&self, tls: TlsSettings, header_read_timeout: Duration) -> Server {
        let settings = Settings { tls: Some(tls), header_read_timeout, ..settings() };
        Server::with(settings, Drain::new(Duration::ZERO, Duration::from_secs(5))).await
    }

    async fn connect(&self, server: &Server, alpn: &str, certified: bool) -> std::io::Result<TlsStream<TcpStream>> {
        connect(server, &self.client(alpn, certified, rustls::ALL_VERSIONS)).await
    }

    fn client(&self, alpn: &str, certified: bool, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = if certified {
            let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![self.certificate.clone()], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Arc::new(config)
    }
}

async fn connect(server: &Server, client: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.listener).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::clone(client)).connect(name, stream).await
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// A client of HTTP/2, and the task that ends with its connection.
async fn http2(stream: TlsStream<TcpStream>) -> (Sender, tokio::task::JoinHandle<()>) {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, ended)
}

async fn ask(sender: &mut Sender, request: http::request::Builder) -> (Version, String) {
    let answer = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
    assert!(!answer.headers().contains_key("connection"));
    let version = answer.version();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (version, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_client_chooses_between_http_1_and_http_2() {
    let papers = Papers::new();
    let server = papers.server(papers.settings(), Duration::from_secs(5)).await;

    let mut stream = papers.connect(&server, "http/1.1", false).await.unwrap();
    let requests = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(bodies(&answers), ["GET /a []", "Host"]);

    let (mut sender, _) = http2(papers.connect(&server, "h2", false).await.unwrap()).await;
    let told = ask(&mut sender, Request::get("https://localhost/a?b")).await;
    assert_eq!(told, (Version::HTTP_2, "GET /a []".to_owned()));
    for (request, answer) in [
        (Request::get("https://localhost/a/../b"), "TargetByte"),
        (Request::get("https://localhost/;refused"), "TargetByte"),
        (Request::get("https://localhost/").header("host", "other"), "Host"),
        (Request::get("https://localhost/").header("x-api-key", "a").header("x-api-key", "b"), "RepeatedHeader"),
        (Request::get("https://localhost/").header("expect", "x"), "Expectation"),
        (Request::builder().method("TRACE").uri("https://localhost/"), "TRACE / []"),
    ] {
        assert_eq!(ask(&mut sender, request).await.1, answer);
    }
    assert_eq!(ask(&mut sender, Request::get("https://localhost/who")).await.1, "false");
}

#[tokio::test]
async fn a_drain_says_goodbye_to_http_2_and_lets_it_finish() {
    let papers = Papers::new();
    let server = papers.server(papers.settings(), Duration::from_secs(5)).await;
    let (mut sender, _) = http2(papers.connect(&server, "h2", false).await.unwrap()).await;
    let slow = ask(&mut sender, Request::get("https://localhost/slow"));
    let start = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.drain.start();
    };
    let ((_, told), ()) = tokio::join!(slow, start);
    assert_eq!(told, "GET /slow []");
    drop(sender);
    assert_eq!(server.ended.await.unwrap(), Ended { connections_cut: 0, lines_unfinished: 0 });
}

#[tokio::test]
async fn an_idle_connection_of_http_2_is_closed() {
    let papers = Papers::new();
    let server = papers.server(papers.settings(), Duration::from_millis(200)).await;
    let (mut sender, ended) = http2(papers.connect(&server, "h2", false).await.unwrap()).await;
    assert_eq!(ask(&mut sender, Request::get("https://localhost/slow")).await.1, "GET /slow []");
    tokio::time::timeout(Duration::from_secs(2), ended).await.expect("the connection stays open").unwrap();
    assert!(sender.is_closed());

    // One that never says a word of HTTP/2 after its handshake goes as well.
    let mut silent = papers.connect(&server, "h2", false).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(2), silent.read_to_end(&mut Vec::new())).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn a_client_without_a_certificate_of_the_authority_is_not_let_in() {
    let papers = Papers::new();
    let with_clients = TlsSettings { client_ca: Some(papers.folder.path().join("authority.pem")), ..papers.settings() };
    let server = papers.server(with_clients, Duration::from_secs(5)).await;
    let request = b"GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let mut known = papers.connect(&server, "http/1.1", true).await.unwrap();
    known.write_all(request).await.unwrap();
    known.read_to_string(&mut answer).await.unwrap();
    assert_eq!(bodies(&answer), ["true"]);

    // With TLS 1.3 the client believes itself let in, until it reads.
    let mut unknown = papers.connect(&server, "http/1.1", false).await.unwrap();
    let _ = unknown.write_all(request).await;
    assert!(unknown.read_to_string(&mut String::new()).await.is_err());
    assert_eq!(server.connections.failed_handshakes(), 1);
}

/// Row 73.
#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_with_authenticated_ciphers_and_forward_secrecy_alone() {
    let papers = Papers::new();
    let server = papers.server(papers.settings(), Duration::from_secs(5)).await;
    for version in [&TLS12, &TLS13] {
        let stream = connect(&server, &papers.client("http/1.1", false, &[version])).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
    for suite in rustls::crypto::aws_lc_rs::default_provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(name.contains("GCM") || name.contains("CHACHA20_POLY1305"), "{name}");
        assert!(name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"), "{name}");
    }
}

/// A resumed session would bring a certificate that was looked at once, and may have been revoked since.
#[tokio::test]
async fn sessions_are_resumed_only_where_no_client_certificate_is_asked_for() {
    let papers = Papers::new();
    let authority = papers.folder.path().join("authority.pem");
    for (client_ca, again) in [(None, HandshakeKind::Resumed), (Some(authority), HandshakeKind::Full)] {
        for version in [&TLS12, &TLS13] {
            let settings = TlsSettings { client_ca: client_ca.clone(), ..papers.settings() };
            let server = papers.server(settings, Duration::from_secs(5)).await;
            let client = papers.client("http/1.1", true, &[version]);
            for expected in [HandshakeKind::Full, again] {
                let mut stream = connect(&server, &client).await.unwrap();
                // The tickets of TLS 1.3 come with the first answer.
                stream.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.unwrap();
                let kind = stream.get_ref().1.handshake_kind();
                assert_eq!(kind, Some(expected), "{version:?}, {client_ca:?}");
            }
        }
    }
}

/// What stands is not cut off; who comes next meets what was put in force.
#[tokio::test]
async fn a_replaced_certificate_is_shown_to_the_next_and_those_who_are_here_stay() {
    let (old, new) = (Papers::new(), Papers::new());
    let server = old.server(old.settings(), Duration::from_secs(5)).await;
    let (mut here, _) = http2(old.connect(&server, "h2", false).await.unwrap()).await;
    server.tls.as_ref().unwrap().replace(&Tls::load(&new.settings()).unwrap());
    assert!(old.connect(&server, "h2", false).await.is_err());
    assert!(new.connect(&server, "h2", false).await.is_ok());
    let told = ask(&mut here, Request::get("https://localhost/a")).await;
    assert_eq!(told, (Version::HTTP_2, "GET /a []".to_owned()));
}

/// Reads an answer that ends with `body` from a connection that may stay open.
async fn read_until(stream: &mut TlsStream<TcpStream>, body: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(body) {
        let byte = tokio::time::timeout(Duration::from_secs(4), stream.read_u8()).await.expect("nothing comes");
        text.push(char::from(byte.unwrap_or_else(|why| panic!("{why} after {text}"))));
    }
    text
}

/// Rows 71 and 76: a certificate is believed on the word of the files that are in force, not of those that were.
#[tokio::test]
async fn with_other_authorities_or_another_list_those_who_are_here_have_to_come_again() {
    let (old, new) = (Papers::new(), Papers::new());
    let trusting = |papers: &Papers| Some(papers.folder.path().join("authority.pem"));
    let settings = TlsSettings { client_ca: trusting(&old), ..old.settings() };
    let server = old.server(settings.clone(), Duration::from_secs(60)).await;
    let tls = server.tls.as_ref().unwrap();
    let mut idle = old.connect(&server, "http/1.1", true).await.unwrap();
    let mut busy = old.connect(&server, "http/1.1", true).await.unwrap();
    let (mut second, ended) = http2(old.connect(&server, "h2", true).await.unwrap()).await;
    let who = b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for stream in [&mut idle, &mut busy] {
        stream.write_all(who).await.unwrap();
        read_until(stream, "true").await;
    }

    // The same clients, checked by files that were written anew, and a server with a new certificate.
    let renewed = TlsSettings { client_ca: trusting(&old), ..new.settings() };
    for harmless in [&settings, &renewed] {
        tls.replace(&Tls::load(harmless).unwrap());
        idle.write_all(who).await.unwrap();
        let answer = read_until(&mut idle, "true").await;
        assert!(!answer.contains("connection: close"), "{answer}");
        assert_eq!(ask(&mut second, Request::get("https://localhost/who")).await.1, "true");
    }

    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    tls.replace(&Tls::load(&TlsSettings { client_ca: trusting(&new), ..renewed }).unwrap());
    let gone = Duration::from_secs(4);
    let mut rest = Vec::new();
    tokio::time::timeout(gone, idle.read_to_end(&mut rest)).await.expect("the idle one stays").unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    tokio::time::timeout(gone, ended).await.expect("that of HTTP/2 stays").unwrap();
    let mut answer = String::new();
    tokio::time::timeout(gone, busy.read_to_string(&mut answer)).await.expect("the busy one stays").unwrap();
    assert!(answer.contains("connection: close") && answer.ends_with("GET /slow []"), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let papers = Papers::new();
    let server = papers.server(papers.settings(), Duration::from_millis(200)).await;
    assert_eq!(server.exchange(b"").await, "");
    assert_eq!(server.connections.failed_handshakes(), 1);
}

#[test]
fn a_mistake_in_the_files_names_the_file_and_shows_no_key() {
    let papers = Papers::new();
    let file = |name: &str| papers.folder.path().join(name);
    let other = KeyPair::generate().unwrap().serialize_pem();
    write_secret(&file("other.pem"), &other);
    write_secret(&file("nonsense.pem"), "marker");
    let good = papers.settings();
    for (settings, place, what) in [
        (TlsSettings { certificate: file("none.pem"), ..good.clone() }, "none.pem", "cannot be read"),
        (TlsSettings { certificate: file("nonsense.pem"), ..good.clone() }, "nonsense.pem", "holds no certificate"),
        (TlsSettings { private_key: file("nonsense.pem"), ..good.clone() }, "nonsense.pem", "holds no private key"),
        (TlsSettings { private_key: file("other.pem"), ..good.clone() }, "certificate.pem", "private key"),
        (TlsSettings { private_key: file("certificate.pem"), ..good.clone() }, "certificate.pem", "chmod 600"),
        (TlsSettings { client_ca: Some(file("nonsense.pem")), ..good.clone() }, "nonsense.pem", "no certificate"),
    ] {
        let text = Tls::load(&settings).unwrap_err().to_string();
        assert!(text.contains(place) && text.contains(what), "{text}");
        assert!(!text.contains("marker") && !text.contains(other.lines().nth(1).unwrap()), "{text}");
    }
    assert!(Tls::load(&good).is_ok());
}
