//! The load: 64 connections, each with its next request as soon as the last is answered.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::exchange::{answer, request};

pub(crate) const CONNECTIONS: usize = 64;
/// The load's token, from the environment: who may list processes need not read it.
pub(crate) const TOKEN: &str = "WHOLE_PROCESS_TOKEN";

/// Prints how many answers were good, and how many were not.
pub(crate) fn run(address: SocketAddr, seconds: u64) {
    let request = request(&std::env::var(TOKEN).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let until = Instant::now() + Duration::from_secs(seconds);
    let (good, bad) = runtime.block_on(async {
        let mut callers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            callers.spawn(call(address, request.clone(), until));
        }
        callers.join_all().await.into_iter().fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1))
    });
    println!("{good} {bad}");
}

/// A connection that breaks counts as one bad answer and is not opened again.
async fn call(address: SocketAddr, request: Vec<u8>, until: Instant) -> (u64, u64) {
    let (mut good, mut bad) = (0, 0);
    let Ok(mut stream) = TcpStream::connect(address).await else { return (0, 1) };
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 8192];
    while Instant::now() < until {
        match exchange(&mut stream, &request, &mut buffer).await {
            Ok(true) => good += 1,
            Ok(false) => bad += 1,
            Err(_) => return (good, bad + 1),
        }
    }
    (good, bad)
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> io::Result<bool> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some(answer) = answer(&buffer[..filled])? {
            return Ok(answer.is_good() && answer.length == filled);
        }
    }
}
