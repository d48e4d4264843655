//! The candidate policy's file.

use std::path::PathBuf;

use super::policy_file::PolicyFile;
use crate::api::Shadow;
use crate::config::Config;
use crate::domain::{Mistake, Mistakes};
use crate::policy::Candidate;

/// The candidate that `config` names. One that cannot be read is told and not asked: it is no reason to stop what works.
///
/// The documents that it attaches are put into `noted`.
pub(super) fn read(config: &Config, noted: &mut Vec<PathBuf>) -> Shadow {
    match config.policy_candidate.as_deref().map(|file| PolicyFile::read_noting(file, noted)) {
        None => Shadow::Off,
        Some(Ok(file)) => Shadow::On(Candidate::new(file.policy)),
        Some(Err(mistakes)) => {
            let mistakes: Vec<Mistake> = mistakes.into_vec().into_iter().map(|one| config.files.explain(one)).collect();
            Mistakes::unless_any(mistakes, Shadow::Off).unwrap_or_else(Shadow::Unreadable)
        }
    }
}

/// Says what is wrong with the candidate, if anything is.
pub(super) fn tell(candidate: &Shadow) {
    for mistake in candidate.mistakes() {
        tracing::error!(problem = %mistake, "the candidate policy is not asked; the policy in force is not affected");
    }
}
