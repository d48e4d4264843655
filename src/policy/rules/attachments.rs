//! Tests: documents of CAM's that a policy attaches to callers.

use super::*;

const ATTACHING: &str =
    "version = \"2.0\"\n[[attachment]]\nprincipal = [\"group:platform\"]\ndocument = \"cam/a.json\"\n";

fn attached(document: &str) -> Result<Policy, Mistakes> {
    Policy::parse_with(ATTACHING, "p", Format::Toml, &mut |name| {
        assert_eq!(name, "cam/a.json");
        Ok(Document { place: "p/cam/a.json".to_owned(), text: document.to_owned() })
    })
}

fn platform(policy: &Policy, action: &str, bucket: &str) -> (Verdict, Option<String>) {
    let decision = decide(policy, &caller("zoe", &["platform"]), action, bucket);
    (decision.verdict(), decision.statement().map(str::to_owned))
}

fn document(statement: &str) -> String {
    format!("{{\"version\": \"2.0\", \"statement\": [\n{statement}\n]}}")
}

#[test]
fn a_document_that_cam_exports_means_what_it_means_there_as_far_as_our_actions_go() {
    let policy = attached(
        r#"{
            "version": "2.0",
            "statement": [
                {"effect": "allow", "action": ["cvm:*", "name/cos:GetObject"], "resource": "qcs::cvm:::instance/ins-1"},
                {"effect": "allow", "action": ["name/ci:CreateAsrBucket", "ci:CreateAsrJobs", "sts:AssumeRole"],
                 "resource": ["qcs::ci:ap-chongqing:uid/1:bucket/test-1/*", "qcs::cos:::*"]},
                {"effect": "deny", "action": "*", "resource": "qcs::ci:::bucket/prod-*/*"}
            ]
        }"#,
    )
    .unwrap();
    assert_eq!(policy.statements(), 2);
    assert_eq!(policy.remarks(), []);
    let name = |n| Some(format!("cam/a.json statement {n}"));
    assert_eq!(platform(&policy, AUDIO, "test-1"), (Verdict::Permit, name(2)));
    assert_eq!(platform(&policy, AUDIO, "prod-1"), (Verdict::DeniedByStatement, name(3)));
    assert_eq!(platform(&policy, "ci:DeleteAsrBucket", "test-1"), (Verdict::DeniedByDefault, None));
    assert_eq!(alice(&policy), Verdict::DeniedByDefault);
}

#[test]
fn a_single_statement_may_stand_without_its_list() {
    let single = r#"{"version": "2.0", "statement": {"effect": "allow", "action": "ci:*", "resource": "*"}}"#;
    assert_eq!(platform(&attached(single).unwrap(), AUDIO, "test-1").0, Verdict::Permit);
}

