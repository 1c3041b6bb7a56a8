//! Faults that show while the backend fails, or where one record cannot be read.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use rc_store::{
    Change, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey,
    StoreError, Stored, TokenStore, Version, conformance::checks::hooks,
};

use crate::{
    broken::{Answer, Broken, Through},
    rejected,
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    Nothing,
    LoadNone,
    SaveConflict,
    DeleteConflict,
    DueEmpty,
    ScanEmpty,
    VersionsEmpty,
    HealthOk,
    StaysDown,
    DueStaysDown,
    ErrorPrintsPayload,
    ChangesEndForGood,
    CorruptNone,
    CorruptUnavailable,
    CorruptHidesOthers,
    CorruptFailsScan,
    CorruptLeftOut,
    CorruptCannotBeReplaced,
    CorruptReplacedByAnybody,
    CorruptCannotBeDeleted,
    CorruptHasNoVersion,
    CorruptIsNotDue,
}

use Fault::*;

/// A backend that can fail, and one of whose records can be unreadable.
#[derive(Default)]
pub(crate) struct Backend {
    store: MemoryStore,
    down: AtomicBool,
    was_down: AtomicBool,
    damaged: Mutex<Option<RecordKey>>,
}

type Place = Arc<Backend>;

async fn fail(place: &Place, down: bool) {
    place.down.store(down, Ordering::SeqCst);
    place.was_down.store(true, Ordering::SeqCst);
}

async fn damage(place: &Place, key: &RecordKey) {
    *place.damaged.lock().expect("no panic") = Some(*key);
}

struct Store(Place, Fault);

fn faulty(place: &Place, fault: Fault) -> Through<Store> {
    Through(Store(place.clone(), fault))
}

async fn right(place: &Place) -> Through<Store> {
    faulty(place, Nothing)
}

impl Store {
    fn is_down(&self, fault: Fault) -> bool {
        let stays = self.1 == StaysDown || fault == DueEmpty && self.1 == DueStaysDown;
        let was_down = self.0.was_down.load(Ordering::SeqCst);
        self.0.down.load(Ordering::SeqCst) || stays && was_down
    }

    /// What a call answers while the backend is down: `wrong` if this is the fault.
    fn down<T>(&self, fault: Fault, wrong: Result<T, StoreError>) -> Option<Result<T, StoreError>> {
        let error = Err(StoreError::unavailable("the server is down"));
        self.is_down(fault).then(|| match self.1 == fault {
            true => wrong,
            false => error,
        })
    }

    fn is_damaged(&self, key: &RecordKey) -> bool {
        *self.0.damaged.lock().expect("no panic") == Some(*key)
    }

    fn mend(&self, key: &RecordKey) {
        let mut damaged = self.0.damaged.lock().expect("no panic");
        *damaged = damaged.filter(|damaged| damaged != key);
    }

    async fn listed(
        &self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut listed = self.0.store.scan(after, limit).await?;
        if self.1 == CorruptHidesOthers {
            let end = listed
                .iter()
                .position(|record| self.is_damaged(&record.key));
            listed.truncate(end.map_or(listed.len(), |end| end + 1));
        }
        if self.1 == CorruptLeftOut {
            listed.retain(|record| !self.is_damaged(&record.key));
        }
        for Listed { key, stored } in &mut listed {
            if self.is_damaged(key) {
                *stored = Err(StoreError::corrupt("not a record"));
                if self.1 == CorruptFailsScan {
                    return Err(StoreError::unavailable("a row cannot be read"));
                }
            }
        }
        Ok(listed)
    }
}

impl Broken for Store {
    fn inner(&self) -> &MemoryStore {
        &self.0.store
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if let Some(down) = self.down(LoadNone, Ok(None)) {
                return down;
            }
            let stored = self.0.store.load(key).await?;
            match (self.is_damaged(key), self.1) {
                (true, CorruptNone) => Ok(None),
                (true, CorruptUnavailable) => Err(StoreError::unavailable("a row cannot be read")),
                (true, _) => Err(StoreError::corrupt("not a record")),
                (false, _) => Ok(stored),
            }
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let text = String::from_utf8_lossy(payload);
            let talking = Err(StoreError::unavailable(format!("INSERT VALUES ('{text}')")));
            if let Some(down) = self.down(ErrorPrintsPayload, talking) {
                return match self.1 {
                    SaveConflict => Err(StoreError::Conflict),
                    _ => down,
                };
            }
            let mut expect = expect;
            match (self.is_damaged(key), self.1) {
                (true, CorruptCannotBeReplaced) => {
                    return Err(StoreError::corrupt("not a record"));
                }
                (true, CorruptReplacedByAnybody) => {
                    let stored = self.0.store.load(key).await?.ok_or(StoreError::Conflict)?;
                    expect = Expect::Version(stored.version);
                }
                _ => {}
            }
            let version = self.0.store.save(key, payload, due, expect).await?;
            self.mend(key);
            Ok(version)
        })
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            if let Some(down) = self.down(DeleteConflict, Err(StoreError::Conflict)) {
                return down;
            }
            if self.is_damaged(key) && self.1 == CorruptCannotBeDeleted {
                return Err(StoreError::Conflict);
            }
            self.0.store.delete(key, expect).await?;
            self.mend(key);
            Ok(())
        })
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            if let Some(down) = self.down(DueEmpty, Ok(Vec::new())) {
                return down;
            }
            let mut found = self.0.store.due(after, before, limit).await?;
            if self.1 == CorruptIsNotDue {
                found.retain(|due| !self.is_damaged(&due.key));
            }
            Ok(found)
        })
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            match self.down(ScanEmpty, Ok(Vec::new())) {
                Some(down) => down,
                None => self.listed(after, limit).await,
            }
        })
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        Box::pin(async move {
            if let Some(down) = self.down(VersionsEmpty, Ok(vec![None; keys.len()])) {
                return down;
            }
            let mut versions = self.0.store.versions(keys).await?;
            for (key, version) in keys.iter().zip(&mut versions) {
                let unknown = self.1 == CorruptHasNoVersion && self.is_damaged(key);
                *version = version.filter(|_| !unknown);
            }
            Ok(versions)
        })
    }

    fn changes(&self) -> Option<ChangeStream> {
        let place = self.0.clone();
        let mut changes = self.0.store.changes()?;
        if self.1 != ChangesEndForGood {
            return Some(changes);
        }
        Some(Box::pin(FromPoll(
            move |context: &mut std::task::Context<'_>| match place.was_down.load(Ordering::SeqCst)
            {
                true => std::task::Poll::Pending,
                false => changes.as_mut().poll_next(context),
            },
        )))
    }

    fn health(&self) -> Answer<'_, ()> {
        let answer = self.down(HealthOk, Ok(())).unwrap_or(Ok(()));
        Box::pin(async move { answer })
    }
}

