//! A policy's file, with the documents that it attaches.

use std::path::{Path, PathBuf};

use crate::credentials::read_text;
use crate::domain::{Mistake, Mistakes};
use crate::policy::{Document, Format, Policy};

/// For a policy and for each of its documents, in bytes: room for a statement about every bucket of a large company.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// A policy as it was read.
#[derive(Debug)]
pub(super) struct PolicyFile {
    /// What it says.
    pub(super) policy: Policy,
    /// The documents that it attaches, which are part of it.
    pub(super) attached: Vec<PathBuf>,
}

impl PolicyFile {
    /// Reads the policy in `file`, for a person who waits: it may be a pipe, as in `policy diff <(git show …) policy.toml`.
    ///
    /// # Errors
    /// Every mistake in it and in its documents.
    pub(super) fn read(file: &Path) -> Result<Self, Mistakes> {
        let text = std::fs::read_to_string(file).map_err(|why| unreadable(file, &why))?;
        Self::parse(file, &text, &mut Vec::new())
    }

    /// Reads the policy in `file` without ever waiting for it; its documents are put into `noted` also if something is
    /// wrong with them or with the policy.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_noting(file: &Path, noted: &mut Vec<PathBuf>) -> Result<Self, Mistakes> {
        let text = read_text(file, LARGEST).map_err(|why| unreadable(file, &why))?;
        Self::parse(file, &text, noted)
    }

    /// The documents' names begin at the policy's folder.
    fn parse(file: &Path, text: &str, noted: &mut Vec<PathBuf>) -> Result<Self, Mistakes> {
        let place = file.display().to_string();
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut attached = Vec::new();
        let policy = Policy::parse_with(text, &place, Format::of(file), &mut |name| {
            let path = folder.join(name);
            noted.push(path.clone());
            let text = read_text(&path, LARGEST).map_err(|why| why.to_string())?;
            let place = path.display().to_string();
            attached.push(path);
            Ok(Document { place, text })
        })?;
        Ok(Self { policy, attached })
    }
}

fn unreadable(file: &Path, why: &std::io::Error) -> Mistake {
    Mistake::new(file.display().to_string(), format!("the policy cannot be read: {why}"))
}
