//! What the metrics tell of our keys, account by account; their labels are the APPIDs of the configuration.

use std::sync::PoisonError;

use jiff::Timestamp;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::Metrics;
use crate::credentials::{AccountState, GenerationState};

const GENERATIONS: [&str; 2] = ["current", "previous"];
/// What came of asking a source.
const RESULTS: [&str; 2] = ["ok", "failed"];

impl Metrics {
    /// Shows the accounts of the present configuration, and no others.
    pub fn show_accounts(&self, accounts: &[AccountState]) {
        let mut shown = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for name in shown.iter().filter(|name| accounts.iter().all(|account| account.account != **name)) {
            self.forget_account(name);
        }
        *shown = accounts.iter().map(|account| account.account.clone()).collect();
        self.keys_usable.set(i64::from(accounts.iter().all(|account| account.missing.is_none())));
        accounts.iter().for_each(|account| self.show_account(account));
    }

    fn show_account(&self, state: &AccountState) {
        let account = state.account.as_str();
        follow(&self.keys_refusals, &[account], state.refusals);
        for (result, count) in RESULTS.into_iter().zip([state.refreshes, state.failed_refreshes]) {
            follow(&self.keys_refreshes, &[account, result], count);
        }
        let of = |word: &str| state.generations.iter().find(|generation| generation.generation == word);
        for word in GENERATIONS {
            at(&self.keys_last_used, &[account, word], of(word).and_then(|generation| generation.last_used));
        }
        at(&self.keys_expires, &[account], of("current").and_then(|generation| generation.expires));
        let safe = of("previous").map(|generation: &GenerationState| i64::from(generation.safe_to_delete));
        set(&self.keys_safe_to_delete, &[account], safe);
    }

    fn forget_account(&self, account: &str) {
        // One of the same name that comes later counts from nothing. That a series was never shown is no error here.
        let _gone = self.keys_refusals.remove_label_values(&[account]);
        for result in RESULTS {
            let _gone = self.keys_refreshes.remove_label_values(&[account, result]);
        }
        at(&self.keys_expires, &[account], None);
        set(&self.keys_safe_to_delete, &[account], None);
        GENERATIONS.iter().for_each(|word| at(&self.keys_last_used, &[account, word], None));
    }
}

fn at(gauge: &IntGaugeVec, labels: &[&str], time: Option<Timestamp>) {
    set(gauge, labels, time.map(Timestamp::as_second));
}

/// Shows the value, or nothing.
fn set(gauge: &IntGaugeVec, labels: &[&str], value: Option<i64>) {
    match value {
        Some(value) => gauge.with_label_values(labels).set(value),
        // That a series was never shown is no error here.
        None => drop(gauge.remove_label_values(labels)),
    }
}

/// Brings a counter up to what was counted elsewhere.
fn follow(counter: &IntCounterVec, labels: &[&str], count: u64) {
    let counter = counter.with_label_values(labels);
    counter.inc_by(count.saturating_sub(counter.get()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, missing: bool, generations: &[(&'static str, Option<i64>, bool)]) -> AccountState {
        let generation = |(word, used, safe_to_delete): &(&'static str, Option<i64>, bool)| GenerationState {
            generation: word,
            number: 1,
            fingerprint: String::new(),
            state: "kept",
            since: Timestamp::UNIX_EPOCH,
            expires: used.map(|used| Timestamp::from_second(used + 100).unwrap()),
            last_used: used.map(|used| Timestamp::from_second(used).unwrap()),
            last_refused: None,
            refused_since: None,
            uses: 1,
            refusals: 1,
            in_flight: 0,
            safe_to_delete: *safe_to_delete,
        };
        AccountState {
            account: name.to_owned(),
            source: "file",
            missing: missing.then(|| "none".to_owned()),
            problem: None,
            refreshes: 3,
            failed_refreshes: 1,
            refusals: 2,
            generations: generations.iter().map(generation).collect(),
        }
    }

    #[test]
    fn each_account_is_shown_by_its_name_until_it_is_gone() {
        let metrics = Metrics::new().unwrap();
        let gone = account("1", true, &[("current", Some(5), false), ("previous", Some(4), true)]);
        metrics.show_accounts(&[gone.clone(), account("default", false, &[("current", None, false)])]);
        let text = || String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            "keys_usable 0",
            r#"keys_expires_timestamp_seconds{account="1"} 105"#,
            r#"keys_last_used_timestamp_seconds{account="1",generation="previous"} 4"#,
            r#"keys_refusals_total{account="1"} 2"#,
            r#"keys_refreshes_total{account="default",result="failed"} 1"#,
            r#"keys_safe_to_delete{account="1"} 1"#,
        ] {
            assert!(text().contains(&format!("\nci_gateway_{line}\n")), "{line} is missing from {}", text());
        }
        metrics.show_accounts(&[account("default", false, &[])]);
        for name in ["keys_expires", "keys_last_used", "keys_safe_to_delete"] {
            assert!(!text().contains(&format!("\nci_gateway_{name}_timestamp_seconds{{account=\"1\"")), "{name}");
            assert!(!text().contains(&format!("\nci_gateway_{name}{{account=\"1\"")), "{name}");
        }
        assert!(text().contains("\nci_gateway_keys_usable 1\n"));
        // It counts from nothing when it comes back.
        metrics.show_accounts(&[AccountState { refusals: 1, refreshes: 1, failed_refreshes: 0, ..gone }]);
        for line in ["refusals_total{account=\"1\"} 1", "refreshes_total{account=\"1\",result=\"ok\"} 1"] {
            assert!(text().contains(&format!("\nci_gateway_keys_{line}\n")), "{line} is missing from {}", text());
        }
    }
}
