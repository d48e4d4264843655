//! Asks the admin listener of the gateway that runs on this machine.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
/// Far more than any page has that is asked for here.
const LARGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// What it answers.
#[derive(Debug)]
pub(super) struct Page {
    answer: String,
}

impl Page {
    /// Asks whoever listens on `listen` for the page at `path`.
    ///
    /// # Errors
    /// Who does not answer, and why.
    pub(super) fn get(listen: SocketAddr, path: &str) -> Result<Self, String> {
        let address = reachable(listen);
        ask(address, path).map(|answer| Self { answer }).map_err(|why| format!("`{address}` does not answer: {why}"))
    }

    /// Whether it is there and says yes.
    pub(super) fn is_ok(&self) -> bool {
        self.answer.starts_with("HTTP/1.1 200 ")
    }

    /// Its first line.
    pub(super) fn status_line(&self) -> &str {
        self.answer.lines().next().unwrap_or("no answer")
    }

    /// What follows the head.
    pub(super) fn body(&self) -> &str {
        self.answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
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

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}
