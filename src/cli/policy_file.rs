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
    /// Reads the policy in `file`; the documents' names begin at its folder.
    ///
    /// # Errors
    /// Every mistake in it and in its documents.
    pub(super) fn read(file: &Path) -> Result<Self, Mistakes> {
        Self::read_noting(file, &mut Vec::new())
    }

    /// The same; the documents are put into `noted` also if something is wrong with them or with the policy.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_noting(file: &Path, noted: &mut Vec<PathBuf>) -> Result<Self, Mistakes> {
        let place = file.display().to_string();
        let text = read_text(file, LARGEST)
            .map_err(|why| Mistake::new(place.as_str(), format!("the policy cannot be read: {why}")))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut attached = Vec::new();
        let policy = Policy::parse_with(&text, &place, Format::of(file), &mut |name| {
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
