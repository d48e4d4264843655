//! `ci-gateway dev`: the whole thing on loopback, with no set-up.

mod call;
mod show;
mod world;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;

use super::gateway::StartError;
use super::serve::Signals;
use super::status::{Status, complain};
use crate::config;
use crate::server::ListenError;
use crate::telemetry::{LogFormat, start_logging};
use world::World;

/// Try everything on this machine alone: a stand-in of Cloud Infinite, a gateway in front of it, one real call.
///
/// Keys, token and policy are made for this run and forgotten with it. Nothing leaves the loopback interface.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DevArgs {
    /// Make the call, print its JSON and exit
    #[arg(long)]
    once: bool,
    /// Address of the gateway [default: 127.0.0.1:8080; with --once any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address of its admin listener [default: 127.0.0.1:9090; with --once any free port]
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Address of the stand-in [default: any free port]
    #[arg(long, value_name = "ADDR")]
    stand_in: Option<SocketAddr>,
    /// Print one JSON object with the addresses, the token and the answer, in place of the text for people
    #[arg(long)]
    json: bool,
}

/// The addresses to listen on.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    gateway: SocketAddr,
    admin: SocketAddr,
    stand_in: SocketAddr,
}

impl DevArgs {
    fn addresses(&self) -> Addresses {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let usual = |port| if self.once { any } else { SocketAddr::from(([127, 0, 0, 1], port)) };
        Addresses {
            gateway: self.listen.unwrap_or(usual(8080)),
            admin: self.admin.unwrap_or(usual(9090)),
            stand_in: self.stand_in.unwrap_or(any),
        }
    }
}

/// Exit status: 0 when stopped or done, 1 if it cannot start or the call fails.
pub(super) async fn run(args: DevArgs) -> ExitCode {
    // A person watches: only what goes wrong is worth a line, unless more is asked for.
    let filter = config::log_filter();
    start_logging(LogFormat::Text, Some(filter.as_deref().unwrap_or("warn")), show::colour());
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(why) => return complain(Status::Failure, format_args!("signals cannot be received: {why}")),
    };
    let world = match World::start(args.addresses()).await {
        Ok(world) => world,
        Err(why) => return failed_to_start(&why),
    };
    let called = match call::enable_smart_audio(&world).await {
        Ok(called) => called,
        Err(why) => return complain(Status::Failure, why),
    };
    match (args.once, args.json) {
        (true, _) => show::answer_alone(&called),
        (false, true) => show::as_json(&world, &called),
        (false, false) => show::for_people(&world, &called),
    }
    let fine = called.is_success();
    if !args.once {
        signals.until_the_end(world.gateway()).await;
    }
    world.stop().await;
    if fine { Status::Fine.into() } else { Status::Failure.into() }
}

fn failed_to_start(why: &world::CannotStart) -> ExitCode {
    let status = complain(Status::Failure, why);
    if is_about_a_port(why) {
        return complain(
            Status::Failure,
            "choose other ports, for example: ci-gateway dev --listen 127.0.0.1:0 --admin 127.0.0.1:0",
        );
    }
    status
}

/// Whether another port would help.
fn is_about_a_port(why: &world::CannotStart) -> bool {
    match why {
        world::CannotStart::Gateway(StartError::Listen(why)) => {
            matches!(why, ListenError::InUse(_) | ListenError::NotPermitted(_))
        }
        world::CannotStart::StandIn(_, why) => why.kind() == ErrorKind::AddrInUse,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_port_is_advised_only_where_it_helps() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        for (why, advised) in [
            (ListenError::InUse(address), true),
            (ListenError::NotPermitted(address), true),
            (ListenError::NotOurs(address), false),
            (ListenError::Other(address, ErrorKind::Interrupted.into()), false),
        ] {
            let why = world::CannotStart::Gateway(StartError::Listen(why));
            assert_eq!(is_about_a_port(&why), advised, "{why}");
        }
        for (kind, advised) in [(ErrorKind::AddrInUse, true), (ErrorKind::AddrNotAvailable, false)] {
            assert_eq!(is_about_a_port(&world::CannotStart::StandIn(address, kind.into())), advised, "{kind}");
        }
    }
}
