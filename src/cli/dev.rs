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
    /// Make the call, print the JSON of its answer and exit
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
    /// Print one JSON object with the addresses, the caller and the answer, and the token unless --once
    #[arg(long)]
    json: bool,
}

/// One of the three addresses, by the flag that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Listen,
    Admin,
    StandIn,
}

impl Flag {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "--listen",
            Self::Admin => "--admin",
            Self::StandIn => "--stand-in",
        }
    }
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

impl Addresses {
    fn each(self) -> [(Flag, SocketAddr); 3] {
        [(Flag::Listen, self.gateway), (Flag::Admin, self.admin), (Flag::StandIn, self.stand_in)]
    }

    /// The first that other machines could reach: `dev` promises them nothing to reach.
    fn beyond_loopback(self) -> Option<(Flag, SocketAddr)> {
        self.each().into_iter().find(|(_, address)| !address.ip().is_loopback())
    }
}

/// Exit status: 0 when stopped or done, 1 if it cannot start or the call fails, 64 for an address beyond loopback.
pub(super) async fn run(args: DevArgs) -> ExitCode {
    let addresses = args.addresses();
    if let Some((flag, address)) = addresses.beyond_loopback() {
        return refused(flag, address);
    }
    // A person watches: only what goes wrong is worth a line, unless more is asked for.
    let filter = config::log_filter();
    if let Err(why) = start_logging(LogFormat::Text, Some(filter.as_deref().unwrap_or("warn")), show::colour()) {
        return complain(Status::Failure, format_args!("the thread of the log cannot be started: {why}"));
    }
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(why) => return complain(Status::Failure, format_args!("signals cannot be received: {why}")),
    };
    let world = match World::start(addresses).await {
        Ok(world) => world,
        Err(why) => return failed_to_start(&why, addresses),
    };
    let called = match call::enable_smart_audio(&world).await {
        Ok(called) => called,
        Err(why) => return complain(Status::Failure, why),
    };
    match (args.once, args.json) {
        (true, false) => show::answer_alone(&called),
        (true, true) => show::once_as_json(&world, &called),
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

fn refused(flag: Flag, address: SocketAddr) -> ExitCode {
    let flag = flag.as_str();
    complain(
        Status::BadUsage,
        format_args!(
            "`{flag} {address}` is not on loopback, which `dev` never leaves: give an address such as 127.0.0.1:0, \
             or run `ci-gateway serve` with a configuration of your own"
        ),
    )
}

fn failed_to_start(why: &world::CannotStart, addresses: Addresses) -> ExitCode {
    let status = complain(Status::Failure, why);
    let flags = flags_that_help(why, addresses);
    if flags.is_empty() {
        return status;
    }
    let advice: Vec<_> = flags.iter().map(|flag| format!("{} 127.0.0.1:0", flag.as_str())).collect();
    complain(
        Status::Failure,
        format_args!("choose another port, for example any free one: ci-gateway dev {}", advice.join(" ")),
    )
}

/// The flags of the address that could not be had; none where another port would not help.
fn flags_that_help(why: &world::CannotStart, addresses: Addresses) -> Vec<Flag> {
    match why {
        world::CannotStart::Gateway(StartError::Listen(
            ListenError::InUse(address) | ListenError::NotPermitted(address),
        )) => flags_of_the_gateway(*address, addresses),
        world::CannotStart::StandIn(_, why)
            if matches!(why.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
        {
            vec![Flag::StandIn]
        }
        world::CannotStart::StandIn(..)
        | world::CannotStart::Gateway(_)
        | world::CannotStart::Files(_)
        | world::CannotStart::Random(_)
        | world::CannotStart::Configuration(_)
        | world::CannotStart::Token(_) => Vec::new(),
    }
}

/// Both, where both were given the one address.
fn flags_of_the_gateway(address: SocketAddr, addresses: Addresses) -> Vec<Flag> {
    let ours = addresses.each().into_iter().filter(|(flag, other)| *flag != Flag::StandIn && *other == address);
    ours.map(|(flag, _)| flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn addresses() -> Addresses {
        Addresses { gateway: local(80), admin: local(90), stand_in: local(70) }
    }

    #[test]
    fn the_advice_names_the_flag_of_the_port_and_only_where_another_one_helps() {
        for (why, advised) in [
            (ListenError::InUse(local(80)), &[Flag::Listen][..]),
            (ListenError::InUse(local(90)), &[Flag::Admin]),
            (ListenError::NotPermitted(local(80)), &[Flag::Listen]),
            (ListenError::NotOurs(local(80)), &[]),
            (ListenError::Other(local(80), ErrorKind::Interrupted.into()), &[]),
        ] {
            let why = world::CannotStart::Gateway(StartError::Listen(why));
            assert_eq!(flags_that_help(&why, addresses()), advised, "{why}");
        }
        for (kind, advised) in [
            (ErrorKind::AddrInUse, &[Flag::StandIn][..]),
            (ErrorKind::PermissionDenied, &[Flag::StandIn]),
            (ErrorKind::AddrNotAvailable, &[]),
        ] {
            let why = world::CannotStart::StandIn(local(70), kind.into());
            assert_eq!(flags_that_help(&why, addresses()), advised, "{kind}");
        }
    }

    #[test]
    fn only_loopback_is_listened_on() {
        assert_eq!(addresses().beyond_loopback(), None);
        assert_eq!(Addresses { admin: "[::1]:0".parse().unwrap(), ..addresses() }.beyond_loopback(), None);
        for text in ["0.0.0.0:8080", "[::]:0", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let wide: SocketAddr = text.parse().unwrap();
            let found = |addresses: Addresses| addresses.beyond_loopback();
            assert_eq!(found(Addresses { gateway: wide, ..addresses() }), Some((Flag::Listen, wide)));
            assert_eq!(found(Addresses { admin: wide, ..addresses() }), Some((Flag::Admin, wide)));
            assert_eq!(found(Addresses { stand_in: wide, ..addresses() }), Some((Flag::StandIn, wide)));
        }
    }
}
