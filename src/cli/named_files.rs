//! The files that a configuration names, each read to see what is wrong with it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::policy_file::PolicyFile;
use crate::audit::Signer;
use crate::auth::ApiKeys;
use crate::config::{Broken, Files, NamedFile};
use crate::credentials::{file_keys, look_at_pod_token, look_at_program};
use crate::domain::{Mistake, Mistakes};
use crate::server::Tls;

/// What is wrong with a configuration, and then with the files that it names.
pub(super) fn all_mistakes(broken: Broken) -> Mistakes {
    let Broken { mistakes, files } = broken;
    let in_files = files.iter().flat_map(mistakes_of).map(|mistake| files.explain(mistake)).collect();
    mistakes.and(in_files)
}

/// Every mistake in the files that no snapshot holds: those of TLS, of the audit, and what asks for the keys of a role.
pub(super) fn mistakes_beside_snapshot(files: &Files) -> Vec<Mistake> {
    let beside = files.iter().filter(|file| !is_in_snapshot(file));
    beside.flat_map(mistakes_of).map(|mistake| files.explain(mistake)).collect()
}

fn is_in_snapshot(file: &NamedFile) -> bool {
    match file {
        NamedFile::IssuerKeys(..)
        | NamedFile::ApiKeys(_)
        | NamedFile::Policy(_)
        | NamedFile::Candidate(_)
        | NamedFile::Credentials(_) => true,
        NamedFile::BaseKeys(_)
        | NamedFile::PodToken(_)
        | NamedFile::Program(_)
        | NamedFile::Tls(_)
        | NamedFile::Audit(_)
        | NamedFile::CheckpointKey(..) => false,
    }
}

/// Every mistake in one of them.
pub(super) fn mistakes_of(file: &NamedFile) -> Vec<Mistake> {
    match file {
        NamedFile::IssuerKeys(keys, algorithms) => listed(keys.check(algorithms)),
        NamedFile::ApiKeys(file) => listed(ApiKeys::load(file)),
        NamedFile::Policy(file) | NamedFile::Candidate(file) => listed(PolicyFile::read_noting(file, &mut Vec::new())),
        NamedFile::Credentials(file) | NamedFile::BaseKeys(file) => file_keys(file).err().into_iter().collect(),
        NamedFile::PodToken(file) => look_at_pod_token(file).err().into_iter().collect(),
        NamedFile::Program(program) => look_at_program(program).err().into_iter().collect(),
        NamedFile::Tls(settings) => listed(Tls::load(settings)),
        NamedFile::Audit(file) => unwritable(file).into_iter().collect(),
        NamedFile::CheckpointKey(file, name) => Signer::load(file, name).err().into_iter().collect(),
    }
}

fn listed<T>(result: Result<T, Mistakes>) -> Vec<Mistake> {
    result.err().map(Mistakes::into_vec).unwrap_or_default()
}

/// Looks whether the audit file could be appended to, without making it.
pub(super) fn unwritable(file: &Path) -> Option<Mistake> {
    let place = file.display().to_string();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Its reader would take the end of our look for the end of all records.
    if std::fs::metadata(file).is_ok_and(|file| file.file_type().is_fifo()) {
        return None;
    }
    match OpenOptions::new().append(true).open(file) {
        Ok(_) => None,
        Err(why) if why.kind() == io::ErrorKind::NotFound && folder.is_dir() => None,
        Err(why) => Some(
            Mistake::new(place, format!("the audit file cannot be appended to: {why}"))
                .hint("its folder must exist and the gateway's user must be allowed to write there"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_file_need_not_exist_but_its_folder_must() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(unwritable(&folder.path().join("audit.jsonl")), None);
        assert!(!folder.path().join("audit.jsonl").exists());
        assert!(unwritable(&folder.path().join("none/audit.jsonl")).is_some());
    }

    #[test]
    fn a_pipe_is_not_opened_for_a_look() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("audit");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(unwritable(&pipe)));
        assert_eq!(told.recv_timeout(std::time::Duration::from_secs(5)).expect("it waits"), None);
    }
}
