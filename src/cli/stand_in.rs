//! `ci-gateway stand-in`: the model of Cloud Infinite alone, for other teams' tests.

use std::env::VarError;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use zeroize::Zeroizing;

use super::status::Status;
use super::token::lifetime;
use crate::config::no_colour;
use crate::credentials::Keys;
use crate::stand_in::{Answered, Arrival, Faults, KeyServiceSettings, KnownKey, Settings, StandIn, Strike};

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
const TOKEN: &str = "TENCENTCLOUD_TOKEN";

/// Run only the stand-in of Cloud Infinite: it verifies signatures and can be told to misbehave.
///
/// On the same address it plays STS (AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity) and the metadata service of a
/// machine with the role ci-gateway; Cloud Infinite then takes the keys that they give.
///
/// The keys are those of TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY and, if set, TENCENTCLOUD_TOKEN;
/// without them it makes a pair for this run and prints it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StandInArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Misbehave: delay:250ms, skew:-600, status:503, throttle:5, reset-before, reset-after, truncated,
    /// wrong-xml, not-xml, empty, plain-http-308 or json-error; with sts: or metadata: before it, delay:2s, skew:-600,
    /// status:503, reset, not-json or not-found for those who ask for keys; with @3 behind it only for the next three
    /// requests
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Strike>,
    /// How long the keys are good for that STS and the metadata service give, at most
    #[arg(long, value_name = "DURATION", value_parser = lifetime, default_value = "2h")]
    session_lifetime: Duration,
    /// Accept signatures that do not cover the host, like the one on the product page
    #[arg(long)]
    accept_unsigned_host: bool,
    /// Print JSON, one object a line: first {"address":…}, then one for each request
    #[arg(long)]
    json: bool,
}

/// Serves until SIGINT or SIGTERM; a line per request goes to standard output.
///
/// Exit status: 0 when it was stopped, 1 if it cannot listen, 64 if the keys in the environment are unusable.
pub(super) async fn run(args: StandInArgs) -> ExitCode {
    match serve(args).await {
        Ok(()) => Status::Fine.into(),
        Err(why) => {
            let _ = writeln!(io::stderr(), "ci-gateway stand-in: {why}");
            why.exit_code()
        }
    }
}

async fn serve(args: StandInArgs) -> Result<(), Failure> {
    let (key, generated) = match key_of_environment()? {
        Some(key) => (key, None),
        None => throw_away_key()?,
    };
    // Before the address is printed: who reads it may send a signal at once.
    let stops = Stops::listen()?;
    let listener = TcpListener::bind(args.listen).await.map_err(|why| Failure::Listen(args.listen, why))?;
    let faults: Faults = args.faults.iter().copied().collect();
    let require_signed_host = !args.accept_unsigned_host;
    let key_services = KeyServiceSettings { session_lifetime: args.session_lifetime, ..KeyServiceSettings::default() };
    let settings = Settings { require_signed_host, key_services, faults, ..Settings::with_key(key) };
    let stand_in = StandIn::start(listener, settings);
    // Also before: the first request must not slip through.
    let arrivals = stand_in.watch();
    let style = if args.json { Style::Json } else { Style::of_terminal() };
    print(&greeting(style, stand_in.address(), generated.as_ref(), &args.faults));
    tokio::select! {
        () = report(arrivals, style) => {}
        () = stops.wait() => {}
    }
    stand_in.stop().await;
    Ok(())
}

