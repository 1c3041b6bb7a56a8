//! The kit on the stores of this crate.

mod exclusive;

use std::sync::Arc;

use rc_store::{KeyRing, MemoryStore, Sealed, TokenStore};

fn ring() -> KeyRing {
    KeyRing::generate("test").expect("a ring")
}

mod memory {
    use super::*;

    fn new_place() -> Arc<MemoryStore> {
        Arc::default()
    }

    async fn open(place: &Arc<MemoryStore>) -> Arc<MemoryStore> {
        Arc::clone(place)
    }

    rc_store::token_store_tests!(open, at = new_place, notifying);
}

/// Can be opened once at a time, and its handles can be ended abruptly.
mod once_at_a_time {
    use crate::exclusive::{Exclusive, Place};

    fn new_place() -> Place {
        Place::default()
    }

    async fn open(place: &Place) -> Exclusive {
        place.open()
    }

    async fn crash(place: &Place) {
        place.end_handles();
    }

    rc_store::token_store_tests!(open, reopen = new_place, crash = crash, notifying);
}

mod sealed {
    use super::*;

    async fn open() -> Sealed<MemoryStore> {
        Sealed::new(MemoryStore::new(), ring())
    }

    rc_store::token_store_tests!(open);
}

mod boxed {
    use super::*;

    async fn open() -> Box<dyn TokenStore> {
        Box::new(MemoryStore::new())
    }

    rc_store::token_store_tests!(open);
}

/// With both hooks: the store below can be made to fail, and its rows can be edited behind the seal.
mod sealed_shared {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };

    use rc_store::{
        BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError,
        Stored, Version,
    };

    use super::*;

    struct Place {
        store: Arc<MayFail>,
        ring: KeyRing,
    }

    fn new_place() -> Place {
        Place {
            store: Arc::default(),
            ring: ring(),
        }
    }

    async fn open(place: &Place) -> Sealed<Arc<MayFail>> {
        Sealed::new(place.store.clone(), place.ring.clone())
    }

    async fn fail(place: &Place, down: bool) {
        place.store.down.store(down, Ordering::SeqCst);
    }

    async fn damage(place: &Place, key: &RecordKey) {
        *place.store.damaged.lock().expect("no panic") = Some(*key);
    }

    /// A store whose every call can be made to fail, and one of whose rows can be edited.
    #[derive(Debug, Default)]
    struct MayFail {
        inner: MemoryStore,
        down: AtomicBool,
        damaged: Mutex<Option<RecordKey>>,
    }

    impl MayFail {
        /// What an edited row reads like: its version stands, its payload is another.
        fn read(&self, key: &RecordKey, mut stored: Stored) -> Stored {
            if *self.damaged.lock().expect("no panic") == Some(*key) {
                stored.payload = b"not sealed".to_vec().into();
            }
            stored
        }

        fn unless_down<'a, T: 'a>(
            &'a self,
            call: BoxFuture<'a, Result<T, StoreError>>,
        ) -> BoxFuture<'a, Result<T, StoreError>> {
            if self.down.load(Ordering::SeqCst) {
                return Box::pin(async { Err(StoreError::unavailable("down")) });
            }
            call
        }
    }

    impl TokenStore for MayFail {
        fn load<'a>(
            &'a self,
            key: &'a RecordKey,
        ) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
            self.unless_down(Box::pin(async move {
                let stored = self.inner.load(key).await?;
                Ok(stored.map(|stored| self.read(key, stored)))
            }))
        }

        fn save<'a>(
            &'a self,
            key: &'a RecordKey,
            payload: &'a [u8],
            due: Option<DueAt>,
            expect: Expect,
        ) -> BoxFuture<'a, Result<Version, StoreError>> {
            self.unless_down(Box::pin(async move {
                let version = self.inner.save(key, payload, due, expect).await?;
                let mut damaged = self.damaged.lock().expect("no panic");
                *damaged = damaged.filter(|damaged| damaged != key);
                Ok(version)
            }))
        }

        fn delete<'a>(
            &'a self,
            key: &'a RecordKey,
            expect: Version,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            self.unless_down(self.inner.delete(key, expect))
        }

        fn due<'a>(
            &'a self,
            after: Option<DueCursor>,
            before: DueAt,
            limit: usize,
        ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
            self.unless_down(self.inner.due(after, before, limit))
        }

        fn scan<'a>(
            &'a self,
            after: Option<RecordKey>,
            limit: usize,
        ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
            self.unless_down(Box::pin(async move {
                let mut page = self.inner.scan(after, limit).await?;
                for listed in &mut page {
                    let key = listed.key;
                    if let Ok(stored) = &mut listed.stored {
                        *stored = self.read(&key, stored.clone());
                    }
                }
                Ok(page)
            }))
        }

        fn versions<'a>(
            &'a self,
            keys: &'a [RecordKey],
        ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
            self.unless_down(self.inner.versions(keys))
        }

        fn changes(&self) -> Option<ChangeStream> {
            self.inner.changes()
        }

        fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
            self.unless_down(self.inner.health())
        }
    }

    rc_store::token_store_tests!(
        open,
        at = new_place,
        fault = fail,
        damage = damage,
        notifying
    );
}
