//! Faults of calls that are dropped on their way.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rc_store::{
    Due, DueAt, DueCursor, Expect, MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version,
    conformance::checks::{interrupted, races, versions},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

/// A dropped write is made up for later, whatever the record is by then.
struct LandsLate(Place);

/// A write on its way.
struct Landing {
    place: Place,
    key: RecordKey,
    payload: Vec<u8>,
    due: Option<DueAt>,
    answered: bool,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let (place, key, due) = (self.place.clone(), self.key, self.due);
        let payload = std::mem::take(&mut self.payload);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let Ok(Some(now)) = place.load(&key).await else {
                return;
            };
            let expect = Expect::Version(now.version);
            let _blind = place.save(&key, &payload, due, expect).await;
        });
    }
}

impl Broken for LandsLate {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let mut landing = Landing {
                place: self.0.clone(),
                key: *key,
                payload: payload.to_vec(),
                due,
                answered: false,
            };
            step().await;
            let answer = self.0.save(key, payload, due, expect).await;
            landing.answered = true;
            answer
        })
    }
}

/// The record is written first and listed as due after that.
struct TwoSteps {
    place: Place,
    listed: Mutex<std::collections::BTreeSet<DueCursor>>,
}

impl Broken for TwoSteps {
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
            let version = self.place.save(key, payload, due, expect).await?;
            step().await;
            let mut listed = self.listed.lock().expect("no panic");
            listed.retain(|cursor| cursor.key != *key);
            listed.extend(due.map(|due| DueCursor { due, key: *key }));
            Ok(version)
        })
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            let listed = self.listed.lock().expect("no panic");
            let found = listed
                .iter()
                .filter(|at| after.is_none_or(|after| **at > after));
            let found = found.filter(|at| at.due <= before).take(limit);
            let due = |at: &DueCursor| Due {
                key: at.key,
                due: at.due,
            };
            Ok(found.map(due).collect())
        })
    }
}

/// A pool whose connections are lost when a call is dropped.
struct LeakingPool(Place, Arc<AtomicUsize>);

const POOL: usize = 500;

impl Broken for LeakingPool {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if self.1.fetch_add(1, Ordering::SeqCst) >= POOL {
                std::future::pending::<()>().await;
            }
            step().await;
            let answer = self.0.load(key).await;
            self.1.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

/// Answers every third save of a key with a conflict that is none.
struct Spurious(Place, AtomicUsize);

impl Broken for Spurious {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            if self.1.fetch_add(1, Ordering::SeqCst) % 3 == 2 {
                return Err(StoreError::Conflict);
            }
            self.0.save(key, payload, due, expect).await
        })
    }
}

/// A call that is never answered.
struct Hanging(Place);

impl Broken for Hanging {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn delete<'a>(&'a self, _: &'a RecordKey, _: Version) -> Answer<'a, ()> {
        Box::pin(std::future::pending())
    }
}

rejected! { right;
    dropped_write_that_lands_later: (async |place: &Place| Through(LandsLate(place.clone())))
        by interrupted::dropped_write_does_not_land_after_another_has_won saying "later";
    drop_between_record_and_due:
        (async |place: &Place| Through(TwoSteps { place: place.clone(), listed: Mutex::default() }))
        by interrupted::dropped_replacement_changes_record_and_due_together saying "due";
    pool_that_leaks_on_drop: (async |place: &Place| Through(LeakingPool(place.clone(), Arc::default())))
        by interrupted::dropped_calls_do_not_use_the_store_up saying "not answered: load of ";
    conflicts_with_nobody: (async |place: &Place| Through(Spurious(place.clone(), AtomicUsize::new(0))))
        by races::answered_write_is_seen_by_every_later_load saying "expected an answer, got Conflict";
    deletion_that_hangs: (async |place: &Place| Through(Hanging(place.clone())))
        by versions::deleted_record_is_absent
        saying "not answered: delete of ";
}
