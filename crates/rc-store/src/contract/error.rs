use std::{error::Error, fmt};

/// Why a store did not do what it was asked.
///
/// Holds no payload and no key material. The cause, where there is one, is its
/// [`source`](Error::source).
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The record is not what the write expected. Nothing was written: load again and decide again.
    Conflict,
    /// The store did not answer. For a write the outcome is unknown: load again and look.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The store could not be asked, and certainly nothing was written: no connection was made, or the
    /// backend refused to begin. Try again. A store that is not sure answers `Unavailable`.
    NotWritten(Box<dyn Error + Send + Sync>),
    /// The record is there and cannot be read: sealed with a key that is missing, edited, moved, or of
    /// an unknown format.
    Corrupt(Box<dyn Error + Send + Sync>),
    /// The payload is larger than the store accepts. Nothing was written.
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes accepted: [`MAX_PAYLOAD`](crate::MAX_PAYLOAD), less what a wrapper such as
        /// [`Sealed`](crate::Sealed) adds.
        limit: usize,
    },
}

impl StoreError {
    /// [`StoreError::Unavailable`] with its cause, which must print no payload and no password.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// [`StoreError::Corrupt`] with its cause, which must print no payload.
    pub fn corrupt(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt(cause.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => {
                f.write_str("the record is not what the write expected; load it again")
            }
            Self::Unavailable(_) => f.write_str(
                "the store did not answer; if this was a write, load the record to see its outcome",
            ),
            Self::NotWritten(_) => f.write_str("the store could not be asked; nothing was written"),
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
            Self::Unavailable(source) | Self::NotWritten(source) | Self::Corrupt(source) => {
                Some(&**source)
            }
            Self::Conflict | Self::TooLarge { .. } => None,
        }
    }
}
