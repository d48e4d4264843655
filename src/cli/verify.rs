//! `ci-gateway verify`: whether a request's signature holds, and if not, which stage differs.

mod notes;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::request_file::{Problem, RequestArg, RequestFile, keys};
use super::status::{Status, complain};
use crate::config::no_colour;
use crate::credentials::Keys;
use crate::signing::{Authorization, Stages};

/// Say whether a request's `authorization` header verifies, and if not which stage differs; nothing is sent.
///
/// The request is that of `sign` with `headers.authorization`. Stages that Cloud Infinite named in a fault
/// (FormatString as `http_string`, StringToSign as `string_to_sign`) are compared too.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    request: RequestArg,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Exit status: 0 it verifies, 2 it does not, 64 if the request or the keys cannot be used.
pub(super) fn run(args: &VerifyArgs) -> ExitCode {
    let verdict = match verdict(args) {
        Ok(verdict) => verdict,
        Err(problem) => return complain(Status::BadUsage, problem),
    };
    let text = if args.json { serde_json::to_string(&verdict).unwrap_or_default() } else { verdict.for_people() };
    let status = if verdict.verifies { Status::Fine } else { Status::SaidNo };
    // Whoever closed the pipe does not want to read; the status still tells.
    let _printed = writeln!(std::io::stdout(), "{text}");
    status.into()
}

#[derive(Debug, PartialEq, Serialize)]
struct Verdict {
    verifies: bool,
    /// The first stage that differs, in the order in which they are computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    /// What was signed here, to hold against Cloud Infinite's `FormatString`.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_string: Option<String>,
    /// What is worth knowing beside; it changes nothing about the verdict.
    notes: Vec<String>,
}

impl Verdict {
    const HOLDS: Self = Self {
        verifies: true,
        stage: None,
        expected: None,
        found: None,
        hint: None,
        http_string: None,
        notes: Vec::new(),
    };

    fn differs(stage: &'static str, expected: &str, found: &str, hint: &'static str) -> Self {
        let (expected, found) = (Some(expected.to_owned()), Some(found.to_owned()));
        Self { verifies: false, stage: Some(stage), expected, found, hint: Some(hint), ..Self::HOLDS }
    }

