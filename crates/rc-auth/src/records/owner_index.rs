//! The record that names the sign-ins of one owner. It holds no token.

use std::fmt;

use rc_auth_core::{ChainId, Timestamp, UnknownMembers};
use rc_store::RecordKey;
use serde::{Deserialize, Serialize};

/// Where an owner is signed in, the latest last.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct OwnerIndex {
    /// One for each sign-in; some may name grants that are gone, or that are not there yet.
    pub(crate) entries: Vec<IndexEntry>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub(crate) unknown: UnknownMembers,
}

/// One sign-in. `Debug` leaves the key and the label out.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(crate) struct IndexEntry {
    /// The grant's key.
    pub(crate) key: String,
    /// The grant's record, in hexadecimal digits.
    pub(crate) record: String,
    /// The grant's chain, by which a later sign-in under the same key is told apart.
    pub(crate) chain: ChainId,
    /// When the user signed in.
    pub(crate) made_at: Timestamp,
    /// What the application says of the browser or the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub(crate) unknown: UnknownMembers,
}

impl fmt::Debug for IndexEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexEntry")
            .field("record", &self.record)
            .field("chain", &self.chain)
            .field("made_at", &self.made_at)
            .finish_non_exhaustive()
    }
}

impl IndexEntry {
    /// Where the grant is kept; `None` in a damaged entry.
    pub(crate) fn record_key(&self) -> Option<RecordKey> {
        RecordKey::from_hex(&self.record)
    }

    pub(crate) fn is_of(&self, record: &RecordKey, chain: ChainId) -> bool {
        self.chain == chain && self.record_key() == Some(*record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_names_the_record_and_neither_the_key_nor_the_label() {
        let entry: IndexEntry = serde_json::from_str(
            r#"{"key":"user-42","record":"00ff","chain":"000102030405060708090a0b0c0d0e0f","made_at":0,"label":"Firefox"}"#,
        )
        .unwrap();
        let printed = format!("{entry:?}");
        assert!(
            printed.starts_with("IndexEntry { record: \"00ff\""),
            "{printed}"
        );
        assert!(!printed.contains("user-42") && !printed.contains("Firefox"));
    }
}
