//! What a caller may do: the policy decides on every request, and what it does not allow is not sent.

use ci_gateway::domain::Code;

use crate::support::gateway::{Answer, Ask, PATH, Setup, World, token};

const POLICY: &str = r#"
    version = "2.0"

    [groups]
    speech-team = ["erin", "mallory"]

    [users]
    carol = ["ci:DescribeAsrBuckets"]

    [[statement]]
    id = "alice-enables-audio-of-one-bucket"
    effect = "allow"
    principal = "user:alice"
    action = "ci:CreateAsrBucket"
    resource = "qcs::ci:ap-chongqing:uid/1234567890:bucket/test-1234567890/*"

    [[statement]]
    id = "teams-look"
    effect = "allow"
    principal = ["group:speech-team", "group:video-team"]
    action = "ci:Describe*"
    resource = "*"

    [[statement]]
    id = "frank-did-all-once"
    effect = "allow"
    principal = "user:frank"
    action = "ci:*"
    resource = "*"
    not_after = 2026-01-31T00:00:00Z

    [[statement]]
    id = "grace-does-all"
    effect = "allow"
    principal = "user:grace"
    action = "ci:*"
    resource = "*"

    [[statement]]
    id = "nobody-touches-production"
    effect = "deny"
    principal = "*"
    action = ["ci:Create*", "ci:Delete*"]
    resource = "qcs::ci:::bucket/prod-*/*"
"#;

async fn world() -> World {
    Setup::new().policy(POLICY).start().await
}

async fn is_forbidden(world: &World, ask: &Ask) -> Answer {
    world.refuses(ask, 403, Code::Forbidden).await
}

fn path(bucket: &str, service: &str) -> String {
    format!("/v1/buckets/{bucket}/{service}")
}

#[tokio::test]
async fn what_no_statement_allows_is_denied_and_the_answer_names_the_action() {
    let world = world().await;
    for (ask, action) in [
        (Ask::post(PATH).by("stranger"), "ci:CreateAsrBucket"),
        (Ask::get(PATH).by("stranger"), "ci:DescribeAsrBuckets"),
        (Ask::delete(&path("any-1", "files")).by("stranger"), "ci:DeleteFileProcessBucket"),
    ] {
        let detail = is_forbidden(&world, &ask).await.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(action), "{detail}");
        assert!(!detail.contains("stranger"), "{detail}");
    }
    let empty = Setup::new().policy("").start().await;
    is_forbidden(&empty, &Ask::post(PATH)).await;
}

#[tokio::test]
async fn a_permit_is_for_one_action_on_one_bucket_in_one_region() {
    let world = world().await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    for ask in [
        Ask::delete(PATH),
        Ask::get(PATH),
        Ask::post(&path("test-1234567890", "media")),
        Ask::post(&path("test-1234567891", "smart-audio")),
        Ask::post(&path("test2-1234567890", "smart-audio")),
        Ask::post(&path("test-1-1234567890", "smart-audio")),
        Ask::post(&format!("{PATH}?region=ap-beijing")),
    ] {
        is_forbidden(&world, &ask).await;
    }
}

#[tokio::test]
async fn names_are_compared_whole_and_in_their_case() {
    let world = world().await;
    for caller in ["Alice", "alice2", "user:alice", "alic", "*", "group:speech-team"] {
        is_forbidden(&world, &Ask::post(PATH).by(caller)).await;
    }
}

#[tokio::test]
async fn the_short_form_permits_its_actions_on_every_bucket_and_no_others() {
    let world = world().await;
    for bucket in ["test-1234567890", "any-1", "prod-x-1"] {
        let ask = Ask::get(&path(bucket, "smart-audio")).by("carol");
        assert_eq!(world.answer(&ask).await.status, 200);
    }
    let validated = world.answer(&Ask::get(&format!("{PATH}?validate_only=true")).by("carol")).await;
    assert_eq!(validated.json()["statement"], "users.carol");
    is_forbidden(&world, &Ask::post(PATH).by("carol")).await;
    is_forbidden(&world, &Ask::get(&path("test-1234567890", "media")).by("carol")).await;
}

#[tokio::test]
async fn groups_come_from_the_token_and_from_the_policy() {
    let world = world().await;
    let in_token = |groups: &[&str]| Ask::get(PATH).with_token(&token("ivan", groups));
    assert_eq!(world.answer(&Ask::get(PATH).by("erin")).await.status, 200);
    assert_eq!(world.answer(&in_token(&["video-team"])).await.status, 200);
    assert_eq!(world.answer(&in_token(&["other", "speech-team"])).await.status, 200);
    for groups in [&[][..], &["other"], &["video-team2"], &["user:erin"], &["*"]] {
        is_forbidden(&world, &in_token(groups)).await;
    }
}

#[tokio::test]
async fn a_deny_wins_over_every_allow_and_is_named() {
    let world = world().await;
    let production = path("prod-audio-1234567890", "smart-audio");
    assert_eq!(world.answer(&Ask::post(PATH).by("grace")).await.status, 200);
    assert_eq!(world.answer(&Ask::get(&production).by("grace")).await.status, 200);
    for ask in [Ask::post(&production).by("grace"), Ask::delete(&production).by("grace")] {
        let answer = is_forbidden(&world, &ask).await;
        assert!(answer.body.contains("nobody-touches-production"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_grant_that_has_ended_is_as_if_it_were_not_there() {
    let world = world().await;
    let answer = is_forbidden(&world, &Ask::post(PATH).by("frank")).await;
    assert!(!answer.body.contains("frank-did-all-once"), "{answer:?}");
}

#[tokio::test]
async fn the_caller_is_denied_before_the_body_is_looked_at() {
    let world = world().await;
    is_forbidden(&world, &Ask::post(PATH).by("stranger").body("{\"a\":1}")).await;
    is_forbidden(&world, &Ask::post(PATH).by("stranger").body(&"x".repeat(5000))).await;
}

#[tokio::test]
async fn a_bucket_of_an_account_without_a_key_is_refused_after_the_policy_has_spoken() {
    let world = Setup::new().set("credentials.app_ids", "1234567890,2000000000").start().await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    assert_eq!(world.answer(&Ask::post(&path("a-2000000000", "ai"))).await.status, 200);
    let other = path("test-1234567891", "smart-audio");
    world.refuses(&Ask::post(&other), 403, Code::AccountNotConfigured).await;
    world.refuses(&Ask::post(&format!("{other}?validate_only=true")), 403, Code::AccountNotConfigured).await;
    world.refuses(&Ask::post(&other).by("bob"), 403, Code::Forbidden).await;
}
