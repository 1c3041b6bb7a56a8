//! Faults of `versions`, of `changes`, and of times before the epoch.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use rc_store::{
    BoxFuture, Change, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey,
    StoreError, Stored, Stream, TokenStore, Version,
    conformance::checks::{changes, due, sharing, version_queries},
};

use crate::rejected;

/// How a store breaks the contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    VersionsInKeyOrder,
    VersionsWithoutRepeats,
    VersionsWithoutAbsent,
    VersionsCappedAtThousand,
    VersionsOnceRead,
    VersionsOfDeleted,
    ChangesPanic,
    ChangesEnd,
    ChangesNothing,
    ChangesWithoutDeletions,
    ChangesWithOtherVersions,
    ChangesOneReader,
    ChangesDropOld,
    ChangesFromFirstPoll,
    ChangesUnreadStopWrites,
    ChangesOfThisHandle,
    DueUnsigned,
    DueWithoutPast,
    DueSaturates,
}

/// A store in memory with one fault; clones of its `Arc` are one handle.
#[derive(Debug)]
struct Broken {
    inner: Arc<MemoryStore>,
    /// For a fault of this handle: what it has written.
    own: Arc<MemoryStore>,
    fault: Fault,
    /// Versions that were answered once, for a stale cache, or that were deleted.
    cache: Mutex<Vec<(RecordKey, Option<Version>)>>,
    subscribed: AtomicBool,
}

impl Broken {
    fn on(place: &Arc<MemoryStore>, fault: Fault) -> Self {
        Self {
            inner: Arc::clone(place),
            own: Arc::default(),
            fault,
            cache: Mutex::default(),
            subscribed: AtomicBool::new(false),
        }
    }

    /// What the first answer for this key was.
    fn cached(&self, key: RecordKey, version: Option<Version>) -> Option<Version> {
        let mut cache = self.cache.lock().expect("no panic");
        if let Some((_, version)) = cache.iter().find(|(known, _)| *known == key) {
            return *version;
        }
        cache.push((key, version));
        version
    }

    async fn answer(&self, keys: &[RecordKey]) -> Result<Vec<Option<Version>>, StoreError> {
        match self.fault {
            Fault::VersionsInKeyOrder => {
                let mut keys = keys.to_vec();
                keys.sort();
                self.inner.versions(&keys).await
            }
            Fault::VersionsWithoutRepeats => {
                let mut seen = BTreeSet::new();
                let mut keys = keys.to_vec();
                keys.retain(|key| seen.insert(*key));
                self.inner.versions(&keys).await
            }
            Fault::VersionsCappedAtThousand => {
                let mut versions = self.inner.versions(&keys[..keys.len().min(1_000)]).await?;
                versions.resize(keys.len(), None);
                Ok(versions)
            }
            _ => self.edited(keys).await,
        }
    }

    async fn edited(&self, keys: &[RecordKey]) -> Result<Vec<Option<Version>>, StoreError> {
        let mut versions = self.inner.versions(keys).await?;
        match self.fault {
            Fault::VersionsWithoutAbsent => versions.retain(Option::is_some),
            Fault::VersionsOnceRead => {
                for (key, version) in keys.iter().zip(&mut versions) {
                    *version = self.cached(*key, *version);
                }
            }
            Fault::VersionsOfDeleted => {
                let deleted = self.cache.lock().expect("no panic");
                for (key, version) in keys.iter().zip(&mut versions) {
                    let known = deleted.iter().find(|(known, _)| known == key);
                    *version = version.or(known.and_then(|(_, version)| *version));
                }
            }
            _ => {}
        }
        Ok(versions)
    }
}

/// Changes with one fault.
struct Faulty {
    inner: ChangeStream,
    fault: Fault,
    /// To subscribe at the first poll.
    store: Option<Arc<MemoryStore>>,
    backlog: Vec<Change>,
}

impl Stream for Faulty {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let this = self.get_mut();
        if let Some(changes) = this.store.take().and_then(|store| store.changes()) {
            this.inner = changes;
        }
        loop {
            let change = match this.inner.as_mut().poll_next(context) {
                Poll::Ready(Some(change)) => change,
                other if this.fault != Fault::ChangesDropOld => return other,
                other => {
                    return this
                        .backlog
                        .pop()
                        .map_or(other, |last| Poll::Ready(Some(last)));
                }
            };
            match (this.fault, change) {
                (Fault::ChangesNothing, _) => {}
                (Fault::ChangesWithoutDeletions, Change::Key { version: None, .. }) => {}
                (Fault::ChangesDropOld, change) => this.backlog = vec![change],
                (Fault::ChangesWithOtherVersions, Change::Key { key, .. }) => {
                    let version = Some(Version::new([9; 16]));
                    return Poll::Ready(Some(Change::Key { key, version }));
                }
                (Fault::ChangesEnd, _) => return Poll::Ready(None),
                (_, change) => return Poll::Ready(Some(change)),
            }
        }
    }
}

