//! Everything that looks random: derived from the seed, so that the same inputs give the same bytes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The key that every token, code and secret of one platform is derived from.
#[derive(Clone)]
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn new(seed: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"rc-sim seed 1");
        hash.update(seed.to_be_bytes());
        Self(hash.finalize().into())
    }

    /// The key of a part of the platform that has nothing in common with the rest.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self(self.bytes("child", &[name.as_bytes()]))
    }

    /// 32 bytes bound to `label` and `parts`. Hashed twice with the key, so nobody can extend a value.
    pub(crate) fn bytes(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.0);
        for part in std::iter::once(&label.as_bytes()).chain(parts) {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        let mut outer = Sha256::new();
        outer.update(self.0);
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    /// A number bound to `label` and `parts`.
    pub(crate) fn number(&self, label: &str, parts: &[&[u8]]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes(label, parts);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// `chars` (at most 43) characters of URL-safe base64.
    pub(crate) fn text(&self, label: &str, parts: &[&[u8]], chars: usize) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(self.bytes(label, parts));
        text.truncate(chars);
        text
    }

    /// `chars` (at most 32) letters and digits, the look of RingCentral's ids and secrets.
    pub(crate) fn alphanumeric(&self, label: &str, parts: &[&[u8]], chars: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let bytes = self.bytes(label, parts);
        bytes
            .iter()
            .take(chars)
            .map(|b| char::from(ALPHABET[usize::from(*b) % 62]))
            .collect()
    }
}
