//! A store that panics in its first calls.
#![allow(unreachable_pub, reason = "a module of tests")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use rc_auth::store::{
    ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored, TokenStore,
    Version,
};
use rc_auth::transport::BoxFuture;

/// A store that panics in its first calls, before and after it did its work.
#[derive(Debug)]
pub struct PanicOnce {
    inner: Arc<dyn TokenStore>,
    panics: AtomicU32,
}

impl PanicOnce {
    pub fn new(inner: Arc<dyn TokenStore>) -> Self {
        Self {
            inner,
            panics: AtomicU32::new(0),
        }
    }

    pub fn panics(&self) -> u32 {
        self.panics.load(Ordering::Relaxed)
    }

    fn panic_up_to(&self, most: u32) {
        if self.panics() < most {
            self.panics.fetch_add(1, Ordering::Relaxed);
            panic!("a store that panics");
        }
    }
}

impl TokenStore for PanicOnce {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.panic_up_to(1);
        Box::pin(async move {
            let loaded = self.inner.load(key).await;
            self.panic_up_to(2);
            loaded
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
            let saved = self.inner.save(key, payload, due, expect).await;
            // The intent is written, and then the pair: nobody is told of either.
            self.panic_up_to(4);
            saved
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
        self.inner.scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.inner.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        panic!("a store that panics")
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        panic!("a store that panics")
    }
}
