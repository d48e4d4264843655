//! `ci-gateway token`: mints a development JWT from a local key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use super::status::Status;
use crate::auth::{Algorithm, CannotMint, DevelopmentClaims, SigningSecret, UnknownAlgorithm, mint};
use crate::credentials::read_secret_file;
use crate::domain::Mistake;

/// Mint a development token from a local key and print it; secrets come from files alone.
#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// File with the secret shared with the gateway's `secret_file`, for HS256 [one trailing line end is ignored]
    #[arg(long, value_name = "FILE", required_unless_present = "private_key", conflicts_with_all = ["private_key", "algorithm", "key_id"])]
    secret_file: Option<PathBuf>,
    /// File with a private key in PEM (PKCS#8), whose public half stands in the gateway's `jwks_file`
    #[arg(long, value_name = "FILE", requires = "algorithm")]
    private_key: Option<PathBuf>,
    /// What the private key signs with: RS256, ES256 or EdDSA
    #[arg(long, value_name = "NAME", requires = "private_key", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// The `kid` of the key in the gateway's `jwks_file`
    #[arg(long, value_name = "KID", requires = "private_key")]
    key_id: Option<String>,
    /// The `issuer` of the gateway's [[auth.jwt]]
    #[arg(long)]
    issuer: String,
    /// The `audience` of the gateway's [[auth.jwt]]
    #[arg(long)]
    audience: String,
    /// Who calls: `user:NAME` in the policy
    #[arg(long, value_name = "NAME")]
    caller: String,
    /// The caller's groups, separated by commas: `group:NAME` in the policy
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    groups: Vec<String>,
    /// How long the token lives, such as 30m, 1h or 168h
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    lifetime: Duration,
    /// Print a JSON object with the token and what it says, in place of the token alone
    #[arg(long)]
    json: bool,
}

/// Prints the token that `args` ask for, or on standard error what is wrong with them.
///
/// Exit status: 0, 1 if the token could not be made or written, 64 for bad usage and unusable files.
pub(super) fn run(args: TokenArgs) -> ExitCode {
    let printed = token(&args, Timestamp::now())
        .and_then(|text| writeln!(std::io::stdout(), "{text}").map_err(|why| Problem::Output(why.kind())));
    match printed {
        Ok(()) => Status::Fine.into(),
        Err(problem) => {
            // If standard error is gone too, the exit status is all that is left to tell.
            let _ = writeln!(std::io::stderr(), "ci-gateway token: {problem}");
            problem.exit_code()
        }
    }
}

/// What is printed: the token, or the object about it.
fn token(args: &TokenArgs, now: Timestamp) -> Result<String, Problem> {
    let claims = DevelopmentClaims {
        issuer: args.issuer.clone(),
        audience: args.audience.clone(),
        caller: args.caller.clone(),
        groups: args.groups.clone(),
        issued_at: now,
        lifetime: args.lifetime,
    };
    let token = mint(&secret(args)?, &claims)?;
    if !args.json {
        return Ok(token);
    }
    let expires_at = Timestamp::from_second(claims.expires_at()).map_err(|_| CannotMint::Lifetime)?;
    let DevelopmentClaims { issuer, audience, caller, groups, issued_at: _, lifetime: _ } = claims;
    let about = json!({
        "token": token,
        "expires_at": expires_at.to_string(),
        "caller": caller,
        "groups": groups,
        "issuer": issuer,
        "audience": audience,
    });
    Ok(about.to_string())
}

