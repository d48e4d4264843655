//! The sections that say how the gateway listens, limits, records and tells.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::files::NamedFile;
use super::reader::Table;
use super::units::minutes;
use super::values::{OFF, Wrong, echo};
use super::{Admin, Server, units};
use crate::api::{Limits, Rate, TrustedProxies};
use crate::server::{self, TlsSettings};
use crate::telemetry::LogFormat;

/// Bounds of time-outs that a person waits for.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=minutes(5);
const MOST_AT_ONCE: RangeInclusive<u32> = 1..=100_000;

/// The admin listener serves a scraper, a prober and now and then a person.
const ADMIN_CONNECTIONS: usize = 32;
const ADMIN_HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn server(table: &Table<'_>) -> Option<Server> {
    let listen = table.address("listen");
    let tls = tls(&table.table("tls"));
    let trusted_proxies = table.list("trusted_proxies", network);
    let max_connections = table.number("max_connections", MOST_AT_ONCE);
    let header_read_timeout = table.duration("header_read_timeout", TIMEOUTS);
    let request_timeout = table.duration("request_timeout", TIMEOUTS);
    let drain_delay = table.duration("drain_delay", Duration::ZERO..=minutes(5));
    let drain_timeout = table.duration("drain_timeout", Duration::ZERO..=minutes(10));
    let listener =
        server::Settings { max_connections: max_connections?, header_read_timeout: header_read_timeout?, tls: tls? };
    Some(Server {
        listen: listen?,
        listener,
        trusted_proxies: TrustedProxies::new(trusted_proxies?),
        request_timeout: request_timeout?,
        drain_delay: drain_delay?,
        drain_timeout: drain_timeout?,
    })
}

/// A network of proxies, or the address of one.
fn network(text: &str) -> Result<IpNet, Wrong> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    let hint = "write a network as in `10.0.0.0/8` or `2001:db8::/32`, or an address";
    let network = network.map_err(|_| Wrong::new(format!("is {}, which is no network", echo(text)), hint))?;
    if network.prefix_len() == 0 {
        return Err(Wrong::new("is everybody", "name the proxies alone: whoever is trusted can claim any address"));
    }
    if network.trunc() != network {
        let hint = format!("write `{}`, or `{}` for the one address", network.trunc(), network.addr());
        return Err(Wrong::new(format!("is {}, an address within a network", echo(text)), hint));
    }
    match network {
        IpNet::V6(mapped) if mapped.addr().to_ipv4_mapped().is_some() => {
            Err(Wrong::new("is IPv4 mapped into IPv6, which no address is compared as", "write it as IPv4"))
        }
        IpNet::V4(_) | IpNet::V6(_) => Ok(network),
    }
}

/// `Some(None)` where no TLS is asked for.
fn tls(table: &Table<'_>) -> Option<Option<TlsSettings>> {
    let certificate = table.path("certificate");
    let private_key = table.path("private_key");
    let client_ca = table.path("client_ca");
    let client_crl = table.path("client_crl");
    if !table.is_there() {
        return Some(None);
    }
    table.need("certificate", "name the PEM file of the server's certificate chain");
    table.need("private_key", "name the PEM file of the certificate's key");
    if table.has("client_crl") && !table.has("client_ca") {
        table.mistake("client_crl", "is set, and no client_ca", "name the authority whose revocations these are");
    }
    let settings = TlsSettings { certificate: certificate?, private_key: private_key?, client_ca, client_crl };
    table.names(Some(NamedFile::Tls(settings.clone())));
    Some(Some(settings))
}

pub(super) fn admin(table: &Table<'_>) -> Option<Admin> {
    let listener = server::Settings {
        max_connections: ADMIN_CONNECTIONS,
        header_read_timeout: ADMIN_HEADER_READ_TIMEOUT,
        tls: None,
    };
    Some(Admin { listen: table.address("listen")?, listener })
}

/// One socket cannot serve both; port 0 is a different one each time.
pub(super) fn check_addresses(table: &Table<'_>, business: SocketAddr, admin: SocketAddr) {
    let any = business.ip().is_unspecified() || admin.ip().is_unspecified();
    if business.port() != 0 && business.port() == admin.port() && (any || business.ip() == admin.ip()) {
        table.mistake("listen", "is taken by `server.listen` already", "give the admin listener a port of its own");
    }
}

/// The policy in force, and the candidate beside it.
pub(super) fn policies(table: &Table<'_>) -> (Option<PathBuf>, Option<PathBuf>) {
    table.need("file", "name the policy: without one nobody may do anything");
    let (file, candidate) = (table.path("file"), table.path("candidate"));
    table.names(file.clone().map(NamedFile::Policy));
    table.names(candidate.clone().map(NamedFile::Candidate));
    (file, candidate)
}

pub(super) fn limits(table: &Table<'_>) -> Option<Limits> {
    let in_flight = table.number("in_flight", MOST_AT_ONCE);
    let per_caller = table.with("per_caller", rate_or_off);
    let failed_authentications = table.with("failed_authentications", rate_or_off);
    Some(Limits { in_flight: in_flight?, per_caller: per_caller?, failed_authentications: failed_authentications? })
}

/// `Some(None)` where nobody looks.
pub(super) fn watch_interval(table: &Table<'_>) -> Option<Option<Duration>> {
    table.duration_or_off("interval", Duration::from_millis(100)..=minutes(60))
}

fn rate_or_off(text: &str) -> Result<Option<Rate>, Wrong> {
    if text == OFF {
        return Ok(None);
    }
    let wrong = || Wrong::new("is no rate", "write `off`, or a number in a duration such as `100/1s`");
    units::rate(text).map(Some).ok_or_else(wrong)
}

pub(super) fn log_format(table: &Table<'_>) -> Option<LogFormat> {
    table.later("otlp_endpoint", "collect the log and /metrics");
    table.choice("log_format", &[("json", LogFormat::Json), ("text", LogFormat::Text)])
}
