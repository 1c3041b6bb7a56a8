//! The one place that turns tokens into bytes, and back.
//!
//! Every record names its format version. Old versions are read for ever; a snapshot of each is kept in
//! the tests. Fields are added to a version only as options.

use rc_auth_core::{AttemptId, ChainId, GrantRecord, UnknownMembers};
use rc_store::RecordKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What stands in the store under one key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "each lives for one read or write, and nearly all are grants"
)]
pub(crate) enum StoredRecord {
    /// A grant.
    Grant(GrantRecord),
    /// The state of a sign-in that came back: used up.
    UsedState(UsedState),
    /// Nothing but a text that the key ring must be able to open.
    Mark(Mark),
}

/// The content of a mark.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Mark {
    /// Members that this version does not know.
    #[serde(flatten)]
    pub(crate) unknown: UnknownMembers,
}

/// "This state is used", and what came of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct UsedState {
    /// Whose exchange it is.
    pub(crate) attempt: AttemptId,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// A digest of the code that came with the state: only a callback with the same one is a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<CodeDigest>,
    /// How often its owner has written it again, to show that it is at work.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) renewals: u32,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub(crate) unknown: UnknownMembers,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The SHA-256 of an authorization code, as 64 hexadecimal digits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct CodeDigest(String);

impl CodeDigest {
    pub(crate) fn new(digest: [u8; 32]) -> Self {
        Self(RecordKey::new(digest).to_hex())
    }
}

/// What came of a sign-in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Nothing yet.
    Pending,
    /// A grant.
    SignedIn {
        /// Its key.
        key: String,
        /// Its chain, by which a later sign-in under the same key is told apart.
        chain: ChainId,
    },
    /// Nothing: only another sign-in helps.
    Failed,
}

#[derive(Deserialize, Serialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    record: T,
}

/// The newest version, and the one that is written.
const VERSION: u32 = 1;

/// Bytes that are no record of a version known here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadableRecord {
    #[error("the record has format version {0}, newer than this program knows")]
    Newer(u32),
    #[error("the record is damaged")]
    Damaged,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

pub(crate) fn encode(record: &StoredRecord) -> Zeroizing<Vec<u8>> {
    let bytes = serde_json::to_vec(&Versioned { v: VERSION, record });
    Zeroizing::new(bytes.expect("strings, numbers and lists always serialize"))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<StoredRecord, UnreadableRecord> {
    let VersionOnly { v } = serde_json::from_slice(bytes).map_err(|_| UnreadableRecord::Damaged)?;
    match v {
        1 => {
            let versioned: Versioned<StoredRecord> =
                serde_json::from_slice(bytes).map_err(|_| UnreadableRecord::Damaged)?;
            Ok(versioned.record)
        }
        0 => Err(UnreadableRecord::Damaged),
        newer => Err(UnreadableRecord::Newer(newer)),
    }
}
