//! Faults of versions: tags that come again, or that are not what is stored.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey,
    StoreError, Stored, TokenStore, Version,
    conformance::checks::{payloads, reopened, sharing, versions},
};

use crate::rejected;

type Place = Arc<Shelf>;

/// Records, and what their tags are made from.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    records: Mutex<HashMap<RecordKey, Stored>>,
    numbers: Mutex<HashMap<RecordKey, u64>>,
    /// Where the store in memory stands in, for lists.
    unused: MemoryStore,
}

/// What a tag is made from: the store, the key, the new payload, and the record before.
type Tag = fn(&Tagged, &RecordKey, &[u8], Option<&Stored>) -> u64;

/// A store whose tags come from a function.
#[derive(Debug)]
struct Tagged {
    shelf: Place,
    tag: Tag,
    own: AtomicU64,
    answer_another: bool,
    forget: bool,
}

fn tagged(place: &Place, tag: Tag) -> Tagged {
    Tagged {
        shelf: place.clone(),
        tag,
        own: AtomicU64::new(0),
        answer_another: false,
        forget: false,
    }
}

fn random() -> u64 {
    let bytes = *Version::random().expect("randomness").as_bytes();
    u64::from_be_bytes(bytes[..8].try_into().expect("8 bytes"))
}

fn of_payload(_: &Tagged, _: &RecordKey, payload: &[u8], _: Option<&Stored>) -> u64 {
    let sum = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte) + 1);
    payload.iter().fold(7, sum)
}

/// Payload and the version before: repeats when a record is made again.
fn of_history(store: &Tagged, key: &RecordKey, payload: &[u8], before: Option<&Stored>) -> u64 {
    let before = before.map_or(0, |stored| u64::from(stored.version.as_bytes()[7]) + 1);
    of_payload(store, key, payload, None).wrapping_mul(1_000_003) ^ before
}

fn counted_from_creation(_: &Tagged, _: &RecordKey, _: &[u8], before: Option<&Stored>) -> u64 {
    before.map_or(1, |stored| {
        let bytes = stored.version.as_bytes()[..8].try_into();
        u64::from_be_bytes(bytes.expect("8 bytes")) + 1
    })
}

fn clock_in_millis(_: &Tagged, _: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a clock").as_millis() as u64
}

fn counted_by_this_handle(store: &Tagged, _: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    store.own.fetch_add(1, Ordering::SeqCst)
}

fn two_random_bytes(_: &Tagged, _: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    random() & 0xffff
}

fn wraps_at_256(store: &Tagged, key: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    counted_by_key(store, key, b"", None) % 256
}

fn counted_by_key(store: &Tagged, key: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    let mut numbers = store.shelf.numbers.lock().expect("no panic");
    let number = numbers.entry(*key).or_default();
    *number += 1;
    *number
}

fn kept(_: &Tagged, _: &RecordKey, _: &[u8], before: Option<&Stored>) -> u64 {
    before.map_or_else(random, |stored| {
        let bytes = stored.version.as_bytes()[..8].try_into();
        u64::from_be_bytes(bytes.expect("8 bytes"))
    })
}

fn fresh(_: &Tagged, _: &RecordKey, _: &[u8], _: Option<&Stored>) -> u64 {
    random()
}

impl Tagged {
    fn put(
        &self,
        key: &RecordKey,
        payload: &[u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Result<Version, StoreError> {
        let mut records = self.shelf.records.lock().expect("no panic");
        let before = records.get(key);
        match (before, expect) {
            (None, Expect::Absent) => {}
            (Some(stored), Expect::Version(version)) if stored.version == version => {}
            _ => return Err(StoreError::Conflict),
        }
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(self.tag)(self, key, payload, before).to_be_bytes());
        let version = Version::new(bytes);
        let payload = payload.to_vec().into();
        let stored = Stored {
            payload,
            version,
            due,
        };
        records.insert(*key, stored);
        match self.answer_another {
            true => Version::random(),
            false => Ok(version),
        }
    }

    fn take(&self, key: &RecordKey, expect: Version) -> Result<(), StoreError> {
        let mut records = self.shelf.records.lock().expect("no panic");
        if records.get(key).map(|stored| stored.version) != Some(expect) {
            return Err(StoreError::Conflict);
        }
        records.remove(key);
        let mut numbers = self.shelf.numbers.lock().expect("no panic");
        if self.forget && numbers.len() > 100 {
            numbers.clear();
        }
        Ok(())
    }
}

impl TokenStore for Tagged {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let stored = self
            .shelf
            .records
            .lock()
            .expect("no panic")
            .get(key)
            .cloned();
        Box::pin(async move { Ok(stored) })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move { self.put(key, payload, due, expect) })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.take(key, expect) })
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.shelf.unused.due(after, before, limit)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.shelf.unused.scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.shelf.unused.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        None
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.shelf.unused.health()
    }
}

async fn right(place: &Place) -> Tagged {
    tagged(place, fresh)
}

rejected! { right;
    versions_made_from_the_payload: (async |place: &Place| tagged(place, of_payload))
        by versions::every_write_has_a_new_version saying "came again";
    versions_made_from_what_was_before: (async |place: &Place| tagged(place, of_history))
        by versions::version_is_not_reused_after_delete saying "came again";
    versions_counted_from_each_creation: (async |place: &Place| tagged(place, counted_from_creation))
        by versions::version_is_not_reused_after_delete saying "came again";
    versions_of_a_clock_in_milliseconds: (async |place: &Place| tagged(place, clock_in_millis))
        by versions::a_thousand_writes_have_a_thousand_versions saying "an earlier one had";
    versions_of_two_random_bytes: (async |place: &Place| tagged(place, two_random_bytes))
        by versions::a_thousand_writes_have_a_thousand_versions saying "an earlier one had";
    versions_that_wrap_at_256: (async |place: &Place| tagged(place, wraps_at_256))
        by versions::a_thousand_writes_have_a_thousand_versions saying "an earlier one had";
    versions_counted_by_each_handle: (async |place: &Place| tagged(place, counted_by_this_handle))
        by sharing::versions_do_not_repeat_across_handles saying "the other handle gave";
    versions_counted_anew_when_reopened: (async |place: &Place| tagged(place, counted_by_this_handle))
        by reopened::reopened_store_does_not_reuse_versions saying "came again";
    versions_that_are_forgotten_after_many_deletions: (async |place: &Place| Tagged {
            forget: true, ..tagged(place, counted_by_key)
        })
        by versions::version_is_not_reused_after_many_other_deletions saying "came again";
    versions_that_a_replacement_keeps: (async |place: &Place| tagged(place, kept))
        by versions::every_write_has_a_new_version saying "came again";
    version_that_is_not_the_stored_one: (async |place: &Place| Tagged {
            answer_another: true, ..tagged(place, fresh)
        })
        by payloads::saved_record_loads_as_saved;
}
