//! Encryption around any store.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
};

use crate::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, KeyRing, Listed, MAX_PAYLOAD,
    RecordKey, StoreError, Stored, TokenStore, Version,
};

/// Seals the payloads of any store with the keys of a [`KeyRing`].
///
/// A payload is bound to its record key and due time. Whoever can write to the store but has no key can
/// delete records and put an old row of the same key back whole; editing one, cutting it, swapping two
/// rows or changing a due time ends in [`StoreError::Corrupt`] with an
/// [`OpenError`](crate::OpenError) as its source, never in a wrong payload. Keys, versions, due times and
/// lengths stay readable.
///
/// [`MAX_PAYLOAD`] counts after sealing, so callers have [`KeyRing::overhead`] bytes less.
/// [`due`](TokenStore::due) and [`versions`](TokenStore::versions) open nothing, and [`scan`](TokenStore::scan) lists a record that cannot be
/// opened with its error, so one bad record never hides the others.
///
/// ```
/// use rc_store::{KeyRing, MemoryStore, Sealed};
///
/// # fn main() -> Result<(), rc_store::InvalidKeyRing> {
/// let store = Sealed::new(MemoryStore::new(), KeyRing::generate("2026a")?);
/// # Ok(())
/// # }
/// ```
///
/// ```
/// use rc_store::{Expect, KeyRing, MemoryStore, RecordKey, Sealed, TokenStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Sealed::new(MemoryStore::new(), KeyRing::generate("2026a")?);
/// let key = RecordKey::derive(&[b"grant", b"user-42"]);
/// store.save(&key, b"a secret", None, Expect::Absent).await?;
///
/// let below = store.get_ref().load(&key).await?.ok_or("no record")?;
/// assert_ne!(below.payload.as_slice(), b"a secret");
/// # Ok(())
/// # }
/// ```
pub struct Sealed<S> {
    inner: S,
    ring: RwLock<KeyRing>,
}

/// Names the keys by their ids, and not the lock around them.
impl<S: fmt::Debug> fmt::Debug for Sealed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Sealed")
            .field("inner", &self.inner)
            .field("ring", &*ring)
            .finish()
    }
}

impl<S: TokenStore> Sealed<S> {
    /// Puts `ring` around `inner`.
    pub const fn new(inner: S, ring: KeyRing) -> Self {
        Self {
            inner,
            ring: RwLock::new(ring),
        }
    }

    /// Takes other keys from now on. [`rotate`](Self::rotate) seals what is stored with the new active key.
    ///
    /// Keep the old keys behind the new one until [`key_usage`](Self::key_usage) counts nothing for them.
    pub fn set_key_ring(&self, ring: KeyRing) {
        // A ring is replaced whole, so a panic elsewhere leaves none half changed.
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// The keys in use.
    #[must_use]
    pub fn key_ring(&self) -> KeyRing {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.clone()
    }

    /// The store below, where payloads are sealed.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    pub(crate) fn seal(
        &self,
        key: &RecordKey,
        due: Option<DueAt>,
        payload: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let ring = self.key_ring();
        let limit = MAX_PAYLOAD - ring.overhead();
        if payload.len() > limit {
            return Err(StoreError::TooLarge {
                size: payload.len(),
                limit,
            });
        }
        let due = due_bytes(due);
        let sealed = ring.seal(&[PURPOSE, key.as_bytes(), due.as_slice()], payload);
        sealed.map_err(StoreError::unavailable)
    }

    pub(crate) fn open(&self, key: &RecordKey, stored: Stored) -> Result<Stored, StoreError> {
        let due = due_bytes(stored.due);
        let opened = self
            .key_ring()
            .open(&[PURPOSE, key.as_bytes(), due.as_slice()], &stored.payload);
        Ok(Stored {
            payload: opened.map_err(StoreError::corrupt)?,
            ..stored
        })
    }
}

const PURPOSE: &[u8] = b"record";

/// Nothing for "never due", so that it differs from every time.
fn due_bytes(due: Option<DueAt>) -> Vec<u8> {
    due.map_or_else(Vec::new, |due| due.unix_millis().to_be_bytes().to_vec())
}

impl<S: TokenStore> TokenStore for Sealed<S> {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            let stored = self.inner.load(key).await?;
            stored.map(|stored| self.open(key, stored)).transpose()
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let sealed = self.seal(key, due, payload)?;
            self.inner.save(key, &sealed, due, expect).await
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(key, expect)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.inner.due(after, before, limit)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            let listed = self.inner.scan(after, limit).await?;
            let open = |Listed { key, stored }| Listed {
                key,
                stored: stored.and_then(|stored| self.open(&key, stored)),
            };
            Ok(listed.into_iter().map(open).collect())
        })
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.inner.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.inner.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.health()
    }
}
