//! A store that is slow and fails: before it writes, after it, or seconds before it writes.

use std::{sync::Arc, time::Duration};

use rc_auth::{
    Environment as _, SimulatedProcess,
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, StoreError,
        Stored, TokenStore, Version,
    },
    transport::BoxFuture,
};

use crate::{
    SECOND,
    chance::{Chance, Draws, Place},
    network::{elsewhere, nap},
    setting::Fate,
    trace::{Trace, Who},
};

/// The longest way to the store, and back unless it is slow.
const TRIP: Duration = Duration::from_millis(20);

/// The latest moment at which a write is applied that failed.
pub(crate) const LATEST_WRITE: Duration = Duration::from_secs(13);

/// The store as one process reaches it.
#[derive(Clone)]
pub(crate) struct FarStore {
    pub(crate) process: u64,
    pub(crate) store: Arc<MemoryStore>,
    /// Carries the operations out, and is never killed.
    pub(crate) there: SimulatedProcess,
    pub(crate) chance: Arc<Chance>,
    pub(crate) trace: Arc<Trace>,
}

impl std::fmt::Debug for FarStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FarStore")
    }
}

impl FarStore {
    fn failed() -> StoreError {
        StoreError::unavailable("the weather is bad")
    }

    /// Of a listing, and of versions.
    fn failed_read(_: &mut Draws) -> StoreError {
        Self::failed()
    }

    /// One in three cannot be made sense of: a disk, or a process of a newer version that has written it.
    fn failed_load(draws: &mut Draws) -> StoreError {
        match draws.dice.roll(3) {
            0 => StoreError::Corrupt("the record is damaged".into()),
            _ => Self::failed(),
        }
    }

    /// Fails while this process cannot reach the store.
    fn reach(&self) -> Result<(), StoreError> {
        let now = self.there.now().mono;
        if self.chance.has_store(self.process, now) {
            return Ok(());
        }
        self.hears("cannot be reached", String::new);
        Err(StoreError::unavailable("no way to the store"))
    }

    /// `None`: it does not fail.
    fn fate(&self, draws: &mut Draws) -> Option<Fate> {
        let strikes = self.chance.strikes(draws, self.chance.setting.writes);
        strikes.then(|| self.chance.setting.fate(&mut draws.dice))
    }

    fn asks(&self, draws: &Draws, kind: &'static str, detail: impl FnOnce() -> String) {
        let op = draws.op;
        self.trace
            .note(Who::Process(self.process), Who::Store, kind, || {
                format!("{} [{op}]", detail())
            });
    }

    fn hears(&self, kind: &'static str, detail: impl FnOnce() -> String) {
        self.trace
            .note(Who::Store, Who::Process(self.process), kind, detail);
    }

    /// The way back, which now and then takes up to `slow`.
    async fn travel_back(&self, draws: &mut Draws, slow: Duration) {
        let most = if draws.dice.roll(100) < self.chance.setting.slow && self.chance.is_bad() {
            slow
        } else {
            TRIP
        };
        nap(&self.there, draws.dice.up_to(most)).await;
    }

    /// `failed`: what a read that fails says.
    async fn read<T: Send + 'static>(
        &self,
        kind: &'static str,
        failed: fn(&mut Draws) -> StoreError,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut draws = self.chance.draws(self.process, Place::Store);
        self.asks(&draws, kind, String::new);
        let far = self.clone();
        elsewhere(&self.there, async move {
            nap(&far.there, draws.dice.up_to(TRIP)).await;
            far.reach()?;
            let fails = far.chance.strikes(&mut draws, far.chance.setting.reads);
            let read = work.await;
            far.travel_back(&mut draws, far.chance.setting.slowest_read)
                .await;
            if fails {
                far.hears("a read fails", || draws.op.to_string());
                return Err(failed(&mut draws));
            }
            read
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        kind: &'static str,
        detail: String,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut draws = self.chance.draws(self.process, Place::Store);
        self.asks(&draws, kind, || detail);
        let far = self.clone();
        elsewhere(&self.there, async move {
            nap(&far.there, draws.dice.up_to(TRIP)).await;
            far.reach()?;
            far.carry_out(draws, work).await
        })
        .await
    }

    async fn carry_out<T: Send + 'static>(
        &self,
        mut draws: Draws,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let op = draws.op.to_string();
        match self.fate(&mut draws) {
            None => {
                let written = work.await;
                self.travel_back(&mut draws, 2 * self.chance.setting.slowest_read)
                    .await;
                match &written {
                    Ok(_) => self.hears("written", || op),
                    Err(StoreError::Conflict) => self.hears("a conflict", || op),
                    Err(_) => self.hears("a write fails", || op),
                }
                return written;
            }
            Some(Fate::Lost) => self.hears("a write fails", || op),
            Some(Fate::AnswerLost) => {
                // Whether it is a conflict is lost with the answer.
                let _ = work.await;
                self.hears("a write fails after it", || op);
            }
            Some(Fate::Late) => {
                self.write_later(draws, work);
                self.hears("a write fails before it", || op);
            }
        }
        Err(Self::failed())
    }

    fn write_later<T: Send + 'static>(
        &self,
        mut draws: Draws,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) {
        let far = self.clone();
        self.there.spawn(Box::pin(async move {
            nap(&far.there, draws.dice.up_to(12 * SECOND)).await;
            // Nobody waits for it any more.
            let _ = work.await;
            far.trace.note(Who::Store, Who::World, "writes late", || {
                draws.op.to_string()
            });
        }));
    }
}

/// The beginning of a record's name, and what its payload says of its state.
fn seen(key: &RecordKey, payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let state = [
        "idle",
        "refreshing",
        "signed_out",
        "ended",
        "used",
        "members",
    ];
    let state = state
        .into_iter()
        .find(|state| text.contains(&format!("\"{state}\"")));
    let [first, second, ..] = *key.as_bytes();
    format!("{first:02x}{second:02x} {}", state.unwrap_or_default())
}

impl TokenStore for FarStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        Box::pin(self.read(
            "load",
            Self::failed_load,
            async move { store.load(&key).await },
        ))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (store, key, payload) = (self.store.clone(), *key, payload.to_vec());
        let seen = seen(&key, &payload);
        let work = async move { store.save(&key, &payload, due, expect).await };
        Box::pin(self.write("save", seen, work))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        let seen = seen(&key, &[]);
        let work = async move { store.delete(&key, expect).await };
        Box::pin(self.write("delete", seen, work))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        let store = self.store.clone();
        Box::pin(
            self.read("list what is due", Self::failed_read, async move {
                store.due(after, before, limit).await
            }),
        )
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let store = self.store.clone();
        Box::pin(self.read("scan", Self::failed_read, async move {
            store.scan(after, limit).await
        }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        let (store, keys) = (self.store.clone(), keys.to_vec());
        Box::pin(
            self.read("ask for versions", Self::failed_read, async move {
                store.versions(&keys).await
            }),
        )
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.store
            .changes()
            .filter(|_| self.chance.setting.tells_changes)
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.health()
    }
}