#[test]
fn an_allow_that_cannot_be_evaluated_grants_nothing_and_is_remarked_upon() {
    for part in [
        r#""resource": "*", "condition": {"for_any_value:string_equal": {"qcs:resource_tag": ["team&speech"]}}"#,
        r#""resource": "*", "condition": {"binary_equal": {"token:x": "AA=="}}"#,
        r#""resource": "*", "condition": {"string_equal": {"qcs:ip": "::1"}}"#,
        r#""resource": "qcs::ci::uin/100000000001:bucket/*""#,
        r#""resource": "qcs::ci::uin/${uin}:bucket/*""#,
        r#""resource": "qcs:7:ci:::bucket/*""#,
    ] {
        let policy = attached(&document(&format!(r#"{{"effect": "allow", "action": "ci:*", {part}}}"#))).unwrap();
        assert_eq!(platform(&policy, AUDIO, "test-1").0, Verdict::DeniedByDefault, "{part}");
        let remark = policy.remarks().first().unwrap().to_string();
        assert!(remark.starts_with("p/cam/a.json:2:") && remark.contains("this allow grants nothing here"), "{remark}");
        let refused = attached(&document(&format!(r#"{{"effect": "deny", "action": "ci:*", {part}}}"#))).unwrap_err();
        assert!(refused.to_string().contains("this deny would deny nothing here"), "{refused}");
    }
}

#[test]
fn actions_that_may_be_ours_are_not_passed_over_in_a_deny() {
    for action in ["permid:280655", "ci:createasrbucket", "name/CI:*"] {
        let statement = |effect: &str| format!(r#"{{"effect": "{effect}", "action": ["{action}"], "resource": "*"}}"#);
        let refused = attached(&document(&statement("deny"))).unwrap_err().to_string();
        assert!(refused.contains(action) && refused.contains("would deny nothing here"), "{refused}");
        let remark = attached(&document(&statement("allow"))).unwrap().remarks().first().unwrap().to_string();
        assert!(remark.contains("this allow grants nothing here"), "{remark}");
    }
    let service = r#"{"effect": "deny", "action": "ci:*", "resource": "qcs::CI:::bucket/*"}"#;
    assert!(attached(&document(service)).unwrap_err().to_string().contains("the service `CI`"));
    let slip = r#"{"effect": "allow", "action": ["ci:CreateAsrBuckt", "ci:CreateAsrJobs"], "resource": "*"}"#;
    let policy = attached(&document(slip)).unwrap();
    let slips: Vec<String> =
        policy.remarks().iter().map(ToString::to_string).filter(|it| it.contains("did you")).collect();
    assert!(slips.len() == 1 && slips[0].contains("did you mean `ci:CreateAsrBucket`?"), "{slips:#?}");
}

#[test]
fn what_other_services_conditions_ask_is_nothing_to_us() {
    let other = r#"{"effect": "deny", "action": "cvm:*", "resource": "qcs::cvm:::*", "condition": {"string_equal": {"qcs:tag": "x"}}}"#;
    let policy = attached(&document(other)).unwrap();
    let remarks: Vec<String> = policy.remarks().iter().map(ToString::to_string).collect();
    assert!(matches!(&remarks[..], [one] if one.contains("nothing in the document `cam/a.json`")), "{remarks:?}");
    assert_eq!(policy.statements(), 0);
}

#[test]
fn a_mistake_in_a_document_is_located_in_the_document() {
    for (statement, parts) in [
        (
            r#"{"effect": "allow", "actions": "ci:*", "resource": "*"}"#,
            ["unknown key `actions`", "did you mean `action`?"],
        ),
        (r#"{"effect": "Deny", "action": "ci:*", "resource": "*"}"#, ["unknown effect `Deny`", "did you mean `deny`?"]),
        (
            r#"{"effect": "allow", "action": "ci:*", "resource": "*", "principal": {"qcs": ["*"]}}"#,
            ["a document that is attached has no `principal`", "a bucket's policy cannot be attached"],
        ),
        (
            r#"{"effect": "allow", "action": "ci:*", "resource": "*", "condition": {"ip_equals": {"qcs:ip": "::1"}}}"#,
            ["unknown condition operator `ip_equals`", "did you mean `ip_equal`?"],
        ),
    ] {
        let found = attached(&document(statement)).unwrap_err().to_string();
        for part in parts {
            assert!(found.contains("p/cam/a.json:2:") && found.contains(part), "{part} is not in: {found}");
        }
    }
    for (text, what) in [
        ("{}", "a policy with statements needs its `version`"),
        ("{\"version\": \"2.0\"}", "the document has no `statement`"),
        ("{\"version\": \"1.0\", \"statement\": []}", "unknown version `1.0`"),
        ("nonsense", "not JSON"),
    ] {
        assert!(attached(text).unwrap_err().to_string().contains(what), "{what}");
    }
}

#[test]
fn a_document_that_cannot_be_had_is_a_mistake_of_the_policy() {
    says(
        &mistakes(ATTACHING),
        &["4: the document `cam/a.json` cannot be read: there is no folder", "the policy's folder"],
    );
    says(&mistakes("[[attachment]]\nprincipal = \"*\"\n"), &["1: the attachment has no `document`", "name the file"]);
    let hidden = mistakes("[[attachment]]\nprincipal = \"*\"\ndocument = \"a\\u202Eb\"\n");
    says(&hidden, &["3: the name `a\\u{202e}b` cannot be shown", "without invisible"]);
    let found = mistakes("[[attachment]]\ndocument = \"a\"\nid = \"x\"\n");
    let parts = ["1: the attachment has no `principal`", "2: the document `a` cannot be read", "3: unknown key `id`"];
    assert!(found.len() == 3 && found.iter().zip(parts).all(|(found, part)| found.starts_with(part)), "{found:#?}");
}

#[test]
fn the_digest_covers_what_is_attached() {
    let digest = |text: &str| attached(text).unwrap().digest().to_owned();
    let (one, other) = (document(r#"{"effect":"allow","action":"ci:*","resource":"*"}"#), document(""));
    assert_ne!(digest(&one), digest(&other));
    assert_eq!(digest(&one), digest(&one.clone()));
}

#[test]
fn each_part_is_explained_once_and_one_statement_decides() {
    let text = "version = \"2.0\"\n[groups]\nplatform = [\"zoe\", \"zoe\"]\n\
        [[attachment]]\nprincipal = \"group:platform\"\ndocument = \"a.json\"\n\
        [[attachment]]\nprincipal = \"user:zoe\"\ndocument = \"a.json\"\n";
    let allow = document(r#"{"effect": "allow", "action": "ci:*", "resource": "*"}"#);
    let policy = Policy::parse_with(text, "p", Format::Toml, &mut |name| {
        Ok(Document { place: name.to_owned(), text: allow.clone() })
    });
    let (bucket, region) = ("test-1".parse().unwrap(), "ap-chongqing".parse().unwrap());
    let resource = Resource::bucket(&bucket, &region);
    let zoe = caller("zoe", &["platform"]);
    let explanation = policy.unwrap().explain(&zoe, AUDIO.parse().unwrap(), &resource, &at("2026-11-22T00:00:00Z"));
    let parts: Vec<_> = explanation.parts().iter().map(|part| (&*part.via, part.decides)).collect();
    assert_eq!(parts, [("group:platform", true), ("user:zoe", false)]);
}

#[test]
fn a_member_that_is_listed_twice_is_one_member() {
    let text = format!("{HEAD}[groups]\ng = [\"a\", \"b\", \"a\"]\nh = [\"a\"]\n")
        + &statement("allow", "[\"group:g\", \"group:h\"]", AUDIO, "*");
    let policy = toml(&text);
    let (_, user) = policy.index.users().find(|(name, _)| *name == "a").unwrap();
    assert_eq!(user.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["g", "h"]);
}
