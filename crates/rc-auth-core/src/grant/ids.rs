//! The names of sign-ins, token pairs, attempts and versions of a record.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Counts the token pairs of a grant. Every access token, and every 401, belongs to one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The pair of the sign-in itself.
    pub const FIRST: Self = Self(1);

    /// A generation by its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A random name of one try at a refresh: by it a process recognises its own writes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AttemptId(#[serde(with = "hex16")] [u8; 16]);

impl AttemptId {
    /// An id from 16 random bytes.
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

/// A random name of one chain of token pairs: what one sign-in started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ChainId(#[serde(with = "hex16")] [u8; 16]);

impl ChainId {
    /// An id from 16 random bytes.
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

/// The store's compare-and-swap tag of a record, as the machine carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordVersion([u8; 16]);

impl RecordVersion {
    /// A version from the store's bytes.
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

/// Names one token pair: the sign-in it comes from, and which pair of it.
///
/// A 401, "newer than" and every wait name a pair by both: generations of different sign-ins under one
/// key say nothing about each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PairId {
    /// The sign-in.
    pub chain: ChainId,
    /// Which pair of it.
    pub generation: Generation,
}

impl PairId {
    /// Whether this pair came after `other`, given that this one is in the store now: a pair of another
    /// sign-in has replaced it, one of the same sign-in has a higher generation.
    #[must_use]
    pub fn is_newer_than(self, other: Self) -> bool {
        self.chain != other.chain || self.generation > other.generation
    }
}

/// 16 bytes as 32 lower-case hexadecimal digits.
mod hex16 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", u128::from_be_bytes(*bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits
            .then(|| u128::from_str_radix(&text, 16).ok())
            .flatten();
        number
            .map(u128::to_be_bytes)
            .ok_or_else(|| de::Error::custom("an id has 32 hexadecimal digits"))
    }
}
