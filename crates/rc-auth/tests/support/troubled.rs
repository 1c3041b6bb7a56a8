//! A store in trouble.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use rc_auth::{
    store::{ChangeStream, RecordKey, StoreError, Stored, TokenStore, Version},
    transport::BoxFuture,
};

use crate::altered::{Alteration, Write};

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

impl Alteration for Troubled {
    fn inner(&self) -> &dyn TokenStore {
        &*self.inner
    }

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

    fn save<'a>(&'a self, write: Write<'a>) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let saved = write.to(&*self.inner).await;
            // The intent is written, and then the pair: nobody is told of either.
            self.panic_up_to(4);
            saved
        })
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
