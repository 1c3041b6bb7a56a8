//! Faults of `due` and `scan` that are edits of a right answer.

use std::{collections::HashMap, sync::Mutex};

use rc_store::{
    Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, StoreError, Stored, TokenStore,
    Version,
    conformance::checks::{due, paging, scan, together},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    DueInSeconds,
    DueAsDouble,
    DueCursorOfTheTime,
    DueTiesDescending,
    DueLimitZeroIsOne,
    DueBeforeIsExclusive,
    DueIgnoresLimit,
    DueLimitOf32Bits,
    DueOfDeleted,
    DueOffset,
    DueCountsDeleted,
    DueCursorLooksUp,
    ScanAfterIsInclusive,
    ScanOffset,
    ScanCountsDeleted,
    ScanWithoutPayload,
    ScanWrongDue,
    ScanIgnoresLimit,
    ScanLimitOf32Bits,
    ScanNeverEnds,
    ScanOfOlderPayload,
    VersionsBehind,
}

use Fault::*;

struct Lists {
    place: Place,
    fault: Fault,
    /// What was deleted, with its due time.
    gone: Mutex<Vec<DueCursor>>,
    /// How many records stood before the end of a page.
    offsets: Mutex<HashMap<RecordKey, usize>>,
    /// What each record was a moment ago.
    older: Mutex<HashMap<RecordKey, Stored>>,
}

fn faulty(place: &Place, fault: Fault) -> Through<Lists> {
    Through(Lists {
        place: place.clone(),
        fault,
        gone: Mutex::default(),
        offsets: Mutex::default(),
        older: Mutex::default(),
    })
}

impl Lists {
    fn kept(&self, due: DueAt) -> DueAt {
        let millis = due.unix_millis();
        DueAt::from_unix_millis(match self.fault {
            DueInSeconds => millis.div_euclid(1_000) * 1_000,
            DueAsDouble => millis as f64 as i64,
            _ => millis,
        })
    }

    fn gone(&self) -> Vec<DueCursor> {
        self.gone.lock().expect("no panic").clone()
    }

    /// A page by the number of records before it; that number moves when records go.
    fn page<T>(
        &self,
        all: Vec<T>,
        after: Option<RecordKey>,
        key: fn(&T) -> RecordKey,
        limit: usize,
    ) -> Vec<T> {
        let mut offsets = self.offsets.lock().expect("no panic");
        let start = after
            .and_then(|after| offsets.get(&after).copied())
            .unwrap_or(0);
        let page: Vec<T> = all.into_iter().skip(start).take(limit).collect();
        offsets.extend(page.last().map(|last| (key(last), start + page.len())));
        page
    }

    /// Fewer than asked where deleted records take their place.
    fn without_gone(&self, limit: usize, before: impl Fn(&DueCursor) -> bool) -> usize {
        let taken = self.gone().iter().filter(|gone| before(gone)).count();
        limit.saturating_sub(taken)
    }

    async fn listed_due(
        &self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let all = self.place.due(None, before, usize::MAX).await?;
        let mut found = self.place.due(after, before, limit).await?;
        match self.fault {
            DueCursorOfTheTime => {
                found = all;
                found.retain(|due| after.is_none_or(|after| due.due > after.due));
                found.truncate(limit);
            }
            DueTiesDescending => {
                let order = |due: &Due| (due.due, std::cmp::Reverse(due.key));
                let last = after.map(|after| (after.due, std::cmp::Reverse(after.key)));
                found = all;
                found.sort_by_key(order);
                found.retain(|due| last.is_none_or(|last| order(due) > last));
                found.truncate(limit);
            }
            DueLimitZeroIsOne => found = self.place.due(after, before, limit.max(1)).await?,
            DueBeforeIsExclusive => found.retain(|due| due.due < before),
            DueIgnoresLimit => found = self.place.due(after, before, usize::MAX).await?,
            DueLimitOf32Bits => found.truncate(limit as u32 as usize),
            DueOfDeleted => found.extend(self.gone().iter().map(|gone| Due {
                key: gone.key,
                due: gone.due,
            })),
            DueOffset => found = self.page(all, after.map(|after| after.key), |due| due.key, limit),
            DueCountsDeleted => {
                found.truncate(
                    self.without_gone(limit, |gone| after.is_none_or(|after| *gone > after)),
                );
            }
            DueCursorLooksUp => {
                let now = match after {
                    Some(after) => self
                        .place
                        .load(&after.key)
                        .await?
                        .and_then(|stored| stored.due),
                    None => None,
                };
                let after = after.map(|after| DueCursor {
                    due: now.unwrap_or(after.due),
                    ..after
                });
                found = self.place.due(after, before, limit).await?;
            }
            _ => {}
        }
        Ok(found)
    }

