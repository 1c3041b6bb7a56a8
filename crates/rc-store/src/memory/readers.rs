//! Who reads the changes of a store in memory, and what waits for each reader.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use crate::{Change, ChangeStream, RecordKey, Version};

/// The most records that wait for one reader, about 100 KiB; one more, and a gap stands for all.
pub(super) const BACKLOG: usize = 1_000;

/// The streams of one store. Dropping it ends them.
#[derive(Default)]
pub(super) struct Readers(Vec<Weak<Reader>>);

impl Readers {
    pub(super) fn add(&mut self) -> ChangeStream {
        self.0.retain(|reader| reader.strong_count() > 0);
        let reader = Arc::default();
        self.0.push(Arc::downgrade(&reader));
        Box::pin(Changes(reader))
    }

    /// Tells every reader of a write. Who is returned is to be woken, once no lock is held.
    pub(super) fn tell(&mut self, key: RecordKey, version: Option<Version>) -> Vec<Waker> {
        self.0.retain(|reader| reader.strong_count() > 0);
        let readers = self.0.iter().filter_map(Weak::upgrade);
        readers
            .filter_map(|reader| reader.backlog().add(key, version))
            .collect()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for reader in self.0.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut backlog = reader.backlog();
                backlog.ended = true;
                backlog.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[derive(Default)]
struct Reader(Mutex<Backlog>);

impl Reader {
    // Nothing that runs under the lock leaves the backlog half changed when it panics.
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Backlog {
    /// Each record once, the one that waits longest first.
    order: VecDeque<RecordKey>,
    latest: HashMap<RecordKey, Option<Version>>,
    /// A gap waits and stands for everything until it is read.
    gap: bool,
    ended: bool,
    waker: Option<Waker>,
}

impl Backlog {
    fn add(&mut self, key: RecordKey, version: Option<Version>) -> Option<Waker> {
        if self.gap {
            return None;
        }
        if self.latest.insert(key, version).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > BACKLOG {
            self.order = VecDeque::new();
            self.latest = HashMap::new();
            self.gap = true;
        }
        self.waker.take()
    }

    fn next(&mut self) -> Option<Change> {
        if self.gap {
            self.gap = false;
            return Some(Change::Gap);
        }
        let key = self.order.pop_front()?;
        let version = self.latest.remove(&key).flatten();
        Some(Change::Key { key, version })
    }
}

struct Changes(Arc<Reader>);

impl Stream for Changes {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut backlog = self.0.backlog();
        match backlog.next() {
            Some(change) => Poll::Ready(Some(change)),
            None if backlog.ended => Poll::Ready(None),
            None => {
                backlog.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
