//! A store in trouble.
#![allow(unreachable_pub, reason = "a module of tests")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use rc_auth::store::{
    ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored, TokenStore,
    Version,
};
use rc_auth::transport::BoxFuture;

/// A store that panics in its first calls, before and after it did its work; or one whose records cannot be read for
/// a time.
#[derive(Debug)]
pub struct Troubled {
    inner: Arc<dyn TokenStore>,
    panics: Option<AtomicU32>,
    pub damaged: AtomicBool,
}

impl Troubled {
    pub fn panicking(inner: Arc<dyn TokenStore>) -> Self {
        Self {
            inner,
            panics: Some(AtomicU32::new(0)),
            damaged: AtomicBool::new(false),
        }
    }

    pub fn damaged(inner: Arc<dyn TokenStore>) -> Self {
        Self {
            inner,
            panics: None,
            damaged: AtomicBool::new(true),
        }
    }

    pub fn panics(&self) -> u32 {
        let panics = self.panics.as_ref();
        panics.map_or(0, |panics| panics.load(Ordering::Relaxed))
    }

    fn panic_up_to(&self, most: u32) {
        if let Some(panics) = &self.panics
            && panics.load(Ordering::Relaxed) < most
        {
            panics.fetch_add(1, Ordering::Relaxed);
            panic!("a store that panics");
        }
    }
}

impl TokenStore for Troubled {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.panic_up_to(1);
        Box::pin(async move {
            let loaded = self.inner.load(key).await;
            self.panic_up_to(2);
            if self.damaged.load(Ordering::Relaxed) {
                return Err(StoreError::corrupt("a damaged record"));
            }
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
        self.panic_up_to(u32::MAX);
        self.inner.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.panic_up_to(u32::MAX);
        self.inner.health()
    }
}