    fn for_people(&self) -> String {
        let colour = std::io::stdout().is_terminal() && !no_colour();
        let (green, red, plain) = if colour { ("\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
        let notes: String = self.notes.iter().map(|note| format!("\n  note      {note}")).collect();
        let Some(stage) = self.stage else { return format!("{green}verifies{plain}: every stage agrees{notes}") };
        let shown = |text: &Option<String>| format!("{:?}", text.as_deref().unwrap_or_default());
        let computed = self.http_string.as_ref().map(|text| format!("\n  computed  {text:?}")).unwrap_or_default();
        format!(
            "{red}does not verify{plain}: the stage `{stage}` differs\n  expected  {}\n  found     {}{computed}\n  hint      {}{notes}",
            shown(&self.expected),
            shown(&self.found),
            self.hint.unwrap_or_default()
        )
    }
}

fn verdict(args: &VerifyArgs) -> Result<Verdict, Problem> {
    let request = RequestFile::read(&args.request.file)?;
    judged(&request, &keys()?, Timestamp::now())
}

fn judged(request: &RequestFile, keys: &Keys, now: Timestamp) -> Result<Verdict, Problem> {
    const FIELDS: &str = "the seven q- fields";
    let Some(header) = request.header("authorization").or(request.authorization.as_deref()) else {
        let hint = "`headers.authorization` is missing: put the value of the request's `Authorization` header there";
        return Ok(Verdict::differs("authorization", FIELDS, "", hint));
    };
    let authorization = match Authorization::parse(header) {
        Ok(authorization) => authorization,
        Err(why) => {
            let hint = "see the documentation's step 8";
            return Ok(Verdict::differs("authorization", FIELDS, &why.to_string(), hint));
        }
    };
    let verdict = match told_differently(request, keys, &authorization)? {
        Some(verdict) => verdict,
        None => recomputed(request, keys, &authorization)?,
    };
    Ok(Verdict { notes: notes::notes(&authorization, now), ..verdict })
}

/// What the header says of itself, held against what the request and the environment say.
fn told_differently(
    request: &RequestFile,
    keys: &Keys,
    authorization: &Authorization<'_>,
) -> Result<Option<Verdict>, Problem> {
    if authorization.secret_id() != keys.secret_id() {
        let hint = "another key signed: TENCENTCLOUD_SECRET_ID is not the `q-ak` of the header";
        return Ok(Some(Verdict::differs("secret_id", keys.secret_id(), authorization.secret_id(), hint)));
    }
    if request.has_key_time() && request.window()? != authorization.window() {
        let (expected, found) = (request.window()?.to_string(), authorization.window().to_string());
        let hint = "`key_time` is not the `q-sign-time` of the header";
        return Ok(Some(Verdict::differs("key_time", &expected, &found, hint)));
    }
    if let Some(names) = request.signed_headers() {
        let expected = sorted(names.iter().map(String::as_str));
        if expected != authorization.header_list() {
            let hint = "`signed_headers` are not the names in `q-header-list`";
            return Ok(Some(Verdict::differs("header_list", &expected, authorization.header_list(), hint)));
        }
    }
    let params = sorted(request.params());
    if params.matches(';').count() != authorization.url_param_list().matches(';').count()
        || params.is_empty() != authorization.url_param_list().is_empty()
    {
        let hint = "the request's parameters are not those in `q-url-param-list`";
        return Ok(Some(Verdict::differs("url_param_list", &params, authorization.url_param_list(), hint)));
    }
    Ok(None)
}

/// Every stage again, over exactly the headers that `q-header-list` names.
fn recomputed(request: &RequestFile, keys: &Keys, authorization: &Authorization<'_>) -> Result<Verdict, Problem> {
    let list = authorization.header_list();
    let names: Vec<String> = list.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let stages = match request.stages(Some(&names), authorization.window(), keys) {
        Ok(stages) => stages,
        Err(Problem::AbsentHeader(name)) => {
            let hint = "`q-header-list` names a header that the request does not have";
            return Ok(Verdict::differs("header_list", &name, "", hint));
        }
        Err(other) => return Err(other),
    };
    Ok(first_difference(&stages, request, authorization))
}

fn first_difference(stages: &Stages, request: &RequestFile, authorization: &Authorization<'_>) -> Verdict {
    let compared = [
        (
            "header_list",
            stages.header_list(),
            Some(authorization.header_list()),
            "the names are not in the order of the signature",
        ),
        (
            "url_param_list",
            stages.url_param_list(),
            Some(authorization.url_param_list()),
            "parameters were added, lost or renamed",
        ),
        (
            "http_string",
            stages.http_string(),
            request.http_string.as_deref(),
            "method, path, a parameter or a signed header differs",
        ),
        (
            "string_to_sign",
            stages.string_to_sign(),
            request.string_to_sign.as_deref(),
            "the window or the hash of the HttpString differs",
        ),
    ];
    for (stage, expected, found, hint) in compared {
        if let Some(found) = found.filter(|found| *found != expected) {
            return Verdict::differs(stage, expected, found, hint);
        }
    }
    for found in [request.signature.as_deref(), Some(authorization.signature())].into_iter().flatten() {
        if !bool::from(found.as_bytes().ct_eq(stages.signature().as_bytes())) {
            let hint = "the lists agree, so the method, the path, a signed value or the secret key differs";
            let verdict = Verdict::differs("signature", stages.signature(), found, hint);
            return Verdict { http_string: Some(stages.http_string().to_owned()), ..verdict };
        }
    }
    Verdict::HOLDS
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(request: &str) -> Verdict {
        let keys = Keys::new("id-of-a-test", "key-of-a-test", None).unwrap();
        let request = serde_json::from_str(request).unwrap();
        judged(&request, &keys, Timestamp::from_second(150).unwrap()).unwrap()
    }

    #[test]
    fn a_missing_authorization_is_named_as_such() {
        let verdict = told(r#"{"method":"GET","path":"/","headers":{"host":"x"}}"#);
        assert_eq!((verdict.verifies, verdict.stage), (false, Some("authorization")));
        assert!(verdict.hint.unwrap().starts_with("`headers.authorization` is missing"), "{verdict:?}");
        let verdict = told(r#"{"method":"GET","path":"/","headers":{"authorization":""}}"#);
        assert!(!verdict.hint.unwrap().contains("missing"), "{verdict:?}");
    }

    #[test]
    fn notes_stand_beside_the_verdict_and_do_not_change_it() {
        let keys = Keys::new("id-of-a-test", "key-of-a-test", None).unwrap();
        let bare: RequestFile = serde_json::from_str(r#"{"method":"GET","path":"/","headers":{"date":"x"}}"#).unwrap();
        let stages = bare.stages(None, "100;200".parse().unwrap(), &keys).unwrap();
        let authorization = stages.authorization(keys.secret_id()).to_string();
        let signed = serde_json::json!({
            "method": "GET", "path": "/", "headers": { "date": "x", "authorization": authorization },
        });
        let signed: RequestFile = serde_json::from_value(signed).unwrap();
        let at = |second| judged(&signed, &keys, Timestamp::from_second(second).unwrap()).unwrap();
        assert!(at(150).verifies && at(250).verifies);
        assert_eq!((at(150).notes.len(), at(250).notes.len()), (1, 2));
        assert_eq!(at(250).for_people().matches("\n  note ").count(), 2, "{}", at(250).for_people());
        assert!(serde_json::to_string(&told(r#"{"method":"GET","path":"/"}"#)).unwrap().contains(r#""notes":[]"#));
    }
}