/// A stream of changes from a function.
pub(crate) struct FromPoll<F>(pub(crate) F);

impl<F> rc_store::Stream for FromPoll<F>
where
    F: FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<Change>> + Unpin,
{
    type Item = Change;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Change>> {
        (self.get_mut().0)(context)
    }
}

macro_rules! failing {
    ($hook:ident; $($test:ident: $fault:ident by $check:ident $(saying $words:literal)?;)*) => {
        rejected! { right, with (|site| site.$hook(&failing!(@$hook))); $(
            $test: (async |place: &Place| faulty(place, $fault))
                by hooks::$check $(saying $words)?;
        )* }
    };
    (@with_fault) => { fail };
    (@with_damage) => { damage };
}

failing! { with_fault;
    failing_load_answered_with_none: LoadNone
        by failing_backend_is_an_error_and_works_again saying "load while the backend fails";
    failing_save_answered_with_a_conflict: SaveConflict
        by failing_backend_is_an_error_and_works_again saying "got Conflict";
    failing_delete_answered_with_a_conflict: DeleteConflict
        by failing_backend_is_an_error_and_works_again saying "delete while the backend fails";
    failing_due_answered_with_nothing: DueEmpty
        by failing_backend_is_an_error_and_works_again saying "due while the backend fails";
    failing_scan_answered_with_nothing: ScanEmpty
        by failing_backend_is_an_error_and_works_again saying "scan while the backend fails";
    failing_versions_answered_with_none: VersionsEmpty
        by failing_backend_is_an_error_and_works_again saying "versions while the backend fails";
    health_of_a_failing_backend: HealthOk
        by failing_backend_is_an_error_and_works_again saying "health while the backend fails";
    failure_that_stays: StaysDown
        by failing_backend_is_an_error_and_works_again saying "works again";
    failure_of_due_that_stays: DueStaysDown
        by failing_backend_is_an_error_and_works_again saying "due after";
    error_that_prints_the_payload: ErrorPrintsPayload
        by failing_backend_hides_payloads saying "an error shows a payload";
    changes_that_do_not_connect_again: ChangesEndForGood
        by changes_goes_on_after_a_failing_backend saying "neither named nor a gap";
}

failing! { with_damage;
    damaged_record_answered_with_none: CorruptNone
        by damaged_record_is_corrupt_and_hides_no_other saying "expected Corrupt";
    damaged_record_answered_as_unavailable: CorruptUnavailable
        by damaged_record_is_corrupt_and_hides_no_other saying "expected Corrupt";
    damaged_record_that_hides_others: CorruptHidesOthers
        by damaged_record_is_corrupt_and_hides_no_other saying "scan";
    damaged_record_that_fails_the_scan: CorruptFailsScan
        by damaged_record_is_corrupt_and_hides_no_other saying "scan";
    damaged_record_that_is_left_out: CorruptLeftOut
        by damaged_record_is_listed_page_by_page saying "scan by 1";
    damaged_record_that_cannot_be_replaced: CorruptCannotBeReplaced
        by damaged_record_is_corrupt_and_hides_no_other saying "got Corrupt";
    damaged_record_that_anybody_replaces: CorruptReplacedByAnybody
        by damaged_record_is_replaced_and_deleted_by_its_version_only saying "expected Conflict";
    damaged_record_that_cannot_be_deleted: CorruptCannotBeDeleted
        by damaged_record_is_replaced_and_deleted_by_its_version_only saying "got Conflict";
    damaged_record_without_a_version: CorruptHasNoVersion
        by damaged_record_is_listed_page_by_page saying "versions of a damaged record";
    damaged_record_that_is_not_due: CorruptIsNotDue
        by damaged_record_is_listed_page_by_page saying "due by 1";
}
