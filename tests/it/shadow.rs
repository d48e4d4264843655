//! The candidate policy: what it would change is counted and told, and nothing else happens.

use std::time::Instant;

use ci_gateway::domain::Code;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::gateway::{Ask, PATH, Setup, World};
use crate::support::process::{Cloud, Folder, Served, run};

const LOADED: &str = "policy_candidate_loaded";

fn statement(effect: &str, principal: &str, action: &str, resource: &str) -> String {
    format!(
        "version = \"2.0\"\n[[statement]]\nid = \"{effect}-{principal}\"\neffect = \"{effect}\"\n\
         principal = \"{principal}\"\naction = \"{action}\"\nresource = \"{resource}\"\n"
    )
}

async fn world(candidate: &str) -> World {
    Setup::new().file("next.toml", candidate).set("policy.candidate", "next.toml").start().await
}

fn counted(world: &World, action: &str, change: &str) -> bool {
    let series = format!("policy_candidate_differences_total{{action=\"{action}\",change=\"{change}\"}} 1\n");
    world.metrics().contains(&series)
}

#[tokio::test]
async fn a_candidate_that_would_decide_otherwise_is_counted_and_not_obeyed() {
    let world = world(&statement("allow", "user:bob", "*", "*")).await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    assert!(counted(&world, "CreateAsrBucket", "would_deny"), "{}", world.metrics());
    assert_eq!(world.stand_in().request_count(), 1);
    world.refuses(&Ask::delete(PATH).by("bob"), 403, Code::Forbidden).await;
    assert!(counted(&world, "DeleteAsrBucket", "would_permit"), "{}", world.metrics());
    // Where both say the same there is nothing to tell.
    world.refuses(&Ask::get(PATH).by("carol"), 403, Code::Forbidden).await;
    assert!(!world.metrics().contains("action=\"DescribeAsrBuckets\",change="), "{}", world.metrics());
}

/// What does not hang on the moment: the status, and the whole body of what does not go to the cloud.
async fn answers(world: &World) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for caller in ["alice", "bob", "carol"] {
        for bucket in ["test-1234567890", "prod-1234567890"] {
            let path = format!("/v1/buckets/{bucket}/smart-audio");
            let only = format!("{path}?validate_only=true");
            for ask in [Ask::post(&only), Ask::delete(&only), Ask::get(&only)] {
                let answer = world.answer(&ask.by(caller).header("X-Request-Id", "the-same-id")).await;
                answers.push((answer.status, answer.body));
            }
            answers.push((world.answer(&Ask::get(&path).by(caller)).await.status, String::new()));
        }
    }
    answers
}

#[tokio::test]
async fn with_any_candidate_the_answers_are_those_without_one() {
    let without = World::start().await;
    let (expected, upstream) = (answers(&without).await, without.stand_in().request_count());
    assert!(expected.iter().any(|(status, _)| *status == 200) && expected.iter().any(|(status, _)| *status == 403));
    let mut candidates = vec![String::new(), "version = \"2.0\"".to_owned(), "[[statement]".to_owned()];
    for effect in ["allow", "deny"] {
        for principal in ["*", "user:alice", "user:bob"] {
            for action in ["*", "ci:CreateAsrBucket", "ci:DescribeAsrBuckets"] {
                for resource in ["*", "qcs::ci:::bucket/prod-*/*"] {
                    candidates.push(statement(effect, principal, action, resource));
                }
            }
        }
    }
    for candidate in candidates {
        let world = world(&candidate).await;
        assert_eq!(answers(&world).await, expected, "{candidate}");
        assert_eq!(world.stand_in().request_count(), upstream, "{candidate}");
    }
}

#[test]
fn a_difference_is_one_line_with_both_decisions_and_no_more_than_ten_a_second() {
    const CALLS: i64 = 200;
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.write("next.toml", &statement("deny", "*", "*", "*"));
    folder.change("gateway.toml", "file = \"policy.toml\"", "file = \"policy.toml\"\ncandidate = \"next.toml\"");
    let served = Served::from(&folder);
    let (alice, began) = (folder.token("alice"), Instant::now());
    for _ in 0..CALLS {
        served.ask_only(&alice).expect(200);
    }
    let most = 11 + 10 * usize::try_from(began.elapsed().as_secs() + 1).unwrap();
    let series = "policy_candidate_differences_total{action=\"CreateAsrBucket\",change=\"would_deny\"}";
    assert_eq!((served.metric(LOADED), served.metric(series)), (1, CALLS));
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["message"] == "the candidate policy differs").collect();
    assert!((10..=most).contains(&told.len()), "{} lines", told.len());
    for (field, value) in [
        ("caller", "alice"),
        ("action", "ci:CreateAsrBucket"),
        ("bucket", "test-1234567890"),
        ("region", "ap-chongqing"),
        ("decision", "permit"),
        ("statement", "alice-may"),
        ("candidate_decision", "denied"),
        ("candidate_statement", "deny-*"),
        ("change", "would_deny"),
    ] {
        assert_eq!(told[0][field], value, "{}", told[0]);
    }
}

#[test]
fn a_candidate_that_cannot_be_read_is_told_everywhere_and_stops_nothing() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "file = \"policy.toml\"", "file = \"policy.toml\"\ncandidate = \"next.toml\"");
    let checked = run(&["check", "--config", &folder.config()]).expect(64);
    assert!(checked.stderr.contains("next.toml: the policy cannot be read"), "{checked:?}");
    let policy = folder.read("policy.toml");
    folder.write("policy.toml", "version = 1");
    let both = run(&["check", "--config", &folder.config()]).expect(64).stderr;
    assert!(both.contains("/next.toml: ") && both.contains("/policy.toml:1:"), "{both}");
    folder.write("policy.toml", &policy);
    let served = Served::from(&folder);
    let alice = folder.token("alice");
    served.enable(&alice).expect(200);
    assert_eq!(served.metric(LOADED), 0);
    assert!(served.admin_get("/metrics").body.contains("\nci_gateway_policy_candidate_loaded 0\n"));
    let verbose = served.admin_get("/readyz?verbose").expect(200).body;
    assert!(verbose.contains("[-] candidate failed: ") && verbose.contains("/next.toml: "), "{verbose}");

    folder.write("next.toml", &statement("deny", "*", "*", "*"));
    run(&["check", "--config", &folder.config()]).expect(0);
    served.reload().expect(200);
    let shown = served.admin_get("/config").expect(200).json();
    let digest = shown["policy"]["candidate_digest"].as_str().unwrap().to_owned();
    let verbose = served.admin_get("/readyz?verbose").expect(200).body;
    assert!(verbose.contains(&format!("[+] candidate ok: 1 statements, digest {digest}\n")), "{verbose}");
    served.enable(&alice).expect(200);

    folder.write("next.toml", "[[statement]]\n");
    let reloaded = served.reload().expect(200).json();
    assert_eq!(reloaded["generation"], 3);
    assert!(reloaded["problems"][0].as_str().unwrap().contains("next.toml"), "{reloaded}");
    assert_eq!((served.metric(LOADED), served.metric("config_last_reload_success")), (0, 1));

    folder.change("gateway.toml", "candidate = \"next.toml\"\n", "");
    served.reload().expect(200);
    assert!(!served.admin_get("/metrics").body.contains("\nci_gateway_policy_candidate_loaded"));
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    assert_eq!(log.matches("next.toml: the policy cannot be read").count(), 1, "{log}");
    assert!(log.matches("the candidate policy is not asked").count() > 2, "{log}");
}
