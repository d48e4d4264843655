//! The stand-in of Cloud Infinite, in this process.

use std::net::Ipv4Addr;
use std::time::Duration;

use ci_gateway::stand_in::{Arrival, Fault, Faults, KeyServiceSettings, KnownKey, Settings, StandIn};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::until;

pub(crate) const SECRET_ID: &str = "AKIDOFTHEPROCESSTESTS";
pub(crate) const SECRET_KEY: &str = "secret-key-of-the-process-tests";

/// A stand-in on a free port of loopback; it ends with the value.
pub(crate) struct Cloud {
    stand_in: StandIn,
    scheme: &'static str,
    runtime: Option<Runtime>,
}

impl Cloud {
    /// One that knows the tests' key.
    pub(crate) fn start() -> Self {
        Self::with_keys(vec![KnownKey::new(SECRET_ID, SECRET_KEY, None)])
    }

    pub(crate) fn with_keys(keys: Vec<KnownKey>) -> Self {
        let settings = Settings { keys, ..usual() };
        Self::on("http", |listener| StandIn::start(listener, settings))
    }

    /// One that knows the tests' key, and whose services give keys as these settings say.
    pub(crate) fn with_key_services(key_services: KeyServiceSettings) -> Self {
        let settings = Settings { key_services, ..usual() };
        Self::on("http", |listener| StandIn::start(listener, settings))
    }

    pub(crate) fn with_tls(tls: ServerConfig) -> Self {
        Self::on("https", |listener| StandIn::start_tls(listener, usual(), tls))
    }

    fn on(scheme: &'static str, start: impl FnOnce(TcpListener) -> StandIn) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stand_in = runtime.block_on(async { start(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()) });
        Self { stand_in, scheme, runtime: Some(runtime) }
    }

    /// What stands in the configuration as `ci.endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.stand_in.address())
    }

    /// From now on these are the keys that it knows, each with its secret.
    pub(crate) fn knows(&self, keys: &[(String, String)]) {
        let keys: Vec<_> = keys.iter().map(|(id, key)| KnownKey::new(id, key, None)).collect();
        self.stand_in.set_keys(&keys);
    }

    pub(crate) fn stand_in(&self) -> &StandIn {
        &self.stand_in
    }

    pub(crate) fn set_faults(&self, faults: impl Into<Faults>) {
        self.stand_in.set_faults(faults);
    }

    /// From now on every answer takes so long.
    pub(crate) fn delay(&self, time: Duration) {
        self.set_faults(Fault::Delay(time));
    }

    /// How many requests have come.
    pub(crate) fn count(&self) -> u64 {
        self.stand_in.request_count()
    }

    pub(crate) fn requests(&self) -> Vec<Arrival> {
        self.stand_in.requests()
    }

    /// Returns when so many requests have come.
    pub(crate) fn wait_for(&self, count: u64) {
        until("the call did not reach the cloud", || (self.stand_in.request_count() >= count).then_some(()));
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn usual() -> Settings {
    Settings::with_key(KnownKey::new(SECRET_ID, SECRET_KEY, None))
}
