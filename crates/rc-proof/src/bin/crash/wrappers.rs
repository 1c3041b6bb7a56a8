//! A store and a way to the platform that pass a point before and after each operation.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rc_auth::{
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored,
        TokenStore, Version,
    },
    transport::{BoxFuture, HttpClient, Incoming, Outgoing, TransportError},
};

use crate::points::Points;

#[derive(Clone, Debug)]
pub(crate) struct PointedStore {
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) points: Arc<Points>,
}

impl PointedStore {
    async fn pass<T>(&self, name: &str, work: impl Future<Output = T>) -> T {
        self.points.pass(&format!("before {name}"));
        let result = work.await;
        self.points.pass(&format!("after {name}"));
        result
    }
}

/// Now, in microseconds since 1970, as all processes of a machine have it.
pub(crate) fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}

/// What a payload says of the state of its record.
fn state(payload: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(payload);
    let states = [
        "idle",
        "refreshing",
        "signed_out",
        "ended",
        "used",
        "members",
    ];
    let found = states
        .into_iter()
        .find(|state| text.contains(&format!("\"{state}\"")));
    found.unwrap_or("other")
}

impl TokenStore for PointedStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(self.pass("load", self.store.load(key)))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let state = state(payload);
            self.points.pass(&format!("before save {state}"));
            let saved = self.store.save(key, payload, due, expect).await;
            let outcome = if saved.is_ok() { "saved" } else { "not saved" };
            println!("{outcome} {state} {}", micros());
            self.points.pass(&format!("after save {state}"));
            saved
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.pass("delete", self.store.delete(key, expect)))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(self.pass("due", self.store.due(after, before, limit)))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.store.scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.store.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.store.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.health()
    }
}

#[derive(Debug)]
pub(crate) struct PointedHttp {
    pub(crate) http: rc_http::ReqwestClient,
    pub(crate) points: Arc<Points>,
}

fn purpose(outgoing: &Outgoing) -> &'static str {
    let path = outgoing.request.uri().path();
    let body = String::from_utf8_lossy(outgoing.request.body());
    if path.ends_with("/revoke") {
        "revocation"
    } else if !path.ends_with("/token") {
        "call"
    } else if body.contains("refresh_token=") {
        "refresh"
    } else {
        "code exchange"
    }
}

impl HttpClient for PointedHttp {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let name = purpose(&outgoing);
        Box::pin(async move {
            self.points.pass(&format!("before {name}"));
            let answer = self.http.send(outgoing).await;
            self.points.pass(&format!("after {name}"));
            answer
        })
    }
}
