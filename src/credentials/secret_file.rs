//! Reading a file that holds a secret: only if nobody else can.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::plain_file::open_regular;
use crate::domain::Mistake;

/// A key, a token or a PEM chain is far smaller.
const LARGEST: u64 = 256 * 1024;
/// Any right of group and others.
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// The bytes of a secret file, in memory that is overwritten when dropped.
///
/// The rights are read from the open file, so that nothing can be swapped between the look and the read.
///
/// # Errors
/// A [`Mistake`] if the file cannot be read, is not a regular file, is larger than 256 KiB, belongs to
/// anyone but root and the user of this process, or gives any right to its group or to others.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Mistake> {
    let place = path.display().to_string();
    let cannot = |why: std::io::Error| Mistake::new(place.as_str(), format!("cannot be read: {why}"));
    let (mut file, metadata) = open_regular(path).map_err(cannot)?;
    let us = geteuid().as_raw();
    if !is_trusted(metadata.uid(), us) {
        let what = format!(
            "holds a secret, and belongs to the user {}, who is neither root nor the one that reads it",
            metadata.uid()
        );
        return Err(Mistake::new(place.as_str(), what).hint(format!("chown {us} {place}")));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & RIGHTS_OF_OTHERS != 0 {
        let hint = format!("chmod 600 {place}");
        let what = format!("holds a secret, and its mode {mode:04o} lets others than its owner at it");
        return Err(Mistake::new(place, what).hint(hint));
    }
    if metadata.len() > LARGEST {
        return Err(Mistake::new(place, format!("is larger than {LARGEST} bytes: this cannot be the secret")));
    }
    // One allocation of the final size: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
    file.by_ref().take(LARGEST).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Whoever owns a file can change its rights and its text: only the reader itself, and root who can do so anyway.
const fn is_trusted(owner: u32, us: u32) -> bool {
    owner == 0 || owner == us
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::Mode;

    use super::*;

    fn file_with_mode(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "marker").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_file_of_its_owner_alone_is_read() {
        for mode in [0o600, 0o400] {
            assert_eq!(read_secret_file(file_with_mode(mode).path()).unwrap().as_slice(), b"marker");
        }
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused_with_its_mode_and_the_cure() {
        for mode in [0o604, 0o640, 0o660, 0o644, 0o602, 0o601] {
            let mistake = read_secret_file(file_with_mode(mode).path()).unwrap_err().to_string();
            assert!(mistake.contains(&format!("{mode:04o}")) && mistake.contains("chmod 600"), "{mistake}");
            assert!(!mistake.contains("marker"));
        }
    }

    #[test]
    fn a_missing_file_and_a_folder_are_named() {
        assert!(read_secret_file(Path::new("/nowhere/keys")).unwrap_err().to_string().contains("/nowhere/keys"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(read_secret_file(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn a_fifo_is_refused_without_a_wait_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(read_secret_file(&path).map(|_| ())));
        let mistake = told.recv_timeout(std::time::Duration::from_secs(5)).expect("it waits").unwrap_err().to_string();
        assert!(mistake.contains("not a regular file"), "{mistake}");
    }

    #[test]
    fn only_root_and_ourselves_may_own_a_secret() {
        for (owner, us, trusted) in [(0, 0, true), (0, 7, true), (7, 7, true), (7, 0, false), (7, 8, false)] {
            assert_eq!(is_trusted(owner, us), trusted, "{owner} {us}");
        }
        let file = file_with_mode(0o600);
        // Only root can give a file away.
        if geteuid().is_root() {
            std::os::unix::fs::chown(file.path(), Some(65_534), None).unwrap();
            let mistake = read_secret_file(file.path()).unwrap_err().to_string();
            assert!(mistake.contains("the user 65534") && mistake.contains("chown 0"), "{mistake}");
        }
    }
}
