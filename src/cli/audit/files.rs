//! The files that a command reads: those of the log, those of its checkpoints, the public key.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::audit::reading::{Beginning, Lines};
use crate::audit::verify::{Finding, Log, Notes, in_order};
use crate::audit::{Sink, Verifier};
use crate::cli::problems;
use crate::cli::status::{Status, complain};
use crate::config::Config;
use crate::credentials::{open_regular, read_text};
use crate::domain::{Mistake, Mistakes};

/// Large enough to read a file at the speed of its disk.
const BUFFER: usize = 256 * 1024;
/// What takes longer is told how far it is.
const QUIET: Duration = Duration::from_secs(2);
const LARGEST_KEY: u64 = 64 * 1024;
/// What a file begins with that gzip wrote (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Which log.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LogArgs {
    /// The files of the log, rotated ones too, in any order; `-` is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration file, which names the log if no FILE does
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What the log is held against.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckpointArgs {
    /// A file of signed checkpoints; without it, the one that the configuration names, else FILE.checkpoints where there is one
    /// [may stand several times]
    #[arg(long, value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// What they are signed with: a key as `ci-gateway audit key` prints it, or a PEM file; then one of them at least must be
    /// of the log [may stand several times, where the key was renewed]
    #[arg(long, value_name = "KEY|FILE")]
    public_key: Vec<String>,
}

/// Why a command cannot do its work.
#[derive(Debug)]
pub(super) enum Problem {
    /// Options or a configuration.
    Usage(Mistakes),
    /// A file.
    Unread(String),
}

impl Problem {
    /// Tells it, and gives the status that goes with it.
    pub(super) fn tell(self) -> ExitCode {
        match self {
            Self::Usage(mistakes) => {
                problems::tell(&mistakes.into_vec());
                Status::BadUsage.into()
            }
            Self::Unread(what) => complain(Status::Failure, what),
        }
    }
}

impl From<Mistake> for Problem {
    fn from(mistake: Mistake) -> Self {
        Self::Usage(mistake.into())
    }
}

impl From<Mistakes> for Problem {
    fn from(mistakes: Mistakes) -> Self {
        Self::Usage(mistakes)
    }
}

impl From<crate::audit::verify::Unread> for Problem {
    fn from(unread: crate::audit::verify::Unread) -> Self {
        Self::Unread(unread.to_string())
    }
}

/// A log that can be read.
pub(super) type Opened = Log<BufReader<Watched>>;

impl LogArgs {
    /// The configuration, if one is named.
    pub(super) fn config(&self) -> Result<Option<Config>, Problem> {
        Ok(self.config.as_deref().map(Config::load).transpose()?)
    }

    /// The files that are named, or the one that `config` names. Those beside a log that are none are left out.
    pub(super) fn paths(&self, config: Option<&Config>) -> Result<Vec<PathBuf>, Problem> {
        if !self.files.is_empty() {
            return Ok(self.named(|beside| beside.is_none()));
        }
        let sink = config.and_then(|config| config.audit.sink.as_ref());
        let file = sink.and_then(Sink::file).cloned().ok_or_else(|| {
            let hint = "name the files of the log, or a configuration whose `[audit] file` does";
            Mistake::new("command line", "no file of the audit log is named").hint(hint)
        })?;
        Ok(vec![file])
    }

    fn named(&self, wanted: impl Fn(Option<Beside>) -> bool) -> Vec<PathBuf> {
        self.files.iter().filter(|path| wanted(Beside::of(path))).cloned().collect()
    }

    /// Files that are named and hold what a start had set aside: no log.
    pub(super) fn set_aside(&self) -> Vec<PathBuf> {
        self.named(|beside| beside == Some(Beside::SetAside))
    }

    /// As [`Self::paths`]; with the one that `config` names come those in its folder into which it was rotated.
    pub(super) fn with_rotated(&self, config: &Config) -> Result<Vec<PathBuf>, Problem> {
        let mut paths = self.paths(Some(config))?;
        if let ([file], true) = (paths.as_slice(), self.files.is_empty()) {
            let rotated = rotated(file).map_err(|why| unread(file, &why))?;
            paths.extend(rotated);
        }
        Ok(paths)
    }
}

/// What stands beside a log and has its name with an ending, so that a shell's `audit.jsonl*` names it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Checkpoints,
    SetAside,
}

impl Beside {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy();
        if name.contains(".checkpoints") {
            Some(Self::Checkpoints)
        } else {
            name.contains(".torn-").then_some(Self::SetAside)
        }
    }
}

/// The files in the folder of `file` whose names begin as its does, and that begin with a record.
fn rotated(file: &Path) -> io::Result<Vec<PathBuf>> {
    let own = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut rotated = Vec::new();
    for entry in folder.read_dir()? {
        let name = entry?.file_name();
        let path = file.with_file_name(&name);
        let is_named_so = name.to_string_lossy().strip_prefix(&*own).is_some_and(|rest| !rest.is_empty());
        if is_named_so && Beside::of(&path).is_none() && begins_with_a_record(&path) {
            rotated.push(path);
        }
    }
    Ok(rotated)
}

