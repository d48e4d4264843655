//! What every answer keeps to, whatever it answers: the headers of all answers, and the schema in `openapi.json`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use ci_gateway::api::{DOCUMENT, entry};
use ci_gateway::domain::Code;
use jsonschema::Validator;
use serde_json::Value;

use super::Answer;

const PROBLEM: &str = "/components/schemas/Problem";

/// Holds `answer` to what the document promises for this method and target.
pub(super) fn check(method: &str, target: &str, answer: &Answer) {
    check_headers(answer);
    let Some(place) = place(method, target) else {
        // Not an operation of the document: only a refusal is to be had.
        assert!((400..=599).contains(&answer.status), "{method} {target}: {answer:?}");
        return if method != "HEAD" {
            check_problem(PROBLEM, answer)
        };
    };
    let response = format!("{place}/responses/{}", answer.status);
    let response = resolved(&response).unwrap_or_else(|| panic!("undocumented: {method} {target}: {answer:?}"));
    for name in at(&response)["headers"].as_object().unwrap().keys() {
        let header = resolved(&format!("{response}/headers/{}", escaped(name))).unwrap();
        let required = at(&header)["required"].as_bool().unwrap();
        assert!(!required || answer.header(&name.to_ascii_lowercase()).is_some(), "{name} is missing: {answer:?}");
    }
    let media_type = answer.header("content-type").unwrap().split(';').next().unwrap();
    let schema = format!("{response}/content/{}/schema", escaped(media_type));
    match media_type {
        "application/problem+json" => check_problem(&schema, answer),
        "application/json" => check_schema(&schema, &answer.json()),
        "text/plain" => check_schema(&schema, &answer.body.as_str().into()),
        other => panic!("{other}: {answer:?}"),
    }
}

/// The admin listener's pages are not in the document; its refusals are as anywhere.
pub(super) fn check_admin(answer: &Answer) {
    check_headers(answer);
    if answer.header("content-type") == Some("application/problem+json") {
        check_problem(PROBLEM, answer);
    }
}

fn check_headers(answer: &Answer) {
    let id = answer.header("x-request-id").unwrap_or_else(|| panic!("no id: {answer:?}"));
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    assert!((8..=64).contains(&id.len()) && id.bytes().all(harmless), "{id}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("server"), None);
}

fn check_problem(schema: &str, answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    check_schema(schema, &problem);
    let word = problem["code"].as_str().unwrap();
    let code = Code::from_word(word).unwrap();
    assert_eq!(problem["type"], format!("/problems/{word}"));
    assert_eq!(problem["title"], entry(code).title);
    assert_eq!(problem["status"], answer.status);
    // What may have taken effect is looked at before it is sent again; a GET may be repeated in any case.
    if problem["outcome"] == "unknown" {
        assert!(code.is_retryable() || problem["retryable"] == false, "{answer:?}");
    } else {
        assert_eq!(problem["retryable"], code.is_retryable());
    }
    assert_eq!(problem["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(answer.header("allow").is_some(), answer.status == 405, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    // Beside a 403, it is about a scope (RFC 6750 section 3.1).
    let about_scope = challenge.is_some_and(|challenge| challenge.contains("error=\"insufficient_scope\""));
    assert_eq!(challenge.is_some(), answer.status == 401 || about_scope, "{answer:?}");
    assert!(!about_scope || answer.status == 403, "{answer:?}");
    assert_eq!(answer.header("retry-after").is_some(), matches!(answer.status, 429 | 503), "{answer:?}");
}

fn check_schema(pointer: &str, value: &Value) {
    let validator = validator(pointer);
    assert!(validator.is_valid(value), "{pointer}: {:?} in {value}", validator.validate(value));
}

/// The pointer to the operation of the document that `method` and `target` ask for.
fn place(method: &str, target: &str) -> Option<String> {
    let path = target.split('?').next().unwrap();
    // In absolute form, scheme and authority come before the path.
    let before = if path.starts_with("http://") { 2 } else { 0 };
    let segments = || path.split('/').skip(before).skip(1);
    let fits = |template: &str| {
        let parts = || template.split('/').skip(1);
        let one_is_like = |(part, segment): (&str, &str)| part == segment || part.starts_with('{');
        parts().count() == segments().count() && parts().zip(segments()).all(one_is_like)
    };
    let template = DOCUMENT_TREE["paths"].as_object().unwrap().keys().find(|template| fits(template))?;
    let place = format!("/paths/{}/{}", escaped(template), method.to_ascii_lowercase());
    DOCUMENT_TREE.pointer(&place).map(|_| place)
}

/// The pointer at the end of a reference, if there is one at `pointer`; `None` if there is nothing.
fn resolved(pointer: &str) -> Option<String> {
    let value = DOCUMENT_TREE.pointer(pointer)?;
    let target = value.get("$ref").map(|target| target.as_str().unwrap().trim_start_matches('#'));
    Some(target.unwrap_or(pointer).to_owned())
}

fn at(pointer: &str) -> &'static Value {
    DOCUMENT_TREE.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"))
}

/// As a part of a JSON pointer (RFC 6901).
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

static DOCUMENT_TREE: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(DOCUMENT).unwrap());

/// The validator of a schema in the document; each is made once.
fn validator(pointer: &str) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    if let Some(made) = MADE.lock().unwrap().get(pointer) {
        return Arc::clone(made);
    }
    at(pointer);
    let mut schema = DOCUMENT_TREE.clone();
    schema["$ref"] = format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D")).into();
    let validator = Arc::new(jsonschema::draft202012::options().build(&schema).unwrap());
    MADE.lock().unwrap().insert(pointer.to_owned(), Arc::clone(&validator));
    validator
}