async fn report(mut arrivals: Receiver<Arrival>, style: Style) {
    loop {
        match arrivals.recv().await {
            Ok(arrival) => print(&line(style, &arrival)),
            Err(RecvError::Lagged(missed)) if style != Style::Json => print(&format!("… {missed} requests not shown")),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Whether the reader of our output is still there is its own business: the stand-in goes on.
fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    fn listen() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(Failure::Signals);
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A pair that was made for this run, and that therefore may be shown.
struct Generated {
    secret_id: String,
    secret_key: String,
}

fn throw_away_key() -> Result<(KnownKey, Option<Generated>), Failure> {
    let mut bytes = [[0_u8; 16]; 2];
    getrandom::fill(bytes.as_flattened_mut()).map_err(Failure::Randomness)?;
    let [id, key] = bytes.map(hex::encode);
    let pair = Generated { secret_id: format!("AKID{id}"), secret_key: key };
    Ok((KnownKey::new(&pair.secret_id, &pair.secret_key, None), Some(pair)))
}

fn key_of_environment() -> Result<Option<KnownKey>, Failure> {
    known_key(variable(SECRET_ID)?, variable(SECRET_KEY)?, variable(TOKEN)?)
}

/// An empty variable counts as one that is not set.
fn variable(name: &'static str) -> Result<Option<Zeroizing<String>>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(Zeroizing::new(value)).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Failure::Keys(format!("the variable {name} holds bytes that are not UTF-8")))
        }
    }
}

type Secret = Zeroizing<String>;

fn known_key(id: Option<Secret>, key: Option<Secret>, token: Option<Secret>) -> Result<Option<KnownKey>, Failure> {
    let (id, key) = match (id, key) {
        (None, None) => return Ok(None),
        (Some(id), Some(key)) => (id, key),
        (Some(_), None) => return Err(half_a_pair(SECRET_ID, SECRET_KEY)),
        (None, Some(_)) => return Err(half_a_pair(SECRET_KEY, SECRET_ID)),
    };
    let token = token.as_ref().map(|token| token.as_str());
    // The gateway would refuse the same keys: better to hear it here.
    Keys::new(&id, &key, token).map_err(|why| Failure::Keys(format!("the keys in the environment: {why}")))?;
    Ok(Some(KnownKey::new(&id, &key, token)))
}

fn half_a_pair(set: &str, missing: &str) -> Failure {
    Failure::Keys(format!("{set} is set but {missing} is not: set both, or neither for a pair made for this run"))
}

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Coloured,
    Json,
}

impl Style {
    fn of_terminal() -> Self {
        if io::stdout().is_terminal() && !no_colour() { Self::Coloured } else { Self::Plain }
    }
}

fn greeting(style: Style, address: SocketAddr, generated: Option<&Generated>, faults: &[Strike]) -> String {
    if style == Style::Json {
        return match generated {
            Some(pair) => json!({"address": address, "secret_id": pair.secret_id, "secret_key": pair.secret_key}),
            None => json!({"address": address}),
        }
        .to_string();
    }
    let keys = match generated {
        Some(Generated { secret_id, secret_key }) => format!(
            "keys made for this run, for the client:\n  export {SECRET_ID}={secret_id}\n  export {SECRET_KEY}={secret_key}"
        ),
        None => format!("keys: those of {SECRET_ID} and {SECRET_KEY}"),
    };
    let faults: Vec<_> = faults.iter().map(Strike::to_string).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(" ") };
    format!(
        "stand-in of Cloud Infinite on http://{address} (Ctrl-C stops it)\n{keys}\nfaults: {faults}\nto use it:\n  \
         ci-gateway  [ci] endpoint = \"http://{address}\"; for keys also [credentials] sts_endpoint, metadata_endpoint\n  \
         Python SDK  CosConfig(…, Scheme=\"http\", Proxies={{\"http\": \"http://{address}\"}})\n  \
         Node SDK    new COS({{…, Proxy: \"http://{address}\"}}) with http:// addresses"
    )
}

fn line(style: Style, arrival: &Arrival) -> String {
    let Arrival { at, method, host, path, verified, applied, answer, .. } = arrival;
    let (status, code) = match answer {
        Answered::Status(status, code) => (Some(*status), *code),
        Answered::HungUp | Answered::Waiting => (None, None),
    };
    if style == Style::Json {
        return json!({
            "at": at.to_string(), "method": method, "host": host, "path": path, "action": arrival.action(), "status": status, "code": code,
            "verified": verified, "applied": applied,
        })
        .to_string();
    }
    let answer = status.map_or_else(|| "connection reset".to_owned(), |status| status.to_string());
    let code = code.map(|code| format!(" {code}")).unwrap_or_default();
    let applied = if *applied { ", applied" } else { "" };
    let (on, off) = match (style, status) {
        (Style::Plain | Style::Json, _) => ("", ""),
        (Style::Coloured, Some(200..=299)) => ("\x1b[32m", "\x1b[0m"),
        (Style::Coloured, Some(_) | None) => ("\x1b[31m", "\x1b[0m"),
    };
    let action = arrival.action().map(|action| format!(" {action}")).unwrap_or_default();
    format!("{} {method:6} {host}{path}{action} {on}{answer}{code}{applied}{off}", at.strftime("%H:%M:%SZ"))
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Keys(String),
    #[error("cannot listen on {0}: {1}{hint}", hint = hint(.1))]
    Listen(SocketAddr, #[source] io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("the system gives no randomness for a pair of keys: {0} (set {SECRET_ID} and {SECRET_KEY} instead)")]
    Randomness(#[source] getrandom::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Keys(_) => Status::BadUsage.into(),
            Self::Listen(..) | Self::Signals(_) | Self::Randomness(_) => Status::Failure.into(),
        }
    }
}

