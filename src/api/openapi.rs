//! The description of the business listener, written by hand and held to the code by the tests below.

/// The OpenAPI 3.1 document of `GET /openapi.json`.
pub const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::api::{Explanation, entry};
    use crate::domain::{Action, Bucket, Code, Outcome, Region, Service, Verb};

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// A validator for the schema at a JSON pointer into the document; references within it are followed.
    fn validator(pointer: &str) -> jsonschema::Validator {
        let mut schema = document();
        assert!(schema.pointer(pointer).is_some(), "{pointer}");
        schema["$ref"] = format!("#{pointer}").into();
        jsonschema::draft202012::options().build(&schema).unwrap()
    }

    fn schema(name: &str) -> jsonschema::Validator {
        validator(&format!("/components/schemas/{name}"))
    }

    fn object(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    fn words(value: &Value) -> Vec<&str> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    }

    /// Every operation as (path, method, operation).
    fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
        object(&document["paths"]).iter().flat_map(|(path, item)| {
            let methods = object(item).iter().filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// Follows the `$ref` of a response, if it is one.
    fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
        match value.get("$ref") {
            Some(target) => document.pointer(target.as_str().unwrap().trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    fn method(verb: Verb) -> &'static str {
        match verb {
            Verb::Create => "post",
            Verb::Describe => "get",
            Verb::Delete => "delete",
        }
    }

    #[test]
    fn the_document_is_of_this_version_of_the_gateway() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_action_is_one_operation_and_every_operation_is_an_action_or_open() {
        let document = document();
        let known: BTreeSet<(String, &str, Option<&str>)> = Action::all()
            .map(|action| (action.service(), action.verb(), action.as_str()))
            .map(|(service, verb, name)| {
                (format!("/v1/buckets/{{bucket}}/{}", service.as_str()), method(verb), Some(name))
            })
            .chain(["/healthz", "/openapi.json", "/problems/{code}"].map(|path| (path.to_owned(), "get", None)))
            .collect();
        let written: BTreeSet<_> = operations(&document)
            .map(|(path, method, operation)| {
                let action = operation.get("x-cam-action").map(|action| action.as_str().unwrap());
                (path.to_owned(), method, action)
            })
            .collect();
        assert_eq!(written, known);
    }

    #[test]
    fn only_operations_without_an_action_are_open() {
        for (path, method, operation) in operations(&document()) {
            assert_eq!(operation.get("security").is_some(), operation.get("x-cam-action").is_none(), "{method} {path}");
        }
    }

    #[test]
    fn the_closed_sets_are_those_of_the_code() {
        let document = document();
        let written = |name: &str| words(&document["components"]["schemas"][name]["enum"]);
        assert_eq!(written("Code"), Code::ALL.map(Code::as_str));
        assert_eq!(written("Outcome"), Outcome::ALL.map(Outcome::as_str));
        assert_eq!(written("Service"), Service::ALL.map(Service::as_str));
        assert_eq!(written("Action"), Action::all().map(Action::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn every_code_stands_under_its_usual_status_and_every_status_under_its_own_number() {
        let document = document();
        let mut answered = BTreeSet::new();
        for (path, method, operation) in operations(&document) {
            for (status, answer) in object(&operation["responses"]) {
                let problem = &resolved(&document, answer)["content"]["application/problem+json"];
                let Some(narrow) = problem.pointer("/schema/allOf/1/properties") else { continue };
                assert_eq!(narrow["status"]["const"].to_string(), *status, "{method} {path}");
                answered.extend(words(&narrow["code"]["enum"]).into_iter().map(|code| (code, status.clone())));
            }
        }
        for code in Code::ALL {
            assert!(answered.contains(&(code.as_str(), entry(code).usual_status.to_string())), "{code:?}");
        }
    }

    #[test]
    fn every_answer_carries_the_three_headers_that_all_answers_carry() {
        let document = document();
        for (path, method, operation) in operations(&document) {
            for (status, answer) in object(&operation["responses"]) {
                let headers = &resolved(&document, answer)["headers"];
                for name in ["X-Request-Id", "Cache-Control", "X-Content-Type-Options"] {
                    assert!(headers.get(name).is_some(), "{method} {path} {status} {name}");
                }
            }
        }
    }

    #[test]
    fn every_example_holds_and_problems_in_examples_bear_the_titles_of_the_catalogue() {
        let document = document();
        let mut seen = 0;
        for (name, answer) in object(&document["components"]["responses"]) {
            for (media, content) in object(&answer["content"]) {
                let place = format!("/components/responses/{name}/content/{}/schema", media.replace('/', "~1"));
                let schema = validator(&place);
                for example in content.get("examples").map(object).into_iter().flat_map(Map::values) {
                    let value = &example["value"];
                    assert!(schema.is_valid(value), "{name}: {:?}", schema.validate(value));
                    if let Some(code) = value["code"].as_str().and_then(Code::from_word) {
                        assert_eq!(value["title"], entry(code).title);
                        assert_eq!(value["retryable"], code.is_retryable());
                        assert_eq!(value["type"], format!("/problems/{}", code.as_str()));
                    }
                    seen += 1;
                }
            }
        }
        assert!(seen >= 20, "{seen}");
    }

    #[test]
    fn the_explanation_of_every_code_is_what_the_document_promises() {
        let promised = schema("Explanation");
        for code in Code::ALL {
            let explanation = serde_json::to_value(Explanation::of(code)).unwrap();
            assert!(promised.is_valid(&explanation), "{:?}", promised.validate(&explanation));
        }
    }

    #[test]
    fn a_member_too_many_or_too_few_breaks_every_answer() {
        let document = document();
        for (name, example) in [("Enrolled", "enrolled"), ("Status", "on"), ("Removed", "removed")] {
            let value = &document["components"]["responses"][name]["content"]["application/json"]["examples"][example];
            let value = object(&value["value"]);
            let schema = schema(name);
            assert!(schema.is_valid(&value.clone().into()));
            for member in value.keys() {
                let mut less = value.clone();
                less.remove(member);
                assert!(!schema.is_valid(&less.into()), "{name} without {member}");
            }
            let mut more = value.clone();
            more.insert("owner".into(), "alice".into());
            assert!(!schema.is_valid(&more.into()), "{name}");
        }
    }

    #[test]
    fn a_problem_about_a_call_that_was_not_sent_tells_no_answer_of_cloud_infinite() {
        let told = |outcome: &str| {
            json!({"type": "/problems/upstream_denied", "title": "t", "status": 502, "detail": "d",
                "code": "upstream_denied", "request_id": "0123456789", "outcome": outcome, "retryable": false,
                "upstream": {"status": 403, "code": "AccessDenied", "request_id": null}})
        };
        let problem = schema("Problem");
        assert!(problem.is_valid(&told("rejected")));
        assert!(!problem.is_valid(&told("not_sent")));
    }

    #[test]
    fn the_raw_time_stands_only_beside_a_time_that_could_not_be_read() {
        let enrolled = |time: Value| {
            json!({"service": "ai", "bucket_id": "a-1", "name": "a-1", "region": "ap-chongqing",
                "create_time": time, "create_time_raw": "?", "ci_request_id": null})
        };
        assert!(schema("Enrolled").is_valid(&enrolled(Value::Null)));
        assert!(!schema("Enrolled").is_valid(&enrolled("2022-08-09T16:23:11+08:00".into())));
        assert!(!schema("Enrolled").is_valid(&enrolled("2022-08-09T16:23:11+0800".into())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_patterns_accept_what_the_parsers_accept(
            texts in proptest::collection::vec("[a-z0-9-]{0,60}(-[0-9]{1,21})?|[a-zA-Z0-9.%/-]{0,40}", 40),
        ) {
            let (bucket, region) = (schema("Bucket"), schema("Region"));
            for text in texts {
                let value = Value::from(text.as_str());
                prop_assert_eq!(bucket.is_valid(&value), text.parse::<Bucket>().is_ok(), "{}", &text);
                prop_assert_eq!(region.is_valid(&value), text.parse::<Region>().is_ok(), "{}", &text);
            }
        }
    }
}
