//! Token ids that were used (RFC 7519 section 4.1.7).

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::timestamp::Timestamp;

/// The most ids remembered at once. Beyond it the one that would expire first is forgotten.
const MOST: usize = 10_000;

/// An id that was used, as it is kept over a restart.
#[derive(Deserialize, Serialize)]
pub(crate) struct Spent {
    id: Id,
    expires_at: Timestamp,
}

/// A hash of client id and token id: whatever a client calls its tokens, an entry stays small.
type Id = [u8; 32];

/// Makes a token single use until it expires; after that its expiry refuses it.
#[derive(Clone, Default)]
pub(crate) struct JtiCache {
    used: HashSet<Id>,
    by_expiry: BTreeSet<(Timestamp, Id)>,
}

impl JtiCache {
    /// The ids that are remembered.
    pub(crate) fn spent(&self) -> impl Iterator<Item = Spent> {
        self.by_expiry.iter().map(|(expires_at, id)| Spent {
            id: *id,
            expires_at: *expires_at,
        })
    }

    /// Takes over an id that was used in a former run.
    pub(crate) fn insert(&mut self, spent: Spent) {
        if self.used.insert(spent.id) {
            self.by_expiry.insert((spent.expires_at, spent.id));
        }
    }

    /// The id as it is kept, after it was spent.
    pub(crate) fn record(client_id: &str, jti: &str, expires_at: Timestamp) -> Spent {
        Spent {
            id: hashed(client_id, jti),
            expires_at,
        }
    }

    /// Remembers the id; `false` where `client_id` has used it before.
    pub(crate) fn spend(
        &mut self,
        client_id: &str,
        jti: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        self.forget_expired(now);
        let id = hashed(client_id, jti);
        if !self.used.insert(id) {
            return false;
        }
        self.by_expiry.insert((expires_at, id));
        if self.by_expiry.len() > MOST {
            self.forget_first();
        }
        true
    }

    fn forget_expired(&mut self, now: Timestamp) {
        while self
            .by_expiry
            .first()
            .is_some_and(|(expires_at, _)| *expires_at <= now)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.by_expiry.pop_first() {
            self.used.remove(&id);
        }
    }
}

fn hashed(client_id: &str, jti: &str) -> Id {
    let mut hash = Sha256::new();
    hash.update((client_id.len() as u64).to_be_bytes());
    hash.update(client_id);
    hash.update(jti);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(0);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn an_id_is_spent_once_per_client() {
        let mut cache = JtiCache::default();
        assert!(cache.spend("app", "1", at(10), START));
        assert!(!cache.spend("app", "1", at(10), at(9)));
        assert!(!cache.spend("app", "1", at(99), at(9)));
        assert!(cache.spend("app", "2", at(10), START));
        assert!(cache.spend("other", "1", at(10), START));
        assert!(cache.spend("ap", "p1", at(10), START));
    }

    #[test]
    fn expired_ids_are_forgotten() {
        let mut cache = JtiCache::default();
        for jti in 0..100 {
            assert!(cache.spend("app", &jti.to_string(), at(10), START));
        }
        assert!(cache.spend("app", "later", at(30), at(10)));
        assert_eq!((cache.used.len(), cache.by_expiry.len()), (1, 1));
    }

    #[test]
    fn no_more_than_the_most_are_remembered_and_the_first_to_expire_goes() {
        let mut cache = JtiCache::default();
        for jti in 0..MOST as u64 + 2 {
            assert!(cache.spend("app", &jti.to_string(), at(1_000 + jti), START));
        }
        assert_eq!((cache.used.len(), cache.by_expiry.len()), (MOST, MOST));
        assert!(!cache.spend("app", "2", at(5_000), START));
        assert!(cache.spend("app", "0", at(1_000), START));
    }
}
