//! Cloud Infinite's clock is learned from its answers, and signatures alone follow it (row F29 of the plan's faults).

use std::time::Duration;

use ci_gateway::auth::{DevelopmentClaims, SigningSecret, mint};
use ci_gateway::credentials::{self, CommandSettings, DefaultSettings, SourceSettings};
use ci_gateway::domain::Code;
use ci_gateway::stand_in::{Answered, Fault};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use crate::support::gateway::{
    AUDIENCE, Answer, Ask, ISSUER, PATH, RawUpstream, SECRET_ID, SECRET_KEY, SHARED_SECRET, Setup, Step, World,
    response,
};
use crate::support::process::{Cloud, Folder, Served};

async fn skewed(fault: &str, most: &str) -> World {
    let world = Setup::new().set("ci.max_clock_correction", most).start().await;
    world.set_fault(fault);
    world
}

/// The value of a metric without labels.
fn metric(world: &World, name: &str) -> i64 {
    let text = world.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix("ci_gateway_")?.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

async fn verbose(world: &World) -> Answer {
    world.admin(&Ask::anonymous("GET", "/readyz?verbose")).await
}

#[tokio::test]
async fn a_call_that_only_the_clocks_refuse_is_signed_anew_and_sent_once_more() {
    for (fault, code, seconds) in [("skew:+600", "AccessDenied", 600), ("skew:-600", "RequestTimeTooSkewed", -600)] {
        let world = skewed(fault, "1h").await;
        let answer = world.answer(&Ask::post(PATH)).await;
        assert_eq!(answer.status, 200, "{fault}: {answer:?}");
        let arrivals = world.stand_in().requests();
        let seen: Vec<_> =
            arrivals.iter().map(|arrival| (&arrival.answer, arrival.verified, arrival.applied)).collect();
        let refused = Answered::Status(403, Some(code));
        assert_eq!(seen, [(&refused, false, false), (&Answered::Status(200, None), true, true)], "{fault}");
        // From now on it is known.
        for ask in [Ask::get(PATH), Ask::delete(PATH)] {
            assert_eq!(world.answer(&ask).await.status, 200, "{fault}");
        }
        assert_eq!(world.stand_in().request_count(), 4, "{fault}");
        assert!((metric(&world, "clock_skew_seconds") - seconds).abs() <= 2, "{}", world.metrics());
        assert_eq!(metric(&world, "clock_corrections_total"), 1);
        let checks = verbose(&world).await;
        assert!(
            checks.status == 200 && checks.body.contains("[+] clock ok: signatures are corrected by "),
            "{checks:?}"
        );
        // A clock that was set right is followed without any refusal that a caller sees.
        world.set_fault("delay:0ms");
        for _ in 0..2 {
            assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200, "{fault}");
        }
        assert_eq!(metric(&world, "clock_corrections_total"), 2);
        assert!(metric(&world, "clock_skew_seconds").abs() <= 2);
    }
}

#[tokio::test]
async fn a_difference_within_the_window_is_learned_from_a_success() {
    let world = skewed("skew:+30", "1h").await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    assert_eq!((world.stand_in().request_count(), metric(&world, "clock_corrections_total")), (1, 1));
}

#[tokio::test]
async fn clocks_that_agree_leave_nothing_to_correct() {
    let world = World::start().await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    assert_eq!((metric(&world, "clock_skew_seconds"), metric(&world, "clock_corrections_total")), (0, 0));
    assert!(verbose(&world).await.body.contains("[+] clock ok\n"));
}

