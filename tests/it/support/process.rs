//! The program itself as a child process, and what it needs around it: a folder with its files, a stand-in of the
//! cloud, a client.
//!
//! A child inherits nothing of this process's environment, is given up after [`PATIENCE`], and dies with its value.

mod cloud;
mod folder;
mod http;
mod served;
mod stream;
mod tls;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use cloud::{Cloud, SECRET_ID, SECRET_KEY};
pub(crate) use folder::{AUDIENCE, Folder, ISSUER, JWT_SECRET, write_with_mode};
pub(crate) use http::{Answer, Call};
pub(crate) use served::{SMART_AUDIO, Served};
pub(crate) use stream::Stream;
pub(crate) use tls::{Authority, Paper, TlsCaller};

/// Far longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// The program with these arguments, an empty environment and nothing on its standard input.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ci-gateway"));
    command.args(arguments).env_clear();
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Process::start(program(arguments)).ended()
}

/// Asks until there is an answer; panics with `what` when patience has run out.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Panics with everything that was said if the exit status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }
}

/// A running process.
pub(crate) struct Process {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Process {
    pub(crate) fn start(command: Command) -> Self {
        Self::with_input(command, "")
    }

    /// Starts `command` and writes `input` to it.
    pub(crate) fn with_input(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Stream::of(child.stdout.take().unwrap()), Stream::of(child.stderr.take().unwrap()));
        // Who does not read its input may close it early.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Self { child, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, and what it will.
    pub(crate) fn stdout(&self) -> &Stream {
        &self.stdout
    }

    /// The log, for a gateway.
    pub(crate) fn stderr(&self) -> &Stream {
        &self.stderr
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = until("the process did not end", || self.child.try_wait().unwrap());
        Ended { status: status.code(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }

    /// Signals, and waits for its end.
    pub(crate) fn ended_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is not killed a second time; waiting leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
