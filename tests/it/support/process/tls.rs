//! TLS around the tests: certificates of an authority that nobody else knows, and a caller who uses them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Cloud, Folder, PATIENCE, SMART_AUDIO};

/// An authority that only this test knows.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate of it, with its key.
pub(crate) struct Paper {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Makes the gateway of `folder` speak TLS to its callers as `localhost`; `more` goes into the table `tls`.
    pub(crate) fn certify(&self, folder: &Folder, more: &str) {
        let paper = self.paper_for("localhost");
        folder.write("server.pem", &paper.certificate.pem());
        folder.write_secret("server.key", &paper.key.serialize_pem());
        folder.write("authority.pem", &self.pem());
        let tls = format!("tls = {{ certificate = \"server.pem\", private_key = \"server.key\"{more} }}\n[admin]");
        folder.change("gateway.toml", "[admin]", &tls);
    }

    pub(crate) fn paper_for(&self, name: &str) -> Paper {
        self.paper(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    pub(crate) fn paper(&self, params: CertificateParams) -> Paper {
        let key = KeyPair::generate().unwrap();
        Paper { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

impl Paper {
    /// A cloud that shows it.
    pub(crate) fn cloud(&self) -> Cloud {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let chain = vec![self.certificate.der().clone()];
        Cloud::with_tls(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}

/// A caller's side of TLS.
pub(crate) struct TlsCaller<'a> {
    /// Whom it trusts.
    pub(crate) authority: &'a Authority,
    /// What it shows of itself.
    pub(crate) paper: Option<Paper>,
    /// `http/1.1` or `h2`.
    pub(crate) protocol: &'static str,
}

impl TlsCaller<'_> {
    async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.paper {
            None => builder.with_no_client_auth(),
            Some(Paper { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![self.protocol.into()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(self.protocol.as_bytes()));
        stream
    }

    /// Switches Smart Audio on, on a connection of its own; the version, the status and the body of the answer, or
    /// `None` if the connection came to nothing.
    pub(crate) fn enable(&self, address: SocketAddr, token: Option<&str>) -> Option<(Version, u16, Value)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = self.request(address, token);
        runtime.block_on(async { timeout(PATIENCE, self.call(address, request)).await.unwrap() })
    }

    async fn call(&self, address: SocketAddr, request: Request<Empty<Bytes>>) -> Option<(Version, u16, Value)> {
        let stream = TokioIo::new(self.connect(address).await);
        let answer = if self.protocol == "h2" {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.ok()?;
            tokio::spawn(connection);
            sender.send_request(request).await.ok()?
        } else {
            let (mut sender, connection) = http1::handshake(stream).await.ok()?;
            tokio::spawn(connection);
            sender.send_request(request).await.ok()?
        };
        let (version, status) = (answer.version(), answer.status().as_u16());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Some((version, status, serde_json::from_slice(&body).unwrap()))
    }

    /// The request as each version writes it.
    fn request(&self, address: SocketAddr, token: Option<&str>) -> Request<Empty<Bytes>> {
        let request = match self.protocol {
            "h2" => Request::post(format!("https://{address}{SMART_AUDIO}")),
            _ => Request::post(SMART_AUDIO).header("host", address.to_string()),
        };
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.header("content-length", "0").body(Empty::new()).unwrap()
    }
}
