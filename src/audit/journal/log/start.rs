//! The first look: where the log goes on.

use std::io;
use std::path::{Path, PathBuf};

use super::super::file::{LogFile, PREDECESSOR, has_no_reader};
use super::super::resume::{End, end_of};
use super::Log;
use crate::audit::Position;
use crate::audit::record::Reason;

/// What stands beside the file and is not a part of the log that was renamed away.
const NO_PARTS: [&str; 2] = [".torn-", ".checkpoints"];

impl Log {
    /// Finds where the log goes on: at the end of its file, or else of the newest part that was renamed away from there.
    pub(super) fn find_end(&mut self) -> io::Result<()> {
        let mut file = match self.open_file(PREDECESSOR) {
            Ok(file) => file,
            Err(why) if has_no_reader(&why) => {
                self.owed.opened = Some(Reason::New);
                return Ok(());
            }
            Err(why) => return Err(why),
        };
        self.owed.opened = Some(match end_of(&mut file)? {
            End::Empty => self.rotated(Reason::Rotated)?,
            End::Known { position, len, .. } => {
                self.position = position;
                file.keep(len);
                Reason::Started
            }
            End::Foreign { len } => {
                tracing::error!(
                    "the audit file holds no log that could go on: records are written behind what is there"
                );
                file.keep(len);
                self.rotated(Reason::Replaced)?
            }
        });
        self.owed.torn = true;
        self.file = Some(file);
        Ok(())
    }

    /// Goes on behind the newest part beside the file, for the reason `found`; without one this is a new log.
    fn rotated(&mut self, found: Reason) -> io::Result<Reason> {
        let Some(path) = &self.path else { return Ok(Reason::New) };
        let parts = parts(path)?;
        let newest = parts
            .iter()
            .filter_map(|part| Some((end_of_part(part)?, part)))
            .max_by_key(|((told, at), _)| (*told, at.seq()));
        if let Some(((_, position), part)) = newest {
            tracing::info!(part = %part.display(), "the audit file was renamed while no gateway ran: the log goes on in a new one");
            self.position = position;
            return Ok(found);
        }
        if !parts.is_empty() {
            tracing::error!(
                file = %path.display(),
                "what stands beside the audit file does not tell where the log ended: a new one begins at record 0; \
                 rotated files can be packed once the gateway has written into the new one"
            );
        }
        Ok(Reason::New)
    }
}

/// The files in the folder of `path` whose names go on where its name ends, with a dot or a dash.
fn parts(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let is_part = |name: &str| {
        let ending = name.strip_prefix(&*own).filter(|ending| ending.starts_with(['.', '-']));
        ending.is_some_and(|ending| !NO_PARTS.iter().any(|no_part| ending.starts_with(no_part)))
    };
    let entries = match std::fs::read_dir(folder) {
        // A folder may be written and not read.
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => return Ok(Vec::new()),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let parts = entries.iter().filter(|entry| is_part(&entry.file_name().to_string_lossy()));
    Ok(parts.map(std::fs::DirEntry::path).collect())
}

/// Where the log stood at the end of `part`, and when it last told so.
///
/// Copies keep no dates and numbers in names run both ways: the newest is the one whose records say so.
fn end_of_part(part: &Path) -> Option<(jiff::Timestamp, Position)> {
    let seen = LogFile::left_at(part).and_then(|file| file.map(|mut file| end_of(&mut file)).transpose());
    match seen {
        Ok(Some(End::Known { position, told, .. })) => Some((told, position)),
        Ok(Some(End::Empty | End::Foreign { .. }) | None) => None,
        Err(why) => {
            tracing::warn!(part = %part.display(), error = %why, "a part of the audit cannot be read");
            None
        }
    }
}
