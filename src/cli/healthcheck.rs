//! `ci-gateway healthcheck`: asks a running gateway on this machine whether it is ready; for the container's health
//! check, since the image holds no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::status::{Status, complain};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(2);
/// Far more than a readiness answer has.
const LARGEST_ANSWER: u64 = 16 * 1024;

/// Ask the admin listener of the gateway on this machine whether it is ready.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HealthcheckArgs {
    /// The gateway's configuration file, which names the listener
    #[arg(long, value_name = "FILE", default_value = "/etc/ci-gateway/gateway.toml")]
    config: PathBuf,
}

/// Exit status: 0 ready, 1 not, 64 if the configuration is wrong.
pub(super) fn run(args: &HealthcheckArgs) -> ExitCode {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return complain(Status::BadUsage, mistakes),
    };
    let address = reachable(config.admin.listen);
    match ask(address) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => Status::Fine.into(),
        Ok(answer) => complain(Status::Failure, answer.lines().next().unwrap_or("no answer")),
        Err(why) => complain(Status::Failure, format_args!("`{address}` does not answer: {why}")),
    }
}

/// Whoever listens on every address is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}
