//! A real gateway in front of a real stand-in, both on loopback and in the test's own process.

mod answer;
mod ask;
mod connection;
mod contract;
mod key_server;
mod raw_upstream;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use ci_gateway::auth::{DevelopmentClaims, SigningSecret, mint};
use ci_gateway::cli::Gateway;
use ci_gateway::config::Config;
use ci_gateway::domain::Code;
use ci_gateway::stand_in::{KnownKey, Settings, StandIn, Strike};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub(crate) use answer::Answer;
pub(crate) use ask::Ask;
pub(crate) use connection::Connection;
pub(crate) use key_server::{KEYS_ISSUER, KeyServer, Says, SigningKey, set};
pub(crate) use raw_upstream::{RawUpstream, Step, response};

/// A bucket, and the path of one of its services.
pub(crate) const BUCKET: &str = "test-1234567890";
pub(crate) const PATH: &str = "/v1/buckets/test-1234567890/smart-audio";
pub(crate) const REGION: &str = "ap-chongqing";
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "ci-gateway";
/// What the gateway's issuer signs with, and our own keys at the cloud.
pub(crate) const SHARED_SECRET: &str = "a-shared-secret-of-more-than-32-bytes";
pub(crate) const SECRET_ID: &str = "AKIDthatTheStandInKnows";
pub(crate) const SECRET_KEY: &str = "aSecretKeyThatNobodyMayEverSee00";

/// Alice may do everything, and nobody else may do anything.
const POLICY: &str = r#"
    version = "2.0"
    [[statement]]
    id = "alice-does-all"
    effect = "allow"
    principal = "user:alice"
    action = "ci:*"
    resource = "*"
"#;

/// For so long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running gateway and the stand-in behind it. They end with the test's runtime.
pub(crate) struct World {
    stand_in: StandIn,
    gateway: Gateway,
    folder: TempDir,
}

impl World {
    /// The usual: alice may do everything, in `ap-chongqing`, and nothing goes wrong.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    /// A world in which the stand-in misbehaves from the start.
    pub(crate) async fn with_fault(fault: &str) -> Self {
        let world = Self::start().await;
        world.set_fault(fault);
        world
    }

    pub(crate) fn set_fault(&self, fault: &str) {
        self.stand_in.set_faults(fault.parse::<Strike>().unwrap());
    }

    pub(crate) fn stand_in(&self) -> &StandIn {
        &self.stand_in
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Where configuration, keys and records stand.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every metric as the admin listener would show it, but for what is brought up to date there.
    pub(crate) fn metrics(&self) -> String {
        String::from_utf8(self.gateway.shared().metrics().text().unwrap()).unwrap()
    }

    /// A connection to the business listener.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::new(TcpStream::connect(self.gateway.address()).await.unwrap())
    }

    /// The answer to `ask`, on a connection of its own.
    pub(crate) async fn answer(&self, ask: &Ask) -> Answer {
        self.connect().await.ask(ask).await
    }

    /// The answer to `ask` from another address of loopback, 127.0.0.`last`.
    pub(crate) async fn answer_from(&self, last: u8, ask: &Ask) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        Connection::new(socket.connect(self.gateway.address()).await.unwrap()).ask(ask).await
    }

    /// The answer to `ask` of the admin listener.
    pub(crate) async fn admin(&self, ask: &Ask) -> Answer {
        let mut connection = Connection::new(TcpStream::connect(self.gateway.admin_address()).await.unwrap());
        connection.send(&ask.bytes()).await;
        connection.admin_answer().await
    }

    /// The answer to bytes that need not be a request.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut connection = self.connect().await;
        connection.send(bytes).await;
        connection.answer_to(bytes).await
    }

    /// The answer to `ask`, which is a refusal with `status` and `code`, and nothing went upstream.
    pub(crate) async fn refuses(&self, ask: &Ask, status: u16, code: Code) -> Answer {
        let before = self.stand_in.request_count();
        let answer = self.answer(ask).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code.as_str()), "{ask:?}: {answer:?}");
        assert_eq!(answer.json()["outcome"], "not_sent", "{ask:?}");
        assert_eq!(self.stand_in.request_count(), before, "{ask:?} went upstream");
        answer
    }

    /// Returns once the stand-in has seen so many requests.
    pub(crate) async fn seen_upstream(&self, count: u64) {
        until(|| self.stand_in.request_count() >= count).await;
    }
}

