//! From old keys to the active one, while the store is in use.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use crate::{
    Expect, KeyRing, Listed, RecordKey, Sealed, StoreError, Stored, TokenStore, copy::marker_key,
};

/// How many records are looked at in one go.
const PAGE: usize = 100;

/// How many of them are written at the same time: a server works on several, SQLite takes one at a time.
const AT_ONCE: usize = 16;

/// How often one record is tried again because others write it. Whoever writes it with the same active key
/// seals it anew, so once is enough for nearly all.
const TRIES: usize = 5;

/// How far a rotation has come, and what it has found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rotation {
    /// Records looked at.
    pub seen: u64,
    /// Records sealed anew with the active key.
    pub resealed: u64,
    /// Records that were sealed with the active key already.
    pub current: u64,
    /// Records that others deleted, or wrote so often that they were left to them.
    pub left: u64,
    /// Records that cannot be opened because their key is not in the ring: how many, by the id of the key.
    pub missing: BTreeMap<String, u64>,
    /// Records that are damaged, moved, or not sealed.
    pub unreadable: u64,
    /// The last record looked at: where to go on after an interruption.
    pub last: Option<RecordKey>,
}

impl Rotation {
    /// Whether every record that was looked at is sealed with the active key now.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unreadable == 0 && self.left == 0
    }
}

/// How many records each key has sealed, from [`Sealed::key_usage`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyUsage {
    /// Records by the id of the key that sealed them, whether it is in the ring or not.
    pub by_key: BTreeMap<String, u64>,
    /// Records that are not sealed in a known format.
    pub unsealed: u64,
}

enum Done {
    Resealed,
    Current,
    Left,
    Missing(String),
    Unreadable,
}

impl<S: TokenStore> Sealed<S> {
    /// Seals everything anew that another key than the active one has sealed, in the order of record keys.
    ///
    /// Works beside processes that use the store: each record is replaced by compare-and-swap, and keeps
    /// its due time. Give all of them the new key in front first; a process that still seals with the old
    /// key would go on doing so. After an interruption run it again, or from [`Rotation::last`] on: what is
    /// done already is only looked at. Records that cannot be opened are counted and left as they are.
    ///
    /// `progress` is told after every 100 records. When it has ended, [`key_usage`](Self::key_usage) shows
    /// whether the old key may go.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store does not answer. Nothing is lost; run it again.
    pub async fn rotate(
        &self,
        after: Option<RecordKey>,
        mut progress: impl FnMut(&Rotation),
    ) -> Result<Rotation, StoreError> {
        let mut rotation = Rotation {
            last: after,
            ..Rotation::default()
        };
        loop {
            let page = self.get_ref().scan(rotation.last, PAGE).await?;
            let Some(last) = page.last().map(|listed| listed.key) else {
                return Ok(rotation);
            };
            let ours = page.into_iter().filter(|listed| listed.key != marker_key());
            let mut done = stream::iter(ours)
                .map(|listed| self.reseal(listed))
                .buffer_unordered(AT_ONCE);
            while let Some(done) = done.next().await {
                rotation.count(done?);
            }
            drop(done);
            rotation.last = Some(last);
            progress(&rotation);
        }
    }

    /// Counts the records that each key has sealed. Opens none of them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store does not answer.
    pub async fn key_usage(&self) -> Result<KeyUsage, StoreError> {
        let mut usage = KeyUsage::default();
        let mut last = None;
        loop {
            let page = self.get_ref().scan(last, PAGE).await?;
            let Some(end) = page.last().map(|listed| listed.key) else {
                return Ok(usage);
            };
            for listed in page.iter().filter(|listed| listed.key != marker_key()) {
                let stored = listed.stored.as_ref().ok();
                match stored.and_then(|stored| KeyRing::key_id_of(&stored.payload)) {
                    Some(id) => *usage.by_key.entry(id).or_default() += 1,
                    None => usage.unsealed += 1,
                }
            }
            last = Some(end);
        }
    }

    async fn reseal(&self, listed: Listed) -> Result<Done, StoreError> {
        let Listed { key, stored } = listed;
        let Ok(mut stored) = stored else {
            return Ok(Done::Unreadable);
        };
        for _ in 0..TRIES {
            let sealed = match self.sealed_anew(&key, &stored) {
                Ok(sealed) => sealed,
                Err(done) => return Ok(done),
            };
            let expect = Expect::Version(stored.version);
            let due = stored.due;
            match self.get_ref().save(&key, &sealed, due, expect).await {
                Ok(_) => return Ok(Done::Resealed),
                Err(StoreError::TooLarge { .. }) => return Ok(Done::Unreadable),
                // Somebody else wrote it, or this write may have got through: look again.
                Err(StoreError::Conflict | StoreError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
            stored = match self.get_ref().load(&key).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return Ok(Done::Left),
                Err(StoreError::Corrupt(_)) => return Ok(Done::Unreadable),
                Err(error) => return Err(error),
            };
        }
        Ok(Done::Left)
    }

    /// The record sealed with the active key, or why that need not or cannot be.
    fn sealed_anew(&self, key: &RecordKey, stored: &Stored) -> Result<Vec<u8>, Done> {
        let ring = self.key_ring();
        let Some(id) = KeyRing::key_id_of(&stored.payload) else {
            return Err(Done::Unreadable);
        };
        if id == ring.active_id() {
            return Err(Done::Current);
        }
        if ring.ids().all(|known| known != id) {
            return Err(Done::Missing(id));
        }
        let opened = self.open(key, stored.clone());
        let opened = opened.map_err(|_| Done::Unreadable)?;
        let sealed = self.seal(key, opened.due, &opened.payload);
        sealed.map_err(|_| Done::Unreadable)
    }
}

impl Rotation {
    fn count(&mut self, done: Done) {
        self.seen += 1;
        match done {
            Done::Resealed => self.resealed += 1,
            Done::Current => self.current += 1,
            Done::Left => self.left += 1,
            Done::Missing(id) => *self.missing.entry(id).or_default() += 1,
            Done::Unreadable => self.unreadable += 1,
        }
    }
}
