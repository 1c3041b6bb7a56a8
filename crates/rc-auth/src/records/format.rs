//! The one place that turns tokens into bytes, and back.
//!
//! Every record names its format version. Old versions are read for ever; a snapshot of each is kept in
//! the tests. Fields are added to a version only as options.

use rc_auth_core::{AttemptId, ChainId, GrantRecord, UnknownMembers};
use rc_store::RecordKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::owner_index::OwnerIndex;

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
    /// Where an owner is signed in.
    OwnerIndex(OwnerIndex),
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

#[cfg(test)]
mod tests {
    use rc_auth_core::{RecordState, Timestamp};

    use super::{super::owner_index::IndexEntry, *};

    fn index() -> StoredRecord {
        let entry = |number: u8, label: Option<&str>| IndexEntry {
            key: format!("user-{number}"),
            record: RecordKey::new([number; 32]).to_hex(),
            chain: ChainId::new([number; 16]),
            made_at: Timestamp::from_unix_millis(1_800_000_000_000),
            label: label.map(str::to_owned),
            unknown: UnknownMembers::default(),
        };
        StoredRecord::OwnerIndex(OwnerIndex {
            entries: vec![entry(1, Some("Firefox on Linux")), entry(2, None)],
            unknown: UnknownMembers::default(),
        })
    }

    fn text(record: &StoredRecord) -> String {
        String::from_utf8(encode(record).to_vec()).unwrap()
    }

    #[test]
    fn an_index_keeps_its_form() {
        let index = index();
        insta::assert_snapshot!(text(&index), @r#"{"v":1,"owner_index":{"entries":[{"key":"user-1","record":"0101010101010101010101010101010101010101010101010101010101010101","chain":"01010101010101010101010101010101","made_at":1800000000000,"label":"Firefox on Linux"},{"key":"user-2","record":"0202020202020202020202020202020202020202020202020202020202020202","chain":"02020202020202020202020202020202","made_at":1800000000000}]}}"#);
        assert_eq!(decode(&encode(&index)).unwrap(), index);
        let shown = format!("{index:?}");
        assert!(!shown.contains("user-1") && !shown.contains("Firefox"));
    }

    #[test]
    fn members_that_a_newer_version_added_to_an_index_survive() {
        let newer = text(&index())
            .replace(r#""made_at""#, r#""place":"Example Town","made_at""#)
            .replace(r#""entries""#, r#""renewed":7,"entries""#);
        let again = text(&decode(newer.as_bytes()).unwrap());
        assert_eq!(again.matches("Example Town").count(), 2);
        assert!(again.contains(r#""renewed":7"#));
    }

    #[test]
    fn records_of_versions_without_an_index_are_still_read() {
        let grant = r#"{"v":1,"grant":{"chain":"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1","generation":7,"state":{"ended":{"reason":"token_dead"}}}}"#;
        let used = r#"{"v":1,"used_state":{"attempt":"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7","outcome":"pending"}}"#;
        let mark = r#"{"v":1,"mark":{}}"#;
        for old in [grant, used, mark] {
            assert_eq!(text(&decode(old.as_bytes()).unwrap()), old);
        }
        let StoredRecord::Grant(grant) = decode(grant.as_bytes()).unwrap() else {
            panic!("no grant")
        };
        assert!(matches!(grant.state, RecordState::Ended { .. }));
    }
}
