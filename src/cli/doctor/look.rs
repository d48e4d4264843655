//! A look at one thing: it runs beside the others, and comes back in time or is given up.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, interval_at, timeout};

use super::PATIENCE;
use super::finding::{Finding, Section};
use crate::config::Config;

/// Who waits longer is told what for.
const SILENCE: Duration = Duration::from_secs(2);

/// A look that has begun.
pub(super) struct Look {
    what: String,
    section: Section,
    task: JoinHandle<Vec<Finding>>,
}

impl Look {
    /// Begins to look at `what`. One that does not come back is a problem of the section.
    pub(super) fn begin(
        section: Section,
        what: impl Into<String>,
        work: impl Future<Output = Vec<Finding>> + Send + 'static,
    ) -> Self {
        Self::begin_within(PATIENCE, section, what, work)
    }

    /// The same with another patience.
    pub(super) fn begin_within(
        patience: Duration,
        section: Section,
        what: impl Into<String>,
        work: impl Future<Output = Vec<Finding>> + Send + 'static,
    ) -> Self {
        let what = what.into();
        let late = format!("{what}: nothing came back within {} s", patience.as_secs());
        let hint = "look at the network between here and there, also that of the file system: firewall, proxy, DNS";
        let task = tokio::spawn(async move {
            timeout(patience, work).await.unwrap_or_else(|_elapsed| vec![Finding::problem(section, late, hint)])
        });
        Self { what, section, task }
    }

    /// The same where it may block.
    pub(super) fn on_disk(
        section: Section,
        what: &str,
        config: &Arc<Config>,
        work: impl FnOnce(&Config) -> Vec<Finding> + Send + 'static,
    ) -> Self {
        let config = Arc::clone(config);
        let broken = broken(section, what);
        let looked = spawn_blocking(move || work(&config));
        Self::begin(section, what, async move { looked.await.unwrap_or_else(|_panicked| vec![broken]) })
    }

    /// Waits for it, and says so at a terminal.
    pub(super) async fn end(self) -> Vec<Finding> {
        let Self { what, section, mut task } = self;
        let mut ticks = interval_at(Instant::now() + SILENCE, SILENCE);
        loop {
            tokio::select! {
                findings = &mut task => return findings.unwrap_or_else(|_panicked| vec![broken(section, &what)]),
                _ = ticks.tick() => if std::io::stderr().is_terminal() {
                    let _told = writeln!(std::io::stderr(), "still waiting for: {what}");
                }
            }
        }
    }
}

fn broken(section: Section, what: &str) -> Finding {
    Finding::problem(section, format!("{what}: the look at it failed"), "please report this")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_back_is_given_up_and_named() {
        let findings = Look::begin(Section::Jwks, "https://issuer.example", std::future::pending()).end().await;
        let [late] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((late.section, late.verdict), (Section::Jwks, Verdict::Problem));
        assert_eq!(late.seen, "https://issuer.example: nothing came back within 5 s");
    }
}
