//! Pools that dropped calls use up, and calls that never come back.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rc_store::{
    DueAt, Expect, Listed, MemoryStore, RecordKey, TokenStore, Version,
    conformance::checks::{interrupted, scan},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

/// A pool of so many connections; dropped calls of one kind keep theirs.
struct Pool {
    place: Place,
    size: usize,
    of_scans: bool,
    used: AtomicUsize,
}

fn pool(place: &Place, size: usize, of_scans: bool) -> Through<Pool> {
    Through(Pool {
        place: place.clone(),
        size,
        of_scans,
        used: AtomicUsize::new(0),
    })
}

impl Pool {
    async fn connection(&self) {
        if self.used.fetch_add(1, Ordering::SeqCst) >= self.size {
            std::future::pending::<()>().await;
        }
        step().await;
    }
}

impl Broken for Pool {
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
            self.connection().await;
            let answer = self.place.save(key, payload, due, expect).await;
            self.used.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            if self.of_scans {
                self.connection().await;
                self.used.fetch_sub(1, Ordering::SeqCst);
            }
            self.place.scan(after, limit).await
        })
    }
}

/// What is dropped on its way is deleted a little later, whatever is there then.
struct DeletesLate(Place);

struct Deleting(Option<(Place, RecordKey)>);

impl Drop for Deleting {
    fn drop(&mut self) {
        let Some((place, key)) = self.0.take() else {
            return;
        };
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            if let Ok(Some(now)) = place.load(&key).await {
                let _blind = place.delete(&key, now.version).await;
            }
        });
    }
}

impl Broken for DeletesLate {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut deleting = Deleting(Some((self.0.clone(), *key)));
            step().await;
            let answer = self.0.delete(key, expect).await;
            deleting.0 = None;
            answer
        })
    }
}

/// Takes a second for each record that it lists.
struct SlowScan(Arc<MemoryStore>);

impl Broken for SlowScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let listed = self.0.scan(after, limit).await?;
            for _ in &listed {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Ok(listed)
        })
    }
}

rejected! { right;
    pool_of_5_that_dropped_saves_use_up: (async |place: &Place| pool(place, 5, false))
        by interrupted::dropped_calls_do_not_use_the_store_up saying "not answered: save of ";
    pool_of_64_that_dropped_saves_use_up: (async |place: &Place| pool(place, 64, false))
        by interrupted::dropped_calls_do_not_use_the_store_up saying "not answered: save of ";
    pool_of_500_that_dropped_scans_use_up: (async |place: &Place| pool(place, 500, true))
        by interrupted::dropped_calls_do_not_use_the_store_up saying "not answered: ";
    dropped_deletion_that_lands_later: (async |place: &Place| Through(DeletesLate(place.clone())))
        by interrupted::dropped_deletion_does_not_land_after_another_has_won saying "got None";
    seconds_for_each_record_of_a_scan: (async |place: &Place| Through(SlowScan(place.clone())))
        by scan::scan_answers_a_hundred_at_once saying "not answered: scan";
}
