//! Every metric of the process, declared in one place.
//!
//! Labels are closed sets: operations, codes and words of our own enums. No label ever takes a caller's,
//! bucket's or path's text, so the number of series is bounded whatever is sent to us.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::domain::{Action, Code};

/// Seconds of our own work on a request: tens of microseconds when all is well, milliseconds when we are short
/// of processor time.
pub const OVERHEAD_BUCKETS: [f64; 13] = [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5];
/// Seconds of a call to Cloud Infinite: a near region answers in tens of milliseconds, the time-out is 10 s.
pub const CALL_BUCKETS: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];

/// The value of the label `code` of a request that was served.
const SERVED: &str = "ok";
/// The value of the label `operation` of a request that named none.
const NO_OPERATION: &str = "none";

/// How a metric of each type is made from its name, help and labels (for a histogram, its buckets).
trait Declared: Sized {
    type Details;
    fn declare(name: &str, help: &str, details: Self::Details) -> prometheus::Result<Self>;
}

impl Declared for IntCounter {
    type Details = ();
    fn declare(name: &str, help: &str, (): ()) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Declared for IntGauge {
    type Details = ();
    fn declare(name: &str, help: &str, (): ()) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Declared for IntCounterVec {
    type Details = &'static [&'static str];
    fn declare(name: &str, help: &str, labels: Self::Details) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Declared for IntGaugeVec {
    type Details = &'static [&'static str];
    fn declare(name: &str, help: &str, labels: Self::Details) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Declared for HistogramVec {
    type Details = (&'static [f64], &'static [&'static str]);
    fn declare(name: &str, help: &str, (buckets, labels): Self::Details) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
    }
}

/// Declares a struct of metrics whose doc comments are the help texts and whose names get the prefix `ci_gateway_`.
macro_rules! metrics {
    ($(#[$about:meta])* pub struct $name:ident { $(#[doc = $help:literal] $field:ident: $kind:ty = $metric:literal $details:expr;)* }) => {
        $(#[$about])*
        pub struct $name {
            registry: Registry,
            $(#[doc = $help] pub(crate) $field: $kind,)*
        }

        impl $name {
            /// Declares every metric, all at zero.
            ///
            /// # Errors
            /// Only if two declarations clash, which a test rules out.
            pub fn new() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(
                    let $field = <$kind>::declare(concat!("ci_gateway_", $metric), $help.trim(), $details)?;
                    registry.register(Box::new($field.clone()))?;
                )*
                let metrics = Self { registry, $($field,)* };
                metrics.start()?;
                Ok(metrics)
            }
        }
    };
}

metrics! {
    /// The metrics of one process.
    #[derive(Debug)]
    pub struct Metrics {
        #[doc = " Requests answered on the business listener, by operation and by code (`ok` when served)."]
        requests: IntCounterVec = "requests_total" &["operation", "code"];
        #[doc = " Seconds of the gateway's own work on a request: its whole time less the cloud's."]
        overhead_seconds: HistogramVec = "request_overhead_seconds" (&OVERHEAD_BUCKETS, &["operation"]);
        #[doc = " Seconds from handing a request to the upstream client to its answer or failure."]
        upstream_seconds: HistogramVec = "upstream_seconds" (&CALL_BUCKETS, &["operation"]);
        #[doc = " Attempts at Cloud Infinite, by what came of them."]
        upstream_attempts: IntCounterVec = "upstream_attempts_total" &["result"];
        #[doc = " Answers of the policy, by action and decision."]
        policy_decisions: IntCounterVec = "policy_decisions_total" &["action", "decision"];
        #[doc = " Bearer tokens checked, by result."]
        authentications: IntCounterVec = "authentications_total" &["result"];
        #[doc = " Request heads refused before routing, by rule."]
        head_refusals: IntCounterVec = "head_refusals_total" &["rule"];
        #[doc = " Signatures made."]
        signatures: IntCounter = "signatures_total" ();
        #[doc = " Requests past authentication that are being worked on."]
        in_flight: IntGauge = "in_flight_requests" ();
        #[doc = " Open connections, by listener."]
        connections: IntGaugeVec = "open_connections" &["listener"];
        #[doc = " Connections accepted, refused over the limit, or failed in TLS or HTTP, by listener."]
        connection_events: IntGaugeVec = "connection_events" &["listener", "event"];
        #[doc = " Audit lines, of intent or of outcome, that could not be written."]
        audit_failures: IntCounter = "audit_failures_total" ();
        #[doc = " Panics that became a 500: each is a bug, alert on any."]
        panics: IntCounter = "panics_total" ();
        #[doc = " 1 when usable keys are loaded."]
        keys_usable: IntGauge = "keys_usable" ();
        #[doc = " The generation of the configuration in force; it grows by one with each reload that succeeds."]
        config_generation: IntGauge = "config_generation" ();
        #[doc = " 1 when the last attempt to load the configuration succeeded."]
        config_last_reload_success: IntGauge = "config_last_reload_success" ();
        #[doc = " Attempts to reload the configuration, by result."]
        config_reloads: IntCounterVec = "config_reloads_total" &["result"];
        #[doc = " 1 while the process drains before it stops."]
        draining: IntGauge = "draining" ();
        #[doc = " Always 1; the label is the version that runs."]
        build_info: IntGaugeVec = "build_info" &["version"];
    }
}

impl Metrics {
    fn start(&self) -> prometheus::Result<()> {
        self.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
    }

    /// Counts an answered request; `code` is `None` when it was served.
    pub fn request(&self, action: Option<Action>, code: Option<Code>, overhead: Duration) {
        let operation = action.map_or(NO_OPERATION, operation);
        let code = code.map_or(SERVED, Code::as_str);
        self.requests.with_label_values(&[operation, code]).inc();
        self.overhead_seconds.with_label_values(&[operation]).observe(overhead.as_secs_f64());
    }

    /// Counts an attempt at Cloud Infinite: what came of it, and how long it took.
    pub fn upstream_attempt(&self, action: Action, result: &'static str, took: Duration) {
        self.upstream_attempts.with_label_values(&[result]).inc();
        self.upstream_histogram(action).observe(took.as_secs_f64());
    }

    fn upstream_histogram(&self, action: Action) -> Histogram {
        self.upstream_seconds.with_label_values(&[operation(action)])
    }

    /// Counts a decision of the policy.
    pub fn policy_decision(&self, action: Action, decision: &'static str) {
        self.policy_decisions.with_label_values(&[operation(action), decision]).inc();
    }

    /// Counts an attempt to reload the configuration.
    pub fn reloaded(&self, success: bool) {
        self.config_reloads.with_label_values(&[if success { "ok" } else { "failed" }]).inc();
        self.config_last_reload_success.set(i64::from(success));
    }

    /// Shows what the audit counted by itself.
    pub fn show_audit_failures(&self, failures: u64) {
        self.audit_failures.inc_by(failures.saturating_sub(self.audit_failures.get()));
    }

    /// Shows what a listener counted by itself.
    pub fn show_connections(&self, listener: &'static str, open: u64, events: &[(&'static str, u64)]) {
        self.connections.with_label_values(&[listener]).set(gauge(open));
        for (event, count) in events {
            self.connection_events.with_label_values(&[listener, event]).set(gauge(*count));
        }
    }

    /// Every metric in Prometheus' text format.
    ///
    /// # Errors
    /// If a metric cannot be encoded.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The action's own name, without the prefix that all of them share.
fn operation(action: Action) -> &'static str {
    let name = action.as_str();
    name.strip_prefix("ci:").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_once_and_shows_its_help() {
        let metrics = Metrics::new().unwrap();
        metrics.request(None, Some(Code::NotFound), Duration::from_micros(30));
        metrics.request(Some(Action::all().next().unwrap()), None, Duration::from_micros(30));
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(text.contains("# HELP ci_gateway_requests_total Requests answered"));
        assert!(text.contains(r#"ci_gateway_requests_total{code="ok",operation="CreateAsrBucket"} 1"#), "{text}");
        assert!(text.contains(r#"ci_gateway_requests_total{code="not_found",operation="none"} 1"#));
    }
}
