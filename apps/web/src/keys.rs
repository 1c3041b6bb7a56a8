//! The demo's key file: made on first start, readable by its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rc_auth::store::{KeyFile, KeyProvider as _, KeyProviderError, KeyRing};

/// The file cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Reading or writing failed.
    #[error("the key file {} cannot be used: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no keys, or somebody else may read it.
    #[error(transparent)]
    Unusable(#[from] KeyProviderError),
}

/// The keys in the file at `path`; a missing file is made first, with one random key.
///
/// # Errors
///
/// When the file cannot be read or made, has permissions for anybody but its owner, or is damaged.
pub(crate) async fn load_or_create(path: &Path) -> Result<KeyRing, KeyFileError> {
    let exists = path.try_exists().map_err(|source| KeyFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    if !exists {
        create(path)?;
    }
    Ok(KeyFile::new(path).key_ring().await?)
}

/// Writes a complete file under another name and links it into place, so that of several processes that
/// start at once one wins and the others read the winner's keys, never half of them.
///
/// The other name is drawn anew each time: a file that a killed process left is in nobody's way, and the
/// key in it has sealed nothing.
fn create(path: &Path) -> Result<(), KeyFileError> {
    let ring = KeyRing::generate("demo-1").map_err(|source| KeyFileError::Io {
        path: path.to_owned(),
        source: io::Error::other(source),
    })?;
    let fresh = fresh_name(path)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| KeyFileError::Io { path, source }
    };
    write_private(&fresh, ring.to_text().as_bytes()).map_err(failed(&fresh))?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh).map_err(failed(&fresh))?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(failed(path)),
    }
}

/// A name beside `path` that no other file has.
fn fresh_name(path: &Path) -> Result<PathBuf, KeyFileError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|source| KeyFileError::Io {
        path: path.to_owned(),
        source: io::Error::other(source),
    })?;
    let random = u64::from_ne_bytes(random);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{random:016x}.new"));
    Ok(PathBuf::from(name))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true); // O_EXCL: never follows a link that somebody prepared
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Makes the folder that holds `file`, for its owner only, unless it exists.
///
/// # Errors
///
/// What the system says.
pub(crate) fn create_private_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn first_start_makes_an_owner_only_file_and_later_starts_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.keys");
        let made = load_or_create(&path).await.unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let sealed = made.seal(&[b"test"], b"text").unwrap();
        let read = load_or_create(&path).await.unwrap();
        assert_eq!(*read.open(&[b"test"], &sealed).unwrap(), b"text");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no file is left over"
        );
    }

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused_with_the_command_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.keys");
        load_or_create(&path).await.unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(&path).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("chmod 600 {}", path.display())),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.keys");
        load_or_create(&path).await.unwrap();
        fs::write(&path, "demo-1:hunter2").unwrap();
        let error = load_or_create(&path).await.unwrap_err().to_string();
        assert!(
            error.contains("damaged") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_a_killed_start_left_does_not_stop_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.keys");
        let pid = std::process::id();
        for left in [
            path.with_extension(format!("{pid}.new")),
            folder.path().join(format!("demo.keys.{pid}.new")),
            fresh_name(&path).unwrap(),
        ] {
            fs::write(left, "half a k").unwrap();
        }
        load_or_create(&path).await.unwrap();
        assert_ne!(fresh_name(&path).unwrap(), fresh_name(&path).unwrap());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_made_is_named_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/demo.keys");
        let error = load_or_create(&path).await.unwrap_err().to_string();
        assert!(
            error.contains("demo.keys.") && error.contains(".new"),
            "{error}"
        );
    }

    #[test]
    fn starts_at_the_same_time_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.keys");
        create(&path).unwrap();
        let first = fs::read(&path).unwrap();
        create(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }
}
