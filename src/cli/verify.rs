//! `ci-gateway verify`: whether a request's signature holds, and if not, which stage differs.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;
use subtle::ConstantTimeEq;

use super::signed_request::{Problem, RequestArg, SignedRequest, keys};
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
}

impl Verdict {
    const HOLDS: Self =
        Self { verifies: true, stage: None, expected: None, found: None, hint: None, http_string: None };

    fn differs(stage: &'static str, expected: &str, found: &str, hint: &'static str) -> Self {
        let (expected, found) = (Some(expected.to_owned()), Some(found.to_owned()));
        Self { verifies: false, stage: Some(stage), expected, found, hint: Some(hint), http_string: None }
    }

    fn for_people(&self) -> String {
        let colour = std::io::stdout().is_terminal() && !no_colour();
        let (green, red, plain) = if colour { ("\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
        let Some(stage) = self.stage else { return format!("{green}verifies{plain}: every stage agrees") };
        let shown = |text: &Option<String>| format!("{:?}", text.as_deref().unwrap_or_default());
        let computed = self.http_string.as_ref().map(|text| format!("\n  computed  {text:?}")).unwrap_or_default();
        format!(
            "{red}does not verify{plain}: the stage `{stage}` differs\n  expected  {}\n  found     {}{computed}\n  hint      {}",
            shown(&self.expected),
            shown(&self.found),
            self.hint.unwrap_or_default()
        )
    }
}

fn verdict(args: &VerifyArgs) -> Result<Verdict, Problem> {
    let request = SignedRequest::read(&args.request.file)?;
    let keys = keys()?;
    let header = request.header("authorization").or(request.authorization.as_deref()).unwrap_or_default();
    let authorization = match Authorization::parse(header) {
        Ok(authorization) => authorization,
        Err(why) => {
            return Ok(Verdict::differs(
                "authorization",
                "the seven q- fields",
                &why.to_string(),
                "see the documentation's step 8",
            ));
        }
    };
    let told = told_differently(&request, &keys, &authorization)?;
    match told {
        Some(verdict) => Ok(verdict),
        None => recomputed(&request, &keys, &authorization),
    }
}

/// What the header says of itself, held against what the request and the environment say.
fn told_differently(
    request: &SignedRequest,
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
fn recomputed(request: &SignedRequest, keys: &Keys, authorization: &Authorization<'_>) -> Result<Verdict, Problem> {
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

fn first_difference(stages: &Stages, request: &SignedRequest, authorization: &Authorization<'_>) -> Verdict {
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