impl TokenStore for Broken {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.inner.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            if self.fault == Fault::ChangesUnreadStopWrites
                && self.subscribed.load(Ordering::SeqCst)
            {
                return Err(StoreError::unavailable("a reader does not read"));
            }
            let due = match self.fault {
                Fault::DueSaturates => due.map(|due| due.max(DueAt::from_unix_millis(0))),
                _ => due,
            };
            self.inner.save(key, payload, due, expect).await
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut cache = self.cache.lock().expect("no panic");
        if self.fault == Fault::VersionsOfDeleted {
            cache.push((*key, Some(expect)));
        }
        self.inner.delete(key, expect)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(async move {
            let mut due = self.inner.due(after, before, limit).await?;
            match self.fault {
                Fault::DueUnsigned => due.sort_by_key(|due| due.due.unix_millis() as u64),
                Fault::DueWithoutPast => due.retain(|due| due.due.unix_millis() >= 0),
                _ => {}
            }
            Ok(due)
        })
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.inner.scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        Box::pin(self.answer(keys))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.health()
    }

    fn changes(&self) -> Option<ChangeStream> {
        assert!(self.fault != Fault::ChangesPanic, "not supported");
        let again = self.subscribed.swap(true, Ordering::SeqCst);
        let source = match self.fault {
            Fault::ChangesOfThisHandle => &self.own,
            Fault::ChangesOneReader if again => &self.own,
            _ => &self.inner,
        };
        let late = self.fault == Fault::ChangesFromFirstPoll;
        Some(Box::pin(Faulty {
            inner: source.changes()?,
            fault: self.fault,
            store: late.then(|| Arc::clone(source)),
            backlog: Vec::new(),
        }))
    }
}

async fn right(place: &Arc<MemoryStore>) -> Broken {
    Broken::on(place, Fault::None)
}

macro_rules! faulty {
    ($($test:ident: $fault:ident by $module:ident::$check:ident;)*) => {
        rejected! { right; $(
            $test: (async |place: &Arc<MemoryStore>| Broken::on(place, Fault::$fault))
                by $module::$check;
        )* }
    };
}

faulty! {
    versions_sorted_by_key: VersionsInKeyOrder by version_queries::versions_are_in_the_order_asked;
    versions_that_answer_a_repeated_key_once:
        VersionsWithoutRepeats by version_queries::versions_answers_a_repeated_key_each_time;
    versions_that_leave_absent_records_out:
        VersionsWithoutAbsent by version_queries::versions_of_absent_records_are_none;
    versions_of_deleted_records: VersionsOfDeleted by version_queries::versions_of_absent_records_are_none;
    versions_from_a_stale_cache: VersionsOnceRead by version_queries::versions_sees_every_answered_write;
    versions_of_one_page_only:
        VersionsCappedAtThousand by version_queries::versions_answers_thousands_of_keys;
    versions_from_the_cache_of_a_handle:
        VersionsOnceRead by sharing::versions_sees_writes_of_another_handle;
    changes_that_panic: ChangesPanic by changes::changes_tells_every_kind_of_write;
    changes_that_end: ChangesEnd by changes::changes_tells_every_kind_of_write;
    changes_that_tell_nothing: ChangesNothing by changes::changes_tells_every_kind_of_write;
    changes_without_deletions: ChangesWithoutDeletions by changes::changes_tells_every_kind_of_write;
    changes_with_versions_of_no_write:
        ChangesWithOtherVersions by changes::changes_tells_every_kind_of_write;
    changes_from_the_first_poll_on:
        ChangesFromFirstPoll by changes::changes_tells_a_write_that_follows_at_once;
    changes_for_one_reader_only: ChangesOneReader by changes::changes_tells_every_reader;
    changes_that_drop_what_a_slow_reader_missed:
        ChangesDropOld by changes::changes_tells_a_slow_reader_of_everything_or_a_gap;
    changes_that_stop_writes_while_nobody_reads:
        ChangesUnreadStopWrites by changes::dropped_streams_of_changes_leave_the_store_usable;
    changes_of_one_handle_only: ChangesOfThisHandle by sharing::changes_tells_writes_of_another_handle;
    due_sorted_as_unsigned: DueUnsigned by due::due_lists_times_before_every_clock_first;
    due_without_times_before_the_epoch: DueWithoutPast by due::due_lists_times_before_every_clock_first;
    due_cut_off_at_the_epoch: DueSaturates by due::due_lists_times_before_every_clock_first;
}
