//! Log lines on standard error, one event a line.
//!
//! Never logged: keys, tokens, signatures, `Authorization` or any other header's value, bodies, the text of an
//! unverified token.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The shape of the log lines on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// A line for people.
    Text,
}

/// Libraries that write frames or header values at their finest levels; nobody's filter opens them.
const CAPPED: [&str; 6] =
    ["hyper=info", "hyper_util=info", "h2=info", "rustls=info", "tokio_rustls=info", "hyper_rustls=info"];

/// Sends events of this process to standard error: from `info` up, or as `filter` says (`RUST_LOG`'s language);
/// `colour` is for lines for people on a terminal.
///
/// Only the first call in a process has an effect, so that tests in one process do not quarrel.
pub fn start_logging(format: LogFormat, filter: Option<&str>, colour: bool) {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = CAPPED
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(builder.parse_lossy(filter.unwrap_or_default()), EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _already_started = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).finish().try_init(),
        LogFormat::Text => lines.with_ansi(colour).finish().try_init(),
    };
}
