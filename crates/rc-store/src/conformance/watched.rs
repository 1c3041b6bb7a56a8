//! Stands between a check and its store: knows which calls are not answered yet, and makes them slow.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored,
    TokenStore, Version,
};

/// What a step of a call takes in the slow mode.
const STEP: Duration = Duration::from_millis(1);

/// How fast the store under test is asked and answers.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// As fast as it is.
    AsIs,
    /// Each step of a call yields and takes a millisecond: before the call reaches the store, each time
    /// the store waits for something, and before the answer is seen. So calls overlap that otherwise
    /// follow each other.
    Slow,
}

/// A call that is on its way.
#[derive(Clone, Copy, Debug)]
struct Call {
    method: &'static str,
    key: Option<RecordKey>,
    expect: Option<Expect>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        if let Some(key) = self.key {
            write!(f, " of {}", key.to_hex())?;
        }
        match self.expect {
            Some(expect) => write!(f, " expecting {expect:?}"),
            None => Ok(()),
        }
    }
}

/// The calls of one check that are not answered yet, with the number of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<(u64, BTreeMap<u64, Call>)>>);

impl Calls {
    fn entries(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Call>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, call: Call) -> InFlight<'_> {
        let mut entries = self.entries();
        let number = entries.0;
        entries.0 += 1;
        entries.1.insert(number, call);
        InFlight {
            calls: self,
            number,
        }
    }

    /// The calls on their way, for the message of a check that does not end.
    pub(super) fn unanswered(&self) -> String {
        let entries = self.entries();
        let calls: Vec<String> = entries.1.values().map(ToString::to_string).collect();
        if calls.is_empty() {
            return format!("all of {} calls were answered", entries.0);
        }
        format!("not answered: {}", calls.join("; "))
    }
}

/// A call until it is answered or dropped.
struct InFlight<'a> {
    calls: &'a Calls,
    number: u64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.calls.entries().1.remove(&self.number);
    }
}

/// A call that takes a millisecond more each time it has waited for something.
struct Stretched<'a, T> {
    call: BoxFuture<'a, T>,
    has_waited: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<T> Future for Stretched<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if this.has_waited {
            let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(STEP)));
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.pause = None;
        }
        let answer = this.call.as_mut().poll(context);
        this.has_waited = answer.is_pending();
        answer
    }
}

/// One step of the slow mode.
async fn step() {
    tokio::task::yield_now().await;
    sleep(STEP).await;
}

/// A store under test.
pub(super) struct Watched {
    pub(super) store: Arc<dyn TokenStore>,
    pub(super) calls: Calls,
    pub(super) pace: Pace,
}

/// As the store under test: what it prints is checked.
impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Watched {
    fn watch<'a, T: Send + 'a>(
        &'a self,
        method: &'static str,
        key: Option<RecordKey>,
        expect: Option<Expect>,
        call: BoxFuture<'a, T>,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let _in_flight = self.calls.begin(Call {
                method,
                key,
                expect,
            });
            if self.pace == Pace::AsIs {
                // So that a store that answers at once leaves the others their turn.
                tokio::task::consume_budget().await;
                return call.await;
            }
            step().await;
            let stretched = Stretched {
                call,
                has_waited: false,
                pause: None,
            };
            let answer = stretched.await;
            step().await;
            answer
        })
    }
}

impl TokenStore for Watched {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.watch("load", Some(*key), None, self.store.load(key))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let call = self.store.save(key, payload, due, expect);
        self.watch("save", Some(*key), Some(expect), call)
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let call = self.store.delete(key, expect);
        self.watch("delete", Some(*key), Some(Expect::Version(expect)), call)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        let call = self.store.due(after, before, limit);
        self.watch("due", None, None, call)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.watch("scan", None, None, self.store.scan(after, limit))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.watch("versions", None, None, self.store.versions(keys))
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.store.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.watch("health", None, None, self.store.health())
    }
}
