//! One fetch of a key set: from the configured host alone, bounded in time and size, and no further.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::timeout;

use super::LARGEST;
use crate::auth::FetchSettings;
use crate::credentials::read_file;
use crate::domain::{Mistake, Mistakes};

/// For the head of an answer, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// A platform's whole bundle of authorities is a quarter of this, in bytes.
const LARGEST_BUNDLE: u64 = 1024 * 1024;

/// The authorities of a file, beside those of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// The certificates in the PEM file at `path`.
    ///
    /// # Errors
    /// A [`Mistake`] if it cannot be read or holds none.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, Mistake> {
        let Some(path) = path else { return Ok(Self::default()) };
        let mistake = |what: String| Mistake::new(path.display().to_string(), what);
        let pem = read_file(path, LARGEST_BUNDLE).map_err(|why| mistake(format!("cannot be read: {why}")))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.map_err(|why| mistake(format!("no certificates can be read: {why}")))?;
        let mut roots = RootCertStore::empty();
        let (added, ignored) = roots.add_parsable_certificates(found.iter().cloned());
        if added == 0 || ignored > 0 {
            let what = format!("{added} certificates of authorities in it can be used, and {ignored} cannot");
            return Err(mistake(what).hint("write the authorities of jwks_url in PEM, one after the other"));
        }
        Ok(Self(found))
    }
}

/// Where a key set comes from, ready to be asked.
#[derive(Debug)]
pub(super) struct Source {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
    time: Duration,
}

impl Source {
    /// Prepares the way; nothing is dialled.
    ///
    /// # Errors
    /// Every [`Mistake`] that keeps the other end from being proved.
    pub(super) fn new(settings: &FetchSettings, authorities: &Authorities) -> Result<Self, Mistakes> {
        let https = settings.url.is_https();
        let roots = if https { roots(authorities)? } else { RootCertStore::empty() };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(roots)?);
        let builder = if https { builder.https_only() } else { builder.https_or_http() };
        // A connection kept for ten minutes would be a closed one, or one to yesterday's address.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .http1_max_buf_size(LARGEST_HEAD)
            .build(builder.enable_http1().wrap_connector(tcp));
        Ok(Self { client, uri: settings.url.uri().clone(), time: settings.time })
    }

    /// What the address answers with now, at most 64 KiB of it.
    ///
    /// # Errors
    /// [`Unfetched`] for anything but a whole answer 200 within the time. A redirect is such a thing.
    pub(super) async fn fetch(&self) -> Result<Bytes, Unfetched> {
        timeout(self.time, self.exchange()).await.map_err(|_elapsed| Unfetched::Timeout)?
    }

    async fn exchange(&self) -> Result<Bytes, Unfetched> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, http::HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, http::HeaderValue::from_static("ci-gateway"));
        let answer = self.client.request(request).await.map_err(|why| Unfetched::Exchange(reasons(&why)))?;
        match answer.status() {
            StatusCode::OK => body(answer).await,
            other => Err(Unfetched::Status(other.as_u16())),
        }
    }
}

async fn body(answer: Response<Incoming>) -> Result<Bytes, Unfetched> {
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| Unfetched::Exchange(reasons(&why)))?;
        let Ok(data) = frame.into_data() else { continue };
        if text.len() + data.len() > LARGEST {
            return Err(Unfetched::TooLarge);
        }
        text.extend_from_slice(&data);
    }
    Ok(text.into())
}

fn roots(authorities: &Authorities) -> Result<RootCertStore, Mistake> {
    let mut roots = RootCertStore::empty();
    let of_platform = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(of_platform.certs);
    roots.add_parsable_certificates(authorities.0.iter().cloned());
    if roots.is_empty() {
        let what = "no root certificate was found, so that the host of a jwks_url could not be checked";
        return Err(Mistake::new("root certificates", what)
            .hint("install the package `ca-certificates`, or name the issuer's authority as jwks_ca_file"));
    }
    Ok(roots)
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, Mistake> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| Mistake::new("TLS", format!("the cryptography library lacks what TLS needs: {why}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Why no set was fetched, or not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfetched {
    /// No connection, no proof of the other end, or no whole answer.
    #[error("no answer: {0}")]
    Exchange(String),
    /// The time was over.
    #[error("no whole answer in time")]
    Timeout,
    /// Another status than 200.
    #[error("it answers with status {0}, where 200 is wanted; redirects are not followed")]
    Status(u16),
    /// Over 64 KiB.
    #[error("the answer is over {LARGEST} bytes")]
    TooLarge,
    /// What came is no set of public keys.
    #[error("the answer is not taken: {0}")]
    Set(String),
}

impl Unfetched {
    /// Every word of [`Self::as_str`].
    pub(super) const WORDS: [&'static str; 5] = ["no_answer", "timeout", "status", "too_large", "bad_set"];

    /// The word in a metric's label.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "no_answer",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Set(_) => "bad_set",
        }
    }
}

/// An error and what it came from.
fn reasons<'a>(why: &'a (dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(why), |why: &&'a (dyn Error + 'static)| (*why).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
