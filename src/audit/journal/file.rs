//! The open audit file, as the system has it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, fcntl_getfl, fcntl_setfl, flock, fstatvfs};
use rustix::process::geteuid;

/// How long a start waits for a predecessor that is about to end.
pub(super) const PREDECESSOR: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// Which file it is: its device and its number there.
pub(super) type Identity = (u64, u64);

/// What stands at the path, seen from the file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The same file.
    Same,
    /// Nothing, or another file.
    Other {
        /// The open file has no name any more.
        deleted: bool,
    },
    /// The same file, and some of what we wrote is gone.
    Shorter,
}

/// A file that lines are appended to. A regular one is locked, and is cut and reserved; anything else (a pipe, a
/// device) is only written to.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// `None` if it is no regular file.
    identity: Option<Identity>,
    /// Bytes that are ours and stay; all after them may go.
    len: u64,
    /// Up to here the disk's space is ours; `None` where that cannot be had.
    reserved: Option<u64>,
}

impl LogFile {
    /// Opens or makes the file at `path`, readable by its owner alone, and waits up to `patience` for another process to
    /// let go of it. All that is in it stays.
    pub(super) fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        // What is no regular file is opened for writing alone: a pipe that one process reads and writes never ends.
        let odd = std::fs::metadata(path).is_ok_and(|found| !found.is_file());
        let file =
            OpenOptions::new().read(!odd).append(true).create(true).mode(0o600).custom_flags(at_once()).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            // Only the opening must not wait; a pipe that is full makes the writing thread wait.
            fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
            return Ok(Self::stream(file));
        }
        is_ours(&metadata)?;
        is_private(path, &metadata)?;
        lock(&file, Instant::now() + patience)?;
        let len = file.metadata()?.len();
        if len == 0 {
            make_durable(path)?;
        }
        Ok(Self { file, identity: Some(identity(&metadata)), len, reserved: Some(len) })
    }

    /// Opens what a log has left at `path`, to be read alone. `None` if it is no regular file, not to be relied on, or
    /// being written by another process.
    pub(super) fn left_at(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).custom_flags(at_once()).open(path)?;
        let metadata = file.metadata()?;
        let is_taken = || flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK);
        if !metadata.is_file() || is_ours(&metadata).is_err() || is_writable_by_others(&metadata) || is_taken() {
            return Ok(None);
        }
        Ok(Some(Self { file, identity: Some(identity(&metadata)), len: metadata.len(), reserved: None }))
    }

    /// This process's standard output.
    pub(super) fn stdout() -> io::Result<Self> {
        Ok(Self::stream(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    fn stream(file: File) -> Self {
        Self { file, identity: None, len: 0, reserved: None }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn is_regular(&self) -> bool {
        self.identity.is_some()
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// From now on only the first `len` bytes count.
    pub(super) fn keep(&mut self, len: u64) {
        self.len = len;
    }

    /// How many bytes can be written for which there is space already; `None` where none can be reserved.
    pub(super) fn reserved(&self) -> Option<u64> {
        Some(self.reserved?.saturating_sub(self.len))
    }

    /// Bytes that the filesystem has left for us; `None` where that means nothing.
    pub(super) fn free(&self) -> Option<u64> {
        let seen = self.is_regular().then(|| fstatvfs(&self.file).ok()).flatten()?;
        Some(seen.f_bavail.saturating_mul(seen.f_frsize))
    }

    /// Appends `bytes` in one write. If it fails, the file must not be used any more: after a failed sync the system may
    /// take lost pages for written ones.
    pub(super) fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if self.is_regular() {
            if sync {
                self.file.sync_data()?;
            }
            self.len = self.len.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }

    /// Takes `bytes` of space beyond what is written, in steps of `step` where there is as much.
    ///
    /// A filesystem that cannot do this says so ([`ErrorKind::Unsupported`]).
    pub(super) fn reserve(&mut self, bytes: u64, step: u64) -> io::Result<()> {
        if self.reserved().is_none_or(|reserved| reserved >= bytes) {
            return Ok(());
        }
        self.allocate(bytes.max(step)).or_else(|_| self.allocate(bytes))
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.len, bytes)?;
        self.reserved = Some(self.len.saturating_add(bytes));
        Ok(())
    }

    /// From now on space is not reserved, and none is missing.
    pub(super) fn reserve_nothing(&mut self) {
        self.reserved = None;
    }

    /// Cuts off what does not count, and gives back what was reserved.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        if self.is_regular() {
            self.file.set_len(self.len)?;
            self.reserved = self.reserved.map(|_| self.len);
        }
        Ok(())
    }

    /// Bytes that are there and do not count.
    pub(super) fn excess(&self) -> io::Result<u64> {
        let size = if self.is_regular() { self.file.metadata()?.len() } else { self.len };
        Ok(size.saturating_sub(self.len))
    }

    /// The bytes from `from` on, at most `most`.
    pub(super) fn read(&mut self, from: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The open file itself, without a look at its path.
    pub(super) fn look_at_itself(&self) -> io::Result<Seen> {
        if !self.is_regular() {
            return Ok(Seen::Same);
        }
        let own = self.file.metadata()?;
        Ok(match own.nlink() {
            0 => Seen::Other { deleted: true },
            _ if own.len() < self.len => Seen::Shorter,
            _ => Seen::Same,
        })
    }

    /// All from the byte `from` on.
    pub(super) fn reader(&mut self, from: u64) -> io::Result<BufReader<&File>> {
        self.file.seek(SeekFrom::Start(from))?;
        Ok(BufReader::new(&self.file))
    }

    /// What stands at `path` now.
    pub(super) fn look(&self, path: &Path) -> io::Result<Seen> {
        let seen = self.look_at_itself()?;
        if seen != Seen::Same || !self.is_regular() {
            return Ok(seen);
        }
        match std::fs::metadata(path) {
            Ok(found) if Some(identity(&found)) == self.identity => Ok(Seen::Same),
            Ok(_) => Ok(Seen::Other { deleted: false }),
            Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Seen::Other { deleted: false })
            }
            // What cannot be looked at may be the same, and the open file has a name.
            Err(_) => Ok(Seen::Same),
        }
    }
}

