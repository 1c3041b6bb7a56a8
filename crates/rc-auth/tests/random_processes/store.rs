//! A store that is slow and fails.

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
    processes::SECOND,
    weather::{Weather, elsewhere, nap},
};

/// The longest way to the store, and back unless it is slow.
const TRIP: Duration = Duration::from_millis(20);

/// A store behind a network: slow, and its writes may fail before, after, or be applied later.
#[derive(Clone, Debug)]
pub(crate) struct FarStore {
    store: Arc<MemoryStore>,
    there: SimulatedProcess,
    weather: Arc<Weather>,
}

/// What becomes of a write.
enum Fate {
    Answered,
    /// It fails, and nothing is written.
    Lost,
    /// It fails although it is written.
    AnswerLost,
    /// It fails, and is written seconds later.
    Late,
}

impl FarStore {
    /// An empty store; `there` is the process that carries its operations out.
    pub(crate) fn new(there: SimulatedProcess, weather: Arc<Weather>) -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            there,
            weather,
        }
    }

    fn failed() -> StoreError {
        StoreError::unavailable("the weather is bad")
    }

    fn fate(&self) -> Fate {
        if !self.weather.strikes(self.weather.store) {
            return Fate::Answered;
        }
        match self.weather.dice.roll(3) {
            0 => Fate::Lost,
            1 => Fate::AnswerLost,
            _ => Fate::Late,
        }
    }

    async fn travel(&self, most: Duration) {
        nap(&self.there, self.weather.dice.up_to(most)).await;
    }

    /// The way back, which now and then takes up to `slow`.
    async fn travel_back(&self, slow: Duration) {
        let most = if self.weather.strikes(3) { slow } else { TRIP };
        self.travel(most).await;
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let far = self.clone();
        elsewhere(&self.there, async move {
            far.travel(TRIP).await;
            let fails = far.weather.strikes(far.weather.store);
            let read = work.await;
            far.travel_back(4 * SECOND).await;
            if fails { Err(Self::failed()) } else { read }
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let far = self.clone();
        elsewhere(&self.there, async move {
            far.travel(TRIP).await;
            match far.fate() {
                Fate::Answered => {
                    let written = work.await;
                    far.travel_back(8 * SECOND).await;
                    return written;
                }
                Fate::Lost => {}
                Fate::AnswerLost => {
                    let _ = work.await;
                }
                Fate::Late => far.write_later(work),
            }
            Err(Self::failed())
        })
        .await
    }

    fn write_later<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) {
        let later = self.weather.dice.up_to(12 * SECOND);
        let there = self.there.clone();
        self.there.spawn(Box::pin(async move {
            nap(&there, later).await;
            let _ = work.await;
        }));
    }
}

impl TokenStore for FarStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        Box::pin(self.read(async move { store.load(&key).await }))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (store, key, payload) = (self.store.clone(), *key, payload.to_vec());
        Box::pin(self.write(async move { store.save(&key, &payload, due, expect).await }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        Box::pin(self.write(async move { store.delete(&key, expect).await }))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        let store = self.store.clone();
        Box::pin(self.read(async move { store.due(after, before, limit).await }))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let store = self.store.clone();
        Box::pin(self.read(async move { store.scan(after, limit).await }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        let (store, keys) = (self.store.clone(), keys.to_vec());
        Box::pin(self.read(async move { store.versions(&keys).await }))
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.store.changes().filter(|_| self.weather.tells_changes)
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.health()
    }
}
