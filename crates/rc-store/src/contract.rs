//! The contract between the project and everything that keeps its records.

use std::{error::Error, fmt, future::Future, pin::Pin};

use futures_core::Stream;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keys of records that somebody (perhaps this process) has changed.
pub type ChangeStream = Pin<Box<dyn Stream<Item = RecordKey> + Send>>;

/// The largest payload every store has to accept, in bytes: 64 KiB, counted after sealing.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// Keeps opaque records under compare-and-swap.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Reads one record. Linearizable: it sees every write that was acknowledged before it began.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`]. A record that does not exist is `Ok(None)`.
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Writes one record if it still is what `expect` says, atomically and durably.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: nothing was written. [`StoreError::Unavailable`]: the outcome is unknown.
    /// [`StoreError::TooLarge`]: nothing was written.
    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;

    /// Deletes one record if it still has this version.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save). Deleting a record that is gone is a conflict.
    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The records due at or before `before`, oldest first (then by key), after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>>;

    /// All records in the order of their keys, after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// Keys changed by anybody, if the store can tell. A hint only: it may be late, repeat or miss.
    fn changes(&self) -> Option<ChangeStream>;
}

/// Names one record: 32 bytes, a digest, so that nothing personal stands in an index.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey([u8; 32]);

impl RecordKey {
    /// A key from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 over the parts, each prefixed with its length, so that no two lists share a key.
    #[must_use]
    pub fn derive(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// The compare-and-swap tag of a record: drawn fresh for each write, so it never repeats for a key, not
/// even after a delete.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Version([u8; 16]);

impl Version {
    /// A version from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DueAt(i64);

impl DueAt {
    /// A moment from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }
}

/// A record as it was read.
#[derive(Clone)]
pub struct Stored {
    /// The secret bytes, wiped when dropped.
    pub payload: Zeroizing<Vec<u8>>,
    /// What a write has to expect.
    pub version: Version,
    /// When somebody should look at the record next.
    pub due: Option<DueAt>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("payload", &format_args!("[{} bytes]", self.payload.len()))
            .field("version", &self.version)
            .field("due", &self.due)
            .finish()
    }
}

/// A record with its key, from [`TokenStore::scan`].
#[derive(Clone, Debug)]
pub struct Listed {
    /// The key of the record.
    pub key: RecordKey,
    /// The record.
    pub stored: Stored,
}

/// A record that somebody should look at, from [`TokenStore::due`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    /// The key of the record.
    pub key: RecordKey,
    /// When it was due.
    pub due: DueAt,
}

/// A place in the order of [`TokenStore::due`]: everything up to and including it was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DueCursor {
    /// The due time of the last record seen.
    pub due: DueAt,
    /// Its key.
    pub key: RecordKey,
}

/// What a write expects to replace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// No record.
    Absent,
    /// The record with this version.
    Version(Version),
}

/// Why a store did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The record is not what the write expected. Nothing was written: reload and decide again.
    Conflict,
    /// The store did not answer. For a write the outcome is unknown: reload and look.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The record is there and cannot be read: wrong key, edited, moved, or of an unknown format.
    Corrupt(Box<dyn Error + Send + Sync>),
    /// The payload is larger than the store accepts. Nothing was written.
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes accepted.
        limit: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("the record was changed by somebody else"),
            Self::Unavailable(_) => f.write_str("the store is unavailable; a write may or may not have happened"),
            Self::Corrupt(_) => f.write_str("the stored record cannot be read"),
            Self::TooLarge { size, limit } => {
                write!(f, "the record has {size} bytes, the store accepts {limit}")
            }
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(source) | Self::Corrupt(source) => Some(&**source),
            Self::Conflict | Self::TooLarge { .. } => None,
        }
    }
}
