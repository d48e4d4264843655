//! What Cloud Infinite says to one signed call that only reads: about our clock, our keys, our rights.

use jiff::Timestamp;
use tokio::time::Instant;

use super::PATIENCE;
use super::finding::{Finding, Section};
use crate::ci::{self, Asked, Fault, FaultKind, Operation, Unserved, What};
use crate::config::Config;
use crate::credentials::{Credentials, Generation, Missing, NoKeys};
use crate::domain::{Bucket, Region, Service, Verb};
use crate::signing::{Diagnosis, Window};
use crate::upstream::{Clock, Exchange, SendError, Upstream, comes_of_clocks};

/// The account of Tencent's documentation; a list that is asked for a bucket of it is empty.
const NO_BUCKET: &str = "doctor-1250000000";

/// The sections `clock` and `keys`.
pub(super) async fn look(config: &Config, bucket: Option<Bucket>) -> Vec<Finding> {
    let credentials = match credentials(config) {
        Ok(credentials) => credentials,
        Err(finding) => return vec![finding],
    };
    credentials.ask_once().await;
    let missing = credentials.each_missing(Timestamp::now());
    let mut findings: Vec<_> = missing.iter().map(without_keys).collect();
    match prepared(config, bucket, &credentials) {
        Ok(call) => findings.extend(call.made().await),
        Err(finding) => findings.push(finding),
    }
    findings
}

/// The look at one bucket, by the keys of its account.
struct Call<'a> {
    config: &'a Config,
    bucket: Bucket,
    region: Region,
    keys: std::sync::Arc<Generation>,
    upstream: Upstream,
    clock: Clock,
}

/// What came of one attempt.
struct Attempt {
    window: Window,
    told: Option<Timestamp>,
    result: Result<ci::Answer, Unserved>,
    diagnosis: Option<Diagnosis>,
}

fn credentials(config: &Config) -> Result<Credentials, Finding> {
    Credentials::load(&config.credentials, None, Timestamp::now()).map_err(|mistakes| {
        let first = mistakes.iter().next().map(|mistake| Finding::mistake(Section::Keys, mistake));
        first.unwrap_or_else(|| Finding::problem(Section::Keys, "the keys cannot be read", "please report this"))
    })
}

fn without_keys(missing: &Missing) -> Finding {
    let finding = Finding::mistake(Section::Keys, &missing.why);
    Finding { seen: format!("account {}: {}", missing.account, finding.seen), ..finding }
}

fn prepared<'a>(config: &'a Config, bucket: Option<Bucket>, credentials: &Credentials) -> Result<Call<'a>, Finding> {
    let (bucket, region) = place(config, bucket)?;
    let chosen = credentials.keys_for(&bucket, Timestamp::now()).map_err(|why| match why {
        NoKeys::OtherAccount => {
            let hint = "name a bucket of an account of [credentials] with --bucket";
            Finding::problem(Section::Keys, format!("the keys for {bucket} are another account's"), hint)
        }
        NoKeys::Unavailable => {
            let hint = "see what is said of its account, or name a bucket of another one with --bucket";
            Finding::warning(Section::Keys, format!("Cloud Infinite was not asked: no keys for {bucket}"), hint)
        }
    })?;
    let upstream = Upstream::new(&config.ci.upstream).map_err(|mistake| Finding::mistake(Section::Tls, &mistake))?;
    let keys = std::sync::Arc::clone(chosen.keys());
    Ok(Call { config, bucket, region, keys, upstream, clock: Clock::default() })
}

/// The bucket that is asked about, and where it is. Any name will do to learn whether the signature is taken.
fn place(config: &Config, bucket: Option<Bucket>) -> Result<(Bucket, Region), Finding> {
    let hint = "set [ci] default_region, or name a bucket of [[ci.buckets]] with --bucket";
    let unknown = || Finding::warning(Section::Keys, "no region is configured, so Cloud Infinite was not asked", hint);
    let first = config.ci.buckets.keys().min_by(|one, other| one.as_str().cmp(other.as_str()));
    let made_up = || {
        let of_default = config.credentials.default.iter().flat_map(|account| &account.app_ids);
        let accounts = config.credentials.accounts.iter().map(|account| &account.app_id);
        let of_account = of_default.chain(accounts).next().map(|id| format!("doctor-{id}"));
        of_account.as_deref().unwrap_or(NO_BUCKET).parse().ok()
    };
    let bucket = bucket.or_else(|| first.cloned()).or_else(made_up).ok_or_else(unknown)?;
    let region = config.ci.buckets.get(&bucket).or(config.ci.default_region.as_ref());
    let region = region.or_else(|| config.ci.buckets.values().next()).cloned().ok_or_else(unknown)?;
    Ok((bucket, region))
}