/// Returns once `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never came to pass");
}

/// What a world is made of.
pub(crate) struct Setup {
    variables: Vec<(String, String)>,
    files: Vec<(String, String)>,
    policy: String,
    default_region: bool,
    keys: bool,
    stand_in: Settings,
    change: Option<Change>,
}

type Change = Box<dyn FnOnce(&mut Config)>;

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            variables: Vec::new(),
            files: Vec::new(),
            policy: POLICY.to_owned(),
            default_region: true,
            keys: true,
            stand_in: Settings::with_key(KnownKey::new(SECRET_ID, SECRET_KEY, None)),
            change: None,
        }
    }

    /// Changes what no key of a configuration can say, such as a pace that no operator would want.
    pub(crate) fn change(self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        Self { change: Some(Box::new(change)), ..self }
    }

    /// Sets a key of the configuration, as in `set("limits.in_flight", 1)`.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        let name = format!("CI_GATEWAY__{}", key.replace('.', "__").to_ascii_uppercase());
        self.variables.push((name, value.to_string()));
        self
    }

    pub(crate) fn policy(self, policy: &str) -> Self {
        Self { policy: policy.to_owned(), ..self }
    }

    /// Leaves out what a variable cannot take away.
    pub(crate) fn without_default_region(self) -> Self {
        Self { default_region: false, ..self }
    }

    /// Leaves the gateway to the process's environment, in which there are no keys.
    pub(crate) fn without_keys(self) -> Self {
        assert!(std::env::var_os("TENCENTCLOUD_SECRET_ID").is_none(), "run the tests without real keys at hand");
        Self { keys: false, ..self }
    }

    /// Lets the gateway call this upstream instead of the stand-in.
    pub(crate) fn upstream(self, upstream: &RawUpstream) -> Self {
        self.set("ci.endpoint", upstream.endpoint())
    }

    /// Puts a file into the folder, readable by its owner alone.
    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Lets the stand-in know this key instead of ours.
    pub(crate) fn stand_in_knows(mut self, secret_id: &str, secret_key: &str) -> Self {
        self.stand_in.keys = vec![KnownKey::new(secret_id, secret_key, None)];
        self
    }

    pub(crate) async fn start(self) -> World {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stand_in = StandIn::start(socket, self.stand_in);
        let folder = tempfile::tempdir().unwrap();
        let keys = format!("secret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\n");
        for (name, text) in [("keys", keys.as_str()), ("jwt-secret", SHARED_SECRET), ("policy.toml", &self.policy)] {
            write(&folder.path().join(name), text);
        }
        for (name, text) in &self.files {
            write(&folder.path().join(name), text);
        }
        let mut text = configuration(stand_in.address());
        if self.default_region {
            text.push_str(&format!("default_region = \"{REGION}\"\n"));
        }
        if self.keys {
            text.push_str("[credentials]\nsource = \"file\"\nfile = \"keys\"\n");
        }
        let mut config = Config::parse(&text, "gateway.toml", folder.path(), self.variables.into_iter()).unwrap();
        if let Some(change) = self.change {
            change(&mut config);
        }
        let gateway = Gateway::start(config).await.unwrap();
        World { stand_in, gateway, folder }
    }
}

fn configuration(stand_in: SocketAddr) -> String {
    format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        drain_delay = "0s"
        drain_timeout = "2s"
        [admin]
        listen = "127.0.0.1:0"
        [[auth.jwt]]
        issuer = "{ISSUER}"
        audience = "{AUDIENCE}"
        algorithms = ["HS256"]
        secret_file = "jwt-secret"
        [policy]
        file = "policy.toml"
        [ci]
        endpoint = "http://{stand_in}"
        "#
    )
}

fn write(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A token that the gateway accepts for an hour.
pub(crate) fn token(caller: &str, groups: &[&str]) -> String {
    let claims = DevelopmentClaims {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        caller: caller.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        issued_at: Timestamp::now(),
        lifetime: Duration::from_secs(3600),
    };
    mint(&SigningSecret::shared(SHARED_SECRET.as_bytes()).unwrap(), &claims).unwrap()
}
