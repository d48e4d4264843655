//! Every metric of the process, declared in one place.
//!
//! Labels are closed sets: operations, codes, words of our own enums, and the issuers of the configuration. No label
//! ever takes a caller's, bucket's or path's text, so the number of series is bounded whatever is sent to us.

mod accounts;
mod audit;
mod handles;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::domain::{Action, Code};
pub use audit::AuditSeen;
use handles::{Cells, Words};

/// Seconds of our own work on a request: tens of microseconds when all is well, milliseconds when we are short
/// of processor time.
pub const OVERHEAD_BUCKETS: [f64; 13] = [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5];
/// Seconds of a call to Cloud Infinite: a near region answers in tens of milliseconds, the time-out is 10 s.
pub const CALL_BUCKETS: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];

/// Seconds until records are durable: a good disk takes a fraction of a millisecond; after a second nobody waits.
const COMMIT_BUCKETS: [f64; 12] = [5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.05, 0.2, 1.0, 5.0];
/// Records that are made durable at once.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0];

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
            /// Apart, since they are large, and metrics are moved about before they are shared.
            handles: Box<Handles>,
            /// Held while others' counts are carried over, so that two scrapes at once do not both add them; the
            /// issuers that were shown last.
            showing: Mutex<Vec<String>>,
            /// The same for the accounts.
            accounts: Mutex<Vec<String>>,
            $(#[doc = $help] pub(crate) $field: $kind,)*
        }

        impl $name {
            /// Declares every metric. One without labels stands at zero from the beginning; of one with labels each
            /// series appears once there is something to count.
            ///
            /// # Errors
            /// Only if two declarations clash, which a test rules out.
            pub fn new() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(
                    let $field = <$kind>::declare(concat!("ci_gateway_", $metric), $help.trim(), $details)?;
                    registry.register(Box::new($field.clone()))?;
                )*
                let metrics = Self { registry, handles: Box::default(), showing: Mutex::default(), accounts: Mutex::default(), $($field,)* };
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
        #[doc = " Seconds that Cloud Infinite's clock is ahead of ours, as its answers told last."]
        clock_skew_seconds: IntGauge = "clock_skew_seconds" ();
        #[doc = " Changes of what signatures are corrected by."]
        clock_corrections: IntCounter = "clock_corrections_total" ();
        #[doc = " Signatures that Cloud Infinite refused, by the likely cause."]
        signature_diagnoses: IntCounterVec = "signature_diagnoses_total" &["cause"];
        #[doc = " Answers of the policy, by action and decision."]
        policy_decisions: IntCounterVec = "policy_decisions_total" &["action", "decision"];
        #[doc = " Decisions that the candidate policy would have made otherwise."]
        candidate_differences: IntCounterVec = "policy_candidate_differences_total" &["action", "change"];
        #[doc = " 1 when the candidate policy is asked, 0 when it cannot be read; only there while one is configured."]
        candidate_loaded: IntGaugeVec = "policy_candidate_loaded" &[];
        #[doc = " Bearer tokens checked, by result."]
        authentications: IntCounterVec = "authentications_total" &["result"];
        #[doc = " Fetches of an issuer's key set, by the issuer as configured and by result."]
        jwks_fetches: IntCounterVec = "jwks_fetches_total" &["issuer", "result"];
        #[doc = " Seconds since an issuer's key set last came; absent before the first time."]
        jwks_age_seconds: IntGaugeVec = "jwks_age_seconds" &["issuer"];
        #[doc = " Keys of an issuer's fetched set, by whether they are used."]
        jwks_keys: IntGaugeVec = "jwks_keys" &["issuer", "state"];
        #[doc = " Request heads refused before routing, by rule."]
        head_refusals: IntCounterVec = "head_refusals_total" &["rule"];
        #[doc = " Signatures made."]
        signatures: IntCounter = "signatures_total" ();
        #[doc = " Requests past authentication that are being worked on."]
        in_flight: IntGauge = "in_flight_requests" ();
        #[doc = " Open connections, by listener."]
        connections: IntGaugeVec = "open_connections" &["listener"];
        #[doc = " Connections accepted, refused over the limit, or failed in TLS or HTTP, by listener."]
        connection_events: IntCounterVec = "connection_events_total" &["listener", "event"];
        #[doc = " Audit records, of intent or of outcome, that could not be written in time, and troubles of the audit."]
        audit_failures: IntCounter = "audit_failures_total" ();
        #[doc = " Outcomes that are not in the audit and never will be: too many waited while it could not be written."]
        audit_outcomes_lost: IntCounter = "audit_outcomes_lost_total" ();
        #[doc = " Audit records that are durable, by type."]
        audit_records: IntCounterVec = "audit_records_total" &["type"];
        #[doc = " Seconds from taking the audit records that wait to all of them being durable."]
        audit_commit_seconds: HistogramVec = "audit_commit_seconds" (&COMMIT_BUCKETS, &[]);
        #[doc = " Audit records that were made durable at once."]
        audit_commit_records: HistogramVec = "audit_commit_records" (&BATCH_BUCKETS, &[]);
        #[doc = " Audit lines that standard output did not take in time, where it has only a copy."]
        audit_stdout_dropped: IntCounter = "audit_stdout_dropped_total" ();
        #[doc = " Times at which the audit file was deleted or had become shorter: records are gone."]
        audit_file_lost: IntCounter = "audit_file_lost_total" ();
        #[doc = " Bytes of disk space that the audit has taken ahead; absent where it can take none."]
        audit_reserved_bytes: IntGaugeVec = "audit_reserved_bytes" &[];
        #[doc = " Bytes that are free for us on the audit file's filesystem."]
        audit_free_bytes: IntGaugeVec = "audit_free_bytes" &[];
        #[doc = " 1 when requests can be recorded."]
        audit_usable: IntGauge = "audit_usable" ();
        #[doc = " Log lines that standard error did not take in time."]
        log_lines_dropped: IntCounter = "log_lines_dropped_total" ();
        #[doc = " Panics that became a 500: each is a bug, alert on any."]
        panics: IntCounter = "panics_total" ();
        #[doc = " 1 when every account has usable keys."]
        keys_usable: IntGauge = "keys_usable" ();
        #[doc = " When an account's current keys end, in Unix seconds; absent for keys that last."]
        keys_expires: IntGaugeVec = "keys_expires_timestamp_seconds" &["account"];
        #[doc = " When a request last went upstream with an account's keys, in Unix seconds; absent before the first."]
        keys_last_used: IntGaugeVec = "keys_last_used_timestamp_seconds" &["account", "generation"];
        #[doc = " Refusals of an account's keys, or of signatures made with them, by Cloud Infinite."]
        keys_refusals: IntCounterVec = "keys_refusals_total" &["account"];
        #[doc = " How often the source of an account was asked for keys, by what came of it."]
        keys_refreshes: IntCounterVec = "keys_refreshes_total" &["account", "result"];
        #[doc = " 1 when this process can do without an account's previous keys; ask every replica."]
        keys_safe_to_delete: IntGaugeVec = "keys_safe_to_delete" &["account"];
        #[doc = " The generation of the configuration in force; it grows by one with each reload that succeeds."]
        config_generation: IntGauge = "config_generation" ();
        #[doc = " 1 when the last attempt to load the configuration succeeded."]
        config_last_reload_success: IntGauge = "config_last_reload_success" ();
        #[doc = " When the configuration in force was loaded, in Unix seconds."]
        config_in_force_since: IntGauge = "config_last_reload_success_timestamp_seconds" ();
        #[doc = " Attempts to reload the configuration, by result."]
        config_reloads: IntCounterVec = "config_reloads_total" &["result"];
        #[doc = " 1 while the process drains before it stops."]
        draining: IntGauge = "draining" ();
        #[doc = " Always 1; the label is the version that runs."]
        build_info: IntGaugeVec = "build_info" &["version"];
    }
}

