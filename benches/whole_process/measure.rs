//! Rounds in which the servers take turns, each a fresh process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::exchange::{answer, request};
use super::process::{Process, ticks_per_second};
use super::world::{Server, World};

/// How often and how long.
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) warm_up: u32,
    pub(crate) seconds: u32,
}

/// One server in one round.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) ready_ms: f64,
    pub(crate) idle_mib: f64,
    pub(crate) loaded_mib: f64,
    pub(crate) good: f64,
    pub(crate) bad: f64,
    pub(crate) seconds: f64,
    pub(crate) cpu_us: f64,
}

impl Run {
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_us / (self.good + self.bad)
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        (self.good + self.bad) / self.seconds
    }

    /// Of one core, in percent.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu_us / self.seconds / 1e4
    }
}

/// One run a round for each server, in the order of the rounds.
pub(crate) fn measure(
    world: &World,
    servers: &[Server],
    plan: &Plan,
    patience: Duration,
) -> Vec<(&'static str, Vec<Run>)> {
    let ticks = ticks_per_second();
    let mut results: Vec<_> = servers.iter().map(|server| (server.name(), Vec::new())).collect();
    for round in 0..plan.rounds as usize {
        for turn in 0..servers.len() {
            let place = (round + turn) % servers.len();
            let run = run(world, servers[place], plan, patience, ticks);
            eprintln!("round {}: {}: {:.1} µs", round + 1, servers[place].name(), run.cpu_us_per_request());
            results[place].1.push(run);
        }
    }
    results
}

fn run(world: &World, server: Server, plan: &Plan, patience: Duration, ticks: f64) -> Run {
    let begun = Instant::now();
    let (process, address) = world.serve(server);
    while !is_answering(address) {
        assert!(begun.elapsed() < patience, "{} does not answer", server.name());
        std::thread::sleep(Duration::from_millis(1));
    }
    let ready_ms = begun.elapsed().as_secs_f64() * 1e3;
    // What a start leaves behind is gone by then.
    std::thread::sleep(Duration::from_millis(100));
    let idle_mib = process.resident_mib();
    let checked = ask(address, &request(world.token())).unwrap();
    let checked = answer(&checked).unwrap().unwrap();
    assert!(checked.is_good(), "{}: {} {}", server.name(), checked.status, String::from_utf8_lossy(checked.body));
    load(world, address, plan.warm_up);
    let (good, bad, seconds, cpu_us) = saturate(world, &process, address, plan, ticks);
    let loaded_mib = process.resident_mib();
    Run { ready_ms, idle_mib, loaded_mib, good, bad, seconds, cpu_us }
}

fn saturate(world: &World, process: &Process, address: SocketAddr, plan: &Plan, ticks: f64) -> (f64, f64, f64, f64) {
    let (before, begun) = (process.cpu_us(ticks), Instant::now());
    let (good, bad) = load(world, address, plan.seconds);
    (good, bad, begun.elapsed().as_secs_f64(), process.cpu_us(ticks) - before)
}

fn load(world: &World, address: SocketAddr, seconds: u32) -> (f64, f64) {
    let output = world.load(address, seconds).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<f64> = said.split_whitespace().map(|count| count.parse().unwrap()).collect();
    (counts[0], counts[1])
}

/// The pass-through hands this on, the gateway answers it itself.
fn is_answering(address: SocketAddr) -> bool {
    let probe = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n";
    ask(address, probe).is_ok_and(|bytes| bytes.starts_with(b"HTTP/1.1 200"))
}

fn ask(address: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request)?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while answer(&bytes)?.is_none() {
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
    Ok(bytes)
}
