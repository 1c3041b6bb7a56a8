//! Key rings as text: `id:base64 of 32 bytes[,id:…]`.

use std::{error::Error, fmt, str::FromStr};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use zeroize::Zeroizing;

use super::{KEY_LEN, Key, KeyRing};

/// Base64 as `openssl rand -base64 32` writes it; the `=` at the end may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Space around entries is ignored, so that a file may end with a line break.
impl FromStr for KeyRing {
    type Err = InvalidKeyRing;

    fn from_str(text: &str) -> Result<Self, InvalidKeyRing> {
        if text.trim().is_empty() {
            return Err(InvalidKeyRing(Problem::Empty));
        }
        let entries = text.split(',').zip(1..);
        let keys = entries.map(|(entry, position)| parse_key(position, entry.trim()));
        Self::from_keys(keys.collect::<Result<_, _>>()?)
    }
}

impl KeyRing {
    /// The ring as text, keys included: for a key file that only its owner can read.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for everything, so that growing leaves no copy of a key behind.
        let room = self.keys.len() * (Self::MAX_ID + 2 + KEY_LEN.div_ceil(3) * 4);
        let mut text = Zeroizing::new(String::with_capacity(room));
        for key in self.keys.iter() {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&key.id);
            text.push(':');
            STANDARD.encode_string(key.bytes.as_slice(), &mut text);
        }
        text
    }
}

fn parse_key(position: usize, entry: &str) -> Result<Key, InvalidKeyRing> {
    let Some((id, base64)) = entry.split_once(':') else {
        return Err(InvalidKeyRing(Problem::NoId { position }));
    };
    let problem = |what| {
        InvalidKeyRing(Problem::Key {
            position,
            id: id.to_owned(),
            what,
        })
    };
    if !is_id(id) {
        return Err(InvalidKeyRing(Problem::Id { position }));
    }
    let mut decoded = Zeroizing::new(vec![0; base64.len()]);
    let length = BASE64
        .decode_slice(base64, &mut decoded)
        .map_err(|_| problem(KeyProblem::Base64))?;
    let bytes = decoded[..length]
        .try_into()
        .map_err(|_| problem(KeyProblem::Length(length)))?;
    key(position, id, Zeroizing::new(bytes))
}

pub(super) fn key(
    position: usize,
    id: &str,
    bytes: Zeroizing<[u8; KEY_LEN]>,
) -> Result<Key, InvalidKeyRing> {
    if is_id(id) {
        Ok(Key {
            id: id.to_owned(),
            bytes,
        })
    } else {
        Err(InvalidKeyRing(Problem::Id { position }))
    }
}

pub(super) fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=KeyRing::MAX_ID).contains(&id.len()) && id.bytes().all(allowed)
}

pub(super) fn distinct(keys: &[Key]) -> Result<(), InvalidKeyRing> {
    for (index, key) in keys.iter().enumerate() {
        if let Some(first) = keys[..index].iter().position(|other| other.id == key.id) {
            let what = KeyProblem::Duplicate { first: first + 1 };
            let problem = Problem::Key {
                position: index + 1,
                id: key.id.clone(),
                what,
            };
            return Err(InvalidKeyRing(problem));
        }
    }
    Ok(())
}

/// Why a text is no key ring: which key, counted from 1, what is wrong with it, and an example.
///
/// Never shows what may be key material; an id is shown only where it is a valid one.
#[derive(Clone, Eq, PartialEq)]
pub struct InvalidKeyRing(Problem);

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for InvalidKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl InvalidKeyRing {
    pub(super) fn no_randomness() -> Self {
        Self(Problem::NoRandomness)
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Problem {
    Empty,
    NoRandomness,
    NoId {
        position: usize,
    },
    Id {
        position: usize,
    },
    Key {
        position: usize,
        id: String,
        what: KeyProblem,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum KeyProblem {
    Base64,
    Length(usize),
    Duplicate { first: usize },
}

const EXAMPLE: &str = "write `id:base64 of 32 bytes`, several separated by commas and the active one \
                       first, for example `2026a:` followed by the output of `openssl rand -base64 32`";

impl fmt::Display for InvalidKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::NoRandomness => {
                return f.write_str("cannot make a key: the system has no randomness");
            }
            Problem::Empty => f.write_str("there is no key")?,
            Problem::NoId { position } => write!(f, "key {position} has no id and colon in front")?,
            Problem::Id { position } => write!(
                f,
                "the id of key {position} is not 1 to 32 characters of A-Z a-z 0-9 _ -"
            )?,
            Problem::Key { position, id, what } => write!(f, "key {position} (`{id}`) {what}")?,
        }
        write!(f, "; {EXAMPLE}")
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64 => f.write_str("is not base64"),
            Self::Length(length) => write!(f, "has {length} bytes instead of 32"),
            Self::Duplicate { first } => write!(f, "has the id of key {first}"),
        }
    }
}

impl Error for InvalidKeyRing {}