/// An issuer's key set, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetSeen {
    /// The issuer as configured.
    pub issuer: String,
    /// How many fetches ended how.
    pub fetches: Vec<(&'static str, u64)>,
    /// Since it last came; `None` before the first time.
    pub age: Option<Duration>,
    /// Keys in use.
    pub keys: usize,
    /// Keys that cannot be used.
    pub skipped: usize,
}

/// One for each action, and one for no operation.
const ROWS: usize = Action::COUNT + 1;
/// One for each code, and one for a request that was served.
const COLUMNS: usize = Code::ALL.len() + 1;

/// The series that a request counts on its way.
#[derive(Debug, Default)]
struct Handles {
    requests: Cells<IntCounter, { ROWS * COLUMNS }>,
    overhead_seconds: Cells<Histogram, ROWS>,
    upstream_seconds: Cells<Histogram, { Action::COUNT }>,
    upstream_attempts: Words,
    policy_decisions: Cells<Words, { Action::COUNT }>,
    candidate_differences: Cells<Words, { Action::COUNT }>,
    authentications: Words,
    head_refusals: Words,
}

impl Metrics {
    fn start(&self) -> prometheus::Result<()> {
        self.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
    }

    /// Counts an answered request; `code` is `None` when it was served.
    pub fn request(&self, action: Option<Action>, code: Option<Code>, overhead: Duration) {
        let operation = action.map_or(NO_OPERATION, operation);
        let row = action.map_or(0, |action| action.index() + 1);
        let column = code.map_or(0, |code| code.index() + 1);
        let word = code.map_or(SERVED, Code::as_str);
        self.handles.requests.with(
            row * COLUMNS + column,
            || self.requests.with_label_values(&[operation, word]),
            IntCounter::inc,
        );
        self.handles.overhead_seconds.with(
            row,
            || self.overhead_seconds.with_label_values(&[operation]),
            |histogram| histogram.observe(overhead.as_secs_f64()),
        );
    }

