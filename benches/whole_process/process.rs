//! A child process: where it runs, what it uses, and that it ends with us.

use std::fs;
use std::process::{Child, Command, Stdio};

/// A process that is killed when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`, with its output thrown away.
    pub(crate) fn start(mut command: Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }

    /// User and system time of all its threads so far, in microseconds; the system's tick is the resolution.
    pub(crate) fn cpu_us(&self, ticks_per_second: f64) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        // The second field is a name that may hold anything; proc(5) counts fields from 1, utime is the 14th.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 1e6 / ticks_per_second
    }

    /// Its resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// `program` on one core, if `pinned` and there is `taskset` (which becomes the program: the process is the same).
pub(crate) fn command(program: &str, core: u8, pinned: bool) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

/// Whether servers and load can have a core each.
pub(crate) fn can_pin() -> bool {
    let mut probe = Command::new("taskset");
    probe.args(["-c", "0,1", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
        && probe.status().is_ok_and(|status| status.success())
}

/// What `getconf CLK_TCK` says, or what it says everywhere.
pub(crate) fn ticks_per_second() -> f64 {
    let said = Command::new("getconf").arg("CLK_TCK").output().ok();
    said.and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok()).unwrap_or(100.0)
}
