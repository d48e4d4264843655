//! `ci-gateway serve` as a process whose addresses are known.

use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::{Answer, Call, Ended, Folder, Process, program};

/// The call that most tests make.
pub(crate) const SMART_AUDIO: &str = "/v1/buckets/test-1234567890/smart-audio";

/// A gateway that serves.
pub(crate) struct Served {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Served {
    /// Starts one from the configuration in `folder`.
    pub(crate) fn from(folder: &Folder) -> Self {
        Self::from_with(folder, &[])
    }

    /// The same, with these variables in its environment.
    pub(crate) fn from_with(folder: &Folder, environment: &[(&str, &str)]) -> Self {
        let mut command = program(&["serve", "--config", &folder.config()]);
        command.envs(environment.iter().copied());
        Self::start(command)
    }

    /// The same, from a configuration that stands elsewhere.
    pub(crate) fn from_config(file: &str) -> Self {
        Self::start(program(&["serve", "--config", file]))
    }

    /// Starts it by this command.
    pub(crate) fn start(command: Command) -> Self {
        Self::serving(Process::start(command))
    }

    /// Returns when both its listeners are open, which is when it says so.
    fn serving(process: Process) -> Self {
        let serving = process.stderr().find_line(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "serving").then_some(line)
        });
        let Some(serving) = serving else { panic!("it does not serve: {:#?}", process.ended()) };
        Self::at(process, &serving)
    }

    /// One that has said `serving` in its log.
    pub(crate) fn at(process: Process, serving: &Value) -> Self {
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        let (address, admin) = (address("listen"), address("admin"));
        Self { process, address, admin }
    }

    /// The business listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin listener.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Switches Smart Audio on for the test bucket.
    pub(crate) fn enable(&self, token: &str) -> Answer {
        Call::post(SMART_AUDIO).token(token).make(self.address).unwrap()
    }

    /// Asks whether the caller could, without doing it.
    pub(crate) fn ask_only(&self, token: &str) -> Answer {
        Call::post(&format!("{SMART_AUDIO}?validate_only=true")).token(token).make(self.address).unwrap()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        Call::get(target).make(self.address).unwrap()
    }

    pub(crate) fn admin_get(&self, target: &str) -> Answer {
        Call::get(target).make(self.admin).unwrap()
    }

    pub(crate) fn reload(&self) -> Answer {
        Call::post("/reload").make(self.admin).unwrap()
    }

    /// The value of the metric `ci_gateway_…`, with its labels as they stand in the text; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.admin_get("/metrics").expect(200).body;
        let value =
            text.lines().find_map(|line| line.strip_prefix("ci_gateway_")?.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    pub(crate) fn ended_by(self, signal: Signal) -> Ended {
        self.process.ended_by(signal)
    }

    pub(crate) fn ended(self) -> Ended {
        self.process.ended()
    }
}