    /// Counts an attempt at Cloud Infinite: what came of it, and how long it took.
    pub fn upstream_attempt(&self, action: Action, result: &'static str, took: Duration) {
        self.handles.upstream_attempts.count(result, || self.upstream_attempts.with_label_values(&[result]));
        self.handles.upstream_seconds.with(
            action.index(),
            || self.upstream_seconds.with_label_values(&[operation(action)]),
            |histogram| histogram.observe(took.as_secs_f64()),
        );
    }

    /// Counts a decision of the policy.
    pub fn policy_decision(&self, action: Action, decision: &'static str) {
        let series = || self.policy_decisions.with_label_values(&[operation(action), decision]);
        self.handles.policy_decisions.with(action.index(), Words::default, |words| words.count(decision, series));
    }

    /// Counts a decision that the candidate policy would have made otherwise.
    pub fn candidate_difference(&self, action: Action, change: &'static str) {
        let series = || self.candidate_differences.with_label_values(&[operation(action), change]);
        self.handles.candidate_differences.with(action.index(), Words::default, |words| words.count(change, series));
    }

    /// Shows whether the candidate policy could be read; `None` if there is none.
    pub fn show_candidate(&self, loaded: Option<bool>) {
        match loaded {
            Some(loaded) => self.candidate_loaded.with_label_values::<&str>(&[]).set(i64::from(loaded)),
            None => self.candidate_loaded.reset(),
        }
    }

    /// Counts a look at a caller's credentials, by what came of it.
    pub fn authentication(&self, result: &'static str) {
        self.handles.authentications.count(result, || self.authentications.with_label_values(&[result]));
    }

    /// Counts a request whose head was refused, by the rule that it breaks.
    pub fn head_refusal(&self, rule: &'static str) {
        self.handles.head_refusals.count(rule, || self.head_refusals.with_label_values(&[rule]));
    }

    /// Counts a signature.
    pub fn signed(&self) {
        self.signatures.inc();
    }

    /// Counts a signature that was refused, by its likely cause.
    pub fn signature_diagnosis(&self, cause: &'static str) {
        self.signature_diagnoses.with_label_values(&[cause]).inc();
    }

    /// Counts an attempt to reload the configuration.
    pub fn reloaded(&self, success: bool) {
        self.config_reloads.with_label_values(&[if success { "ok" } else { "failed" }]).inc();
        self.config_last_reload_success.set(i64::from(success));
    }

    /// Shows how many log lines were dropped since the process began.
    pub fn show_dropped_log_lines(&self, count: u64) {
        // The lock guards no data that a panic could leave half-changed.
        let _alone = self.showing.lock();
        follow(&self.log_lines_dropped, count);
    }

