//! `ci-gateway doctor`: looks at everything that a gateway depends on, from here and now, and says what to do.

mod audit;
mod cloud;
mod files;
mod finding;
mod issuers;
mod look;
mod network;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::harden::harden;
use super::named_files::all_mistakes;
use super::problems;
use super::status::Status;
use crate::config::Config;
use crate::domain::{Bucket, Mistake};
use finding::{Finding, Section, Verdict};
use look::Look;

/// For one look at one thing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Look at all that the gateway depends on: files, clock, names, TLS, keys, issuers, audit.
///
/// One signed call that only reads tells whether Cloud Infinite takes our keys. Nothing is changed anywhere, and nothing
/// written to the audit file.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON, one finding a line
    #[arg(long)]
    json: bool,
    /// Look at what is on this machine only
    #[arg(long)]
    offline: bool,
    /// Ask Cloud Infinite about this bucket, instead of the first that is configured
    #[arg(long, value_name = "NAME")]
    bucket: Option<Bucket>,
}

/// Exit status: 0 if there is no problem, 2 if there is one, 64 if the configuration itself is wrong.
pub(super) async fn run(args: DoctorArgs) -> ExitCode {
    // It holds the keys for a moment.
    harden();
    let config = match Config::read(&args.config) {
        Ok(config) => Arc::new(config),
        Err(broken) => return refused(&args, &all_mistakes(broken).into_vec()),
    };
    let findings = findings(&args, &config).await;
    let text = if args.json { finding::lines(&findings) } else { finding::table(&findings) };
    // Whoever closed the pipe does not want to read on; the status still tells.
    let _told = std::io::stdout().write_all(text.as_bytes());
    let problem = findings.iter().any(|finding| finding.verdict == Verdict::Problem);
    if problem { Status::SaidNo } else { Status::Fine }.into()
}

/// Without a configuration there is nothing to look at.
fn refused(args: &DoctorArgs, mistakes: &[Mistake]) -> ExitCode {
    if args.json {
        let findings: Vec<_> = mistakes.iter().map(|mistake| Finding::mistake(Section::Config, mistake)).collect();
        let _told = std::io::stdout().write_all(finding::lines(&findings).as_bytes());
    } else {
        problems::tell(mistakes);
    }
    Status::BadUsage.into()
}

/// In the order of the sections; all looks run at the same time.
async fn findings(args: &DoctorArgs, config: &Arc<Config>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for look in looks(args, config) {
        findings.extend(look.end().await);
    }
    if args.offline {
        let seen = "clock, names, TLS, keys at Cloud Infinite and fetched issuers were not looked at: --offline";
        findings.push(Finding::ok(Section::Config, seen));
    }
    findings.sort_by_key(|finding| finding.section);
    findings
}

fn looks(args: &DoctorArgs, config: &Arc<Config>) -> Vec<Look> {
    let file = args.config.clone();
    let mut looks = vec![
        Look::on_disk(Section::Config, "the files", config, move |config| files::look(&file, config)),
        Look::on_disk(Section::Audit, "the audit file", config, audit::look),
    ];
    for issuer in config.auth.issuers.iter().filter(|issuer| !args.offline || !issuers::is_far(issuer)) {
        let (name, issuer) = (issuer.issuer.clone(), issuer.clone());
        looks.push(Look::begin(Section::Jwks, name, async move { issuers::look(&issuer).await }));
    }
    if !args.offline {
        let (of_cloud, bucket) = (Arc::clone(config), args.bucket.clone());
        let asked = async move { cloud::look(&of_cloud, bucket).await };
        // Sources have bounds of their own, and say themselves what went wrong.
        let patience = PATIENCE + config.credentials.longest_answer();
        looks.push(Look::begin_within(patience, Section::Keys, "Cloud Infinite", asked));
        looks.extend(network::looks(config));
    }
    looks
}
