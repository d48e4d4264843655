//! A log as the gateway writes it, sealed by code of the tests' own.

use std::io::Write;

use ci_gateway::audit::{Signer, Tree};
use rcgen::{KeyPair, PKCS_ED25519};
use sha2::{Digest, Sha256};

pub(crate) const ORIGIN: &str = "example.com/audit";

pub(crate) struct Log {
    key: KeyPair,
    tree: Tree,
    prev: String,
    text: String,
    notes: String,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::with_key()
    }

    /// Each log has a key of its own.
    pub(crate) fn with_key() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self { key, tree: Tree::default(), prev: "0".repeat(64), text: String::new(), notes: String::new() }
    }

    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }

    pub(crate) fn notes(&self) -> &str {
        &self.notes
    }

    /// The private key, in PEM.
    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    fn seal(&mut self, members: &str) {
        let sealed = format!("{{\"v\":1,\"seq\":{},\"prev\":\"{}\",{members}", self.tree.size(), self.prev);
        self.prev = hex::encode(Sha256::digest(&sealed));
        let line = format!("{sealed},\"hash\":\"{}\"}}", self.prev);
        self.tree.append(line.as_bytes());
        self.text += &line;
        self.text.push('\n');
    }

    fn peaks(&self) -> String {
        let peaks: Vec<String> = self.tree.peaks().iter().map(|peak| format!("\"{peak}\"")).collect();
        peaks.join(",")
    }

    pub(crate) fn opened(&mut self, reason: &str) {
        let (size, peaks) = (self.tree.size(), self.peaks());
        self.seal(&format!(
            "\"type\":\"opened\",\"time\":\"2026-11-21T09:00:00Z\",\"log\":\"{ORIGIN}\",\"reason\":\"{reason}\",\
             \"version\":\"0.1.0\",\"tree\":{{\"size\":{size},\"peaks\":[{peaks}]}}"
        ));
    }

    pub(crate) fn checkpoint(&mut self) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(self.key().as_bytes()).unwrap();
        let signer = Signer::load(file.path(), &ORIGIN.parse().unwrap()).unwrap();
        let (size, root, peaks) = (self.tree.size(), self.tree.root(), self.peaks());
        self.notes += &signer.checkpoint(size, &root);
        self.notes.push('\n');
        self.seal(&format!(
            "\"type\":\"checkpoint\",\"time\":\"2026-11-21T12:00:00Z\",\"size\":{size},\"root\":\"{root}\",\"peaks\":[{peaks}]"
        ));
    }

    /// Its number.
    pub(crate) fn intent(&mut self, asked: &Asked) -> u64 {
        self.seal(&asked.members("intent"));
        self.tree.size() - 1
    }

    pub(crate) fn outcome(&mut self, asked: &Asked, outcome: Outcome) {
        let Outcome { status, code, outcome, upstream, intent } = outcome;
        let intent = intent.map(|seq| format!(",\"intent\":{seq}")).unwrap_or_default();
        self.seal(&format!(
            "{},\"status\":{status},\"code\":\"{code}\",\"outcome\":\"{outcome}\",\"attempts\":1,\"duration_ms\":12.5{upstream}{intent}",
            asked.members("outcome")
        ));
    }
}

/// Who asks for what, on the test's bucket.
pub(crate) struct Asked {
    time: String,
    id: String,
    caller: String,
    action: String,
    decision: &'static str,
}

impl Asked {
    pub(crate) fn new(id: &str, caller: &str, action: &str) -> Self {
        let [id, caller, action] = [id, caller, action].map(str::to_owned);
        Self { time: String::new(), id, caller, action, decision: "permit" }
    }

    pub(crate) fn at(&self, time: &str) -> Self {
        let Self { id, caller, action, decision, .. } = self;
        Self { time: time.to_owned(), decision, ..Self::new(id, caller, action) }
    }

    pub(crate) fn denied(self) -> Self {
        Self { decision: "denied", ..self }
    }

    fn members(&self, kind: &str) -> String {
        let Self { time, id, caller, action, decision } = self;
        format!(
            "\"type\":\"{kind}\",\"time\":\"{time}\",\"request_id\":\"{id}\",\"caller\":\"{caller}\",\
             \"issuer\":\"https://id.example\",\"method\":\"jwt\",\"action\":\"{action}\",\"bucket\":\"test-1234567890\",\
             \"region\":\"ap-chongqing\",\"validate_only\":false,\"decision\":\"{decision}\",\"generation\":1,\
             \"key\":\"0123456789abcdef\""
        )
    }
}

/// What came of it.
pub(crate) struct Outcome {
    status: u16,
    code: &'static str,
    outcome: &'static str,
    upstream: &'static str,
    intent: Option<u64>,
}

impl Outcome {
    /// Of the intent of this number.
    pub(crate) fn of(self, seq: u64) -> Self {
        Self { intent: Some(seq), ..self }
    }

    pub(crate) fn applied() -> Self {
        let upstream = ",\"upstream\":{\"status\":200,\"code\":null,\"request_id\":\"ci-request-1\"}";
        Self { status: 200, code: "ok", outcome: "applied", upstream, intent: None }
    }

    pub(crate) fn forbidden() -> Self {
        Self { status: 403, code: "forbidden", outcome: "not_sent", upstream: "", intent: None }
    }

    pub(crate) fn rejected() -> Self {
        Self { status: 403, code: "upstream_denied", outcome: "rejected", upstream: "", intent: None }
    }

    pub(crate) fn unknown() -> Self {
        Self { status: 504, code: "upstream_timeout", outcome: "unknown", upstream: "", intent: None }
    }
}
