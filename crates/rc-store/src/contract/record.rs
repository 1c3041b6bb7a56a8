use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::StoreError;

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
    ///
    /// ```
    /// use rc_store::RecordKey;
    ///
    /// let key = RecordKey::derive(&[b"grant", b"user-42"]);
    /// assert_ne!(key, RecordKey::derive(&[b"grantuser", b"-42"]));
    /// assert_eq!(RecordKey::from_hex(&key.to_hex()), Some(key));
    /// ```
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

    /// 64 lower-case hexadecimal digits. Their order as text is the order of the keys.
    #[must_use]
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        hex
    }

    /// A key from what [`to_hex`](Self::to_hex) writes; `None` for anything else, upper case included.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The first four bytes, enough to follow one record through a log.
impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({}…)", &self.to_hex()[..8])
    }
}

/// The compare-and-swap tag of a record: drawn fresh for each write, so it never repeats for a key, not
/// even after a delete. Versions have no order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Version([u8; 16]);

impl Version {
    /// A version from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A fresh version from the system's random source, for a store that is about to write.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the system has no randomness.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(StoreError::unavailable)?;
        Ok(Self(bytes))
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

/// A record as it was read. `Debug` shows the length of the payload, never the payload.
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

/// A record with its key, from [`TokenStore::scan`](crate::TokenStore::scan).
#[derive(Debug)]
pub struct Listed {
    /// The key of the record.
    pub key: RecordKey,
    /// The record, or why it cannot be read: always [`StoreError::Corrupt`].
    pub stored: Result<Stored, StoreError>,
}

/// A record that somebody should look at, from [`TokenStore::due`](crate::TokenStore::due).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Due {
    /// The key of the record.
    pub key: RecordKey,
    /// When it was due.
    pub due: DueAt,
}

impl Due {
    /// The place of this record in the order, to go on after it.
    #[must_use]
    pub const fn cursor(&self) -> DueCursor {
        DueCursor {
            due: self.due,
            key: self.key,
        }
    }
}

/// A place in the order of [`TokenStore::due`](crate::TokenStore::due): everything up to and including
/// it was seen.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DueCursor {
    /// The due time of the last record seen.
    pub due: DueAt,
    /// Its key.
    pub key: RecordKey,
}

/// What a write expects to replace.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Expect {
    /// No record.
    Absent,
    /// The record with this version.
    Version(Version),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back_and_nothing_else_is_a_key() {
        let key = RecordKey::derive(&[b"grant", b"user-42"]);
        assert_eq!(RecordKey::from_hex(&key.to_hex()), Some(key));
        assert_eq!(key.to_hex().len(), 64);
        for wrong in [
            "",
            "00",
            &key.to_hex().to_uppercase(),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert_eq!(RecordKey::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn derived_keys_keep_their_parts_apart() {
        assert_ne!(
            RecordKey::derive(&[b"ab", b"c"]),
            RecordKey::derive(&[b"a", b"bc"])
        );
        assert_ne!(RecordKey::derive(&[b"a"]), RecordKey::derive(&[b"a", b""]));
    }

    #[test]
    fn hex_keeps_the_order_of_keys() {
        let (low, high) = (RecordKey::new([0x0f; 32]), RecordKey::new([0xa0; 32]));
        assert!(low < high && low.to_hex() < high.to_hex());
    }
}
