//! Faults of several handles, of reopening and of an abrupt end.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use rc_store::{
    Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, Stored, TokenStore, Version,
    conformance::checks::{crash, reopened, sharing},
};

use crate::{
    broken::{Answer, Broken, Through},
    rejected,
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    Nothing,
    NegativeCache,
    VersionsBehind,
    DueOfThisHandle,
    ScanOfThisHandle,
    LocksEachOther,
    Forgets,
    ForgetsDue,
    ForgetsAbove200,
    FlushesLater,
    FlushesPayloadFirst,
}

use Fault::*;

/// What is kept, and what only looks so until the handles end.
#[derive(Default)]
pub(crate) struct Ground {
    live: Mutex<Arc<MemoryStore>>,
    flushed: MemoryStore,
    locks: [tokio::sync::Mutex<()>; 2],
    opened: Mutex<usize>,
}

type Place = Arc<Ground>;

struct Handle {
    place: Place,
    live: Arc<MemoryStore>,
    fault: Fault,
    number: usize,
    own: Mutex<HashSet<RecordKey>>,
    absent: Mutex<HashSet<RecordKey>>,
}

async fn opened(place: &Place, fault: Fault) -> Through<Handle> {
    let number = {
        let mut opened = place.opened.lock().expect("no panic");
        *opened += 1;
        *opened - 1
    };
    if number > 0 {
        reopen(place, fault).await;
    }
    let live = place.live.lock().expect("no panic").clone();
    Through(Handle {
        place: place.clone(),
        live,
        fault,
        number,
        own: Mutex::default(),
        absent: Mutex::default(),
    })
}

/// What a handle finds that is not the first one.
async fn reopen(place: &Place, fault: Fault) {
    let live = place.live.lock().expect("no panic").clone();
    match fault {
        Forgets => *place.live.lock().expect("no panic") = Arc::default(),
        ForgetsDue | ForgetsAbove200 => {
            let all = live.scan(None, usize::MAX).await.expect("a scan");
            for (number, Listed { key, stored }) in all.into_iter().enumerate() {
                let stored = stored.expect("a record");
                if fault == ForgetsDue {
                    let expect = Expect::Version(stored.version);
                    let saved = live.save(&key, &stored.payload, None, expect).await;
                    saved.expect("a save");
                } else if number >= 200 {
                    live.delete(&key, stored.version).await.expect("a delete");
                }
            }
        }
        _ => {}
    }
}

/// What was not flushed is gone.
async fn end(place: &Place) {
    let kept = MemoryStore::new();
    let flushed = place.flushed.scan(None, usize::MAX).await.expect("a scan");
    if flushed.is_empty() {
        return;
    }
    for Listed { key, stored } in flushed {
        let stored = stored.expect("a record");
        let saved = kept.save(&key, &stored.payload, stored.due, Expect::Absent);
        saved.await.expect("a save");
    }
    *place.live.lock().expect("no panic") = Arc::new(kept);
}

impl Handle {
    async fn flush(&self, key: &RecordKey, payload: &[u8], due: Option<DueAt>) {
        let before = self.place.flushed.load(key).await.expect("a load");
        let expect = before.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
        let saved = self.place.flushed.save(key, payload, due, expect).await;
        saved.expect("a save");
    }

    fn is_own(&self, key: &RecordKey) -> bool {
        self.own.lock().expect("no panic").contains(key)
    }
}

impl Broken for Handle {
    fn inner(&self) -> &MemoryStore {
        &self.live
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if self.fault == NegativeCache && self.absent.lock().expect("no panic").contains(key) {
                return Ok(None);
            }
            let stored = self.live.load(key).await?;
            if stored.is_none() {
                self.absent.lock().expect("no panic").insert(*key);
            }
            Ok(stored)
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
            let locks = &self.place.locks;
            let held = match self.fault == LocksEachOther {
                true => {
                    let mine = locks[self.number % 2].lock().await;
                    tokio::task::yield_now().await;
                    Some((mine, locks[(self.number + 1) % 2].lock().await))
                }
                false => None,
            };
            let due_before = self.live.load(key).await?.and_then(|stored| stored.due);
            let version = self.live.save(key, payload, due, expect).await?;
            drop(held);
            self.own.lock().expect("no panic").insert(*key);
            self.absent.lock().expect("no panic").remove(key);
            match self.fault {
                // Every fourth write reaches the disk.
                FlushesLater if payload.first().is_some_and(|byte| byte % 4 == 0) => {
                    self.flush(key, payload, due).await;
                }
                FlushesPayloadFirst => self.flush(key, payload, due_before).await,
                _ => {}
            }
            Ok(version)
        })
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            let mut found = self.live.due(after, before, limit).await?;
            if self.fault == DueOfThisHandle {
                found.retain(|due| self.is_own(&due.key));
            }
            Ok(found)
        })
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let mut found = self.live.scan(after, limit).await?;
            if self.fault == ScanOfThisHandle {
                found.retain(|record| self.is_own(&record.key));
            }
            Ok(found)
        })
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        Box::pin(async move {
            let mut versions = self.live.versions(keys).await?;
            if self.fault == VersionsBehind {
                for (key, version) in keys.iter().zip(&mut versions) {
                    *version = version.filter(|_| self.is_own(key));
                }
            }
            Ok(versions)
        })
    }
}

async fn right(place: &Place) -> Through<Handle> {
    opened(place, Nothing).await
}

macro_rules! paths {
    ($($test:ident: $fault:ident by $module:ident::$check:ident $(saying $words:literal)?;)*) => {
        rejected! { right, with (|site| site.with_crash(&end)); $(
            $test: (async |place: &Place| opened(place, $fault).await)
                by $module::$check $(saying $words)?;
        )* }
    };
}

paths! {
    handle_that_remembers_what_was_absent: NegativeCache
        by sharing::every_call_sees_writes_of_another_handle saying "load of ";
    versions_of_this_handle_only: VersionsBehind
        by sharing::every_call_sees_writes_of_another_handle saying "versions of ";
    due_of_this_handle_only: DueOfThisHandle
        by sharing::every_call_sees_writes_of_another_handle saying "due of ";
    scan_of_this_handle_only: ScanOfThisHandle
        by sharing::every_call_sees_writes_of_another_handle saying "scan of ";
    handles_that_lock_each_other: LocksEachOther
        by sharing::one_of_many_replacements_on_two_handles_wins saying "not answered: save of ";
    reopened_empty: Forgets by reopened::reopened_store_keeps_records saying "got None";
    reopened_without_due: ForgetsDue by reopened::reopened_store_keeps_records;
    reopened_with_200_records: ForgetsAbove200
        by reopened::reopened_store_keeps_hundreds_of_records saying "after reopening";
    writes_that_a_crash_undoes: FlushesLater
        by crash::crashed_store_keeps_every_answered_write saying "after crash 1";
    writes_that_a_crash_tears: FlushesPayloadFirst
        by crash::crashed_store_keeps_every_answered_write saying "after crash 1";
}
