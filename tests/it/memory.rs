//! Keys in the memory of a process that serves (row M21): one copy, none of what was derived from it, none after rotation.
//!
//! Another process's memory is read by root alone, so `.ci/run` runs these tests where it is root, and says so where it is not.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use ci_gateway::stand_in::KnownKey;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rustix::process::Signal;
use sha1::Sha1;

use crate::support::process::{Cloud, Folder, SECRET_ID, Served, until};

/// As long as a real one; nobody else in the process has these bytes.
const FIRST: &str = "fIrStMaRkErOfTheSecretKeyQ7zX9aa";
const SECOND: &str = "sEcOnDmArKeRoFtHeKeyTwoW8yV6bbbb";
const CALLS: usize = 200;
const PIECE: usize = 1 << 20;

/// Every readable page of a process; `None` if this machine does not let us.
struct Memory {
    file: File,
    ranges: Vec<(u64, u64, String)>,
}

impl Memory {
    fn of(process: u32) -> Option<Self> {
        let file = File::open(format!("/proc/{process}/mem")).ok()?;
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
        let range = |line: &str| {
            let (range, rest) = line.split_once(' ')?;
            let (from, to) = range.split_once('-')?;
            let hex = |text| u64::from_str_radix(text, 16).ok();
            rest.starts_with('r').then_some((hex(from)?, hex(to)?, line.to_owned()))
        };
        Some(Self { file, ranges: maps.lines().filter_map(range).collect() })
    }

    /// Where the second half of one of these stands: an allocator writes over the first bytes of what it is given back.
    fn places_of<S: AsRef<[u8]>>(&self, secrets: &[S]) -> Vec<String> {
        let halves = secrets.iter().map(|secret| &secret.as_ref()[secret.as_ref().len() / 2..]);
        let halves: Vec<&[u8]> = halves.collect();
        let (first, longest) = (halves.iter().map(|half| half[0]), halves.iter().map(|half| half.len()).max());
        let mut begins = [false; 256];
        first.for_each(|byte| begins[usize::from(byte)] = true);
        let mut places = Vec::new();
        for (from, to, line) in &self.ranges {
            let mut room = vec![0; PIECE + longest.unwrap_or_default()];
            for begin in (*from..*to).step_by(PIECE) {
                let wanted = usize::try_from(to - begin).unwrap().min(room.len());
                // The kernel's own pages cannot be read.
                let Ok(count) = self.file.read_at(&mut room[..wanted], begin) else { continue };
                // What begins in the next piece is counted there.
                for at in (0..count.min(PIECE)).filter(|at| begins[usize::from(room[*at])]) {
                    let found = halves.iter().filter(|half| room[at..count].starts_with(half));
                    places.extend(found.map(|_| format!("{:x} in {line}", begin + at as u64)));
                }
            }
        }
        places
    }
}

fn memory(served: &Served) -> Memory {
    Memory::of(served.process().id()).expect("another process's memory is read by root alone")
}

fn keys(secret_key: &str) -> String {
    format!("secret_id = {SECRET_ID}\nsecret_key = {secret_key}\n")
}

/// The keys of every window in which something may have been signed, as text and as bytes.
fn sign_keys(secret_key: &str, from: i64, until: i64) -> Vec<[Vec<u8>; 2]> {
    let key = |now: i64| {
        let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).unwrap();
        mac.update(format!("{};{}", now - 60, now + 300).as_bytes());
        let bytes = mac.finalize().into_bytes();
        [hex::encode(bytes).into_bytes(), bytes.to_vec()]
    };
    (from..=until).map(key).collect()
}

fn holds_no_key_of_a_window(memory: &Memory, since: i64) {
    let keys = sign_keys(FIRST, since, Timestamp::now().as_second());
    assert_eq!(memory.places_of(keys.as_flattened()), Vec::<String>::new(), "the key of a window");
}

fn called(served: &Served, folder: &Folder) {
    let token = folder.token("alice");
    for _ in 0..CALLS {
        served.enable(&token).expect(200);
    }
}

