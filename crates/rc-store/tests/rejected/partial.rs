//! Faults of calls that answer well for most records, and of `health`.

use std::{
    collections::HashSet,
    fmt, future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt;
use rc_store::{
    Change, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, MemoryStore,
    RecordKey, StoreError, Stored, TokenStore, Version,
    conformance::checks::{
        changes, due, health, interrupted, kinds, many, reopened, secrecy, sharing, version_queries,
    },
};
use tokio::sync::Semaphore;

use crate::{
    broken::{Answer, Broken, Place, Through, right},
    rejected,
};

/// What a store does with the answers of the right one.
struct Lists {
    place: Place,
    scan: fn(&mut Vec<Listed>),
    due: fn(Option<DueCursor>, DueAt, &mut Vec<Due>),
    /// So many keys are answered.
    keys: usize,
    hides_empty: bool,
}

fn lists(place: &Place) -> Lists {
    Lists {
        place: place.clone(),
        scan: |_| {},
        due: |_, _, _| {},
        keys: usize::MAX,
        hides_empty: false,
    }
}

impl Broken for Lists {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            let mut found = self.place.due(after, before, limit).await?;
            (self.due)(after, before, &mut found);
            Ok(found)
        })
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let mut found = self.place.scan(after, limit).await?;
            (self.scan)(&mut found);
            Ok(found)
        })
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        Box::pin(async move {
            if keys.len() > self.keys {
                return Err(StoreError::unavailable("too many parameters"));
            }
            let mut found = self.place.versions(keys).await?;
            for (key, version) in keys.iter().zip(&mut found) {
                let stored = self.place.load(key).await?;
                let is_empty = stored.is_some_and(|stored| stored.payload.is_empty());
                version.take_if(|_| self.hides_empty && is_empty);
            }
            Ok(found)
        })
    }
}

/// What is stored in the records of a page.
fn each(found: &mut [Listed], edit: impl Fn(&mut Stored)) {
    found
        .iter_mut()
        .filter_map(|listed| listed.stored.as_mut().ok())
        .for_each(edit);
}

fn size(found: &[Listed]) -> usize {
    let stored = found
        .iter()
        .filter_map(|listed| listed.stored.as_ref().ok());
    stored.map(|stored| stored.payload.len()).sum()
}

fn ends_at_4_mib(found: &mut Vec<Listed>) {
    if size(found) > 4 << 20 {
        found.clear();
    }
}

fn ends_at_a_key_of_ones(after: Option<DueCursor>, _: DueAt, found: &mut Vec<Due>) {
    if let Some(after) = after.filter(|after| after.key.as_bytes()[0] == 0xff) {
        found.retain(|due| due.due > after.due);
    }
}

fn nothing_at_zero(_: Option<DueCursor>, before: DueAt, found: &mut Vec<Due>) {
    if before.unix_millis() == 0 {
        found.clear();
    }
}

/// What a store does when it is asked whether it is well.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Probe {
    LeavesARecord,
    ChangesAVersion,
    DeletesRecords,
    IsTold,
    UsesAConnectionUp,
    KeepsAConnectionWhenDropped,
    KnowsOneHandle,
}

struct Asked {
    place: Place,
    probe: Probe,
    connections: Semaphore,
    is_second: bool,
}

fn asked(place: &Place, probe: Probe) -> Through<Asked> {
    Through(Asked {
        is_second: Arc::strong_count(place) > 1,
        place: place.clone(),
        probe,
        connections: Semaphore::new(8),
    })
}

impl Asked {
    async fn probe(&self) -> Result<(), StoreError> {
        let (place, probe) = (&self.place, RecordKey::derive(&[b"probe"]));
        let first = place.scan(None, 1).await?.pop();
        match (self.probe, first) {
            (Probe::LeavesARecord, _) => {
                let _there_already = place.save(&probe, b"", None, Expect::Absent).await;
            }
            (Probe::IsTold, _) => {
                let version = place.save(&probe, b"", None, Expect::Absent).await?;
                place.delete(&probe, version).await?;
            }
            (Probe::ChangesAVersion, Some(Listed { key, stored })) => {
                let Stored {
                    payload,
                    version,
                    due,
                } = stored?;
                place
                    .save(&key, &payload, due, Expect::Version(version))
                    .await?;
            }
            (Probe::DeletesRecords, Some(Listed { key, stored })) => {
                place.delete(&key, stored?.version).await?;
            }
            (Probe::UsesAConnectionUp, _) => {
                self.connections
                    .acquire()
                    .await
                    .map_err(StoreError::unavailable)?
                    .forget();
            }
            (Probe::KeepsAConnectionWhenDropped, _) => {
                self.connections
                    .acquire()
                    .await
                    .map_err(StoreError::unavailable)?
                    .forget();
                tokio::task::yield_now().await;
                self.connections.add_permits(1);
            }
            (Probe::KnowsOneHandle, _) if self.is_second => {
                return Err(StoreError::unavailable("another handle is open"));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Broken for Asked {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(self.probe())
    }
}

/// Refuses a load while so many others are on their way.
struct Crowded(Place, AtomicUsize);

impl Broken for Crowded {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            let others = self.1.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            self.1.fetch_sub(1, Ordering::SeqCst);
            match others < 100 {
                true => self.0.load(key).await,
                false => Err(StoreError::unavailable("no connection is free")),
            }
        })
    }
}

