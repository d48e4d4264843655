//! TLS around the tests: certificates of an authority that nobody else knows, and a caller who uses them.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use sha2::{Digest, Sha256};
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

/// A certificate of it, with its key and what stands between the two.
pub(crate) struct Paper {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    between: Vec<CertificateDer<'static>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Another authority, for which this one vouches with a certificate made of `params`.
    pub(crate) fn below(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// The list of those of its certificates that it has revoked, by their serial numbers; good until that year.
    pub(crate) fn revoking(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Makes the gateway of `folder` speak TLS to its callers as `localhost`; `more` goes into the table `tls`.
    pub(crate) fn certify(&self, folder: &Folder, more: &str) {
        let paper = self.paper_for("localhost");
        folder.write("server.pem", &paper.pem);
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
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Paper { certificate: certificate.der().clone(), pem: certificate.pem(), key, between: Vec::new() }
    }
}

impl Paper {
    /// One that vouches for itself.
    pub(crate) fn of_nobody(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), key, between: Vec::new() }
    }

    /// The same, shown with the certificate of the authority that made it.
    pub(crate) fn through(mut self, between: &Authority) -> Self {
        self.between.push(between.certificate.der().clone());
        self
    }

    /// The same with its last byte changed, which is one of the signature.
    pub(crate) fn forged(self) -> Self {
        let mut bytes = self.certificate.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        Self { certificate: bytes.into(), ..self }
    }

    /// What a token says that is bound to it (RFC 8705 section 3.1).
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.certificate))
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        [std::slice::from_ref(&self.certificate), &self.between].concat()
    }

    /// A cloud that shows it.
    pub(crate) fn cloud(&self) -> Cloud {
        Cloud::with_tls(self.server_config())
    }

    /// For a server that shows it.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        builder.with_no_client_auth().with_single_cert(self.chain(), key).unwrap()
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
    async fn connect(&self, address: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.paper {
            None => builder.with_no_client_auth(),
            Some(paper) => {
                let key = PrivateKeyDer::try_from(paper.key.serialize_der()).unwrap();
                let key = provider.key_provider.load_private_key(key).unwrap();
                // Shown as it is: rustls itself would not show a certificate that it cannot read.
                let shown = SingleCertAndKey::from(CertifiedKey::new(paper.chain(), key));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = vec![self.protocol.into()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(self.protocol.as_bytes()));
        Some(stream)
    }

    /// Switches Smart Audio on, on a connection of its own; the version, the status and the body of the answer, or
    /// `None` if the connection came to nothing.
    pub(crate) fn enable(&self, address: SocketAddr, token: Option<&str>) -> Option<(Version, u16, Value)> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        self.enable_with(address, bearer.as_deref().map(|bearer| ("authorization", bearer)))
    }

    /// The same with another header.
    pub(crate) fn enable_with(
        &self,
        address: SocketAddr,
        header: Option<(&str, &str)>,
    ) -> Option<(Version, u16, Value)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = self.request(address, header);
        runtime.block_on(async { timeout(PATIENCE, self.call(address, request)).await.unwrap() })
    }

    async fn call(&self, address: SocketAddr, request: Request<Empty<Bytes>>) -> Option<(Version, u16, Value)> {
        let stream = TokioIo::new(self.connect(address).await?);
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
    fn request(&self, address: SocketAddr, header: Option<(&str, &str)>) -> Request<Empty<Bytes>> {
        let request = match self.protocol {
            "h2" => Request::post(format!("https://{address}{SMART_AUDIO}")),
            _ => Request::post(SMART_AUDIO).header("host", address.to_string()),
        };
        let request = match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        };
        request.header("content-length", "0").body(Empty::new()).unwrap()
    }
}
