//! How a record stands in its key: version, due time, length and payload, in one value.

use std::fmt;

use rc_store::{DueAt, StoreError, Stored, Version};
use redis::Cmd;

use crate::names::{due_at, due_text};

/// Version (16 bytes), due time (16 characters), length of the payload (4 bytes).
const HEADER: usize = 36;

/// Where a due time would stand.
const NO_DUE: &str = "----------------";

/// What [`versions`](rc_store::TokenStore::versions) answers where no version can be read: no write draws it.
pub(crate) const UNREADABLE: Version = Version::new([0; 16]);

/// Scripts read the version and the due time out of this.
pub(crate) fn encode(version: Version, due: Option<DueAt>, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + payload.len());
    value.extend_from_slice(version.as_bytes());
    match due {
        Some(due) => value.extend_from_slice(due_text(due).as_bytes()),
        None => value.extend_from_slice(NO_DUE.as_bytes()),
    }
    value.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    value.extend_from_slice(payload);
    value
}

pub(crate) fn decode(value: &[u8]) -> Result<Stored, StoreError> {
    let damaged = |problem| StoreError::corrupt(Damaged { problem });
    let Some((header, payload)) = value.split_at_checked(HEADER) else {
        return Err(damaged("it is too short"));
    };
    if header[32..] != (payload.len() as u32).to_be_bytes() {
        return Err(damaged("its length is not the one it was written with"));
    }
    let due = std::str::from_utf8(&header[16..32]).unwrap_or_default();
    let due = match due {
        NO_DUE => None,
        due => Some(due_at(due).ok_or_else(|| damaged("its due time is none"))?),
    };
    Ok(Stored {
        payload: payload.to_vec().into(),
        version: version(value),
        due,
    })
}

/// Asks for the whole value.
pub(crate) fn get(name: &str) -> Cmd {
    let mut command = redis::cmd("GET");
    command.arg(name);
    command
}

/// The version of a value, or of its beginning.
pub(crate) fn version(value: &[u8]) -> Version {
    let bytes = value.first_chunk::<16>();
    bytes.map_or(UNREADABLE, |bytes| Version::new(*bytes))
}

/// The value of a record is not what a write left.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub(crate) problem: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value in Redis was damaged: {}", self.problem)
    }
}

impl std::error::Error for Damaged {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_goes_there_and_back() {
        for due in [None, Some(DueAt::from_unix_millis(-7))] {
            let value = encode(Version::new([7; 16]), due, b"\0payload");
            let stored = decode(&value).unwrap();
            assert_eq!(stored.payload.as_slice(), b"\0payload");
            assert_eq!((stored.version, stored.due), (Version::new([7; 16]), due));
        }
    }

    #[test]
    fn a_value_that_was_cut_or_grew_is_damaged() {
        let value = encode(Version::new([7; 16]), None, b"payload");
        for wrong in [
            &value[..value.len() - 1],
            &value[..20],
            b"",
            &[&value[..], b"x"].concat(),
        ] {
            let decoded = decode(wrong);
            assert!(
                matches!(decoded, Err(StoreError::Corrupt(_))),
                "{decoded:?}"
            );
        }
    }
}