fn hint(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => {
            " (another program has this port: stop it, or choose another one with `--listen 127.0.0.1:0`)"
        }
        io::ErrorKind::PermissionDenied => " (ports below 1024 need a privilege: choose a higher one with `--listen`)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has this address)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::Timestamp;

    use super::*;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        args: StandInArgs,
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Zeroizing::new(text.to_owned()))
    }

    fn arrival(answer: Answered, applied: bool) -> Arrival {
        Arrival {
            number: 1,
            at: Timestamp::from_second(1_660_033_391).unwrap(),
            method: "POST".into(),
            host: "test-1.ci.ap-x.myqcloud.com".into(),
            path: "/asrbucket".into(),
            query: "".into(),
            headers: Vec::new(),
            verified: true,
            applied,
            answer,
        }
    }

    #[test]
    fn faults_are_read_and_a_bad_one_is_told_which_there_are() {
        let read = |fault| Whole::try_parse_from(["x", "--fault", fault]).map(|whole| whole.args.faults);
        assert_eq!(read("skew:-600").ok(), "skew:-600".parse().ok().map(|strike| vec![strike]));
        let message = read("sleep").unwrap_err().to_string();
        for known in crate::stand_in::Fault::KNOWN {
            assert!(message.contains(known), "{message}");
        }
        let help = <StandInArgs as clap::Args>::augment_args(clap::Command::new("x")).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut known = crate::stand_in::Fault::KNOWN.iter().chain(&crate::stand_in::KeyServiceFault::KNOWN);
        assert!(known.all(|known| help.contains(known)), "{help}");
    }

    #[test]
    fn half_a_pair_and_unusable_keys_are_refused_and_not_shown() {
        assert!(known_key(None, None, None).unwrap().is_none());
        assert!(known_key(secret("AKID"), secret("marker"), secret("token")).unwrap().is_some());
        for (id, key) in [(secret("AKID"), None), (None, secret("marker")), (secret("AKID"), secret("marker "))] {
            let why = known_key(id, key, None).unwrap_err();
            assert_eq!(format!("{:?}", why.exit_code()), format!("{:?}", ExitCode::from(64)));
            assert!(!why.to_string().contains("marker"), "{why}");
        }
    }

    #[test]
    fn only_a_generated_pair_is_shown() {
        let address = "127.0.0.1:8000".parse().unwrap();
        let (_, generated) = throw_away_key().unwrap();
        let pair = generated.as_ref().unwrap();
        assert!(greeting(Style::Plain, address, generated.as_ref(), &[]).contains(&pair.secret_key));
        assert_eq!(greeting(Style::Json, address, None, &[]), r#"{"address":"127.0.0.1:8000"}"#);
    }

    #[test]
    fn a_line_tells_time_call_and_verdict() {
        let plain = |answer, applied| line(Style::Plain, &arrival(answer, applied));
        assert_eq!(
            plain(Answered::Status(200, None), true),
            "08:23:11Z POST   test-1.ci.ap-x.myqcloud.com/asrbucket 200, applied"
        );
        assert!(
            plain(Answered::Status(403, Some("SignatureDoesNotMatch")), false).ends_with(" 403 SignatureDoesNotMatch")
        );
        assert!(plain(Answered::HungUp, true).ends_with(" connection reset, applied"));
        let asked =
            Arrival { headers: vec![("x-tc-action".into(), "AssumeRole".into())], ..arrival(Answered::HungUp, false) };
        assert!(line(Style::Plain, &asked).ends_with("/asrbucket AssumeRole connection reset"));
        let coloured = line(Style::Coloured, &arrival(Answered::HungUp, false));
        assert!(coloured.ends_with("\x1b[31mconnection reset\x1b[0m"), "{coloured:?}");
    }

    #[tokio::test]
    async fn an_occupied_port_is_explained() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let why = TcpListener::bind(taken.local_addr().unwrap()).await.unwrap_err();
        let message = Failure::Listen(taken.local_addr().unwrap(), why).to_string();
        assert!(message.contains("another program has this port") && message.contains("--listen"), "{message}");
    }
}
