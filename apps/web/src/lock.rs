//! Who else uses the database file.
//!
//! A process that dies in the middle of a refresh leaves a record that says "being refreshed". Others
//! cannot tell a dead owner from a slow one, so they wait until the refresh's own deadline before they
//! take it over. A process that holds this lock exclusively knows that nobody else is alive, and may take
//! over at once: after a crash and restart, users wait for nothing. While it serves, every process holds
//! the lock shared. The system releases the lock when a process dies, however it dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

/// The lock, held for the life of the process.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    file: File,
}

/// What the first look at the lock file found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nobody else uses the database.
    Alone(DatabaseLock),
    /// Other processes do, or the file system has no locks: nothing may be taken over.
    NotAlone(DatabaseLock),
}

impl DatabaseLock {
    /// Tries to hold the lock at `path` exclusively, without waiting.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be opened or locked.
    pub(crate) fn try_exclusive(path: &Path) -> io::Result<Found> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Found::Alone(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(Found::NotAlone(Self { file })),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Found::NotAlone(Self { file }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Holds the lock shared from now on. Waits while another process takes over.
    ///
    /// Letting go in between is harmless: before it holds the shared lock this process refreshes nothing
    /// that somebody else could take over.
    ///
    /// # Errors
    ///
    /// What the system says; a file system without locks is no error.
    pub(crate) fn share(self) -> io::Result<Self> {
        match self.file.unlock().and_then(|()| self.file.lock_shared()) {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
            Ok(()) | Err(_) => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_process_is_alone_until_all_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db.lock");
        let Found::Alone(first) = DatabaseLock::try_exclusive(&path).unwrap() else {
            panic!("not alone")
        };
        let Found::NotAlone(second) = DatabaseLock::try_exclusive(&path).unwrap() else {
            panic!("alone")
        };
        let first = first.share().unwrap();
        let second = second.share().unwrap();
        drop(first);
        assert!(matches!(
            DatabaseLock::try_exclusive(&path).unwrap(),
            Found::NotAlone(_)
        ));
        drop(second);
        assert!(matches!(
            DatabaseLock::try_exclusive(&path).unwrap(),
            Found::Alone(_)
        ));
    }
}
