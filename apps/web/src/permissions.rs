//! Who may read a file, besides its owner.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The permission bits of a file that gives any to others than its owner. Always `None` where files have
/// no such bits.
#[cfg(unix)]
pub(crate) fn mode_for_others(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) fn mode_for_others(_metadata: &fs::Metadata) -> Option<u32> {
    None
}

/// Of a SQLite database `file` and the two files that SQLite keeps beside it, those that others than the
/// owner may open.
///
/// # Errors
///
/// When the system does not say who may. A file that is not there is nobody's.
pub(crate) fn exposed(file: &Path) -> io::Result<Vec<PathBuf>> {
    let mut exposed = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(suffix);
        match fs::metadata(&path) {
            Ok(metadata) if mode_for_others(&metadata).is_some() => exposed.push(path.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(exposed)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_that_others_may_open_are_named_and_private_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        assert!(exposed(&file).unwrap().is_empty());
        for (suffix, mode) in [("", 0o644), ("-wal", 0o600), ("-shm", 0o620)] {
            let path = folder.path().join(format!("a.db{suffix}"));
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let named = exposed(&file).unwrap();
        assert_eq!(named, [file, folder.path().join("a.db-shm")]);
    }
}
