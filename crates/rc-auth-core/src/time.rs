//! Time and randomness, which callers bring.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A moment of the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Dates what outlives the process: token expiry, the end of a session.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
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

    /// The moment `after` later, or the last one that can be written.
    #[must_use]
    pub fn saturating_add(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment `before` earlier, or the first one that can be written.
    #[must_use]
    pub fn saturating_sub(self, before: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The time from `earlier` to this moment, zero when it is not earlier.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The present, as two clocks see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// The wall clock: may be set, forwards or backwards.
    pub wall: Timestamp,
    /// Time since an arbitrary fixed moment of this process: never set, and counting suspended time
    /// where the system can. Measures waits and the age of other processes' intents, so that a wall
    /// clock set forward by a day takes nothing over.
    pub mono: Duration,
}

/// `N` bytes from a cryptographically secure source, used once.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy<const N: usize>([u8; N]);

impl<const N: usize> Entropy<N> {
    /// Takes bytes that the caller drew from the operating system's generator for this one use.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Entropy<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entropy<{N}>")
    }
}