/// Opens a place without the records that `keep` says no to.
async fn opened(place: &Place, keep: fn(usize, &Stored) -> bool) -> Place {
    let listed = place.scan(None, usize::MAX).await.expect("scan works");
    for (number, Listed { key, stored }) in listed.into_iter().enumerate() {
        let stored = stored.expect("a record");
        if !keep(number, &stored) {
            place
                .delete(&key, stored.version)
                .await
                .expect("delete works");
        }
    }
    place.clone()
}

struct Told(Place, fn(&Place, ChangeStream) -> ChangeStream);

impl Broken for Told {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.0.changes().map(|inner| (self.1)(&self.0, inner))
    }
}

fn told(place: &Place, edit: fn(&Place, ChangeStream) -> ChangeStream) -> Through<Told> {
    Through(Told(place.clone(), edit))
}

fn two_thousand(_: &Place, inner: ChangeStream) -> ChangeStream {
    Box::pin(inner.take(2_000).chain(futures_util::stream::pending()))
}

fn without_ones(_: &Place, inner: ChangeStream) -> ChangeStream {
    let ones = RecordKey::new([0xff; 32]);
    let is_ones = move |change: &Change| matches!(change, Change::Key { key, .. } if *key == ones);
    Box::pin(inner.filter(move |change| future::ready(!is_ones(change))))
}

fn deletions_of_known(_: &Place, inner: ChangeStream) -> ChangeStream {
    let mut known = HashSet::new();
    Box::pin(inner.filter(move |change| {
        future::ready(match change {
            Change::Key {
                key,
                version: Some(_),
            } => {
                known.insert(*key);
                true
            }
            Change::Key { key, version: None } => known.contains(key),
            Change::Gap => true,
        })
    }))
}

/// Prints a payload it has seen.
struct Printing {
    place: Place,
    seen: Mutex<Vec<u8>>,
    print: fn(&[u8]) -> String,
    when: When,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum When {
    Saved,
    Deleted,
    TooLarge,
    TenRecords,
}

fn printing(place: &Place, when: When, print: fn(&[u8]) -> String) -> Through<Printing> {
    Through(Printing {
        place: place.clone(),
        seen: Mutex::default(),
        print,
        when,
    })
}

fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

impl Broken for Printing {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let keeps = match self.when {
                When::Saved => true,
                When::Deleted => false,
                When::TooLarge => payload.len() > MAX_PAYLOAD,
                When::TenRecords => self.place.scan(None, 10).await?.len() == 10,
            };
            if keeps {
                *self.seen.lock().expect("no panic") = payload.to_vec();
            }
            self.place.save(key, payload, due, expect).await
        })
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let stored = self.place.load(key).await?;
            if let Some(stored) = stored.filter(|_| self.when == When::Deleted) {
                *self.seen.lock().expect("no panic") = stored.payload.to_vec();
            }
            self.place.delete(key, expect).await
        })
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.print)(&self.seen.lock().expect("no panic")))
    }
}