impl Call<'_> {
    async fn made(self) -> Vec<Finding> {
        // So that it is told what was waited for.
        let deadline = Instant::now() + PATIENCE * 9 / 10;
        let first = match self.attempt(deadline).await {
            Ok(attempt) => attempt,
            Err(problem) => return vec![problem],
        };
        let mut findings = vec![self.time(&first)];
        // By the other clock it may be another answer.
        let last = if self.is_refused_for_its_time(&first) { self.attempt(deadline).await } else { Ok(first) };
        findings.push(last.map_or_else(|problem| problem, |attempt| self.verdict(&attempt)));
        findings
    }

    async fn attempt(&self, deadline: Instant) -> Result<Attempt, Finding> {
        let bug = |why: String| Finding::problem(Section::Keys, why, "please report this");
        let sent = Timestamp::now();
        let correction = self.clock.correction(self.config.ci.max_clock_correction);
        let window = Window::around(sent.saturating_add(correction).unwrap_or(sent), self.config.ci.signature_lifetime);
        let operation = Operation::new(Service::SmartAudio, Verb::Describe);
        let request = ci::request(operation, &self.bucket, &self.region);
        let signed = request.clone().sign(self.keys.keys(), window).map_err(|why| bug(why.to_string()))?;
        let received = self.upstream.send(signed, deadline).await.map_err(|why| unsent(&why))?;
        let exchange = Exchange { sent, received: Timestamp::now() };
        let asked = Asked { bucket: &self.bucket, region: &self.region };
        let result = ci::read(operation, asked, received.reply());
        let fault = fault(&result);
        let told = received.told(fault.and_then(Fault::server_time));
        if let Some(told) = told {
            self.clock.learn(told, exchange);
        }
        let theirs = fault.and_then(Fault::refused_signature);
        let diagnosis = theirs.and_then(|theirs| request.diagnose(self.keys.keys(), window, theirs).ok());
        Ok(Attempt { window, told, result, diagnosis })
    }

    fn is_refused_for_its_time(&self, attempt: &Attempt) -> bool {
        let corrected = !self.clock.correction(self.config.ci.max_clock_correction).is_zero();
        let refused = fault(&attempt.result).zip(attempt.told);
        corrected && refused.is_some_and(|(fault, told)| comes_of_clocks(fault.kind(), attempt.window, told))
    }

    fn time(&self, attempt: &Attempt) -> Finding {
        if attempt.told.is_none() {
            let hint = "something in between takes the `Date` away: clocks that differ would go unnoticed";
            return Finding::warning(Section::Clock, "the answer tells no time", hint);
        }
        let difference = self.clock.difference();
        let seconds = difference.as_secs();
        let seen = format!("Cloud Infinite's clock is {seconds} s from ours");
        let hint = "set this machine's clock by NTP";
        let is_small = seconds.abs() <= Window::HARMLESS_SECONDS;
        if difference.unsigned_abs() > self.config.ci.max_clock_correction && !is_small {
            let seen = format!("{seen}, which is more than max_clock_correction: signatures do not follow it");
            Finding::problem(Section::Clock, seen, hint)
        } else if !is_small {
            Finding::warning(Section::Clock, format!("{seen}; signatures follow it, tokens and audit do not"), hint)
        } else {
            Finding::ok(
                Section::Clock,
                if difference.is_zero() { "agrees with Cloud Infinite's".to_owned() } else { seen },
            )
        }
    }

    fn verdict(&self, attempt: &Attempt) -> Finding {
        let key = format!("key {}", self.keys);
        match &attempt.result {
            Ok(answer) => {
                let state = match &answer.what {
                    What::Described(Some(_)) => "on",
                    What::Described(None) | What::Created(_) | What::Deleted => "not on",
                };
                let bucket = &self.bucket;
                let seen = format!(
                    "{key}: Cloud Infinite takes it, its signature and its right to look; Smart Audio is {state} for {bucket}"
                );
                Finding::ok(Section::Keys, seen)
            }
            Err(Unserved::Unreadable(why, _)) => {
                let hint = "see who answers at that address: this is not Cloud Infinite's form";
                Finding::problem(Section::Keys, format!("{key}: the answer cannot be read: {why}"), hint)
            }
            Err(Unserved::Fault(fault)) => refused(&key, fault, attempt.diagnosis.as_ref()),
        }
    }
}

fn fault(result: &Result<ci::Answer, Unserved>) -> Option<&Fault> {
    match result {
        Err(Unserved::Fault(fault)) => Some(fault),
        Ok(_) | Err(Unserved::Unreadable(..)) => None,
    }
}

fn unsent(why: &SendError) -> Finding {
    let hint = "see what the sections dns and tls say; whether the keys are good is not known";
    Finding::problem(Section::Keys, format!("Cloud Infinite was not asked: {why}"), hint)
}

fn refused(key: &str, fault: &Fault, diagnosis: Option<&Diagnosis>) -> Finding {
    let code = fault.code().map_or("no code", |code| code.as_str());
    let seen = format!("{key}: Cloud Infinite answers {} {code}", fault.status());
    if let Some(diagnosis) = diagnosis {
        let seen = format!("{seen}: {} differs", diagnosis.part());
        return Finding::problem(Section::Keys, seen, diagnosis.cause().sentence());
    }
    match fault.kind() {
        FaultKind::Denied if code == "AccessDenied" => {
            let hint = "attach ci:DescribeAsrBuckets to the key's user in CAM, on resource `*`; the other actions are looked at only when they are called";
            Finding::warning(
                Section::Keys,
                format!("{seen}: key and signature are taken, the right to look is missing"),
                hint,
            )
        }
        FaultKind::Denied => {
            let hint = "look in the cloud's console whether the key exists and is enabled, and copy it anew";
            Finding::problem(Section::Keys, seen, hint)
        }
        FaultKind::ClockSkew | FaultKind::SignatureExpired => {
            Finding::problem(Section::Keys, seen, "see what the section clock says")
        }
        FaultKind::Redirected => Finding::problem(
            Section::Keys,
            seen,
            "see whether the bucket is in another region, and whether [ci] endpoint is plain http",
        ),
        FaultKind::BucketNotFound | FaultKind::Conflict | FaultKind::Rejected => {
            let hint = "key and signature are taken; ask about a bucket that exists with --bucket";
            Finding::warning(Section::Keys, seen, hint)
        }
        FaultKind::Throttled | FaultKind::Unavailable => {
            Finding::warning(Section::Keys, seen, "Cloud Infinite has its own trouble: try again in a minute")
        }
    }
}
