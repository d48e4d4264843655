//! Another file at the path: renamed away, deleted, replaced or cut, announced or not, the log goes on.

use std::io;
use std::sync::atomic::Ordering;

use super::super::file::{LogFile, Seen};
use super::Log;
use crate::audit::record::Reason;

impl Log {
    /// Looks whether the open file is whole and has a name; nothing but the open file is asked.
    pub(in crate::audit::journal) fn look_at_itself(&mut self) -> io::Result<()> {
        let seen = self.file.as_ref().map_or(Ok(Seen::Same), LogFile::look_at_itself)?;
        self.go_on_where(seen, Reason::Replaced)
    }

    /// Looks what stands at the path, and goes on there. `asked`: a reload has told us that it may be another file.
    pub(in crate::audit::journal) fn look(&mut self, asked: bool) -> io::Result<()> {
        let (Some(file), Some(path)) = (&self.file, &self.path) else { return Ok(()) };
        let seen = file.look(path)?;
        self.go_on_where(seen, if asked { Reason::Rotated } else { Reason::Replaced })
    }

    fn go_on_where(&mut self, seen: Seen, reason: Reason) -> io::Result<()> {
        match seen {
            Seen::Same => return Ok(()),
            Seen::Shorter => {
                self.health.lost.fetch_add(1, Ordering::Relaxed);
                tracing::error!("the audit file has become shorter: records are gone from it");
                self.owed.opened = Some(Reason::Truncated);
            }
            Seen::Other { deleted } => {
                self.tell_other(deleted, reason);
                self.owed.opened = Some(reason);
                self.leave();
            }
        }
        self.file = None;
        self.left = None;
        self.begin()
    }

    fn tell_other(&self, deleted: bool, reason: Reason) {
        if deleted {
            self.health.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!("the audit file was deleted: its records are gone");
        } else {
            tracing::info!(reason = reason.as_str(), "the audit file was renamed: the log goes on in a new one");
        }
    }

    /// A file is left: its last line, and no space for more.
    pub(super) fn leave(&mut self) {
        if let Err(why) = self.checkpoint() {
            tracing::error!(error = %why, "the audit file is left without a checkpoint");
        }
        self.give_back();
    }

    pub(super) fn give_back(&mut self) {
        if let Some(Err(why)) = self.file.as_mut().map(LogFile::cut) {
            tracing::warn!(error = %why, "space that was reserved for the audit is not given back");
        }
    }
}
