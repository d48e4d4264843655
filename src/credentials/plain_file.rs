//! Reading a file that a configuration names, without ever waiting for it.

use std::fs::{File, Metadata};
use std::io::{self, Error, ErrorKind, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The bytes of the regular file at `path`, at most `largest` of them.
///
/// Nothing is waited for: a FIFO in the place of a file would hold up the start or a reload for ever.
///
/// # Errors
/// What the system says; or that it is not a regular file, or is larger than `largest` bytes.
pub fn read_file(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open_regular(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(largest)).unwrap_or_default());
    // It may grow while it is read.
    file.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= largest) {
        Ok(bytes)
    } else {
        Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {largest} bytes")))
    }
}

/// As [`read_file`], of a text in UTF-8.
///
/// # Errors
/// The same, and that it is not UTF-8.
pub fn read_text(path: &Path, largest: u64) -> io::Result<String> {
    let bytes = read_file(path, largest)?;
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Opens a regular file, and says how it is; what is read from it later is of the same file.
///
/// # Errors
/// What the system says, or that it is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // With `NONBLOCK`, a FIFO without a writer opens at once; a regular file never lets us wait.
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_not_beyond() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "four").unwrap();
        assert_eq!(read_file(file.path(), 4).unwrap(), b"four");
        assert_eq!(read_file(file.path(), 3).unwrap_err().to_string(), "it is larger than 3 bytes");
        std::fs::write(file.path(), [0xff]).unwrap();
        assert_eq!(read_text(file.path(), 4).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_a_wait() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [pipe, folder.path().to_owned(), "/dev/zero".into()] {
            let (tell, told) = std::sync::mpsc::channel();
            std::thread::spawn(move || tell.send(read_file(&path, 9)));
            let why = told.recv_timeout(std::time::Duration::from_secs(5)).expect("it waits").unwrap_err();
            assert_eq!(why.to_string(), "it is not a regular file");
        }
    }
}
