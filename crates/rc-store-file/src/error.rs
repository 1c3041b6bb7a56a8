//! What can go wrong with a folder, and what to do about it.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use rc_store::StoreError;

/// Why a folder could not be opened as a store. Nothing in it was changed, except that the folder or its
/// first files may have been made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operating system refused something.
    #[error("cannot {action} {folder}: {cause}{}", advice(cause))]
    Io {
        /// What was tried, as in "open the folder".
        action: &'static str,
        /// The folder of the store.
        folder: PathBuf,
        /// What the operating system said. `Display` shows it, so it is not a `source` as well.
        cause: io::Error,
    },
    /// Users other than the owner may make, replace and delete files in the folder.
    #[error(
        "{folder} may be written by others (mode {mode:04o}); make sure that nobody has changed anything \
         in it, then run: chmod 700 '{folder}'"
    )]
    OpenToOthers {
        /// The folder of the store.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder was written by a later release. An earlier one must not touch it.
    #[error(
        "{folder} has format {found}, and this program knows format {known}; use the release that made it, \
         or a later one"
    )]
    NewerFormat {
        /// The folder of the store.
        folder: PathBuf,
        /// The number in its file `format`.
        found: u32,
        /// The number this release writes.
        known: u32,
    },
    /// There are records in the folder but no file `format`, or one that says nothing.
    #[error(
        "{folder} has no readable file `format`; if the folder was copied or restored in part, restore it \
         whole, else choose another folder"
    )]
    NoFormat {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// Another process holds the lock for longer than this one waits.
    #[error(
        "{folder} was locked by another process for {limit:?}; see which one has it open, and try again"
    )]
    Locked {
        /// The folder of the store.
        folder: PathBuf,
        /// How long this process waited.
        limit: Duration,
    },
}

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why something that was asked of an open folder failed: the cause inside a [`StoreError`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("cannot {action} {folder}: {cause}{}", advice(cause))]
    Io {
        action: &'static str,
        folder: PathBuf,
        cause: io::Error,
    },
    #[error(
        "{folder} was locked by another process for {limit:?}; see which one has it open, and try again"
    )]
    Locked { folder: PathBuf, limit: Duration },
    #[error(
        "{folder} is no longer the store that was opened: its file `format` is another one; open it again"
    )]
    Replaced { folder: PathBuf },
}

impl Fault {
    /// For `map_err`: what was tried, in which folder. Names no record.
    pub(crate) fn io(action: &'static str, folder: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io {
            action,
            folder: folder.to_owned(),
            cause,
        }
    }

    /// Whether the operating system certainly did nothing. Of other errors that is not known.
    pub(crate) fn did_nothing(&self) -> bool {
        match self {
            Self::Io { cause, .. } => matches!(
                cause.kind(),
                ErrorKind::NotFound
                    | ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::IsADirectory
            ),
            Self::Locked { .. } | Self::Replaced { .. } => true,
        }
    }

    /// Of the step that a write takes effect with.
    pub(crate) fn of_the_write(self) -> StoreError {
        if self.did_nothing() {
            not_written(self)
        } else {
            StoreError::unavailable(self)
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io {
                action,
                folder,
                cause,
            } => Self::Io {
                action,
                folder,
                cause,
            },
            Fault::Locked { folder, limit } => Self::Locked { folder, limit },
            // Of a store that is open already.
            Fault::Replaced { folder } => Self::NoFormat { folder },
        }
    }
}

/// A failure before anything was written.
pub(crate) fn not_written(fault: Fault) -> StoreError {
    StoreError::NotWritten(Box::new(fault))
}

/// What to do next, where the error tells.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull => "; make room on its disk",
        ErrorKind::QuotaExceeded => "; make room in the quota of its owner",
        ErrorKind::ReadOnlyFilesystem => "; its file system has to be mounted for writing",
        ErrorKind::PermissionDenied => {
            "; the folder and all in it have to belong to the user of this program, and not be write-protected"
        }
        ErrorKind::NotFound => "; see whether its disk is mounted and the folder was moved",
        ErrorKind::Unsupported => "; choose a folder on a local disk",
        _ => "",
    }
}
