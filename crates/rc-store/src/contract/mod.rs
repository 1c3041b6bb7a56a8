//! The contract between the project and everything that keeps its records.

mod change;
mod error;
mod record;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use change::{Change, ChangeStream};
pub use error::StoreError;
pub use record::{Due, DueAt, DueCursor, Expect, Listed, RecordKey, Stored, Version};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The payload every store accepts, and the largest it accepts, in bytes: 64 KiB, counted after sealing.
///
/// The same number on every store, so that a record that was accepted here can be moved there. A token
/// pair takes two or three KiB.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// Keeps opaque records under compare-and-swap.
///
/// A store is a map from [`RecordKey`] to `(payload, version, due)` shared by any number of tasks,
/// processes and machines. It never looks into a payload. This page is its specification; the
/// conformance kit (feature `conformance`) checks it.
///
/// # Atomicity
///
/// [`save`](Self::save) and [`delete`](Self::delete) compare and write in one step. Payload, version and
/// due time of a record change together: nobody ever reads the payload of one write with the version or
/// due time of another, not after a crash either. Operations on different keys are independent; there are
/// no transactions over several records.
///
/// # Versions
///
/// Every write has a fresh [`Version`] of 16 bytes that never repeats for its key; [`Version::random`]
/// draws one, and any other tag that never repeats will do. So a version names one write for ever: it
/// never comes back for a key, not even after the record was deleted and made again.
/// Versions have no order. A write that expects a version succeeds only if the record still is exactly
/// what that write left; of any number of writes that expect the same thing at most one succeeds.
///
/// # Concurrency
///
/// Loads and writes of one key are linearizable: an operation takes effect at one moment between its call
/// and its answer, and every later operation on any handle sees it. So a load is never answered from a
/// read replica or a cache that can be behind. [`due`](Self::due) and [`scan`](Self::scan) see every write
/// that was answered, and what a load has seen, at once.
///
/// A store that repeats a write on its own, because the first answer was lost, has to recognise its own
/// version in the record before it answers [`Conflict`](StoreError::Conflict).
///
/// # Engines and runtimes
///
/// Futures run on Tokio and must not block its threads: a blocking engine goes through `spawn_blocking`.
/// An engine that locks its file may be open once at a time; its documentation says so, and its kit line
/// names `reopen` instead of `at`.
///
/// # Durability
///
/// A durable store answers a write only after the write survives the death of the process and, where the
/// system allows, a power cut. A store that is not durable says so in its documentation.
///
/// # Failover
///
/// A key has one home at a time. A store whose server can fail over to another one promises what this page
/// says only if the new server has every write that was answered (a synchronous standby). Where it may
/// lack some (asynchronous replication), the store's documentation says how many, and that a record can
/// go back to an older version. A server that may only be read any more is an error and loses its
/// connection, so that the next call finds the new one; no restart is needed.
///
/// # Interrupted calls
///
/// Any future may be dropped between two polls, and any call may fail while it is on its way. For reads
/// that has no effect. A write whose answer was not received has an *unknown outcome*: it took effect
/// whole, or not at all, and it may still take effect a moment later. It is never torn. Once another
/// write that expected the same thing has succeeded, the interrupted one has lost for good. The store
/// stays usable: no lock and no connection is kept by a dropped future.
///
/// # Errors
///
/// | Error | Was it written? | What the caller does |
/// |---|---|---|
/// | [`Conflict`](StoreError::Conflict) | no | load again and decide again |
/// | [`Unavailable`](StoreError::Unavailable) | unknown | load again, look whether the own write is there, serve nothing that was not read back |
/// | [`NotWritten`](StoreError::NotWritten) | no | try again |
/// | [`Corrupt`](StoreError::Corrupt) | no (reads only) | tell an operator; other records are not concerned |
/// | [`TooLarge`](StoreError::TooLarge) | no | a bug or an abuse: refuse the input |
///
/// # Implementing a store
///
/// All methods are required: a default would be wrong for some store. Draw versions with
/// [`Version::random`] (inside the future: it fails where the system has no randomness), check [`MAX_PAYLOAD`] before anything is written, keep payloads out of `Debug`,
/// logs and error texts, and run the conformance kit.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Reads one record, or `None` if there is none.
    ///
    /// Linearizable: it sees every write that was answered before it was called.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store does not answer, [`StoreError::Corrupt`] if there is a
    /// record that cannot be read.
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Writes one record if it still is what `expect` says, and answers the version of this write.
    ///
    /// Replaces payload and due time both; `due: None` takes the record out of [`due`](Self::due).
    /// An empty payload is a payload. Every `i64` of milliseconds is kept exactly.
    ///
    /// A record that cannot be read ([`StoreError::Corrupt`]) can still be replaced or deleted by who
    /// knows its version; `save` over it needs no readable payload and compares the version alone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] or [`StoreError::TooLarge`]: nothing was written. When a payload is too
    /// large *and* the expectation is wrong, either may be answered. [`StoreError::Unavailable`]: the
    /// outcome is unknown.
    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;

    /// Deletes one record if it still has this version. Afterwards [`Expect::Absent`] holds again.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save). Deleting a record that is gone is a [`StoreError::Conflict`].
    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The records due at or before `before`, ordered by due time and then by key, that come after
    /// `after` in that order; at most `limit`.
    ///
    /// Reads no payload, so a record that cannot be opened blocks nothing. To see all, pass the last
    /// [`Due::cursor`] as the next `after`. Only an empty answer to a `limit` above 0 means the end: a
    /// store may cap `limit`, at 100 or more.
    ///
    /// While others write, a record whose due time stays the same and inside the range during the whole
    /// paging is listed exactly once; others may be listed or not. The answer is a hint what to load, not
    /// a claim: whoever wants to act loads the record and wins it by compare-and-swap.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>>;

    /// The records in the order of their keys (bytewise) that come after `after`; at most `limit`.
    ///
    /// For key rotation and inventories. A record that cannot be read is listed with its error and does
    /// not hide the others. Paging and writes by others: as for [`due`](Self::due), a record that exists
    /// during the whole scan is listed exactly once, in one of its states.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// The current versions of these records, in the order of `keys`; `None` where there is no record.
    ///
    /// Linearizable for each key, as [`load`](Self::load) is; the answers for two keys may be of two
    /// moments. Takes any number of keys, the same one several times too: a store that is limited asks
    /// its backend in parts. Reads no payload, so a record that cannot be opened answers its version.
    /// Where not even the version can be read, the answer is a version that no write has ever had:
    /// who compares it sees a change, and [`load`](Self::load) says what is wrong.
    ///
    /// With it a cache of records is compared with the store after a [`Change::Gap`], or at intervals
    /// where [`changes`](Self::changes) is `None`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>>;

    /// Hints of what anybody changes from this call on, or `None` if the store cannot tell.
    ///
    /// A change is answered by a [`Change::Key`] that names it or by a [`Change::Gap`], within seconds:
    /// the kit gives five. Several changes may be answered by one hint (of one key, the latest version; of
    /// several, a gap); a hint may repeat itself, and a gap may stand for no change at all. A reader that
    /// does not keep up gets a gap: what waits for it is bounded (the kit: to fewer than
    /// 20,000 records). A connection that is lost is a gap, and
    /// the stream goes on with a new one. Each call makes a stream of its own, which may be dropped at any
    /// time, and leaves neither a task nor a connection behind.
    ///
    /// A hint only, never a reason to believe that a record is what it was: whoever wants to act loads the
    /// record and wins it by compare-and-swap.
    fn changes(&self) -> Option<ChangeStream>;

    /// Whether the backend answers and takes writes now: what a readiness probe asks.
    ///
    /// Asks the backend itself, never a cache, and changes no record. A server that may only be read is
    /// not healthy, because tokens that are refreshed could not be saved there. `Ok` promises nothing about
    /// the next call.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::NotWritten`], with the cause.
    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

