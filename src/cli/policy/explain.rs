//! `ci-gateway policy explain`: one decision, and how each statement that concerns the caller took part in it.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::options::Options;
use super::{part_as_json, place, unreadable};
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::policy_file::PolicyFile;
use crate::cli::status::Status;
use crate::domain::{Action, Bucket, Caller, Mistakes, Region};
use crate::policy::{Context, Effect, Explanation, Participation, Policy, Resource, Verdict};

/// Decide one question as the gateway would, and show how each statement took part.
///
/// Exit status: 0 whatever the decision, with `--exit-code` 2 if it is denied; 64 a policy or an option that cannot be
/// read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The policy file, TOML or JSON; documents that it attaches are read too
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The caller's name, `user:…` in the policy
    #[arg(long, value_name = "NAME")]
    caller: String,
    /// The groups that the caller's token carries, besides those of `[groups]`
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    groups: Vec<String>,
    /// A claim of the caller's token, for conditions on `token:NAME`; JSON, or else a string. Without it `sub` is the
    /// caller's name and `groups` are its groups
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// The action, such as `ci:CreateAsrBucket`
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// The bucket's full name
    #[arg(long, value_name = "BUCKET")]
    bucket: String,
    /// The bucket's region
    #[arg(long, value_name = "REGION")]
    region: String,
    /// The address that asks; without it, it is not known
    #[arg(long, value_name = "ADDR")]
    ip: Option<String>,
    /// The time of the request, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Say it by the exit status too: 2 if it is denied
    #[arg(long)]
    exit_code: bool,
}

/// One question, whole.
struct Question {
    caller: Caller,
    action: Action,
    bucket: Bucket,
    region: Region,
    context: Context,
}

pub(super) fn run(args: &ExplainArgs) -> ExitCode {
    let asked = PolicyFile::read(&args.file).and_then(|file| Ok((question(args, &file.policy)?, file.policy)));
    let (question, policy) = match asked {
        Ok(asked) => asked,
        Err(mistakes) => return unreadable(mistakes, args.json),
    };
    let resource = Resource::bucket(&question.bucket, &question.region);
    let explanation = policy.explain(&question.caller, question.action, &resource, &question.context);
    let text = if args.json {
        format!("{}\n", as_json(&question, &policy, &explanation))
    } else {
        for_people(&question, &explanation, Paper::new())
    };
    let denied = explanation.decision().verdict() != Verdict::Permit;
    print(&text, if denied && args.exit_code { Status::SaidNo } else { Status::Fine })
}

fn question(args: &ExplainArgs, policy: &Policy) -> Result<Question, Mistakes> {
    let mut options = Options::new(policy);
    let caller = options.caller(&args.caller, &args.groups, &args.claims);
    let action = options.action(&args.action);
    let bucket = options.bucket(&args.bucket);
    let region = options.region(&args.region);
    let ip = options.ip(args.ip.as_deref());
    let now = options.at(args.at.as_deref()).unwrap_or_else(Timestamp::now);
    let question = || {
        let context = Context { now, ip };
        Some(Question { caller: caller?, action: action?, bucket: bucket?, region: region?, context })
    };
    options.finish(question())
}

fn as_json(question: &Question, policy: &Policy, explanation: &Explanation) -> Value {
    let Question { caller, action, bucket, region, context } = question;
    let decision = explanation.decision();
    let parts: Vec<Value> = explanation.parts().iter().map(part_as_json).collect();
    json!({
        "ok": true,
        "decision": decision.verdict().as_str(),
        "reason": decision.verdict().reason(),
        "statement": decision.statement(),
        "caller": caller.name(),
        "groups": caller.groups().collect::<Vec<_>>(),
        "action": action.as_str(),
        "bucket": bucket.as_str(),
        "region": region.as_str(),
        "at": context.now.to_string(),
        "ip": context.ip.map(|ip| ip.to_string()),
        "policy": policy.digest(),
        "parts": parts,
    })
}

fn for_people(question: &Question, explanation: &Explanation, paper: Paper) -> String {
    let decision = explanation.decision();
    let verdict = decision.verdict();
    let ink = if verdict == Verdict::Permit { Ink::Green } else { Ink::Red };
    let word = paper.ink(ink, &verdict.as_str().to_uppercase());
    let by = decision.statement().map(|statement| format!("  by {statement}")).unwrap_or_default();
    let reason = paper.ink(Ink::Dim, verdict.reason());
    let head = format!("{word}{}  {reason}\n{question}\n\n", paper.ink(Ink::Bold, &by));
    if explanation.parts().is_empty() {
        return format!("{head}No statement concerns {}.\n", question.caller.name());
    }
    let title = ["", "statement", "where", "effect", "via", "part"].map(|title| (Ink::Dim, title.to_owned()));
    let rows: Vec<Vec<Cell>> = [title.to_vec()].into_iter().chain(explanation.parts().iter().map(row)).collect();
    head + &paper.table(&rows)
}

fn row(part: &Participation) -> Vec<Cell> {
    let ink = match (part.takes_part, part.effect) {
        (true, Effect::Allow) => Ink::Green,
        (true, Effect::Deny) => Ink::Red,
        (false, Effect::Allow | Effect::Deny) => Ink::Dim,
    };
    let mark = if part.decides { ">" } else { "" };
    let stands = match &part.stands {
        Some(_) => place(part.stands.as_ref()),
        None => "[users]".to_owned(),
    };
    vec![
        (Ink::Bold, mark.to_owned()),
        (Ink::Plain, part.statement.to_string()),
        (Ink::Plain, stands),
        (ink, part.effect.as_str().to_owned()),
        (Ink::Plain, part.via.to_string()),
        (ink, part.how.to_string()),
    ]
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { caller, action, bucket, region, context } = self;
        write!(f, "{}: {action} on {bucket} in {region}, at {}", caller.name(), context.now)?;
        match context.ip {
            Some(ip) => write!(f, ", from {ip}"),
            None => f.write_str(", from an unknown address"),
        }
    }
}
