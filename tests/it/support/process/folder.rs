//! A folder with everything that a gateway is started from, all of it good until a test spoils it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ci_gateway::auth::{DevelopmentClaims, SigningSecret, mint};
use jiff::Timestamp;
use tempfile::TempDir;

use super::{Cloud, SECRET_ID, SECRET_KEY};

pub(crate) const ISSUER: &str = "https://issuer.invalid";
pub(crate) const AUDIENCE: &str = "ci-gateway";
pub(crate) const JWT_SECRET: &str = "a-shared-secret-of-more-than-32-bytes";

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
drain_delay = "0s"
[admin]
listen = "127.0.0.1:0"
[[auth.jwt]]
issuer = "https://issuer.invalid"
audience = "ci-gateway"
algorithms = ["HS256"]
secret_file = "jwt.secret"
[policy]
file = "policy.toml"
[credentials]
source = "file"
file = "keys"
[ci]
default_region = "ap-chongqing"
endpoint = "ENDPOINT"
[audit]
file = "audit.jsonl"
[reload]
interval = "off"
"#;

/// `alice` may do everything, except where a name begins with `prod-`; nobody else may do anything.
const POLICY: &str = r#"
version = "2.0"
[[statement]]
id = "alice-may"
effect = "allow"
principal = "user:alice"
action = "ci:*"
resource = "*"
[[statement]]
id = "not-in-production"
effect = "deny"
principal = "*"
action = "*"
resource = "qcs::ci:::bucket/prod-*/*"
"#;

/// The folder, gone with the value.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// For a gateway whose cloud is `cloud`.
    pub(crate) fn of(cloud: &Cloud) -> Self {
        Self::with_endpoint(&cloud.endpoint())
    }

    /// For a gateway that is not expected to call.
    pub(crate) fn without_cloud() -> Self {
        // The discard port: nothing of ours listens there.
        Self::with_endpoint("http://127.0.0.1:9")
    }

    pub(crate) fn with_endpoint(endpoint: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("gateway.toml", &CONFIG.replace("ENDPOINT", endpoint));
        folder.write("policy.toml", POLICY);
        folder.write_secret("jwt.secret", JWT_SECRET);
        folder.write_secret("keys", &format!("secret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\n"));
        folder
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn path_text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The path of the configuration.
    pub(crate) fn config(&self) -> String {
        self.path_text("gateway.toml")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        write_with_mode(&self.path(name), text.as_bytes(), 0o644);
    }

    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        write_with_mode(&self.path(name), text.as_bytes(), 0o600);
    }

    /// Replaces `old` in a file; panics if it is not there, since then the test would test nothing.
    #[track_caller]
    pub(crate) fn change(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{old:?} does not stand in {name}: {text}");
        self.write(name, &text.replace(old, new));
    }

    /// Files are looked at so often that a test need not wait long.
    pub(crate) fn is_watched(&self) {
        self.change("gateway.toml", "interval = \"off\"", "interval = \"100ms\"");
    }

    /// Keys come from the environment and no longer from the file.
    pub(crate) fn take_keys_from_environment(&self) {
        self.change("gateway.toml", "source = \"file\"\nfile = \"keys\"\n", "source = \"environment\"\n");
    }

    /// Gives the folder and all that is in it to another user; only root can.
    pub(crate) fn belongs_to(&self, user: u32) {
        let files = fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap().path());
        for path in files.chain([self.0.path().to_owned()]) {
            std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
        }
    }

    /// A token for `caller` that holds for an hour.
    pub(crate) fn token(&self, caller: &str) -> String {
        let claims = DevelopmentClaims {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            caller: caller.to_owned(),
            groups: Vec::new(),
            issued_at: Timestamp::now(),
            lifetime: Duration::from_secs(3600),
        };
        mint(&SigningSecret::shared(self.read("jwt.secret").as_bytes()).unwrap(), &claims).unwrap()
    }
}

/// Puts a file in place at once, as an operator's tools do: a reader sees the old one or the new one.
pub(crate) fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, bytes).unwrap();
    fs::set_permissions(&fresh, Permissions::from_mode(mode)).unwrap();
    fs::rename(fresh, path).unwrap();
}