#[tokio::test]
async fn beyond_the_bound_nothing_is_corrected_and_nothing_sent_again() {
    for (fault, most) in [("skew:+7200", "1h"), ("skew:-7200", "1h"), ("skew:+600", "0s")] {
        let world = skewed(fault, most).await;
        for n in 1..=2 {
            let answer = world.answer(&Ask::post(PATH)).await;
            assert_eq!((answer.status, answer.code().as_str()), (502, Code::UpstreamDenied.as_str()), "{fault}");
            assert_eq!(answer.json()["outcome"], "rejected");
            assert_eq!(world.stand_in().request_count(), n, "{fault}");
        }
        assert_eq!(metric(&world, "clock_corrections_total"), 0);
        assert!(metric(&world, "clock_skew_seconds").abs() >= 598);
        let checks = verbose(&world).await;
        assert!(checks.status == 200 && checks.body.contains("[-] clock failed: ") && checks.body.contains("NTP"));
    }
}

/// Seconds from now, as a `Date`.
fn date(seconds: i64) -> String {
    let moment = Timestamp::now().saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap()
}

fn fault(code: &str, rest: &str) -> String {
    format!("<?xml version='1.0' encoding='utf-8' ?><Error><Code>{code}</Code>{rest}</Error>")
}

/// How often a create goes to an upstream that says these things in turn on each connection.
async fn sent(answers: &[String]) -> (u64, Answer) {
    let steps = answers.iter().flat_map(|answer| [Step::Hear, Step::Say(answer.clone().into_bytes())]).skip(1);
    let upstream = RawUpstream::start(steps.collect()).await;
    let world = Setup::new().upstream(&upstream).start().await;
    let answer = world.answer(&Ask::post(PATH)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    (upstream.heard(), answer)
}

#[tokio::test]
async fn a_call_is_sent_once_more_at_most_however_the_clock_runs() {
    let refusal = |seconds| {
        response("403 Forbidden", &format!("Date: {}\r\n", date(seconds)), &fault("RequestTimeTooSkewed", ""))
    };
    let (heard, answer) = sent(&[refusal(600), refusal(1200), refusal(1800)]).await;
    assert_eq!((heard, answer.status, answer.code().as_str()), (2, 502, "upstream_denied"), "{answer:?}");
}

#[tokio::test]
async fn without_a_date_the_servers_time_in_the_fault_is_taken() {
    let time = Timestamp::now().saturating_add(SignedDuration::from_secs(600)).unwrap();
    let time = format!("<ServerTime>{}</ServerTime>", time.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let expired = format!("<Message>Request has expired</Message>{time}");
    for (code, rest, expected) in [
        ("RequestTimeTooSkewed", time.as_str(), 2),
        ("AccessDenied", &expired, 2),
        ("AccessDenied", &time, 1),
        ("RequestTimeTooSkewed", "", 1),
        ("RequestTimeTooSkewed", "<ServerTime>soon</ServerTime>", 1),
    ] {
        let (heard, answer) = sent(&[response("403 Forbidden", "", &fault(code, rest))]).await;
        assert_eq!((heard, answer.status), (expected, 502), "{code} {rest}");
    }
}

#[tokio::test]
async fn a_failure_with_the_code_of_the_clocks_is_no_refusal_and_is_not_sent_again() {
    let failure =
        response("500 Internal Server Error", &format!("Date: {}\r\n", date(600)), &fault("RequestTimeTooSkewed", ""));
    let (heard, answer) = sent(&[failure]).await;
    assert_eq!((heard, answer.status, &answer.json()["outcome"]), (1, 503, &"unknown".into()), "{answer:?}");
}

/// A gateway whose keys come from a program, which gives them once and says that they end then.
async fn with_keys_until(end: Timestamp, upstream: &RawUpstream) -> World {
    let folder = tempfile::tempdir().unwrap();
    let keys = format!(r#"{{"SecretId": "{SECRET_ID}", "SecretKey": "{SECRET_KEY}", "Expiration": "{end}"}}"#);
    std::fs::write(folder.path().join("keys.json"), keys).unwrap();
    let script = format!("cd '{0}' && cat keys.json && rm keys.json", folder.path().display());
    let command = CommandSettings {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script],
        time: Duration::from_secs(60),
    };
    let default = DefaultSettings { source: SourceSettings::Command(command), app_ids: Vec::new() };
    let settings = credentials::Settings { default: Some(default), accounts: Vec::new() };
    let world = Setup::new().upstream(upstream).change(|config| config.credentials = settings).start().await;
    while verbose(&world).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world
}

#[tokio::test]
async fn keys_that_end_before_the_second_attempt_do_not_sign_it_and_the_first_answer_is_told() {
    let end = Timestamp::now() + Duration::from_secs(4);
    let refusal = response("403 Forbidden", &format!("Date: {}\r\n", date(600)), &fault("RequestTimeTooSkewed", ""));
    let steps = [Step::Wait(Duration::from_secs(5)), Step::Say(refusal.into_bytes()), Step::Hear];
    let upstream = RawUpstream::start(steps.to_vec()).await;
    let world = with_keys_until(end, &upstream).await;
    let answer = world.answer(&Ask::post(PATH)).await;
    assert_eq!((upstream.heard(), answer.status, answer.code().as_str()), (1, 502, "upstream_denied"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "rejected");
    world.refuses(&Ask::post(PATH), 503, Code::CredentialsUnavailable).await;
    assert_eq!(upstream.heard(), 1);
}

#[tokio::test]
async fn an_answer_out_of_a_cache_teaches_nothing_and_what_is_no_date_neither() {
    let headers = [
        format!("Date: {}\r\nAge: 600\r\n", date(-600)),
        format!("Date: {}\r\n", date(-600).replace("GMT", "UTC")),
        "Date: 1767225600\r\n".to_owned(),
    ];
    for headers in headers {
        let (heard, answer) = sent(&[response("403 Forbidden", &headers, &fault("RequestTimeTooSkewed", ""))]).await;
        assert_eq!((heard, answer.status), (1, 502), "{headers}");
    }
}

/// The callers' tokens and the audit keep our own time.
#[tokio::test]
async fn nothing_but_signatures_follows_the_other_clock() {
    let world = skewed("skew:+3000", "1h").await;
    let claims = DevelopmentClaims {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        caller: "alice".to_owned(),
        groups: Vec::new(),
        issued_at: Timestamp::now(),
        lifetime: Duration::from_secs(120),
    };
    let token = mint(&SigningSecret::shared(SHARED_SECRET.as_bytes()).unwrap(), &claims).unwrap();
    for _ in 0..2 {
        assert_eq!(world.answer(&Ask::post(PATH).with_token(&token)).await.status, 200);
    }
    assert!(metric(&world, "clock_skew_seconds") > 2900);
}

#[test]
fn the_correction_outlives_a_reload_and_is_told_once() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let token = folder.token("alice");
    cloud.set_faults(Fault::Skew(SignedDuration::from_secs(600)));
    served.enable(&token).expect(200);
    served.reload().expect(200);
    served.enable(&token).expect(200);
    assert_eq!(cloud.requests().len(), 3);
    assert_eq!(served.metric("upstream_attempts_total{result=\"signature_expired\"}"), 1);
    let log = served.ended_by(rustix::process::Signal::TERM).expect(0).stderr;
    assert_eq!(log.matches("signatures follow Cloud Infinite's clock").count(), 1, "{log}");
    let records = folder.read("audit.jsonl");
    let outcome = records.lines().find(|line| line.contains(r#""type":"outcome""#)).unwrap();
    assert!(outcome.contains("\"attempts\":2"), "{outcome}");
}

#[test]
fn a_clock_that_is_too_far_off_is_an_error_in_the_log_with_what_to_do() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let token = folder.token("alice");
    cloud.set_faults(Fault::Skew(SignedDuration::from_hours(3)));
    served.enable(&token).expect(502);
    served.enable(&token).expect(502);
    let log = served.ended_by(rustix::process::Signal::TERM).expect(0).stderr;
    let told: Vec<_> = log.lines().filter(|line| line.contains("nothing is corrected")).collect();
    assert!(told.len() == 1 && told[0].contains("\"ERROR\"") && told[0].contains("NTP"), "{log}");
}
