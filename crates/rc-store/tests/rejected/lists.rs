//! Faults of `due` and `scan`.

use std::collections::BTreeSet;

use rc_store::{
    Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, MemoryStore, RecordKey, StoreError, Stored,
    TokenStore, Version,
    conformance::checks::{due, scan, together},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

/// How the index of due times is wrong.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Fault {
    CursorOfTheKey,
    Page60,
    GapWhileReplaced,
    IndexAfterRecord,
    IndexRemovedFirst,
    PanicsPastTheEnd,
    SameDueVanishes,
    ConflictMoves,
    ConflictingDeleteDrops,
    TooLargeDrops,
}

use Fault::*;

/// A store whose index is a place of its own, with records that say nothing but when they are due.
pub(crate) struct Indexed {
    records: Place,
    index: MemoryStore,
    fault: Fault,
}

impl Indexed {
    pub(crate) fn on(place: &Place, fault: Fault) -> Through<Self> {
        Through(Self {
            records: place.clone(),
            index: MemoryStore::new(),
            fault,
        })
    }

    async fn unlist(&self, key: &RecordKey) -> Result<(), StoreError> {
        match self.index.load(key).await? {
            Some(entry) => self.index.delete(key, entry.version).await,
            None => Ok(()),
        }
    }

    async fn list(&self, key: &RecordKey, due: Option<DueAt>) -> Result<(), StoreError> {
        self.unlist(key).await?;
        if let Some(due) = due {
            let saved = self.index.save(key, b"", Some(due), Expect::Absent);
            saved.await?;
        }
        Ok(())
    }

    async fn replaced(&self, key: &RecordKey, due: Option<DueAt>) -> Result<(), StoreError> {
        let before = self.index.load(key).await?.and_then(|entry| entry.due);
        match self.fault {
            GapWhileReplaced => {
                self.unlist(key).await?;
                step().await;
            }
            IndexAfterRecord => step().await,
            SameDueVanishes if due.is_some() && before == due => return self.unlist(key).await,
            _ => {}
        }
        self.list(key, due).await
    }
}

impl Broken for Indexed {
    fn inner(&self) -> &MemoryStore {
        &self.records
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let answer = self.records.save(key, payload, due, expect).await;
            match &answer {
                Ok(_) => self.replaced(key, due).await?,
                Err(StoreError::Conflict) if self.fault == ConflictMoves => {
                    self.list(key, due).await?;
                }
                Err(_) if self.fault == TooLargeDrops && payload.len() > MAX_PAYLOAD => {
                    self.unlist(key).await?;
                }
                Err(_) => {}
            }
            answer
        })
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            if self.fault == ConflictingDeleteDrops {
                self.unlist(key).await?;
            }
            if self.fault == IndexRemovedFirst {
                self.unlist(key).await?;
                step().await;
            }
            self.records.delete(key, expect).await?;
            self.unlist(key).await
        })
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            match self.fault {
                CursorOfTheKey => {
                    let mut found = self.index.due(None, before, usize::MAX).await?;
                    found.retain(|due| after.is_none_or(|after| due.key > after.key));
                    found.truncate(limit);
                    Ok(found)
                }
                Page60 => self.index.due(after, before, limit.min(60)).await,
                PanicsPastTheEnd => {
                    assert!(after.is_none_or(|after| after.due <= before), "range start");
                    self.index.due(after, before, limit).await
                }
                _ => self.index.due(after, before, limit).await,
            }
        })
    }
}

/// Reads payloads and versions of a page one after the other.
pub(crate) struct TornScan(pub(crate) Place);

impl Broken for TornScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let mut listed = self.0.scan(after, limit).await?;
            step().await;
            for Listed { key, stored } in &mut listed {
                let now = self.0.load(key).await?;
                if let (Ok(stored), Some(Stored { version, .. })) = (stored, now) {
                    stored.version = version;
                }
            }
            Ok(listed)
        })
    }
}