macro_rules! forward {
    ($pointer:ident) => {
        impl<S: TokenStore + ?Sized> TokenStore for $pointer<S> {
            fn load<'a>(
                &'a self,
                key: &'a RecordKey,
            ) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
                (**self).load(key)
            }

            fn save<'a>(
                &'a self,
                key: &'a RecordKey,
                payload: &'a [u8],
                due: Option<DueAt>,
                expect: Expect,
            ) -> BoxFuture<'a, Result<Version, StoreError>> {
                (**self).save(key, payload, due, expect)
            }

            fn delete<'a>(
                &'a self,
                key: &'a RecordKey,
                expect: Version,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                (**self).delete(key, expect)
            }

            fn due<'a>(
                &'a self,
                after: Option<DueCursor>,
                before: DueAt,
                limit: usize,
            ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
                (**self).due(after, before, limit)
            }

            fn scan<'a>(
                &'a self,
                after: Option<RecordKey>,
                limit: usize,
            ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
                (**self).scan(after, limit)
            }

            fn versions<'a>(
                &'a self,
                keys: &'a [RecordKey],
            ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
                (**self).versions(keys)
            }

            fn changes(&self) -> Option<ChangeStream> {
                (**self).changes()
            }

            fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
                (**self).health()
            }
        }
    };
}

forward!(Box);
forward!(Arc);
