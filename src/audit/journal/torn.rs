//! What a process that was killed left at the end of the file: kept beside it, for whoever wants to see.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;

use super::file::LogFile;
use crate::audit::Digest;
use crate::audit::record::Recovery;

/// Two starts in one second are told apart by a number.
const MOST_NAMES: u32 = 100;

/// Copies the last `excess` bytes of `file`, which stands at `path`, to a file of their own beside it.
pub(super) fn set_aside(file: &mut LogFile, path: &Path, excess: u64) -> io::Result<Recovery> {
    let bytes = file.read(file.len(), excess)?;
    let name = beside(path, &bytes)?;
    Ok(Recovery::TornTail { file: name, bytes: bytes.len() as u64, sha256: Digest::of(&[&bytes]) })
}

/// The name of a new file that holds `bytes`.
fn beside(path: &Path, bytes: &[u8]) -> io::Result<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for n in 0..MOST_NAMES {
        let name = if n == 0 { format!("{name}.torn-{time}") } else { format!("{name}.torn-{time}-{n}") };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.with_file_name(&name)) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                file.sync_all()?;
                return Ok(name);
            }
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
