//! Reading a file that holds a secret: only if nobody else can.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

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
/// A [`Mistake`] if the file cannot be read, is not a regular file, is larger than 256 KiB, or gives any
/// right to its group or to others.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Mistake> {
    let place = path.display().to_string();
    let cannot = |why: std::io::Error| Mistake::new(place.as_str(), format!("cannot be read: {why}"));
    let mut file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Mistake::new(place, "is not a regular file"));
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
}
