//! Keys in a file, which is made on first use.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{KeyProvider, KeyProviderError, KeyRing, provider::Problem};
use crate::BoxFuture;

/// Keys in a file that only its owner may read, read anew each time.
///
/// ```
/// use rc_store::KeyFile;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.keys");
/// let keys = KeyFile::new(path);
/// let made = keys.load_or_create("k1")?;
/// assert_eq!(made.active_id(), "k1");
/// assert!(keys.load_or_create("k2")?.ids().eq(["k1"]), "a file that is there is read");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Keys in the file at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The keys in the file. If there is none, it is made first, for its owner only, with one random key
    /// called `id`.
    ///
    /// For a program on one machine: of several processes that start at once one makes the file, and all read
    /// the same keys. Where the file can be lost with its machine, so is what the keys sealed.
    ///
    /// # Errors
    ///
    /// [`KeyProviderError`] if the file cannot be read or made, has permissions for anybody but its owner, or
    /// is damaged; a damaged file is never replaced. Also if `id` is not 1 to 32 characters of
    /// `A–Z a–z 0–9 _ -`.
    pub fn load_or_create(&self, id: &str) -> Result<KeyRing, KeyProviderError> {
        let exists = self.path.try_exists();
        if !exists.map_err(|error| self.error(Problem::Io(error)))? {
            self.create(id)?;
        }
        self.load()
    }

    fn load(&self) -> Result<KeyRing, KeyProviderError> {
        self.read().map_err(|problem| self.error(problem))
    }

    fn read(&self) -> Result<KeyRing, Problem> {
        let mut file = File::open(&self.path).map_err(Problem::Io)?;
        if let Some(mode) = open_to_others(&file).map_err(Problem::Io)? {
            let path = self.path.clone();
            return Err(Problem::Exposed { path, mode });
        }
        // Room for it, so that growing leaves no copy of a key behind.
        let size = file.metadata().map_err(Problem::Io)?.len().min(1 << 16);
        let mut text = Zeroizing::new(String::with_capacity(size as usize + 1));
        file.read_to_string(&mut text).map_err(Problem::Io)?;
        text.parse().map_err(Problem::Damaged)
    }

    /// Writes a complete file under another name and links it into place, so that of several processes that
    /// start at once one wins and the others read the winner's keys, never half of them.
    ///
    /// The other name is drawn anew each time: a file that a killed process left is in nobody's way, and the
    /// key in it has sealed nothing.
    fn create(&self, id: &str) -> Result<(), KeyProviderError> {
        let ring = KeyRing::generate(id).map_err(|error| self.error(Problem::Invalid(error)))?;
        let fresh = fresh_name(&self.path).map_err(|error| self.error(Problem::NotMade(error)))?;
        let failed = |path: &Path| {
            let file = Self::new(path);
            move |error| file.error(Problem::NotMade(error))
        };
        write_private(&fresh, ring.to_text().as_bytes()).map_err(failed(&fresh))?;
        let linked = fs::hard_link(&fresh, &self.path);
        fs::remove_file(&fresh).map_err(failed(&fresh))?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(failed(&self.path)),
        }
    }

    fn error(&self, problem: Problem) -> KeyProviderError {
        let place = format!("the key file {}", self.path.display());
        KeyProviderError { place, problem }
    }
}

impl KeyProvider for KeyFile {
    fn key_ring(&self) -> BoxFuture<'_, Result<KeyRing, KeyProviderError>> {
        Box::pin(async { self.load() })
    }
}

/// A name beside `path` that no other file has.
fn fresh_name(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
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

#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn open_to_others(_file: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn load_or_create(path: &Path) -> Result<KeyRing, KeyProviderError> {
        KeyFile::new(path).load_or_create("test-1")
    }

    #[test]
    fn first_start_makes_an_owner_only_file_and_later_starts_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.keys");
        let made = load_or_create(&path).unwrap();
        assert_eq!(made.active_id(), "test-1");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let sealed = made.seal(&[b"test"], b"text").unwrap();
        let read = load_or_create(&path).unwrap();
        assert_eq!(*read.open(&[b"test"], &sealed).unwrap(), b"text");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no file is left over"
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.keys");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("chmod 600 {}", path.display())),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.keys");
        load_or_create(&path).unwrap();
        fs::write(&path, "test-1:hunter2").unwrap();
        let error = load_or_create(&path).unwrap_err().to_string();
        assert!(
            error.contains("damaged") && !error.contains("hunter2"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"test-1:hunter2");
    }

    #[test]
    fn what_a_killed_start_left_does_not_stop_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.keys");
        fs::write(fresh_name(&path).unwrap(), "half a k").unwrap();
        load_or_create(&path).unwrap();
        assert_ne!(fresh_name(&path).unwrap(), fresh_name(&path).unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/test.keys");
        let error = load_or_create(&path).unwrap_err().to_string();
        assert!(
            error.contains("test.keys.") && error.contains(".new"),
            "{error}"
        );
    }

    #[test]
    fn starts_at_the_same_time_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("test.keys"));
        file.create("test-1").unwrap();
        let first = fs::read(&file.path).unwrap();
        file.create("test-2").unwrap();
        assert_eq!(fs::read(&file.path).unwrap(), first);
    }

    #[test]
    fn an_id_that_cannot_be_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("test.keys"));
        assert!(file.load_or_create("not an id").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
