//! Everything that `dev` starts: throw-away keys, a stand-in that knows them, a gateway in front of it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::Addresses;
use crate::auth::{CannotMint, DevelopmentClaims, SigningSecret, mint};
use crate::cli::gateway::{Gateway, StartError};
use crate::config::Config;
use crate::domain::Mistakes;
use crate::stand_in::{KnownKey, Settings, StandIn};

const ISSUER: &str = "https://dev.ci-gateway.invalid";
const AUDIENCE: &str = "ci-gateway";
/// Who makes the call.
pub(super) const CALLER: &str = "alice";
const TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// The sample policy, also as a file for people to read.
pub(super) const POLICY: &str = include_str!("policy.toml");

/// A running stand-in and a running gateway.
#[derive(Debug)]
pub(super) struct World {
    stand_in: StandIn,
    gateway: Gateway,
    token: String,
    /// Holds the keys; gone with the value.
    _folder: TempDir,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotStart {
    #[error("the stand-in cannot listen on `{0}`: {1}")]
    StandIn(SocketAddr, io::Error),
    #[error(transparent)]
    Gateway(#[from] StartError),
    #[error("the files of this run cannot be written: {0}")]
    Files(#[from] io::Error),
    #[error("no randomness for keys: {0}")]
    Random(#[from] getrandom::Error),
    #[error("the configuration of this run is wrong, which is a bug: {0}")]
    Configuration(#[from] Mistakes),
    #[error("no token: {0}")]
    Token(#[from] CannotMint),
}

impl World {
    pub(super) async fn start(addresses: Addresses) -> Result<Self, CannotStart> {
        let (secret_id, secret_key) = (format!("AKID{}", random()?), random()?);
        let shared_secret = random()?;
        let socket = TcpListener::bind(addresses.stand_in).await;
        let socket = socket.map_err(|why| CannotStart::StandIn(addresses.stand_in, why))?;
        let stand_in = StandIn::start(socket, Settings::with_key(KnownKey::new(&secret_id, &secret_key, None)));
        let folder = tempfile::Builder::new().prefix("ci-gateway-dev-").tempdir()?;
        write(&folder.path().join("keys"), &format!("secret_id = {secret_id}\nsecret_key = {secret_key}\n"))?;
        write(&folder.path().join("jwt-secret"), &shared_secret)?;
        write(&folder.path().join("policy.toml"), POLICY)?;
        let text = configuration(addresses, stand_in.address());
        let config = Config::parse(&text, "the configuration of `dev`", folder.path(), std::iter::empty())?;
        let gateway = Gateway::start(config).await?;
        let token = token(&shared_secret)?;
        Ok(Self { stand_in, gateway, token, _folder: folder })
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(super) fn stand_in_address(&self) -> SocketAddr {
        self.stand_in.address()
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Ends the gateway first, so that what it is doing can be answered.
    pub(super) async fn stop(self) {
        self.gateway.drain().start();
        let _ended = self.gateway.finished().await;
        self.stand_in.stop().await;
    }
}

fn configuration(addresses: Addresses, stand_in: SocketAddr) -> String {
    let Addresses { gateway, admin, .. } = addresses;
    format!(
        r#"
        [server]
        listen = "{gateway}"
        drain_delay = "0s"
        drain_timeout = "2s"
        [admin]
        listen = "{admin}"
        [[auth.jwt]]
        issuer = "{ISSUER}"
        audience = "{AUDIENCE}"
        algorithms = ["HS256"]
        secret_file = "jwt-secret"
        [policy]
        file = "policy.toml"
        [credentials]
        source = "file"
        file = "keys"
        [ci]
        default_region = "ap-chongqing"
        endpoint = "http://{stand_in}"
        [telemetry]
        log_format = "text"
        "#
    )
}

fn token(shared_secret: &str) -> Result<String, CannotMint> {
    let claims = DevelopmentClaims {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        caller: CALLER.to_owned(),
        groups: vec!["developers".to_owned()],
        issued_at: Timestamp::now(),
        lifetime: TOKEN_LIFETIME,
    };
    mint(&SigningSecret::shared(shared_secret.as_bytes())?, &claims)
}

/// 160 random bits as 40 letters and digits.
fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