rejected! { right;
    due_without_the_rest_of_a_crowded_time: (async |place: &Place| Through(Lists {
            due: |after, _, found| if after.is_some_and(|after| after.due.unix_millis() == 2) { found.truncate(0) },
            ..lists(place)
        }))
        by many::thousands_of_records_are_listed saying "due lists";
    due_before_zero_that_is_empty: (async |place: &Place| Through(Lists { due: nothing_at_zero, ..lists(place) }))
        by due::due_before_zero_is_no_special_limit saying "due before 0";
    due_that_ends_at_a_key_of_ones: (async |place: &Place| Through(Lists { due: ends_at_a_key_of_ones, ..lists(place) }))
        by due::due_goes_on_after_the_lowest_and_the_highest_key;
    scan_that_ends_at_4_mib: (async |place: &Place| Through(Lists { scan: ends_at_4_mib, ..lists(place) }))
        by kinds::scan_lists_a_page_of_the_largest_payloads;
    scan_without_empty_payloads: (async |place: &Place| Through(Lists {
            scan: |found| found.retain(|listed| size(std::slice::from_ref(listed)) > 0), ..lists(place)
        }))
        by kinds::every_kind_of_record_is_seen_by_every_call saying "scan";
    scan_that_cuts_payloads_at_1000_bytes: (async |place: &Place| Through(Lists {
            scan: |found| each(found, |stored| stored.payload.truncate(1_000)), ..lists(place)
        }))
        by kinds::every_kind_of_record_is_seen_by_every_call saying "other bytes";
    scan_without_times_before_the_epoch: (async |place: &Place| Through(Lists {
            scan: |found| each(found, |stored| stored.due = stored.due.filter(|due| due.unix_millis() >= 0)),
            ..lists(place)
        }))
        by kinds::every_kind_of_record_is_seen_by_every_call saying "scan";
    versions_without_empty_payloads: (async |place: &Place| Through(Lists { hides_empty: true, ..lists(place) }))
        by kinds::every_kind_of_record_is_seen_by_every_call saying "versions";
    versions_of_32767_keys_at_most: (async |place: &Place| Through(Lists { keys: 32_767, ..lists(place) }))
        by version_queries::versions_answers_more_keys_than_a_statement_names saying "too many parameters";
    loads_refused_beside_100_others: (async |place: &Place| Through(Crowded(place.clone(), AtomicUsize::new(0))))
        by many::many_calls_at_once_are_answered saying "no connection is free";
    health_that_leaves_a_record: (async |place: &Place| asked(place, Probe::LeavesARecord))
        by health::health_changes_no_record;
    health_that_changes_a_version: (async |place: &Place| asked(place, Probe::ChangesAVersion))
        by health::health_changes_no_record saying "a record changed";
    health_that_deletes_records: (async |place: &Place| asked(place, Probe::DeletesRecords))
        by health::health_changes_no_record saying "a record changed";
    health_that_is_told_as_a_change: (async |place: &Place| asked(place, Probe::IsTold))
        by health::health_is_no_change saying "health is told";
    health_that_uses_a_connection_up: (async |place: &Place| asked(place, Probe::UsesAConnectionUp))
        by health::health_is_asked_again_and_again saying "not answered: health";
    health_that_keeps_a_connection_when_dropped: (async |place: &Place| asked(place, Probe::KeepsAConnectionWhenDropped))
        by interrupted::dropped_calls_do_not_use_the_store_up saying "health";
    health_of_one_handle_only: (async |place: &Place| asked(place, Probe::KnowsOneHandle))
        by sharing::every_handle_is_healthy saying "another handle is open";
    reopened_without_empty_payloads:
        (async |place: &Place| opened(place, |_, stored| !stored.payload.is_empty()).await)
        by reopened::reopened_store_keeps_every_kind_of_record;
    reopened_without_large_payloads:
        (async |place: &Place| opened(place, |_, stored| stored.payload.len() < 60_000).await)
        by reopened::reopened_store_keeps_every_kind_of_record;
    reopened_with_600_records: (async |place: &Place| opened(place, |number, _| number < 600).await)
        by reopened::reopened_store_keeps_thousands_of_records saying "scan lists 600";
    changes_that_stop_after_2000: (async |place: &Place| told(place, two_thousand))
        by changes::changes_goes_on_for_thousands_of_writes saying "neither named nor a gap";
    changes_without_a_key_of_ones: (async |place: &Place| told(place, without_ones))
        by changes::changes_tells_writes_of_every_record saying "ffff";
    changes_of_deletions_of_what_was_told_only: (async |place: &Place| told(place, deletions_of_known))
        by changes::changes_tells_writes_of_every_record saying "a deletion of what was there before";
    debug_with_the_payload_backwards:
        (async |place: &Place| printing(place, When::Saved, |payload| text(payload).chars().rev().collect()))
        by secrecy::debug_hides_payloads;
    debug_with_the_payload_in_octal: (async |place: &Place| printing(place, When::Saved, |payload| {
            payload.iter().map(|byte| format!("\\{byte:03o}")).collect()
        }))
        by secrecy::debug_hides_payloads;
    debug_with_the_payload_in_binary: (async |place: &Place| printing(place, When::Saved, |payload| {
            payload.iter().map(|byte| format!("{byte:08b}")).collect()
        }))
        by secrecy::debug_hides_payloads;
    debug_with_what_was_deleted: (async |place: &Place| printing(place, When::Deleted, text))
        by secrecy::debug_hides_payloads_of_every_call saying "after a deletion";
    debug_with_what_was_too_large: (async |place: &Place| printing(place, When::TooLarge, text))
        by secrecy::debug_hides_payloads_of_every_call saying "too large";
    debug_with_payloads_beside_ten_records: (async |place: &Place| printing(place, When::TenRecords, text))
        by secrecy::debug_hides_payloads_of_every_call saying "a dozen saves";
}