    async fn listed(
        &self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut found = self.place.scan(after, limit).await?;
        match self.fault {
            ScanAfterIsInclusive => {
                found = self.place.scan(None, usize::MAX).await?;
                found.retain(|record| after.is_none_or(|after| record.key >= after));
                found.truncate(limit);
            }
            ScanOffset => {
                let all = self.place.scan(None, usize::MAX).await?;
                found = self.page(all, after, |record| record.key, limit);
            }
            ScanCountsDeleted => {
                let beyond = |gone: &DueCursor| after.is_none_or(|after| gone.key > after);
                found.truncate(self.without_gone(limit, beyond));
            }
            ScanIgnoresLimit => found = self.place.scan(after, usize::MAX).await?,
            ScanLimitOf32Bits => found.truncate(limit as u32 as usize),
            ScanNeverEnds if found.is_empty() => found = self.place.scan(None, limit).await?,
            _ => {}
        }
        for Listed { key, stored } in &mut found {
            let Ok(stored) = stored else { continue };
            match self.fault {
                ScanWithoutPayload => stored.payload = Vec::new().into(),
                ScanWrongDue => stored.due = None,
                ScanOfOlderPayload => {
                    let older = self.older.lock().expect("no panic");
                    *stored = older.get(key).unwrap_or(stored).clone();
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Broken for Lists {
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
            let due = due.map(|due| self.kept(due));
            let before = self.place.load(key).await?;
            let version = self.place.save(key, payload, due, expect).await?;
            if matches!(self.fault, ScanOfOlderPayload | VersionsBehind) {
                let remember = |stored| self.older.lock().expect("no panic").insert(*key, stored);
                let _known = before.and_then(remember);
                step().await;
                let _late = self.older.lock().expect("no panic").remove(key);
            }
            Ok(version)
        })
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let stored = self.place.load(key).await?;
            self.place.delete(key, expect).await?;
            let due = stored.and_then(|stored| stored.due);
            let gone = due.map(|due| DueCursor { due, key: *key });
            self.gone.lock().expect("no panic").extend(gone);
            Ok(())
        })
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(self.listed_due(after, before, limit))
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(self.listed(after, limit))
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        Box::pin(async move {
            let mut versions = self.place.versions(keys).await?;
            if self.fault == VersionsBehind {
                let older = self.older.lock().expect("no panic");
                for (key, version) in keys.iter().zip(&mut versions) {
                    *version = older
                        .get(key)
                        .map_or(*version, |stored| Some(stored.version));
                }
            }
            Ok(versions)
        })
    }
}

macro_rules! lists {
    ($($test:ident: $fault:ident by $module:ident::$check:ident $(saying $words:literal)?;)*) => {
        rejected! { right; $(
            $test: (async |place: &Place| faulty(place, $fault))
                by $module::$check $(saying $words)?;
        )* }
    };
}

lists! {
    due_in_seconds: DueInSeconds by due::due_keeps_every_millisecond;
    due_as_a_double: DueAsDouble by due::due_keeps_every_millisecond;
    due_with_a_cursor_that_compares_the_time_only: DueCursorOfTheTime
        by due::due_pages_without_gaps_and_repeats;
    due_with_ties_in_descending_order: DueTiesDescending by due::due_is_ordered_by_time_and_then_key;
    due_that_answers_one_to_a_limit_of_0: DueLimitZeroIsOne
        by due::due_keeps_the_limit saying "at most 0";
    due_without_what_is_due_at_its_end: DueBeforeIsExclusive
        by due::due_includes_its_limit_in_time_and_nothing_later;
    due_without_a_limit: DueIgnoresLimit by due::due_keeps_the_limit saying "at most";
    due_with_a_limit_of_32_bits: DueLimitOf32Bits by paging::due_keeps_limits_beyond_32_bits;
    due_of_deleted_records: DueOfDeleted by due::deleted_record_is_not_due;
    due_by_offset: DueOffset
        by paging::due_goes_on_where_it_was_when_records_before_it_go saying "before the cursor went";
    due_whose_pages_count_deleted_records: DueCountsDeleted
        by paging::due_pages_past_deleted_records saying "due by 1";
    due_with_a_cursor_that_looks_its_record_up: DueCursorLooksUp
        by paging::due_goes_on_after_a_cursor_whose_record_moved saying "later now";
    scan_that_repeats_the_last_record: ScanAfterIsInclusive
        by scan::scan_pages_without_gaps_and_repeats saying "scan";
    scan_by_offset: ScanOffset
        by paging::scan_goes_on_where_it_was_when_records_before_it_go saying "before the cursor went";
    scan_whose_pages_count_deleted_records: ScanCountsDeleted
        by paging::scan_pages_past_deleted_records saying "scan by 1";
    scan_without_payloads: ScanWithoutPayload by scan::scan_lists_records_whole_and_in_key_order;
    scan_with_wrong_due_times: ScanWrongDue by scan::scan_lists_records_whole_and_in_key_order;
    scan_without_a_limit: ScanIgnoresLimit by scan::scan_keeps_the_limit saying "at most";
    scan_with_a_limit_of_32_bits: ScanLimitOf32Bits by paging::scan_keeps_limits_beyond_32_bits;
    scan_that_begins_again: ScanNeverEnds
        by scan::scan_pages_without_gaps_and_repeats saying "scan";
    scan_behind_its_records: ScanOfOlderPayload
        by together::scan_changes_together_with_its_record saying "between two loads";
    versions_behind_their_records: VersionsBehind
        by together::versions_changes_together_with_its_record saying "between two loads";
}
