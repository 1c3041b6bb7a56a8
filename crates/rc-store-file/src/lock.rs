//! Exclusion between processes, and between stores that were opened apart in one process.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::error::Fault;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped, or its process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _locked: File,
}

impl Lock {
    /// Waits until nobody else holds the lock, but not beyond `until`. Blocks its thread.
    pub(crate) fn acquire(folder: &Path, limit: Duration, until: Instant) -> Result<Self, Fault> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = Self::attempt(folder).map_err(Fault::io("lock", folder))? {
                return Ok(lock);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::Locked {
                    folder: folder.to_owned(),
                    limit,
                });
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// `None` if somebody else holds it, or what was locked is not what the path names any more.
    fn attempt(folder: &Path) -> io::Result<Option<Self>> {
        let file = target::open(folder)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self { _locked: file };
        Ok(target::is_named(&lock._locked, folder)?.then_some(lock))
    }
}

/// The folder itself: unlike a file in it, it cannot be deleted and made again while its files stay, which
/// would let in one process while another still holds the old lock.
#[cfg(unix)]
mod target {
    use std::{fs, fs::File, io, os::unix::fs::MetadataExt as _, path::Path};

    pub(super) fn open(folder: &Path) -> io::Result<File> {
        File::open(folder)
    }

    /// Whether the path still names what was opened.
    pub(super) fn is_named(file: &File, folder: &Path) -> io::Result<bool> {
        let (opened, named) = (file.metadata()?, fs::metadata(folder)?);
        Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
    }
}

/// A file: a folder cannot be locked here. An open file cannot be replaced here either.
#[cfg(not(unix))]
mod target {
    use std::{fs::File, io, path::Path};

    pub(super) fn open(folder: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.open(folder.join("lock"))
    }

    pub(super) fn is_named(_file: &File, _folder: &Path) -> io::Result<bool> {
        Ok(true)
    }
}
