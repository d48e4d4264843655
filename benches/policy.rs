//! How long a decision takes, in policies of 10 to 100 000 callers with ten grants each; and, printed once before it,
//! how long they take to read and what a grant takes of memory.
#![expect(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ci_gateway::domain::{Action, Bucket, Caller, Region};
use ci_gateway::policy::{Context, Format, Policy, Resource};
use criterion::Criterion;

const USERS: usize = 100_000;
const GRANTS_EACH: usize = 10;

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    for callers in [10, 1_000, USERS] {
        let policy =
            load(&format!("{callers} callers, a statement for each grant"), &single_grants(callers), Format::Toml);
        decide(&mut criterion, &format!("single grants/{callers} callers"), &policy);
    }
    let conditional = load("100 000 callers, every grant by address", &conditional_grants(USERS), Format::Toml);
    decide(&mut criterion, "conditional grants/100000 callers", &conditional);
    drop(conditional);
    let long = load("100 000 statements by 10 buckets", &long_form(USERS), Format::Toml);
    decide(&mut criterion, "long form/100000 callers", &long);
    drop(long);
    let short = load("short form, 100 000 callers by 10 actions", &short_form(USERS), Format::Toml);
    decide(&mut criterion, "short form/100000 callers", &short);
    load("the same in JSON", &short_form_json(USERS), Format::Json);
    criterion.final_summary();
}

fn load(name: &str, text: &str, format: Format) -> Policy {
    let before = resident_kib();
    let begun = Instant::now();
    let policy = Policy::parse(text, "bench", format).expect("a policy without mistakes");
    let took = begun.elapsed();
    let grants = text.matches("media-").count().max(text.matches("\"ci:").count());
    let bytes = resident_kib().saturating_sub(before) * 1024 / grants.max(1);
    let megabytes = text.len() as f64 / 1e6;
    println!(
        "read {name}: {megabytes:.1} MB, {} statements, {grants} grants in {took:?}; about {bytes} bytes a grant",
        policy.statements()
    );
    policy
}

/// What the process holds now; memory that an earlier policy left behind and that is used again does not show.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |key| status.lines().find_map(|line| line.strip_prefix(key));
    of("VmRSS:").and_then(|size| size.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn decide(criterion: &mut Criterion, name: &str, policy: &Policy) {
    let bucket: Bucket = "media-7-1234567890".parse().expect("a bucket");
    let region: Region = "ap-chongqing".parse().expect("a region");
    let action: Action = "ci:CreateAsrBucket".parse().expect("an action");
    let context = Context {
        now: "2026-11-22T00:00:00Z".parse().expect("a time"),
        ip: Some("10.1.2.3".parse().expect("an address")),
    };
    let groups = ["speech", "platform", "everyone-at-work"];
    for (who, caller) in [("permit", "svc-3"), ("denied", "nobody")] {
        let caller = Caller::new(caller, groups, "https://issuer.example").expect("a caller");
        criterion.bench_function(&format!("decide/{name}/{who}"), |bencher| {
            bencher.iter(|| {
                let resource = Resource::bucket(black_box(&bucket), &region);
                policy.decide(black_box(&caller), action, resource, &context).permit().is_ok()
            });
        });
    }
}

/// Ten actions, `ci:CreateAsrBucket` among them, as a list in either format.
fn ten_actions() -> String {
    let names: Vec<String> = Action::all().take(GRANTS_EACH).map(|action| format!("{:?}", action.as_str())).collect();
    format!("[{}]", names.join(", "))
}

fn short_form(users: usize) -> String {
    let actions = ten_actions();
    (0..users).fold(String::from("[users]\n"), |mut text, n| {
        writeln!(text, "svc-{n} = {actions}").expect("memory");
        text
    })
}

fn short_form_json(users: usize) -> String {
    let actions = ten_actions();
    let users: Vec<String> = (0..users).map(|n| format!("\"svc-{n}\": {actions}")).collect();
    format!("{{\"version\": \"2.0\", \"users\": {{\n{}\n}}}}", users.join(",\n"))
}

fn long_form(users: usize) -> String {
    let buckets: Vec<String> = (0..GRANTS_EACH).map(|n| format!("\"{}\"", resource(n))).collect();
    let buckets = buckets.join(", ");
    (0..users).fold(head(), |mut text, n| {
        let principal = format!("principal = \"user:svc-{n}\"\naction = \"ci:*Asr*\"\nresource = [{buckets}]");
        writeln!(text, "[[statement]]\nid = \"grant-{n}\"\neffect = \"allow\"\n{principal}").expect("memory");
        text
    })
}

fn single_grants(users: usize) -> String {
    (0..users * GRANTS_EACH).fold(head(), |mut text, n| {
        let (user, bucket) = (n / GRANTS_EACH, resource(n % GRANTS_EACH));
        let principal =
            format!("principal = \"user:svc-{user}\"\naction = \"ci:CreateAsrBucket\"\nresource = \"{bucket}\"");
        writeln!(text, "[[statement]]\neffect = \"allow\"\n{principal}").expect("memory");
        text
    })
}

fn conditional_grants(users: usize) -> String {
    let condition = "condition = { ip_equal = { \"qcs:ip\" = [\"10.0.0.0/8\"] } }\n[[statement]]";
    let mut text = single_grants(users).replace("[[statement]]", condition);
    // Every condition now stands at the end of the statement before; the first is before all of them, and the last has none.
    text = text.replacen(condition, "[[statement]]", 1);
    text + "condition = { ip_equal = { \"qcs:ip\" = [\"10.0.0.0/8\"] } }\n"
}

/// A fence around everyone and a grant to one of the caller's groups: every decision meets both.
fn head() -> String {
    let fence = "effect = \"deny\"\nprincipal = \"*\"\naction = \"ci:*\"\nresource = \"qcs::ci:::bucket/prod-*/*\"";
    let group = "effect = \"allow\"\nprincipal = \"group:speech\"\naction = \"ci:Describe*\"\nresource = \"qcs::ci:::bucket/*\"";
    format!("version = \"2.0\"\n[[statement]]\n{fence}\n[[statement]]\n{group}\n")
}

fn resource(n: usize) -> String {
    format!("qcs::ci:ap-chongqing:uid/1234567890:bucket/media-{n}-1234567890/*")
}
