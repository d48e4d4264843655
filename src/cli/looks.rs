//! How files look: enough to tell whether one has changed, without reading it each time.
//!
//! Looked at again and again, because nobody tells (inotify): a watch on a file is dead after the swap of Kubernetes'
//! `..data` link and after a rename over the file, and on NFS there is none.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credentials::wipe_the_stack;

const READ_AT_ONCE: usize = 64 * 1024;

/// How some files looked at one moment. Equal to another if nothing at all has moved between the two.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Looks(BTreeMap<PathBuf, Look>);

/// How one file looked, through all links that lead to it; or why it could not be looked at.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    stat: Result<Stat, io::ErrorKind>,
    meaning: Meaning,
}

/// What changes with a file, whoever changes it and however. The last of the times, which no program can set, is
/// there for those that put the other one back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// What matters to whoever reads a file.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Meaning {
    /// A key file is refused by its mode or its owner.
    mode: u32,
    owner: u32,
    /// Of the content; none of what is no plain file, or may not be read.
    digest: Option<[u8; 32]>,
}

impl Looks {
    /// Looks at these files; one whose stat is that of `before` is not read.
    pub(super) fn at<'p>(paths: impl IntoIterator<Item = &'p Path>, before: &Self) -> Self {
        Self(paths.into_iter().map(|path| (path.to_owned(), Look::at(path, before.0.get(path)))).collect())
    }

    /// The same files, looked at again.
    pub(super) fn again(&self) -> Self {
        Self::at(self.paths(), self)
    }

    /// These as they were, and those of `more` files that are not among them, which are looked at now.
    pub(super) fn and<'p>(mut self, more: impl IntoIterator<Item = &'p Path>) -> Self {
        for path in more {
            self.0.entry(path.to_owned()).or_insert_with(|| Look::at(path, None));
        }
        self
    }

    /// The same files, as if nobody had read them: whatever they hold is a change.
    pub(super) fn unread(&self) -> Self {
        let never = Look { stat: Err(io::ErrorKind::Other), meaning: Meaning::default() };
        Self(self.paths().map(|path| (path.to_owned(), never.clone())).collect())
    }

    /// The files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Whether whoever reads these files finds what `then` was there to be read: a file that was only touched, or
    /// replaced by its like, has not changed.
    pub(super) fn mean_the_same_as(&self, then: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&then.0);
        self.0.len() == then.0.len()
            && pairs.all(|((path, now), (same, then))| path == same && now.meaning == then.meaning)
    }
}

impl Look {
    fn at(path: &Path, before: Option<&Self>) -> Self {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(why) => return Self { stat: Err(why.kind()), meaning: Meaning::default() },
        };
        let stat = Ok(Stat::of(&metadata));
        match before {
            Some(before) if before.stat == stat => before.clone(),
            Some(_) | None => Self { stat, meaning: Meaning::of(path, &metadata) },
        }
    }
}

impl Stat {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Meaning {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        // Who opens a pipe may wait for ever.
        let digest = metadata.is_file().then(|| digest(path).ok()).flatten();
        wipe_the_stack::<HASHING>();
        Self { mode: metadata.mode(), owner: metadata.uid(), digest }
    }
}

/// Of a file that may be a secret, and may be large.
#[inline(never)]
fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut room = Zeroizing::new(vec![0; READ_AT_ONCE]);
    let mut hash = Sha256::new();
    loop {
        let count = file.read(&mut room)?;
        match room.get(..count) {
            Some(read) if !read.is_empty() => hash.update(read),
            Some(_) | None => return Ok(hash.finalize().into()),
        }
    }
}

/// What hashing needs of the stack, in bytes: 36 KiB without optimisation.
const HASHING: usize = 64 * 1024;

/// Not the digests: that of a short secret is as good as the secret.
impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.paths()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::time::SystemTime;

    use super::*;

    fn look_at(path: &Path) -> Looks {
        Looks::at([path], &Looks::default())
    }

    /// A file with a text, and how it looked.
    fn file(folder: &tempfile::TempDir, text: &str) -> (PathBuf, Looks) {
        let path = folder.path().join("file");
        fs::write(&path, text).unwrap();
        let looks = look_at(&path);
        (path, looks)
    }

    #[test]
    fn a_file_that_nobody_touches_looks_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (_path, then) = file(&folder, "one");
        assert!(then.again() == then && then.again().mean_the_same_as(&then));
    }

    #[test]
    fn a_file_that_is_touched_or_replaced_by_its_like_moves_and_means_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (path, then) = file(&folder, "one");
        fs::write(folder.path().join("other"), "one").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(then.again() != then && then.again().mean_the_same_as(&then));
    }

    #[test]
    fn a_text_of_the_same_length_whose_time_was_put_back_is_another_text() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = file(&folder, "one");
        let back = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        File::options().write(true).open(&path).unwrap().set_times(back).unwrap();
        let then = look_at(&path);
        // The clock of a file system may tick every few milliseconds only.
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_times(back).unwrap();
        assert!(!then.again().mean_the_same_as(&then));
    }

    #[test]
    fn a_file_that_comes_goes_or_gets_another_mode_means_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let (path, then) = file(&folder, "one");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let owners = then.again();
        assert!(!owners.mean_the_same_as(&then));
        fs::remove_file(&path).unwrap();
        let gone = owners.again();
        assert!(!gone.mean_the_same_as(&owners) && gone.again() == gone);
    }

    #[test]
    fn files_that_come_in_addition_do_not_hide_what_has_changed_since_the_first_look() {
        let folder = tempfile::tempdir().unwrap();
        let (path, then) = file(&folder, "one");
        fs::write(&path, "another").unwrap();
        let both = then.and([path.as_path(), folder.path()]);
        assert!(both.paths().count() == 2 && !both.again().mean_the_same_as(&both));
    }

    #[test]
    fn files_that_nobody_has_read_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (_path, then) = file(&folder, "");
        assert!(!then.again().mean_the_same_as(&then.unread()) && then.unread().again() == then);
    }

    #[test]
    fn another_set_of_files_means_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let (path, then) = file(&folder, "one");
        assert!(!Looks::default().mean_the_same_as(&then));
        let both = Looks::at([path.as_path(), folder.path()], &then);
        assert!(!both.mean_the_same_as(&then) && !then.mean_the_same_as(&both));
    }

    #[test]
    fn a_pipe_is_not_opened_for_a_look() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(look_at(&pipe)));
        assert!(told.recv_timeout(std::time::Duration::from_secs(5)).is_ok(), "it waits");
    }

    #[test]
    fn no_digest_of_a_secret_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (path, looks) = file(&folder, "secret");
        assert_eq!(format!("{looks:?}"), format!("[{path:?}]"));
    }
}
