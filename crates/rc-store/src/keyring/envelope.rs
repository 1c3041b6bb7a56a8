//! The layout of sealed bytes.

use super::{OpenError, text};

pub(super) const NONCE_LEN: usize = 24;
pub(super) const TAG_LEN: usize = 16;

const FORMAT: u8 = 1;

/// Sealed bytes, taken apart. The ciphertext ends with its tag.
pub(super) struct Envelope<'a> {
    pub(super) key_id: &'a str,
    pub(super) nonce: &'a [u8; NONCE_LEN],
    pub(super) ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn parse(sealed: &'a [u8]) -> Result<Self, OpenError> {
        Self::split(sealed).ok_or(OpenError::UnknownFormat)
    }

    fn split(sealed: &'a [u8]) -> Option<Self> {
        let (&[FORMAT, id_len], rest) = sealed.split_first_chunk()? else {
            return None;
        };
        let (key_id, rest) = rest.split_at_checked(usize::from(id_len))?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        // An id that nobody can have given is no id: it would be printed.
        let key_id = str::from_utf8(key_id).ok().filter(|id| text::is_id(id))?;
        (ciphertext.len() >= TAG_LEN).then_some(Self {
            key_id,
            nonce,
            ciphertext,
        })
    }
}

/// Everything before the ciphertext, with room for `more` bytes.
pub(super) fn head(key_id: &str, nonce: &[u8; NONCE_LEN], more: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(2 + key_id.len() + NONCE_LEN + more);
    // Ids have at most 32 bytes.
    head.extend([FORMAT, key_id.len() as u8]);
    head.extend_from_slice(key_id.as_bytes());
    head.extend_from_slice(nonce);
    head
}

/// What the tag vouches for besides the plaintext; unambiguous, because each part follows its length.
pub(super) fn associated_data(key_id: &str, context: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::new();
    for part in [&[FORMAT], key_id.as_bytes()]
        .into_iter()
        .chain(context.iter().copied())
    {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