/// Answers 60 records at most.
struct ShortScan(Place);

impl Broken for ShortScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        self.0.scan(after, limit.min(60))
    }
}

/// Leaves out what was written while it read.
struct UnchangedScan(Place);

impl Broken for UnchangedScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let listed = self.0.scan(after, limit).await?;
            step().await;
            let mut unchanged = Vec::new();
            for record in listed {
                let now = self.0.load(&record.key).await?;
                let same = |stored: &Stored| now.is_some_and(|now| now.version == stored.version);
                if record.stored.as_ref().is_ok_and(same) {
                    unchanged.push(record);
                }
            }
            Ok(unchanged)
        })
    }
}

/// Takes two keys for one that differ only in what follows after a zero byte at the end.
struct TrimmedScan(Place);

impl Broken for TrimmedScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let mut seen = BTreeSet::new();
            let mut listed = self.0.scan(None, usize::MAX).await?;
            listed.retain(|record| seen.insert(trimmed(&record.key)));
            listed.retain(|record| after.is_none_or(|after| record.key > after));
            listed.truncate(limit);
            Ok(listed)
        })
    }
}

/// Without a last zero byte, or without the last byte after one.
fn trimmed(key: &RecordKey) -> Vec<u8> {
    let bytes = key.as_bytes();
    match bytes {
        [rest @ .., 0, _] => rest.to_vec(),
        [rest @ .., 0] => rest.to_vec(),
        _ => bytes.to_vec(),
    }
}

rejected! { right;
    due_with_a_cursor_that_compares_the_key_only: (async |place: &Place| Indexed::on(place, CursorOfTheKey))
        by due::due_pages_without_gaps_and_repeats;
    due_capped_at_60: (async |place: &Place| Indexed::on(place, Page60))
        by due::due_answers_a_hundred_at_once;
    due_with_a_gap_while_a_record_is_replaced: (async |place: &Place| Indexed::on(place, GapWhileReplaced))
        by due::due_lists_every_lasting_record_during_writes saying "while the records are replaced";
    due_index_written_after_the_record: (async |place: &Place| Indexed::on(place, IndexAfterRecord))
        by together::due_changes_together_with_its_record saying "between two loads";
    due_index_removed_before_the_record: (async |place: &Place| Indexed::on(place, IndexRemovedFirst))
        by together::due_changes_together_with_its_record saying "between two loads";
    due_that_panics_past_its_end: (async |place: &Place| Indexed::on(place, PanicsPastTheEnd))
        by due::due_after_a_cursor_past_its_limit_in_time_is_empty;
    due_that_loses_a_replacement_with_the_same_time:
        (async |place: &Place| Indexed::on(place, SameDueVanishes))
        by due::replacing_with_the_same_due_keeps_it_listed saying "a save with the same due time";
    due_moved_by_a_conflicting_save: (async |place: &Place| Indexed::on(place, ConflictMoves))
        by due::conflict_does_not_move_due saying "a conflicting save";
    due_dropped_by_a_conflicting_delete: (async |place: &Place| Indexed::on(place, ConflictingDeleteDrops))
        by due::conflict_does_not_move_due saying "a conflicting delete";
    due_dropped_by_a_save_that_is_too_large: (async |place: &Place| Indexed::on(place, TooLargeDrops))
        by due::too_large_save_does_not_move_due saying "a save that is too large";
    scan_capped_at_60: (async |place: &Place| Through(ShortScan(place.clone())))
        by scan::scan_answers_a_hundred_at_once saying "got 60";
    scan_without_what_changed_meanwhile: (async |place: &Place| Through(UnchangedScan(place.clone())))
        by scan::scan_lists_every_lasting_record_during_writes;
    scan_that_hides_a_key_with_a_trailing_zero: (async |place: &Place| Through(TrimmedScan(place.clone())))
        by scan::scan_lists_keys_that_are_hard_to_tell_apart saying "is not listed";
}
