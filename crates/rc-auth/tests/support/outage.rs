//! A store that is out of order for a while.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rc_auth::{
    store::{DueAt, Expect, MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version},
    transport::BoxFuture,
};

use tokio::sync::Notify;

use crate::altered::{Alteration, Write};

/// A store that cannot be written to for a while, or not be read either, or that writes only when it is told.
#[derive(Debug, Default)]
pub struct Outage {
    inner: Arc<MemoryStore>,
    pub is_read_only: AtomicBool,
    pub is_away: AtomicBool,
    /// Sign-ins are not written, and nobody hears of it.
    pub hangs_on_sign_ins: AtomicBool,
    /// Grants that are saved go here, and whoever saves them is told that it failed.
    late: Mutex<Option<Vec<LateWrite>>>,
    is_late_once: AtomicBool,
    /// The record whose second reading is held up, and how often it was read.
    held: Mutex<Option<(RecordKey, u32)>>,
    pub is_holding: AtomicBool,
    let_go: Notify,
}

/// A write that comes late.
#[derive(Debug)]
struct LateWrite(RecordKey, Vec<u8>, Option<DueAt>, Expect);

impl Outage {
    /// The store behind it, which is in order.
    pub fn behind(&self) -> Arc<MemoryStore> {
        self.inner.clone()
    }

    /// Carries out the last of the writes that were late; after it, the second reading of its record is held up.
    pub async fn catch_up_and_hold(&self) {
        let key = self
            .late
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .last()
            .unwrap()
            .0;
        self.catch_up().await.unwrap();
        *self.held.lock().unwrap() = Some((key, 0));
    }

    pub fn let_go(&self) {
        self.let_go.notify_one();
    }

    fn is_held_up(&self, key: &RecordKey) -> bool {
        let mut held = self.held.lock().unwrap();
        let Some((_, readings)) = held.as_mut().filter(|(held, _)| held == key) else {
            return false;
        };
        *readings += 1;
        *readings == 2
    }

    /// From now on, grants are written late.
    pub fn be_late(&self) {
        *self.late.lock().unwrap() = Some(Vec::new());
    }

    /// The next grant is written late, and those after it are not.
    pub fn be_late_once(&self) {
        self.is_late_once.store(true, Relaxed);
        self.be_late();
    }

    /// Carries out the last of the writes that were late; none is from now on.
    pub async fn catch_up(&self) -> Result<Version, StoreError> {
        let writes = self.late.lock().unwrap().take().unwrap();
        let LateWrite(key, payload, due, expect) = writes.last().expect("a write");
        self.inner.save(key, payload, *due, *expect).await
    }
}

impl Alteration for Outage {
    fn inner(&self) -> &dyn TokenStore {
        &*self.inner
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        if self.is_away.load(Relaxed) {
            return Box::pin(async { Err(StoreError::unavailable("away")) });
        }
        let is_held_up = self.is_held_up(key);
        Box::pin(async move {
            if is_held_up {
                self.is_holding.store(true, Relaxed);
                self.let_go.notified().await;
            }
            self.inner.load(key).await
        })
    }

    fn save<'a>(&'a self, write: Write<'a>) -> BoxFuture<'a, Result<Version, StoreError>> {
        let is_signed_in = String::from_utf8_lossy(write.payload).contains("\"idle\"");
        if is_signed_in && self.hangs_on_sign_ins.load(Relaxed) {
            return Box::pin(std::future::pending());
        }
        if let Some(late) = self.late.lock().unwrap().as_mut()
            && is_signed_in
            && (late.is_empty() || !self.is_late_once.load(Relaxed))
        {
            let payload = write.payload.to_vec();
            late.push(LateWrite(*write.key, payload, write.due, write.expect));
            return Box::pin(async { Err(StoreError::unavailable("late")) });
        }
        if self.is_read_only.load(Relaxed) || self.is_away.load(Relaxed) {
            return Box::pin(async { Err(StoreError::unavailable("read-only")) });
        }
        write.to(&*self.inner)
    }
}
