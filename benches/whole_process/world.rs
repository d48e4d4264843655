//! What the servers need: the stub, a folder with the gateway's files, and a token.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ci_gateway::auth::{DevelopmentClaims, SigningSecret, mint};
use jiff::Timestamp;
use tempfile::TempDir;

use super::load::TOKEN;
use super::process::{Process, can_pin, command};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const POLICY: &str = r#"
version = "2.0"
[[statement]]
id = "alice-does-all"
effect = "allow"
principal = "user:alice"
action = "ci:*"
resource = "*"
"#;
const KEYS: &str = "secret_id = AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAM\nsecret_key = examplesecretkeyexamplesecretkey\n";

/// Servers run on this core, everything else on the other.
const SERVER_CORE: u8 = 1;
const LOAD_CORE: u8 = 0;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    PassThrough,
    /// The gateway without its one line a request.
    Gateway,
    /// The gateway as it comes.
    GatewayLogging,
    /// With records in a file that the operating system has.
    AuditWritten,
    /// With records on the disk before the call and before the answer, as it comes.
    AuditDurable,
}

impl Server {
    pub(crate) const ALL: [Self; 5] =
        [Self::PassThrough, Self::Gateway, Self::GatewayLogging, Self::AuditWritten, Self::AuditDurable];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PassThrough => "pass-through",
            Self::Gateway => "gateway, RUST_LOG=warn",
            Self::GatewayLogging => "gateway",
            Self::AuditWritten => "gateway, [audit] durability = \"os\"",
            Self::AuditDurable => "gateway, [audit] file",
        }
    }
}

/// The stub runs for as long as this lives.
pub(crate) struct World {
    folder: TempDir,
    token: String,
    pinned: bool,
    upstream: SocketAddr,
    _stub: Process,
}

impl World {
    pub(crate) fn start() -> Self {
        let (folder, pinned, upstream) = (TempDir::new().unwrap(), can_pin(), free_address());
        write_private(folder.path(), "jwt.secret", SECRET);
        write_private(folder.path(), "tencent.keys", KEYS.as_bytes());
        write_private(folder.path(), "policy.toml", POLICY.as_bytes());
        let mut stub = own(LOAD_CORE, pinned);
        stub.args(["stub", &upstream.to_string()]);
        Self { folder, token: token(), pinned, upstream, _stub: Process::start(stub) }
    }

    pub(crate) fn pinned(&self) -> bool {
        self.pinned
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Starts a server; it is ready when it answers.
    pub(crate) fn serve(&self, server: Server) -> (Process, SocketAddr) {
        let address = free_address();
        let mut program = match server {
            Server::PassThrough => {
                let mut program = own(SERVER_CORE, self.pinned);
                program.args(["pass-through", &address.to_string(), &self.upstream.to_string()]);
                program
            }
            Server::Gateway | Server::GatewayLogging | Server::AuditWritten | Server::AuditDurable => {
                write_private(self.folder.path(), "gateway.toml", self.configuration(server, address).as_bytes());
                let mut program = command(env!("CARGO_BIN_EXE_ci-gateway"), SERVER_CORE, self.pinned);
                program.args(["serve", "--config"]).arg(self.folder.path().join("gateway.toml"));
                program
            }
        };
        let filter = if server == Server::Gateway { "warn" } else { "info" };
        program.env("RUST_LOG", filter);
        (Process::start(program), address)
    }

    /// A load on `address` that prints what it counted.
    pub(crate) fn load(&self, address: SocketAddr, seconds: u32) -> Command {
        let mut load = own(LOAD_CORE, self.pinned);
        load.args(["load", &address.to_string(), &seconds.to_string()]).env(TOKEN, &self.token);
        load
    }

    fn configuration(&self, server: Server, address: SocketAddr) -> String {
        let audit = match server {
            Server::PassThrough | Server::Gateway | Server::GatewayLogging => "",
            Server::AuditWritten => "[audit]\nfile = \"audit.jsonl\"\ndurability = \"os\"",
            Server::AuditDurable => "[audit]\nfile = \"audit.jsonl\"",
        };
        format!(
            r#"
            server.listen = "{address}"
            admin.listen = "{}"
            policy.file = "policy.toml"
            credentials = {{ source = "file", file = "tencent.keys" }}
            ci = {{ default_region = "ap-chongqing", endpoint = "http://{}" }}
            [[auth.jwt]]
            issuer = "bench"
            audience = "ci-gateway"
            algorithms = ["HS256"]
            secret_file = "jwt.secret"
            {audit}
            "#,
            free_address(),
            self.upstream,
        )
    }
}

/// This program, for another role.
fn own(core: u8, pinned: bool) -> Command {
    command(std::env::current_exe().unwrap().to_str().unwrap(), core, pinned)
}

fn write_private(folder: &Path, name: &str, content: &[u8]) {
    let file = folder.join(name);
    fs::write(&file, content).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Free a moment ago, which is as good as it gets for a program that is told its port.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn token() -> String {
    let claims = DevelopmentClaims {
        issuer: "bench".to_owned(),
        audience: "ci-gateway".to_owned(),
        caller: "alice".to_owned(),
        groups: vec!["speech-team".to_owned()],
        issued_at: Timestamp::now(),
        lifetime: Duration::from_secs(24 * 3600),
    };
    mint(&SigningSecret::shared(SECRET).unwrap(), &claims).unwrap()
}
