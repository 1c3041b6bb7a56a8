//! Faults of `save`, `delete` and `load`, each of one call.

use rc_store::{
    DueAt, Expect, MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version,
    conformance::checks::{due, payloads, races, runtime, versions},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    UpsertsOnAbsent,
    ConflictAnsweredOk,
    ReplacementNotWritten,
    WritesOnConflict,
    CreatesForVersion,
    DueKept,
    DueClearedNever,
    DeleteOkWhenAbsent,
    DeleteIgnoresVersion,
    DeleteDoesNothing,
    OldDueLoaded,
    ConflictsForEver,
    ConflictsEachSecond,
    UnavailableInsteadOfConflict,
    AbsentIsCorrupt,
    BlocksInSave,
    BlocksInLoad,
    OwnRuntime,
    SecondsForEachSave,
}

use Fault::*;

struct Store {
    place: Place,
    fault: Fault,
    calls: std::sync::atomic::AtomicUsize,
}

fn faulty(place: &Place, fault: Fault) -> Through<Store> {
    Through(Store {
        place: place.clone(),
        fault,
        calls: Default::default(),
    })
}

impl Store {
    /// What the record is now, as an expectation.
    async fn now(&self, key: &RecordKey) -> Result<Expect, StoreError> {
        let stored = self.place.load(key).await?;
        Ok(stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version)))
    }

    fn second_call(&self) -> bool {
        self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 == 1
    }

    /// What the faulty store takes `expect` for.
    async fn expected(&self, key: &RecordKey, expect: Expect) -> Result<Expect, StoreError> {
        match (self.fault, expect) {
            (UpsertsOnAbsent, Expect::Absent) => self.now(key).await,
            (CreatesForVersion, Expect::Version(_)) => match self.now(key).await? {
                Expect::Absent => Ok(Expect::Absent),
                Expect::Version(_) => Ok(expect),
            },
            _ => Ok(expect),
        }
    }

    async fn slowly(&self) {
        match self.fault {
            BlocksInSave => std::thread::sleep(std::time::Duration::from_millis(10)),
            OwnRuntime => {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.expect("a runtime").block_on(async {});
            }
            SecondsForEachSave => tokio::time::sleep(std::time::Duration::from_secs(2)).await,
            _ => {}
        }
    }

    async fn write(
        &self,
        key: &RecordKey,
        payload: &[u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Result<Version, StoreError> {
        self.slowly().await;
        let before = self.place.load(key).await?;
        let due = match (self.fault, before.and_then(|stored| stored.due)) {
            (DueKept, Some(before)) => Some(before),
            (DueClearedNever, before) => due.or(before),
            _ => due,
        };
        let replaces = matches!(expect, Expect::Version(_));
        if self.fault == ReplacementNotWritten && replaces && self.now(key).await? == expect {
            return Version::random();
        }
        if self.fault == ConflictsForEver && replaces
            || self.fault == ConflictsEachSecond && self.second_call()
        {
            return Err(StoreError::Conflict);
        }
        let expect = self.expected(key, expect).await?;
        let answer = self.place.save(key, payload, due, expect).await;
        match (self.fault, answer) {
            (ConflictAnsweredOk, Err(StoreError::Conflict)) => Version::random(),
            (WritesOnConflict, Err(StoreError::Conflict)) => {
                let now = self.now(key).await?;
                self.place.save(key, payload, due, now).await?;
                Err(StoreError::Conflict)
            }
            (UnavailableInsteadOfConflict, Err(StoreError::Conflict)) => {
                Err(StoreError::unavailable("a unique constraint was violated"))
            }
            (_, answer) => answer,
        }
    }
}

impl Broken for Store {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if self.fault == BlocksInLoad {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let Some(first) = self.place.load(key).await? else {
                return match self.fault {
                    AbsentIsCorrupt => Err(StoreError::corrupt("no row")),
                    _ => Ok(None),
                };
            };
            if self.fault == OldDueLoaded {
                step().await;
                let second = self.place.load(key).await?;
                let due = first.due;
                return Ok(second.map(|stored| Stored { due, ..stored }));
            }
            Ok(Some(first))
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(self.write(key, payload, due, expect))
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let now = self.now(key).await?;
            match (self.fault, now) {
                (DeleteDoesNothing, Expect::Version(version)) if version == expect => Ok(()),
                (DeleteOkWhenAbsent, Expect::Absent) => Ok(()),
                (DeleteIgnoresVersion, Expect::Version(version)) => {
                    self.place.delete(key, version).await
                }
                _ => self.place.delete(key, expect).await,
            }
        })
    }
}

macro_rules! saves {
    ($($test:ident: $fault:ident by $module:ident::$check:ident $(saying $words:literal)?;)*) => {
        rejected! { right; $(
            $test: (async |place: &Place| faulty(place, $fault))
                by $module::$check $(saying $words)?;
        )* }
    };
}

saves! {
    creation_that_overwrites: UpsertsOnAbsent
        by versions::creating_over_a_record_conflicts saying "expected Conflict";
    conflict_answered_with_success: ConflictAnsweredOk
        by versions::replacing_an_older_version_conflicts saying "expected Conflict";
    replacement_answered_and_not_written: ReplacementNotWritten
        by payloads::replaced_record_loads_as_replaced;
    conflict_that_writes: WritesOnConflict by versions::conflict_changes_nothing;
    replacement_that_creates: CreatesForVersion
        by versions::replacing_an_absent_record_conflicts saying "expected Conflict";
    due_that_a_replacement_keeps: DueKept by due::replacing_moves_due;
    due_that_nothing_clears: DueClearedNever by due::replacing_moves_due;
    deletion_of_nothing_answered_with_success: DeleteOkWhenAbsent
        by versions::deleting_an_absent_record_conflicts saying "expected Conflict";
    deletion_of_any_version: DeleteIgnoresVersion
        by versions::deleting_another_version_conflicts saying "expected Conflict";
    deletion_that_deletes_nothing: DeleteDoesNothing
        by versions::deleted_record_is_absent saying "expected None";
    load_of_an_old_due_with_a_new_payload: OldDueLoaded
        by races::load_during_writes_is_of_one_write saying "due time of write";
    conflicts_for_ever: ConflictsForEver
        by payloads::replaced_record_loads_as_replaced saying "got Conflict";
    conflicts_each_second_time: ConflictsEachSecond
        by races::writes_of_different_keys_do_not_conflict;
    conflict_answered_as_unavailable: UnavailableInsteadOfConflict
        by versions::creating_over_a_record_conflicts saying "got Unavailable";
    absent_record_answered_as_corrupt: AbsentIsCorrupt
        by payloads::absent_key_loads_none saying "got Corrupt";
    save_that_blocks_its_thread: BlocksInSave
        by runtime::calls_do_not_block_their_thread saying "save: each of";
    load_that_blocks_its_thread: BlocksInLoad
        by runtime::calls_do_not_block_their_thread saying "load: each of";
    runtime_of_its_own: OwnRuntime
        by payloads::saved_record_loads_as_saved saying "runtime";
    seconds_for_each_save: SecondsForEachSave
        by payloads::a_thousand_records_are_kept saying "not answered: save of ";
}
