//! Who else uses the database file.
//!
//! A process that dies in the middle of a refresh leaves a record that says "being refreshed". Others
//! cannot tell a dead owner from a slow one, so they wait before they take it over. A process that knows
//! that nobody else is alive may take over at once: after a crash and restart, users wait for nothing.
//!
//! Two files beside the database tell. The *presence* lock is held shared by every process that serves.
//! The *start* lock is held exclusively by a process that starts, from before it looks at the presence
//! lock until it has decided what to take over while it holds the presence lock shared. So at most one
//! process believes to be alone, and nobody starts to serve unseen in between. The system releases both
//! when a process dies, however it dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long to wait for each of the two locks: 10 seconds. A start holds them for the time it needs to
/// list unfinished refreshes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a lock that is held is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// A lock file that cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Opening or locking failed.
    #[error("the lock file {} cannot be used: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds it for longer than a start takes.
    #[error(
        "the lock file {0} is still held by another process after {1} s. \
         Find it (for example: fuser {0}), end it if it hangs, and start again",
        .path.display(),
        .waited.as_secs()
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// Somebody else could replace what it says.
    #[error(
        "the lock file {} can be written by others (mode {mode:o}). Stop every process that uses the \
         database, then run: chmod 600 {}",
        .path.display(),
        .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It was made by another user of this machine.
    #[error(
        "the lock file {} belongs to user {owner}, and this process runs as user {user}. Run it as the \
         user who owns the database, or delete the lock file while nobody uses the database",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// User ID of its owner.
        owner: u32,
        /// Effective user ID of this process.
        user: u32,
    },
}

/// The paths of the two lock files of one database.
#[derive(Clone, Debug)]
pub(crate) struct LockFiles {
    /// Held exclusively by one starting process.
    pub start: PathBuf,
    /// Held shared by all that serve.
    pub presence: PathBuf,
}

/// A process that starts: no other one does until this value is gone.
#[derive(Debug)]
pub(crate) struct Starting {
    alone: bool,
    presence: DatabaseLock,
    _start: LockFile,
}

/// The presence lock, held shared for the life of the process.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    _file: LockFile,
}

impl Starting {
    /// Takes the start lock, looks whether anybody serves, and holds the presence lock shared. Waits up
    /// to `patience` for each; blocks the thread.
    ///
    /// # Errors
    ///
    /// [`LockError`]. A file system without locks is no error: then nobody is known to be alone.
    pub(crate) fn wait(files: &LockFiles, patience: Duration) -> Result<Self, LockError> {
        let start = LockFile::open(&files.start)?;
        let locked = start.wait_for(patience, File::try_lock)?;
        let presence = LockFile::open(&files.presence)?;
        let alone = locked && presence.try_now(File::try_lock)? == Tried::Locked;
        if alone {
            // Nobody can slip in between: that takes the start lock.
            presence.unlock()?;
        }
        presence.wait_for(patience, File::try_lock_shared)?;
        Ok(Self {
            alone,
            presence: DatabaseLock { _file: presence },
            _start: start,
        })
    }

    /// Whether nobody else served when this process looked, so that what stands unfinished is abandoned.
    pub(crate) const fn is_alone(&self) -> bool {
        self.alone
    }

    /// Lets the next process start, and keeps the presence lock.
    pub(crate) fn serve(self) -> DatabaseLock {
        self.presence
    }
}

/// An open lock file that only its owner can write.
#[derive(Debug)]
struct LockFile {
    file: File,
    path: PathBuf,
}

/// What one try came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tried {
    Locked,
    Held,
    Unsupported,
}

impl LockFile {
    fn open(path: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600); // whoever can open it can hold it
        }
        let file = options
            .open(path)
            .map_err(|source| io_error(path, source))?;
        #[cfg(unix)]
        owner_only::check(path, &file)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    fn try_now(&self, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Tried, LockError> {
        match lock(&self.file) {
            Ok(()) => Ok(Tried::Locked),
            Err(TryLockError::WouldBlock) => Ok(Tried::Held),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Tried::Unsupported)
            }
            Err(TryLockError::Error(source)) => Err(io_error(&self.path, source)),
        }
    }

    /// Whether it is locked now; `false` where the file system has no locks.
    fn wait_for(
        &self,
        patience: Duration,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<bool, LockError> {
        let began = Instant::now();
        loop {
            match self.try_now(lock)? {
                Tried::Locked => return Ok(true),
                Tried::Unsupported => return Ok(false),
                Tried::Held if began.elapsed() >= patience => {
                    return Err(LockError::Held {
                        path: self.path.clone(),
                        waited: patience,
                    });
                }
                Tried::Held => thread::sleep(RETRY),
            }
        }
    }

    fn unlock(&self) -> Result<(), LockError> {
        let unlocked = self.file.unlock();
        unlocked.map_err(|source| io_error(&self.path, source))
    }
}

fn io_error(path: &Path, source: io::Error) -> LockError {
    LockError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(unix)]
mod owner_only {
    use std::{
        fs::{File, Permissions},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    use super::{LockError, io_error};

    /// Checks the opened file, not the path, which may change in between. What others may only read, as
    /// earlier versions made it, is closed to them: an open file is all it takes to hold a lock.
    pub(super) fn check(path: &Path, file: &File) -> Result<(), LockError> {
        let metadata = file.metadata().map_err(|source| io_error(path, source))?;
        owned_by(path, metadata.uid(), rustix::process::geteuid().as_raw())?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(LockError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        if mode & 0o077 != 0 {
            let closed = file.set_permissions(Permissions::from_mode(0o600));
            closed.map_err(|source| io_error(path, source))?;
        }
        Ok(())
    }

    pub(super) fn owned_by(path: &Path, owner: u32, user: u32) -> Result<(), LockError> {
        if owner == user {
            return Ok(());
        }
        Err(LockError::Foreign {
            path: path.to_owned(),
            owner,
            user,
        })
    }
}

#[cfg(test)]
mod tests;
