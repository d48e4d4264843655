//! `ci-gateway sign`: every stage of a signature, offline.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::request_file::{Problem, RequestArg, RequestFile, keys};
use super::status::{Status, complain};

/// Print every stage of a request's signature as JSON; nothing is sent.
///
/// The request is {"method","path","params","headers","key_time","signed_headers":[names]}; the keys are those of
/// TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SignArgs {
    #[command(flatten)]
    request: RequestArg,
}

/// Exit status: 0, 1 if the output cannot be written, 64 if the request or the keys cannot be used.
pub(super) fn run(args: &SignArgs) -> ExitCode {
    match signed(args) {
        Ok(stages) => match writeln!(std::io::stdout(), "{stages:#}") {
            Ok(()) => Status::Fine.into(),
            Err(why) => complain(Status::Failure, why),
        },
        Err(problem) => complain(Status::BadUsage, problem),
    }
}

fn signed(args: &SignArgs) -> Result<serde_json::Value, Problem> {
    let request = RequestFile::read(&args.request.file)?;
    let keys = keys()?;
    let stages = request.stages(request.signed_headers(), request.window()?, &keys)?;
    Ok(json!({
        "http_string": stages.http_string(),
        "string_to_sign": stages.string_to_sign(),
        "signature": stages.signature(),
        "authorization": stages.authorization(keys.secret_id()).to_string(),
    }))
}
