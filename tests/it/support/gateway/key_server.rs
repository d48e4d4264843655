//! An issuer's side of `jwks_url`: it serves its key set, until it is told to misbehave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ci_gateway::auth::{Algorithm, DevelopmentClaims, SigningSecret, mint};
use jiff::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{AUDIENCE, response};

/// The issuer of the tokens that its keys sign.
pub(crate) const KEYS_ISSUER: &str = "https://keys.example";

/// What is done with a request for the keys.
#[derive(Clone)]
pub(crate) enum Says {
    /// These bytes, and then the end.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Nothing,
    /// These bytes, and then these again and again, with a pause in between.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

impl Says {
    /// An answer 200 with this text.
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(response("200 OK", "Content-Type: application/json\r\n", text).into())
    }

    /// The set of these public keys.
    pub(crate) fn keys(keys: &[&SigningKey]) -> Self {
        Self::text(&set(keys).to_string())
    }

    /// An answer with another status line.
    pub(crate) fn status(status: &str, headers: &str) -> Self {
        Self::Bytes(response(status, headers, "").into())
    }
}

/// The JWK set of these public keys.
pub(crate) fn set(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// A listener that says the same to everybody, until it is told to say something else.
pub(crate) struct KeyServer {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicU64>,
}

impl KeyServer {
    pub(crate) async fn start(says: Says) -> Self {
        Self::listen(says, None).await
    }

    /// One that shows a certificate.
    pub(crate) async fn with_tls(says: Says, tls: ServerConfig) -> Self {
        Self::listen(says, Some(Arc::new(tls).into())).await
    }

    async fn listen(says: Says, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(AtomicU64::new(0)));
        let server = Self { address, says: Arc::clone(&says), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (says, asked, tls) = (Arc::clone(&says), Arc::clone(&asked), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &says, &asked).await,
                        Some(tls) => answer(tls.accept(stream).await.ok()?, &says, &asked).await,
                    }
                });
            }
        });
        server
    }

    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// How many requests have come.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    pub(crate) fn https_url(&self) -> String {
        format!("https://{}/jwks", self.address)
    }
}

/// That the other side goes away is the end, and no error.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, says: &Mutex<Says>, asked: &AtomicU64) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.ok().filter(|read| *read > 0)?;
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let says = says.lock().unwrap().clone();
    match says {
        Says::Bytes(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()
        }
        Says::Nothing => std::future::pending().await,
        Says::Endless(first, again, pause) => {
            stream.write_all(&first).await.ok()?;
            loop {
                stream.write_all(&again).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// A key of the issuer, with its private half.
pub(crate) struct SigningKey {
    id: String,
    pair: KeyPair,
}

impl SigningKey {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key_raw()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id, "x": x, "y": y })
    }

    /// Alice's token, good for an hour.
    pub(crate) fn token(&self) -> String {
        self.token_with_id(&self.id)
    }

    /// The same, asking for another key.
    pub(crate) fn token_with_id(&self, id: &str) -> String {
        let pem = self.pair.serialize_pem();
        let secret = SigningSecret::private_key(pem.as_bytes(), Algorithm::Es256, Some(id.to_owned())).unwrap();
        let claims = DevelopmentClaims {
            issuer: KEYS_ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            caller: "alice".to_owned(),
            groups: Vec::new(),
            issued_at: Timestamp::now(),
            lifetime: Duration::from_secs(3600),
        };
        mint(&secret, &claims).unwrap()
    }
}
