//! Log lines on standard error, one event a line.
//!
//! Never logged: keys, tokens, signatures, `Authorization` or any other header's value, bodies, the text of an
//! unverified token.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::lines::Lines;

/// The shape of the log lines on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// A line for people.
    Text,
}

/// Of the whole process, as its standard error is.
static LINES: Lines = Lines::new();

/// Libraries that write frames or header values at their finest levels; nobody's filter opens them.
const CAPPED: [&str; 6] = ["hyper", "hyper_util", "h2", "rustls", "tokio_rustls", "hyper_rustls"];

/// Sends events of this process to standard error: from `info` up, or as `filter` says (`RUST_LOG`'s language);
/// `colour` is for lines for people on a terminal.
///
/// Who logs never waits: a thread of its own writes the lines, and what standard error does not take in time is
/// dropped and counted ([`dropped_log_lines`]). The end of the process has to wait for that thread: [`flush_log`].
///
/// Only the first call in a process has an effect, so that tests in one process do not quarrel.
///
/// # Errors
/// The thread cannot be started.
pub fn start_logging(format: LogFormat, filter: Option<&str>, colour: bool) -> io::Result<()> {
    match subscriber(format, filter, colour, || &LINES).try_init() {
        Ok(()) => LINES.start(io::stderr()),
        Err(_already_started) => Ok(()),
    }
}

/// Returns when standard error has all lines that were logged, or after two seconds; at once if there are none.
pub fn flush_log() {
    LINES.flush();
}

/// How many log lines of this process were dropped.
#[must_use]
pub fn dropped_log_lines() -> u64 {
    LINES.dropped()
}

fn subscriber<W>(format: LogFormat, filter: Option<&str>, colour: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(filter.unwrap_or_default());
    // A filter of its own: among the directives of one filter the most specific wins, so that `h2::codec=trace` would
    // beat a cap on `h2`.
    let filter = asked.and(filter_fn(is_within_cap));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text => lines.with_ansi(colour).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

/// Whether a filter may let this through at all.
fn is_within_cap(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !CAPPED.contains(&library)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What stands in the log of `events` under this filter.
    fn logged(format: LogFormat, filter: Option<&str>, events: fn()) -> String {
        let page = Page::default();
        let pen = page.clone();
        tracing::subscriber::with_default(subscriber(format, filter, false, move || pen.clone()), events);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn of_libraries() {
        tracing::trace!(target: "h2::codec::framed_write", "frame");
        tracing::trace!(target: "h2", "frame");
        tracing::debug!(target: "hyper::proto::h1", "frame");
        tracing::debug!(target: "hyper_util::client", "frame");
        tracing::debug!(target: "rustls::server::hs", "frame");
        tracing::debug!(target: "tokio_rustls::client", "frame");
        tracing::debug!(target: "hyper_rustls", "frame");
        tracing::info!(target: "h2::proto", "heard");
        tracing::trace!(target: "h2o::tea", "heard");
    }

    #[test]
    fn no_filter_opens_what_writes_frames_and_headers() {
        let each = "h2::codec=trace,h2::codec::framed_write[]=trace,hyper::proto=trace,hyper_util::client=debug,\
                    rustls::server::hs=trace,tokio_rustls::client=debug,hyper_rustls=trace,h2o=trace,h2=trace";
        for filter in ["trace", each] {
            let text = logged(LogFormat::Text, Some(filter), of_libraries);
            assert!(!text.contains("frame"), "{filter}: {text}");
            assert_eq!(text.matches("heard").count(), 2, "{filter}: {text}");
        }
    }

    #[test]
    fn the_filter_is_heeded_below_the_cap_and_without_one_all_from_info_up_is_logged() {
        let events = || {
            tracing::info!(target: "ci_gateway::api", answer = 42, "told");
            tracing::debug!(target: "ci_gateway::api", "whispered");
            tracing::info!(target: "h2", "chatted");
        };
        let text = logged(LogFormat::Text, None, events);
        assert!(text.contains("told answer=42") && text.contains("chatted") && !text.contains("whispered"), "{text}");
        let text = logged(LogFormat::Text, Some("ci_gateway=debug,h2=error"), events);
        assert!(text.contains("whispered") && !text.contains("chatted"), "{text}");
        assert_eq!(logged(LogFormat::Text, Some("off"), events), "");
    }

    #[test]
    fn a_line_of_json_is_flat() {
        let text = logged(LogFormat::Json, None, || tracing::warn!(answer = 42, "told"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["answer"], &line["message"], &line["level"]), (&42.into(), &"told".into(), &"WARN".into()));
    }
}
