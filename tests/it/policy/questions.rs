//! `policy explain` and `policy who-can`: the program itself, over files.

use serde_json::{Value, json};

use crate::support::process::{Ended, run};

const POLICY: &str = r#"version = "2.0"

[groups]
speech = ["alice", "bob"]

[users]
carol = ["ci:CreateAsrBucket"]

[[statement]]
id = "speech-in-chongqing"
effect = "allow"
principal = ["group:speech", "user:dan"]
action = "ci:*Asr*"
resource = "qcs::ci:ap-chongqing::bucket/test-*/*"
condition = { ip_equal = { "qcs:ip" = ["10.0.0.0/8"] } }

[[statement]]
id = "reds-look"
effect = "allow"
principal = "*"
action = "ci:Describe*"
resource = "*"
not_after = 2030-01-01T00:00:00Z
condition = { string_equal = { "token:team" = "red" } }

[[statement]]
id = "not-bob"
effect = "deny"
principal = ["user:bob", "group:contractors"]
action = "*"
resource = "*"
"#;

struct Policy {
    folder: tempfile::TempDir,
}

impl Policy {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("p.toml"), text).unwrap();
        Self { folder }
    }

    fn file(&self) -> String {
        self.folder.path().join("p.toml").display().to_string()
    }

    fn ask(&self, command: &str, options: &[&str]) -> Ended {
        let file = self.file();
        run(&[&["policy", command, file.as_str()], options].concat())
    }

    fn json(&self, command: &str, options: &[&str], status: i32) -> Value {
        let ended = self.ask(command, &[options, &["--json"]].concat()).expect(status);
        assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

const CREATE: [&str; 6] = ["--action", "ci:CreateAsrBucket", "--bucket", "test-1234567890", "--region", "ap-chongqing"];

fn explain(caller: &str, more: &[&'static str]) -> Vec<String> {
    ["--caller", caller].iter().chain(&CREATE).chain(more).map(|word| (*word).to_owned()).collect()
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[test]
fn a_permit_is_explained_with_status_0_and_the_statement_that_made_it() {
    let policy = Policy::new(POLICY);
    let ended = policy.ask("explain", &words(&explain("alice", &["--ip", "10.1.2.3", "--exit-code"]))).expect(0);
    assert_eq!(ended.stderr, "");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("PERMIT  by speech-in-chongqing"), "{ended:?}");
    assert!(lines[1].starts_with("alice: ci:CreateAsrBucket on test-1234567890 in ap-chongqing, at 20"), "{ended:?}");
    let file = policy.file();
    let [titles, decides, other] = [lines[3], lines[4], lines[5]];
    assert_eq!(titles.split_whitespace().collect::<Vec<_>>(), ["statement", "where", "effect", "via", "part"]);
    assert!(decides.starts_with(">  speech-in-chongqing"), "{decides}");
    assert!(decides.contains(&format!("{file}:9")) && decides.contains("group:speech"), "{decides}");
    assert!(decides.ends_with("matches") && other.ends_with("is about other actions"), "{ended:?}");
    assert_eq!(titles.find("where"), decides.find(&file));
    assert!(!ended.stdout.contains('\x1b'), "{ended:?}");
}

#[test]
fn a_denial_is_explained_with_status_0_and_with_2_for_whoever_asks_for_it() {
    let policy = Policy::new(POLICY);
    let ended = policy.ask("explain", &words(&explain("alice", &["--ip", "192.0.2.1", "--exit-code"]))).expect(2);
    assert!(ended.stdout.starts_with("DENIED  no statement allows it\n"), "{ended:?}");
    assert!(ended.stdout.contains("condition not met: ip_equal qcs:ip = [\"10.0.0.0/8\"]"), "{ended:?}");
    let ended = policy.ask("explain", &words(&explain("bob", &["--ip", "10.1.2.3"]))).expect(0);
    assert!(ended.stdout.starts_with("DENIED  by not-bob  a statement denies it\n"), "{ended:?}");
    let nobody = Policy::new("");
    let ended = nobody.ask("explain", &words(&explain("zoe", &[]))).expect(0);
    assert!(ended.stdout.ends_with("No statement concerns zoe.\n"), "{ended:?}");
}

#[test]
fn groups_claims_time_and_address_are_those_that_are_given() {
    let policy = Policy::new(POLICY);
    let describe =
        ["--caller", "zoe", "--action", "ci:DescribeAsrBuckets", "--bucket", "a-1", "--region", "ap-beijing"];
    let with = |more: &[&'static str], status| policy.json("explain", &[&describe[..], more].concat(), status);
    let permit = with(&["--claim", "team=red", "--at", "2029-12-31T00:00:00+08:00"], 0);
    assert_eq!((&permit["decision"], &permit["statement"]), (&json!("permit"), &json!("reds-look")));
    assert_eq!((&permit["at"], &permit["ip"]), (&json!("2029-12-30T16:00:00Z"), &json!(null)));
    let part = json!({
        "statement": "reds-look", "place": policy.file(), "line": 17, "effect": "allow", "principal": "*",
        "part": "matches", "detail": "matches", "takes_part": true, "decides": true,
    });
    assert_eq!(permit["parts"], json!([part]));
    assert_eq!(with(&["--claim", "team=[\"blue\",\"red\"]", "--at", "2029-01-01T00:00:00Z"], 0)["decision"], "permit");
    let ended = with(&["--claim", "team=red", "--at", "2030-01-01T00:00:01Z"], 0);
    assert_eq!((&ended["decision"], &ended["parts"][0]["part"]), (&json!("denied"), &json!("ended")));
    assert_eq!(with(&["--at", "2029-01-01T00:00:00Z"], 0)["parts"][0]["part"], "condition_not_met");
    let contractor = with(&["--claim", "team=red", "--groups", "x,contractors"], 0);
    assert_eq!((&contractor["statement"], &contractor["groups"]), (&json!("not-bob"), &json!(["x", "contractors"])));
}

#[test]
fn the_callers_name_and_groups_are_claims_too_as_in_its_token() {
    let text = "version = \"2.0\"\n[[statement]]\neffect = \"allow\"\nprincipal = \"*\"\naction = \"ci:*\"\nresource = \"*\"\n\
                condition = { string_equal = { \"token:sub\" = \"alice\", \"token:groups\" = \"red\" } }\n";
    let policy = Policy::new(text);
    let decision = |more: &[&'static str]| {
        policy.json("explain", &words(&explain("alice", more)), 0)["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(decision(&["--groups", "blue,red"]), "permit");
    assert_eq!(decision(&["--groups", "blue"]), "denied");
    assert_eq!(decision(&["--groups", "red", "--claim", "sub=bob"]), "denied");
}

#[test]
fn a_line_of_users_about_other_actions_is_shown_too() {
    let delete =
        ["--caller", "carol", "--action", "ci:DeleteAiProcessBucket", "--bucket", "a-1", "--region", "ap-beijing"];
    let told = Policy::new("[users]\ncarol = \"ci:CreateAsrBucket\"\n").json("explain", &delete, 0);
    let part = json!({
        "statement": "users.carol", "place": null, "line": null, "effect": "allow", "principal": "user:carol",
        "part": "other_action", "detail": "is about other actions", "takes_part": false, "decides": false,
    });
    assert_eq!((&told["decision"], &told["parts"]), (&json!("denied"), &json!([part])));
}

#[test]
fn a_line_of_users_is_shown_as_what_it_is() {
    let ended = Policy::new(POLICY).ask("explain", &words(&explain("carol", &[]))).expect(0);
    let line = ended.stdout.lines().find(|line| line.starts_with('>')).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        [">", "users.carol", "[users]", "allow", "user:carol", "matches"]
    );
}

#[test]
fn options_that_cannot_be_read_are_all_named_with_status_64() {
    let policy = Policy::new(POLICY);
    let wrong = ["--caller", "a", "--action", "ci:CreateAsrBuckt", "--bucket", "test", "--region", "AP-chongqing"];
    let ended = policy.ask("explain", &wrong).expect(64);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(lines[0].starts_with("--action: ") && lines[0].contains("did you mean `ci:CreateAsrBucket`?"), "{ended:?}");
    assert!(lines[1].starts_with("--bucket: ") && lines[1].contains("the APPID is missing"), "{ended:?}");
    assert!(lines[2].starts_with("--region: "), "{ended:?}");
    assert_eq!((lines[3..].join(""), ended.stdout.as_str()), ("3 problems".to_owned(), ""));
    assert_eq!(policy.json("explain", &wrong, 64)["mistakes"][0]["place"], "--action");
}

#[test]
fn a_policy_that_cannot_be_read_is_told_with_every_mistake_and_status_64() {
    let policy = Policy::new("[users]\nalice = [\"ci:CreateAsrBuckt\"]\nbob = 7\n");
    let ended = policy.ask("explain", &words(&explain("alice", &[]))).expect(64);
    let file = policy.file();
    for part in [format!("{file}:2:10: "), format!("{file}:3:"), "did you mean `ci:CreateAsrBucket`?".to_owned()] {
        assert!(ended.stderr.contains(&part), "{part} in {ended:?}");
    }
}

const WHO: [&str; 4] = ["--action", "ci:CreateAsrBucket", "--bucket", "test-1234567890"];

#[test]
fn who_can_lists_principals_with_their_statements_and_what_these_depend_on() {
    let policy = Policy::new(POLICY);
    let ended = policy.ask("who-can", &WHO).expect(0);
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: Vec<String> = ended.stdout.lines().map(squeezed).collect();
    let file = policy.file();
    let ip = "if ip_equal qcs:ip = [\"10.0.0.0/8\"]";
    assert!(told[0].starts_with("ci:CreateAsrBucket on test-1234567890 in any region, from 20"), "{ended:?}");
    let expected = [
        "",
        "can statement where depends on",
        &format!("group:speech speech-in-chongqing {file}:9 in ap-chongqing; {ip}"),
        "alice",
        "bob: denied by not-bob",
        "user:carol users.carol [users]",
        &format!("user:dan speech-in-chongqing {file}:9 in ap-chongqing; {ip}"),
        "",
        "Denied, also if they are one of those above:",
        "",
        "cannot statement where depends on",
        &format!("group:contractors not-bob {file}:26"),
        &format!("user:bob not-bob {file}:26"),
    ];
    assert_eq!(told[1..], expected);
    let nobody = Policy::new("").ask("who-can", &WHO).expect(0);
    assert!(nobody.stdout.ends_with("\n\nNobody can.\n"), "{nobody:?}");
}

#[test]
fn who_can_tells_programs_the_same() {
    let policy = Policy::new(POLICY);
    let told = policy.json("who-can", &[&WHO[..], &["--region", "ap-chongqing", "--ip", "10.0.0.1"]].concat(), 0);
    let grant = json!({
        "statement": "speech-in-chongqing", "place": policy.file(), "line": 9, "regions": [], "conditions": [],
        "until": null, "unless": [],
    });
    let members = json!([{ "name": "alice", "denied_by": null }, { "name": "bob", "denied_by": "not-bob" }]);
    assert_eq!(told["allowed"][0], json!({ "principal": "group:speech", "grants": [grant], "members": members }));
    let principals = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["principal"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(principals(&told["allowed"]), ["group:speech", "user:carol", "user:dan"]);
    assert_eq!(principals(&told["denied"]), ["group:contractors", "user:bob"]);
    // Without a time it leaves open what depends on it.
    assert_eq!(told["at"], json!(null));
    let later = [&WHO[..], &["--at", "2031-01-01T00:00:00+08:00"]].concat();
    assert_eq!(policy.json("who-can", &later, 0)["at"], "2030-12-31T16:00:00Z");
    assert!(policy.ask("who-can", &later).expect(0).stdout.contains(" in any region, at 2030-12-31T16:00:00Z\n"));
    let elsewhere = policy.json("who-can", &[&WHO[..], &["--region", "ap-beijing"]].concat(), 0);
    assert_eq!(principals(&elsewhere["allowed"]), ["user:carol"]);
    assert_eq!(
        policy.json("who-can", &[&WHO[..2], &["--bucket", "x"]].concat(), 64)["mistakes"][0]["place"],
        "--bucket"
    );
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    let file = Policy::new(POLICY);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_ci-gateway"));
    asked.args(["policy", "check", &file.file()]).stdout(full).stderr(std::process::Stdio::piped());
    let ended = asked.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(1) && said.contains("standard output cannot be written"), "{said}");
}

#[test]
fn a_policy_may_come_through_a_pipe() {
    let file = Policy::new(POLICY);
    let line = format!("exec {} policy check <(cat {})", env!("CARGO_BIN_EXE_ci-gateway"), file.file());
    let ended = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