/// One that cannot be read is told by the records that are then missing.
fn begins_with_a_record(path: &Path) -> bool {
    let beginning = open_regular(path).and_then(|(file, _)| Lines::new(BufReader::new(file)).beginning());
    matches!(beginning, Ok(Beginning::Record(_)))
}

/// The log in `paths`, in its order.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<Opened>, Problem> {
    let progress = Rc::new(Progress::default());
    let mut logs = Vec::new();
    for path in paths {
        let (source, size) = source(path).map_err(|why| unread(path, &why))?;
        progress.of.set(progress.of.get() + size);
        let watched = Watched { source, progress: Rc::clone(&progress) };
        let mut reader = BufReader::with_capacity(BUFFER, watched);
        if reader.fill_buf().map_err(|why| unread(path, &why))?.starts_with(&GZIP) {
            return Err(compressed(path));
        }
        let lines = Lines::new(reader);
        logs.push(Log { name: path.display().to_string(), lines });
    }
    Ok(in_order(logs)?)
}

/// A file, or standard input, whose size is not known.
fn source(path: &Path) -> io::Result<(Source, u64)> {
    if path == Path::new("-") {
        return Ok((Source::Input(io::stdin().lock()), 0));
    }
    open_regular(path).map(|(file, metadata)| (Source::File(file), metadata.len()))
}

fn compressed(path: &Path) -> Problem {
    let path = path.display();
    Mistake::new(path.to_string(), "is compressed")
        .hint(format!("unpack it first: `zcat {path} | ci-gateway audit verify -`"))
        .into()
}

fn unread(path: &Path, why: &io::Error) -> Problem {
    Problem::Unread(format!("{}: cannot be read: {why}", path.display()))
}

/// The checkpoints that a log is held against.
#[derive(Debug)]
pub(super) struct Checkpoints {
    pub(super) notes: Notes,
    /// Those that are none.
    pub(super) findings: Vec<Finding>,
    /// The files that they stand in.
    pub(super) files: Vec<PathBuf>,
}

impl CheckpointArgs {
    /// Reads those of the log in `paths`; `config` may say where they stand.
    pub(super) fn read(
        &self,
        log: &LogArgs,
        paths: &[PathBuf],
        config: Option<&Config>,
    ) -> Result<Checkpoints, Problem> {
        let verifiers = self.public_key.iter().map(|key| verifier(key)).collect::<Result<_, _>>()?;
        let configured = config.and_then(|config| config.audit.checkpoints.file.clone());
        let mut files = match (self.checkpoints.as_slice(), configured) {
            ([], Some(configured)) => vec![configured],
            ([], None) => beside(paths),
            (named, _) => named.to_vec(),
        };
        files.extend(log.named(|beside| beside == Some(Beside::Checkpoints)));
        files.sort();
        files.dedup();
        let (mut notes, mut findings) = (Notes::signed_with(verifiers), Vec::new());
        for path in &files {
            let (file, _) = open_regular(path).map_err(|why| unread(path, &why))?;
            let name = path.display().to_string();
            let read = notes.read(&name, BufReader::with_capacity(BUFFER, file), &mut findings);
            read.map_err(|why| unread(path, &why))?;
        }
        Ok(Checkpoints { notes, findings, files })
    }
}

/// The files of checkpoints that are there.
fn beside(paths: &[PathBuf]) -> Vec<PathBuf> {
    let beside = paths.iter().map(|path| {
        let mut name = path.clone().into_os_string();
        name.push(".checkpoints");
        PathBuf::from(name)
    });
    beside.filter(|path| path.exists()).collect()
}

fn verifier(text: &str) -> Result<Verifier, Problem> {
    if let Ok(verifier) = text.parse() {
        return Ok(verifier);
    }
    let place = || format!("--public-key {text}");
    let file = read_text(Path::new(text), LARGEST_KEY)
        .map_err(|why| Mistake::new(place(), format!("is no key, and no file that can be read: {why}")))?;
    let verifier = file.trim().parse().or_else(|_| Verifier::from_pem(file.as_bytes()));
    Ok(verifier.map_err(|why| Mistake::new(place(), why.to_string()))?)
}

/// How much of all files was read.
#[derive(Debug, Default)]
struct Progress {
    of: Cell<u64>,
    read: Cell<u64>,
    told: Cell<Option<Instant>>,
}

#[derive(Debug)]
enum Source {
    File(File),
    Input(io::StdinLock<'static>),
}

/// A file that tells on the terminal how far it is, if it takes long.
#[derive(Debug)]
pub(super) struct Watched {
    source: Source,
    progress: Rc<Progress>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            Source::File(file) => file.read(buffer)?,
            Source::Input(input) => input.read(buffer)?,
        };
        self.progress.went_on(read as u64);
        Ok(read)
    }
}

impl Progress {
    fn went_on(&self, by: u64) {
        self.read.set(self.read.get() + by);
        let now = Instant::now();
        let Some(told) = self.told.get() else { return self.told.set(Some(now)) };
        if now.duration_since(told) < QUIET || !io::stderr().is_terminal() {
            return;
        }
        self.told.set(Some(now));
        let percent = self.read.get().saturating_mul(100).checked_div(self.of.get()).unwrap_or(100);
        // Whoever does not see it misses nothing.
        let _told = write!(io::stderr(), "\r{percent} % read\x1b[K\r");
    }
}