/// Opening a pipe waits for its reader; so it is an error instead ([`has_no_reader`]).
fn at_once() -> i32 {
    // The bit is the same, whichever type the system's interface gives it.
    OFlags::NONBLOCK.bits().cast_signed()
}

/// Whether a pipe was not opened for want of a reader.
pub(super) fn has_no_reader(why: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(why) == Some(rustix::io::Errno::NXIO)
}

/// A new file's name is in its folder, and that is another file to sync.
pub(super) fn make_durable(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some filesystems cannot, and some folders may be written and not read.
        Err(why) if matches!(why.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) => Ok(()),
        result => result,
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Whoever owns a file can change it at any time.
fn is_ours(metadata: &Metadata) -> io::Result<()> {
    let (owner, us) = (metadata.uid(), geteuid().as_raw());
    if owner == us || owner == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::PermissionDenied,
        format!("it belongs to the user {owner}, who is neither root nor us ({us})"),
    ))
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const OPEN_TO_OTHERS: u32 = 0o004;

fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & WRITABLE_BY_OTHERS != 0
}

/// A log that others can write proves nothing, and who called what is not for everybody to read.
fn is_private(path: &Path, metadata: &Metadata) -> io::Result<()> {
    if is_writable_by_others(metadata) {
        let mode = metadata.mode() & 0o777;
        let what = format!("others than its owner may write it (mode {mode:04o}): `chmod 600` it");
        return Err(io::Error::new(ErrorKind::PermissionDenied, what));
    }
    if metadata.mode() & OPEN_TO_OTHERS != 0 {
        tracing::warn!(file = %path.display(), "the audit file can be read by every user of this machine: `chmod 600` it");
    }
    Ok(())
}

fn lock(file: &File, until: Instant) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => std::thread::sleep(PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::new(
                    ErrorKind::WouldBlock,
                    "another process writes it; each gateway needs a file of its own",
                ));
            }
            Err(why) => {
                tracing::warn!(error = %why, "the audit file cannot be locked: make sure that no other gateway writes it");
                return Ok(());
            }
        }
    }
}