#[test]
#[ignore = "needs root: run by .ci/run"]
fn a_process_that_has_signed_holds_one_copy_of_its_key_and_none_of_the_keys_of_its_windows() {
    let [first, second] = [FIRST, SECOND].map(|key| KnownKey::new(SECRET_ID, key, None));
    let cloud = Cloud::with_keys(vec![first]);
    let folder = Folder::of(&cloud);
    folder.write_secret("keys", &keys(FIRST));
    let began = Timestamp::now().as_second();
    let served = Served::from(&folder);
    let before = memory(&served);
    assert!(!before.places_of(&[SECRET_ID]).is_empty(), "the search finds nothing at all");
    called(&served, &folder);
    let copies = memory(&served);
    let places = copies.places_of(&[FIRST]);
    assert!(places.len() <= 1, "{places:#?}");
    holds_no_key_of_a_window(&copies, began);
    rotated(&served, &folder, second);
    let said = [served.admin_get("/metrics"), served.admin_get("/config"), served.admin_get("/readyz?verbose")];
    let ended = served.ended_by(Signal::TERM).expect(0);
    let said = said.map(|answer| answer.body).join("\n") + &ended.stdout + &ended.stderr + &folder.read("audit.jsonl");
    assert!(!said.contains(FIRST) && !said.contains(SECOND));
}

/// The keys that were replaced may be kept beside the new ones for a while, so there is one copy of each at most.
fn rotated(served: &Served, folder: &Folder, second: KnownKey) {
    let cloud = Cloud::with_keys(vec![second]);
    let config = folder.read("gateway.toml");
    let endpoint = config.lines().find(|line| line.starts_with("endpoint")).unwrap();
    folder.change("gateway.toml", endpoint, &format!("endpoint = \"{}\"", cloud.endpoint()));
    folder.write_secret("keys", &keys(SECOND));
    served.process().signal(Signal::HUP);
    until("the keys are not replaced", || (served.metric("config_generation") == 2).then_some(()));
    called(served, folder);
    let memory = memory(served);
    for key in [FIRST, SECOND] {
        let places = memory.places_of(&[key]);
        assert!(places.len() <= 1, "{key}: {places:#?}");
    }
}

/// The user that nobody is: as root's own process, one that may be dumped looks like one that may not.
const NOBODY: u32 = 65_534;

#[test]
#[ignore = "needs root: run by .ci/run"]
fn a_process_that_aborts_leaves_no_core_and_its_memory_is_closed_to_its_own_user() {
    let folder = Folder::without_cloud();
    // Where it was built, that user may have no way to.
    let copy = folder.path("ci-gateway");
    fs::copy(env!("CARGO_BIN_EXE_ci-gateway"), &copy).unwrap();
    folder.belongs_to(NOBODY);
    let mut command = Command::new(copy);
    command.args(["serve", "--config", &folder.config()]).env_clear();
    command.uid(NOBODY).gid(NOBODY).current_dir(folder.path(""));
    let served = Served::start(command);
    let process = format!("/proc/{}", served.process().id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(status.contains(&format!("Uid:\t{NOBODY}\t")), "{status}");
    // proc_pid_mem(5): what may not be dumped belongs to root.
    for file in ["mem", "environ", "maps"] {
        assert_eq!(fs::metadata(format!("{process}/{file}")).unwrap().uid(), 0, "{file}");
    }
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let ended = served.ended_by(Signal::ABORT);
    assert_eq!(ended.status, None, "{ended:?}");
    let mut left: Vec<_> = fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["audit.jsonl", "ci-gateway", "gateway.toml", "jwt.secret", "keys", "policy.toml"]);
}

#[test]
#[ignore = "needs root: run by .ci/run"]
fn no_source_of_keys_leaves_more_copies_than_it_has_to() {
    let json = format!("{{\"secretId\": \"{SECRET_ID}\", \"secretKey\": \"{FIRST}\"}}");
    for (source, most) in [("a file in JSON", 1), ("the environment", 2)] {
        let cloud = Cloud::with_keys(vec![KnownKey::new(SECRET_ID, FIRST, None)]);
        let folder = Folder::of(&cloud);
        folder.write_secret("keys", &json);
        let variables = [("TENCENTCLOUD_SECRET_ID", SECRET_ID), ("TENCENTCLOUD_SECRET_KEY", FIRST)];
        // What a process was started with stays where the kernel has put it.
        let served = if most == 2 {
            folder.take_keys_from_environment();
            Served::from_with(&folder, &variables)
        } else {
            Served::from(&folder)
        };
        let began = Timestamp::now().as_second();
        served.enable(&folder.token("alice")).expect(200);
        let memory = memory(&served);
        let places = memory.places_of(&[FIRST]);
        assert!(!places.is_empty() && places.len() <= most, "{source}: {places:#?}");
        // Right after the first call: later ones overwrite much of what was left behind.
        holds_no_key_of_a_window(&memory, began);
    }
}