    /// Shows what a listener counted by itself since the process began.
    pub fn show_connections(&self, listener: &'static str, open: u64, events: &[(&'static str, u64)]) {
        // The lock guards no data that a panic could leave half-changed.
        let _alone = self.showing.lock();
        self.connections.with_label_values(&[listener]).set(gauge(open));
        for (event, count) in events {
            let counter = self.connection_events.with_label_values(&[listener, event]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// Shows the key sets of the present configuration, and no others.
    pub fn show_key_sets(&self, sets: &[KeySetSeen]) {
        let mut shown = self.showing.lock().unwrap_or_else(PoisonError::into_inner);
        for issuer in shown.iter().filter(|issuer| sets.iter().all(|set| set.issuer != **issuer)) {
            self.forget_key_set(issuer);
        }
        *shown = sets.iter().map(|set| set.issuer.clone()).collect();
        for set in sets {
            let issuer = set.issuer.as_str();
            for (result, count) in &set.fetches {
                let counter = self.jwks_fetches.with_label_values(&[issuer, result]);
                counter.inc_by(count.saturating_sub(counter.get()));
            }
            match set.age {
                Some(age) => self.jwks_age_seconds.with_label_values(&[issuer]).set(gauge(age.as_secs())),
                None => drop(self.jwks_age_seconds.remove_label_values(&[issuer])),
            }
            for (state, count) in [("used", set.keys), ("skipped", set.skipped)] {
                self.jwks_keys.with_label_values(&[issuer, state]).set(gauge(count as u64));
            }
        }
    }

    fn forget_key_set(&self, issuer: &str) {
        // That a series was never shown is no error here.
        let _ = self.jwks_age_seconds.remove_label_values(&[issuer]);
        for state in ["used", "skipped"] {
            let _ = self.jwks_keys.remove_label_values(&[issuer, state]);
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

/// Brings a counter up to what others have counted.
fn follow(counter: &IntCounter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
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

    #[test]
    fn every_operation_and_code_has_a_series_of_its_own() {
        let metrics = Metrics::new().unwrap();
        let actions = || Action::all().map(Some).chain([None]);
        let codes = || Code::ALL.into_iter().map(Some).chain([None]);
        for action in actions() {
            for code in codes() {
                metrics.request(action, code, Duration::ZERO);
                let labels = [action.map_or(NO_OPERATION, operation), code.map_or(SERVED, Code::as_str)];
                assert_eq!(metrics.requests.with_label_values(&labels).get(), 1, "{labels:?}");
            }
            let labels = [action.map_or(NO_OPERATION, operation)];
            assert_eq!(metrics.overhead_seconds.with_label_values(&labels).get_sample_count(), codes().count() as u64);
        }
        assert_eq!(metrics.handles.requests.len(), actions().count() * codes().count());
    }

    #[test]
    fn words_are_counted_under_their_own_labels() {
        let metrics = Metrics::new().unwrap();
        for action in Action::all() {
            metrics.policy_decision(action, "permit");
            metrics.policy_decision(action, "deny");
            metrics.policy_decision(action, "deny");
            metrics.upstream_attempt(action, "answered", Duration::from_millis(3));
        }
        metrics.authentication("expired");
        metrics.head_refusal("host");
        metrics.signed();
        for line in [
            r#"policy_decisions_total{action="DeleteMediaBucket",decision="deny"} 2"#,
            r#"policy_decisions_total{action="DeleteMediaBucket",decision="permit"} 1"#,
            r#"upstream_attempts_total{result="answered"} 18"#,
            r#"upstream_seconds_count{operation="DeleteMediaBucket"} 1"#,
            r#"authentications_total{result="expired"} 1"#,
            r#"head_refusals_total{rule="host"} 1"#,
            "signatures_total 1",
        ] {
            let text = String::from_utf8(metrics.text().unwrap()).unwrap();
            assert!(text.contains(&format!("\nci_gateway_{line}\n")), "{line} is missing from {text}");
        }
    }

    #[test]
    fn what_happened_to_connections_is_a_counter_that_follows_the_listener() {
        let metrics = Metrics::new().unwrap();
        for accepted in [3, 3, 8] {
            metrics.show_connections("business", 2, &[("accepted", accepted)]);
        }
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(text.contains("# TYPE ci_gateway_connection_events_total counter\n"), "{text}");
        assert!(text.contains(r#"connection_events_total{event="accepted",listener="business"} 8"#), "{text}");
        assert!(text.contains(r#"open_connections{listener="business"} 2"#), "{text}");
    }

    #[test]
    fn a_key_set_that_is_no_longer_configured_is_no_longer_shown() {
        let metrics = Metrics::new().unwrap();
        let set = |issuer: &str, fetched, age| KeySetSeen {
            issuer: issuer.to_owned(),
            fetches: vec![("ok", fetched)],
            age,
            keys: 2,
            skipped: 1,
        };
        metrics.show_key_sets(&[set("a", 1, Some(Duration::from_secs(7))), set("b", 1, None)]);
        metrics.show_key_sets(&[set("a", 3, Some(Duration::from_secs(8))), set("c", 1, Some(Duration::ZERO))]);
        metrics.show_key_sets(&[set("a", 3, Some(Duration::from_secs(8))), set("c", 1, None)]);
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            r#"jwks_fetches_total{issuer="a",result="ok"} 3"#,
            r#"jwks_age_seconds{issuer="a"} 8"#,
            r#"jwks_keys{issuer="a",state="used"} 2"#,
            r#"jwks_keys{issuer="a",state="skipped"} 1"#,
        ] {
            assert!(text.contains(&format!("\nci_gateway_{line}\n")), "{line} is missing from {text}");
        }
        assert!(
            !text.contains(r#"jwks_keys{issuer="b""#) && !text.contains(r#"jwks_age_seconds{issuer="b""#),
            "{text}"
        );
    }

    #[test]
    fn a_series_appears_once_there_is_something_to_count() {
        let text = String::from_utf8(Metrics::new().unwrap().text().unwrap()).unwrap();
        assert!(text.contains("\nci_gateway_signatures_total 0\n"), "{text}");
        assert!(!text.contains("ci_gateway_requests_total"), "{text}");
    }
}
