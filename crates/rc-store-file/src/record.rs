//! The bytes of one record file.
//!
//! | Offset | Length | |
//! |---|---|---|
//! | 0 | 8 | `rcrecord` |
//! | 8 | 1 | format, 1 |
//! | 9 | 1 | 1 if there is a due time, else 0 |
//! | 10 | 8 | due time, milliseconds since the Unix epoch, big-endian; 0 if there is none |
//! | 18 | 16 | version |
//! | 34 | 32 | SHA-256 over the key, the 34 bytes before, and the payload |
//! | 66 | | payload |

use std::io;

use rc_store::{DueAt, MAX_PAYLOAD, RecordKey, Stored, Version, Zeroizing};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"rcrecord";
const FORMAT: u8 = 1;
const SUMMED: usize = 34;

/// The bytes before the payload.
pub(crate) const HEADER: usize = 66;

/// The largest file.
pub(crate) const LARGEST: usize = HEADER + MAX_PAYLOAD;

/// The bytes of a file; they may be secret.
pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// Why a file is not a record that can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("the file is too short: it was cut off")]
    Short,
    #[error("the file is longer than any record")]
    Long,
    #[error("the file does not begin as a record does")]
    NotARecord,
    #[error("the record has format {0}, which this release does not know")]
    UnknownFormat(u8),
    #[error("the checksum is wrong: the file was edited, damaged or renamed")]
    Checksum,
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
}

/// What stands before the payload. Nothing says yet that it is undamaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) version: Version,
    pub(crate) due: Option<DueAt>,
}

pub(crate) fn encode(
    key: &RecordKey,
    version: Version,
    due: Option<DueAt>,
    payload: &[u8],
) -> Bytes {
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + payload.len()));
    bytes.extend_from_slice(MAGIC);
    bytes.push(FORMAT);
    bytes.push(due.is_some().into());
    bytes.extend_from_slice(&due.map_or(0, DueAt::unix_millis).to_be_bytes());
    bytes.extend_from_slice(version.as_bytes());
    let checksum = checksum(key, &bytes, payload);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads the header and does not verify it: the checksum covers the payload too.
pub(crate) fn header(bytes: &[u8]) -> Result<Header, Damage> {
    let begin = bytes.first_chunk::<9>().ok_or(Damage::Short)?;
    match begin {
        [magic @ .., FORMAT] if magic == MAGIC => {}
        [magic @ .., other] if magic == MAGIC => return Err(Damage::UnknownFormat(*other)),
        _ => return Err(Damage::NotARecord),
    }
    let bytes = bytes.first_chunk::<HEADER>().ok_or(Damage::Short)?;
    let mut due = [0; 8];
    due.copy_from_slice(&bytes[10..18]);
    let mut version = [0; 16];
    version.copy_from_slice(&bytes[18..SUMMED]);
    Ok(Header {
        version: Version::new(version),
        due: (bytes[9] != 0).then(|| DueAt::from_unix_millis(i64::from_be_bytes(due))),
    })
}

pub(crate) fn decode(key: &RecordKey, bytes: &[u8]) -> Result<Stored, Damage> {
    let Header { version, due } = header(bytes)?;
    if bytes.len() > LARGEST {
        return Err(Damage::Long);
    }
    let (header, payload) = bytes.split_at(HEADER);
    let (summed, sum) = header.split_at(SUMMED);
    if checksum(key, summed, payload) != *sum {
        return Err(Damage::Checksum);
    }
    Ok(Stored {
        payload: Zeroizing::new(payload.to_vec()),
        version,
        due,
    })
}

fn checksum(key: &RecordKey, summed: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(key.as_bytes());
    digest.update(summed);
    digest.update(payload);
    digest.finalize().into()
}