fn secret(args: &TokenArgs) -> Result<SigningSecret, Problem> {
    match (&args.secret_file, &args.private_key, args.algorithm) {
        (Some(path), None, None) => SigningSecret::shared(&read(path)?).map_err(|why| in_file(path, why)),
        (None, Some(path), Some(algorithm)) => {
            SigningSecret::private_key(&read(path)?, algorithm, args.key_id.clone()).map_err(|why| in_file(path, why))
        }
        (Some(_) | None, Some(_) | None, Some(_) | None) => Err(Problem::Keys),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    read_secret_file(path).map_err(Problem::File)
}

fn in_file(path: &Path, why: CannotMint) -> Problem {
    Problem::File(Mistake::new(path.display().to_string(), why.to_string()))
}

fn algorithm(text: &str) -> Result<Algorithm, UnknownAlgorithm> {
    text.parse()
}

/// `1h`, `90m`, `1h 30m`, or ISO 8601's `PT1H`.
pub(super) fn lifetime(text: &str) -> Result<Duration, &'static str> {
    let duration: SignedDuration = text.parse().map_err(|_| "write a duration such as `30m`, `1h` or `168h`")?;
    duration.try_into().map_err(|_| "write a duration that is not negative")
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    File(Mistake),
    #[error(transparent)]
    Claims(#[from] CannotMint),
    #[error("name either --secret-file, or --private-key with --algorithm")]
    Keys,
    #[error("the token cannot be written to standard output: {0}")]
    Output(std::io::ErrorKind),
}

impl Problem {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::File(_) | Self::Keys => Status::BadUsage.into(),
            Self::Claims(why) => match why {
                CannotMint::Signing => Status::Failure.into(),
                CannotMint::ShortSecret
                | CannotMint::Symmetric
                | CannotMint::PrivateKey(_)
                | CannotMint::Empty
                | CannotMint::Lifetime
                | CannotMint::Caller(_) => Status::BadUsage.into(),
            },
            Self::Output(_) => Status::Failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::auth::{Authenticator, IssuerSettings, KeySource, Profile, Settings, TokenCacheSettings};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        token: TokenArgs,
    }

    const CLAIMS: [&str; 6] = ["--issuer", "dev", "--audience", "ci-gateway", "--caller", "alice"];

    fn file(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn parse(more: &[&str]) -> Result<TokenArgs, clap::Error> {
        Line::try_parse_from(["token"].iter().chain(&CLAIMS).chain(more)).map(|line| line.token)
    }

    fn now() -> Timestamp {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn a_token_made_with_the_gateway_s_secret_file_is_accepted_by_the_gateway() {
        let secret = file("0123456789abcdef0123456789abcdef\n");
        let path = secret.path().to_str().unwrap();
        let args = parse(&["--secret-file", path, "--groups", "a,b", "--lifetime", "1h 30m"]).unwrap();
        let settings = IssuerSettings {
            issuer: "dev".to_owned(),
            audiences: vec!["ci-gateway".to_owned()],
            algorithms: vec![Algorithm::Hs256],
            keys: KeySource::Secret(secret.path().into()),
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            leeway: Duration::ZERO,
            prefix: String::new(),
            profile: Profile::Jwt,
            required_scope: None,
        };
        let value = format!("Bearer {}", token(&args, now()).unwrap()).parse().unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let token_cache = TokenCacheSettings { entries: 0, time: Duration::ZERO };
        let authenticator = Authenticator::load(&Settings { issuers: vec![settings], token_cache }, None).unwrap();
        let deadline = tokio::time::Instant::now();
        let caller = authenticator.authenticate((&headers).into(), now(), deadline).await.unwrap();
        assert_eq!((caller.name(), caller.groups().collect::<Vec<_>>()), ("alice", vec!["a", "b"]));
    }

    #[test]
    fn json_tells_what_the_token_says() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pem = file(&pair.serialize_pem());
        let key = ["--private-key", pem.path().to_str().unwrap(), "--algorithm", "EdDSA", "--key-id", "k", "--json"];
        let text = token(&parse(&key).unwrap(), now()).unwrap();
        let about: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(about["expires_at"], "2026-11-22T01:00:00Z");
        assert_eq!((&about["caller"], &about["groups"]), (&json!("alice"), &json!([])));
        assert_eq!(about["token"].as_str().unwrap().split('.').count(), 3);
    }

    #[test]
    fn keys_that_contradict_each_other_and_bad_durations_are_bad_usage() {
        for more in [
            &[] as &[&str],
            &["--secret-file", "s", "--private-key", "p", "--algorithm", "RS256"],
            &["--secret-file", "s", "--key-id", "k"],
            &["--private-key", "p"],
            &["--private-key", "p", "--algorithm", "none"],
            &["--secret-file", "s", "--lifetime", "soon"],
            &["--secret-file", "s", "--lifetime=-1h"],
        ] {
            assert!(parse(more).is_err(), "{more:?}");
        }
    }

    #[test]
    fn an_unusable_file_is_named_with_the_cure_and_without_its_text() {
        let short = file("marker");
        let path = short.path().to_str().unwrap();
        for (more, cure) in [
            (vec!["--secret-file", path], "openssl rand -base64 32"),
            (vec!["--private-key", path, "--algorithm", "ES256"], "openssl pkcs8"),
            (vec!["--private-key", path, "--algorithm", "HS256"], "choose `RS256`"),
        ] {
            let problem = token(&parse(&more).unwrap(), now()).unwrap_err();
            let told = problem.to_string();
            assert!(told.contains(path) && told.contains(cure) && !told.contains("marker"), "{told}");
            assert_eq!(problem.exit_code(), ExitCode::from(64));
        }
        let problem = token(&parse(&["--secret-file", "/nowhere/secret"]).unwrap(), now()).unwrap_err();
        assert!(problem.to_string().contains("/nowhere/secret"));
    }
}
