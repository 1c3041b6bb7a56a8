//! The keys that seal records and cookies.

mod envelope;
mod file;
mod provider;
mod text;

use std::{error::Error, fmt, sync::Arc};

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use envelope::{Envelope, NONCE_LEN, TAG_LEN};
pub use file::KeyFile;
pub use provider::{EnvironmentKeys, KeyProvider, KeyProviderError};
pub use text::InvalidKeyRing;

const KEY_LEN: usize = 32;

/// Named 256-bit keys: the first, the *active* one, seals; all of them open.
///
/// A ring is written `id:base64 of 32 bytes[,id:…]` ([`FromStr`](std::str::FromStr),
/// [`to_text`](Self::to_text)). To change keys, put a new one in front and keep the old one until nothing
/// is sealed with it any more.
///
/// Sealing is XChaCha20-Poly1305 with a random 192-bit nonce, so that any number of processes can seal
/// with one key without counting. Clones share the keys, which are wiped when the last one is dropped.
/// `Debug` shows the ids.
///
/// ```
/// use rc_store::KeyRing;
///
/// let ring = KeyRing::generate("2026a")?;
/// let sealed = ring.seal(&[b"cookie"], b"a secret").unwrap();
/// assert_eq!(ring.open(&[b"cookie"], &sealed).unwrap().as_slice(), b"a secret");
/// assert!(ring.open(&[b"another place"], &sealed).is_err());
/// # Ok::<(), rc_store::InvalidKeyRing>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<[Key]>,
}

struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

impl KeyRing {
    /// The longest id, in characters.
    pub const MAX_ID: usize = 32;

    /// The most bytes that sealing adds to a plaintext.
    pub const MAX_OVERHEAD: usize = 2 + Self::MAX_ID + NONCE_LEN + TAG_LEN;

    /// A ring of one new random key.
    ///
    /// # Errors
    ///
    /// [`InvalidKeyRing`] if `id` is not 1 to 32 characters of `A–Z a–z 0–9 _ -`, or the system has no
    /// randomness.
    pub fn generate(id: &str) -> Result<Self, InvalidKeyRing> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(&mut *bytes).map_err(|_| InvalidKeyRing::no_randomness())?;
        Self::from_keys(vec![text::key(1, id, bytes)?])
    }

    fn from_keys(keys: Vec<Key>) -> Result<Self, InvalidKeyRing> {
        text::distinct(&keys)?;
        Ok(Self { keys: keys.into() })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn active_id(&self) -> &str {
        &self.active().id
    }

    /// All ids, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals `plaintext` with the active key, bound to `context`.
    ///
    /// The same context opens it again, no other does. Its first part names the purpose (`b"record"`,
    /// `b"cookie"`), so that what was sealed for one is refused by another; further parts name the place.
    /// Context is not secret and not stored.
    ///
    /// The result is the format byte 1, one byte with the length of the key id, the key id, 24 bytes of
    /// nonce, the ciphertext, and 16 bytes of tag. Associated data are the format, the key id and every
    /// part of the context, each after its length in 8 big-endian bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`] if the system has no randomness or the plaintext has more than 256 GiB.
    pub fn seal(&self, context: &[&[u8]], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError("the system has no randomness"))?;
        self.seal_with(&nonce, context, plaintext)
    }

    fn seal_with(
        &self,
        nonce: &[u8; NONCE_LEN],
        context: &[&[u8]],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let key = self.active();
        // Room for everything, so that growing leaves no copy of the plaintext behind.
        let mut sealed = envelope::head(&key.id, nonce, plaintext.len() + TAG_LEN);
        let start = sealed.len();
        sealed.extend_from_slice(plaintext);
        let data = envelope::associated_data(&key.id, context);
        let tag = key
            .cipher()
            .encrypt_inout_detached(&XNonce::from(*nonce), &data, (&mut sealed[start..]).into())
            .map_err(|_| SealError("the plaintext is too long"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`seal`](Self::seal) made with the same context and a key that is still in the ring.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: of another format, sealed with a key that is not here, or not authentic.
    pub fn open(&self, context: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let envelope = Envelope::parse(sealed)?;
        let key = self.find(envelope.key_id)?;
        let data = envelope::associated_data(&key.id, context);
        let mut plaintext = Zeroizing::new(envelope.ciphertext.to_vec());
        key.cipher()
            .decrypt_in_place(&XNonce::from(*envelope.nonce), &data, &mut *plaintext)
            .map_err(|_| OpenError::NotAuthentic)?;
        Ok(plaintext)
    }

    /// The id of the key that sealed this; `None` if it is not in a known format. Nothing is opened.
    pub(crate) fn key_id_of(sealed: &[u8]) -> Option<String> {
        let envelope = Envelope::parse(sealed).ok()?;
        Some(envelope.key_id.to_owned())
    }

    /// How many bytes [`seal`](Self::seal) adds with the key that is active now.
    #[must_use]
    pub fn overhead(&self) -> usize {
        2 + self.active().id.len() + NONCE_LEN + TAG_LEN
    }

    // Every constructor refuses an empty list.
    fn active(&self) -> &Key {
        &self.keys[0]
    }

    fn find(&self, id: &str) -> Result<&Key, OpenError> {
        let found = self.keys.iter().find(|key| key.id == id);
        found.ok_or_else(|| OpenError::UnknownKey { id: id.to_owned() })
    }
}

impl Key {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Why something could not be sealed. Nothing about the plaintext is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SealError(&'static str);

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot seal: {}", self.0)
    }
}

impl Error for SealError {}

/// Why something sealed cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OpenError {
    /// Sealed with a key that is not in the ring.
    UnknownKey {
        /// The id of the missing key.
        id: String,
    },
    /// Edited, cut short, moved from another place, or sealed with another key of the same id.
    NotAuthentic,
    /// Not in a format this version knows: never sealed, or sealed by a newer version.
    UnknownFormat,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { id } => write!(
                f,
                "sealed with the key `{id}`, which is not in the key ring; add it behind the active key"
            ),
            Self::NotAuthentic => f.write_str(
                "the seal does not match: edited, moved from another place, \
                 or sealed with another key of the same id",
            ),
            Self::UnknownFormat => f.write_str(
                "not in a format this version can open: never sealed, or sealed by a newer version",
            ),
        }
    }
}

impl Error for OpenError {}

#[cfg(test)]
mod tests;
