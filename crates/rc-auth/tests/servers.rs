//! Servers that answer duplicates in other ways, and runtimes that end before the process does.

#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/processes.rs"]
mod processes;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use processes::{MINUTE, SECOND, Town};
use rc_auth::{
    Client, Environment as _, GrantKey, OAuthApp, Secret, SimulatedProcess,
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, KeyRing, Listed, MemoryStore, RecordKey,
        StoreError, Stored, TokenStore, Version,
    },
    transport::BoxFuture,
};
use rc_sim::{ConcurrentDuplicates, Config, Fault, RefreshReplay, Replacement, Server, Target};

/// The grant is usable, and no user has to sign in again.
fn is_well(town: &Town, client: &Client, sign_ins: u64) {
    let grant = client.grant(&GrantKey::new("user"));
    town.until(5 * MINUTE, || {
        town.run(grant.get(processes::ME).send()).is_ok()
    });
    assert_eq!(town.counters().live_sessions, sign_ins);
}

#[test]
fn duplicates_that_are_refused_while_the_first_is_carried_out_lose_nothing() {
    for seed in 0..20 {
        let town = Town::with(seed, Arc::new(MemoryStore::new()), |config| {
            config.switches.concurrent_duplicates = ConcurrentDuplicates::RefusedBusy {
                within: 20 * SECOND,
            };
        });
        let (a, b) = (town.process(), town.process().sweeps());
        town.sign_in(&a.client, "user");
        town.expire_access_tokens();
        town.platform()
            .queue_fault(Target::Token, Fault::Delay(20 * SECOND), 1);
        let _ = a.call("user");
        town.pass(SECOND);
        // The first request is still being carried out when b takes over.
        a.process.kill();
        town.sign_in(&b.client, "other");
        let _ = b.call("user");
        town.pass(20 * SECOND);
        is_well(&town, &b.client, 2);
        assert!(town.counters().token_refresh.busy >= 1, "no duplicate came");
        // Nobody else was kept waiting: it is no rate limit.
        assert_eq!(town.counters().token_refresh.limited, 0);
    }
}

#[test]
fn an_answer_that_comes_after_the_new_token_was_used_loses_nothing() {
    for late_reuse_ends_session in [false, true] {
        let town = Town::with(7, Arc::new(MemoryStore::new()), |config| {
            config.switches.late_reuse_ends_session = late_reuse_ends_session;
        });
        let (a, b) = (town.process(), town.process().sweeps());
        town.sign_in(&a.client, "user");
        town.expire_access_tokens();
        // Its answer takes 29 s; its intent is not renewed, as if the process were suspended.
        town.oauth_takes.store(29_000, Ordering::Relaxed);
        let first = a.call("user");
        town.pass(SECOND);
        a.process.suspend(true);
        town.oauth_takes.store(100, Ordering::Relaxed);
        town.pass(12 * SECOND);
        let call = b.call("user");
        town.pass(3 * SECOND);
        call.lock().unwrap().clone().expect("an answer").unwrap();
        // More than ten seconds after the first use a wakes up, and reads what b has written.
        town.pass(11 * SECOND);
        a.process.suspend(false);
        town.pass(10 * SECOND);
        first.lock().unwrap().clone().expect("an answer").unwrap();
        is_well(&town, &a.client, 1);
        assert_eq!(town.counters().token_refresh.received, 2);
    }
}

#[test]
fn a_process_that_was_suspended_before_it_sent_presents_nothing_late() {
    let town = Town::with(8, Arc::new(MemoryStore::new()), |config| {
        config.switches.late_reuse_ends_session = true;
    });
    let slow = Arc::new(SlowToAnswer {
        inner: town.store.clone(),
        process: town.world.process(),
    });
    let a = town.process_with(|builder| builder.clear_text_store(slow));
    let b = town.process().sweeps();
    town.sign_in(&a.client, "user");
    town.expire_access_tokens();
    let intents = || {
        let due = town.store.due(None, DueAt::from_unix_millis(0), 10);
        town.run(due).expect("due records").len()
    };
    let _ = a.call("user");
    // The intent is written, and its owner has not been told yet.
    town.until(SECOND, || intents() == 1);
    a.process.suspend(true);
    town.pass(20 * SECOND);
    let call = b.call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
    town.pass(MINUTE);
    a.process.suspend(false);
    town.pass(MINUTE);
    is_well(&town, &a.client, 1);
    assert_eq!(town.counters().token_refresh.received, 1);
}

#[test]
fn without_grace_three_processes_never_present_a_token_three_times() {
    for seed in 0..20 {
        let town = Town::with(seed, Arc::new(MemoryStore::new()), |config| {
            config.switches.refresh_replay = RefreshReplay::Strict;
        });
        let processes = [(); 3].map(|()| {
            town.process_with(|builder| builder.refresh_replay(rc_auth::RefreshReplay::None))
                .sweeps()
        });
        town.sign_in(&processes[0].client, "user");
        let answer = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, "");
        for round in 0..5 {
            town.expire_access_tokens();
            town.platform()
                .queue_fault(Target::Token, Fault::Replace(answer.clone()), round);
            for process in &processes {
                let _ = process.call("user");
            }
            town.pass(2 * MINUTE);
        }
        is_well(&town, &processes[1].client, 1);
    }
}

/// A store whose writes are in effect long before whoever wrote them is told.
#[derive(Debug)]
struct SlowToAnswer {
    inner: Arc<dyn TokenStore>,
    process: SimulatedProcess,
}

impl TokenStore for SlowToAnswer {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.inner.load(key)
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
            self.process
                .sleep_until(self.process.now().mono + SECOND)
                .await;
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
        self.inner.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.health()
    }
}

/// A store that cannot be written to for a while, or not be read either, or that writes only when it is told.
#[derive(Debug)]
struct ReadOnly {
    inner: Arc<dyn TokenStore>,
    is_read_only: Arc<AtomicBool>,
    is_away: Arc<AtomicBool>,
    /// Grants that are saved go here, and whoever saves them is told that it failed.
    late: Arc<Mutex<Option<Vec<Write>>>>,
}

/// A write that comes late.
#[derive(Debug)]
struct Write(RecordKey, Vec<u8>, Option<DueAt>, Expect);

impl ReadOnly {
    fn new() -> Self {
        Self {
            inner: Arc::new(MemoryStore::new()),
            is_read_only: Arc::default(),
            is_away: Arc::default(),
            late: Arc::default(),
        }
    }
}

fn is_grant_signed_in(payload: &[u8]) -> bool {
    String::from_utf8_lossy(payload).contains("\"idle\"")
}

impl TokenStore for ReadOnly {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        if self.is_away.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::unavailable("away")) });
        }
        self.inner.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        if let Some(late) = self.late.lock().unwrap().as_mut()
            && is_grant_signed_in(payload)
        {
            late.push(Write(*key, payload.to_vec(), due, expect));
            return Box::pin(async { Err(StoreError::unavailable("late")) });
        }
        if self.is_read_only.load(Ordering::Relaxed) || self.is_away.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::unavailable("read-only")) });
        }
        self.inner.save(key, payload, due, expect)
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
        self.inner.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.health()
    }
}

#[test]
fn a_sign_out_during_an_outage_of_the_store_is_written_down_after_it() {
    let store = ReadOnly::new();
    let is_read_only = store.is_read_only.clone();
    let town = Town::with(9, Arc::new(store), |_| {});
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(processes::ME).send())
        .expect("an answer");
    is_read_only.store(true, Ordering::Relaxed);
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    // This process serves nobody with it all the same.
    assert!(town.run(grant.get(processes::ME).send()).is_err());
    town.pass(10 * MINUTE);
    assert!(town.run(grant.get(processes::ME).send()).is_err());
    assert_eq!(town.counters().live_sessions, 1);
    is_read_only.store(false, Ordering::Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
}

#[test]
fn who_signs_in_again_during_such_a_sign_out_stays_signed_in() {
    let store = ReadOnly::new();
    let is_read_only = store.is_read_only.clone();
    let town = Town::with(10, Arc::new(store), |_| {});
    let process = town.process().sweeps();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(processes::ME).send())
        .expect("an answer");
    is_read_only.store(true, Ordering::Relaxed);
    let _ = town.run(async { grant.sign_out().await });
    is_read_only.store(false, Ordering::Relaxed);
    town.sign_in(&process.client, "user");
    town.pass(5 * MINUTE);
    is_well(&town, &process.client, 1);
}

#[test]
fn a_second_sign_out_ends_whom_the_first_was_too_late_for() {
    let store = ReadOnly::new();
    let is_away = store.is_away.clone();
    let town = Town::with(12, Arc::new(store), |_| {});
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    is_away.store(true, Ordering::Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let first = town.run(async { grant.sign_out().await });
    assert!(first.is_err(), "not written down: {first:?}");
    is_away.store(false, Ordering::Relaxed);
    town.sign_in(&b.client, "user");
    is_away.store(true, Ordering::Relaxed);
    // The user leaves again, while the first is not done yet.
    let second = town.run(async { grant.sign_out().await });
    assert!(second.is_err(), "not written down: {second:?}");
    is_away.store(false, Ordering::Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
}

/// A sign-in of `user` that fails although its last write is still under way; then that is carried out.
fn sign_in_that_is_written_late(town: &Town, client: &Client, store: &LateWrites) {
    *store.late.lock().unwrap() = Some(Vec::new());
    let sign_in = client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let key = GrantKey::new("user");
    let finished = town.run(client.finish_sign_in_as(key, sign_in.pending, callback.query()));
    assert!(finished.is_err(), "nothing was written");
    let writes = store.late.lock().unwrap().take().unwrap();
    let Write(key, payload, due, expect) = writes.last().expect("a write");
    town.run(store.inner.save(key, payload, *due, *expect))
        .unwrap();
}

/// What a test keeps of a store whose writes come late.
struct LateWrites {
    inner: Arc<dyn TokenStore>,
    late: Arc<Mutex<Option<Vec<Write>>>>,
}

impl LateWrites {
    fn of(store: &ReadOnly) -> Self {
        Self {
            inner: store.inner.clone(),
            late: store.late.clone(),
        }
    }
}

#[test]
fn a_failed_sign_in_whose_write_comes_late_keeps_its_user_signed_in() {
    let store = ReadOnly::new();
    let late = LateWrites::of(&store);
    let town = Town::with(13, Arc::new(store), |_| {});
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    sign_in_that_is_written_late(&town, &a.client, &late);
    town.pass(5 * MINUTE);
    // With the new pair; the one that it has replaced is revoked.
    is_well(&town, &b.client, 1);
}

#[test]
fn a_failed_sign_in_that_nobody_knows_of_is_ended_when_its_write_comes_late() {
    let store = ReadOnly::new();
    let late = LateWrites::of(&store);
    let town = Town::with(14, Arc::new(store), |_| {});
    let a = town.process().sweeps();
    sign_in_that_is_written_late(&town, &a.client, &late);
    town.until(MINUTE, || town.counters().live_sessions == 0);
    let grant = a.client.grant(&GrantKey::new("user"));
    assert!(town.run(grant.get(processes::ME).send()).is_err());
}

#[test]
fn a_failed_sign_in_whose_write_comes_late_undoes_no_sign_out() {
    let store = ReadOnly::new();
    let late = LateWrites::of(&store);
    let is_away = store.is_away.clone();
    let town = Town::with(15, Arc::new(store), |_| {});
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    sign_in_that_is_written_late(&town, &a.client, &late);
    // Before the process has found its write in the store, the user leaves.
    is_away.store(true, Ordering::Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    is_away.store(false, Ordering::Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
    for process in [&a, &b] {
        let grant = process.client.grant(&GrantKey::new("user"));
        assert!(town.run(grant.get(processes::ME).send()).is_err());
    }
}

#[test]
fn a_sign_out_that_could_not_read_the_record_spares_who_signs_in_later_elsewhere() {
    let store = ReadOnly::new();
    let is_away = store.is_away.clone();
    let town = Town::with(11, Arc::new(store), |_| {});
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    is_away.store(true, Ordering::Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    is_away.store(false, Ordering::Relaxed);
    town.sign_in(&b.client, "user");
    town.pass(5 * MINUTE);
    is_well(&town, &b.client, 1);
    is_well(&town, &a.client, 1);
}

/// As in actix: the worker's runtime ends in the middle of an exchange, and the process goes on.
#[test]
fn an_exchange_outlives_the_runtime_of_its_caller() {
    let main = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (server, client) = main.block_on(async {
        let mut config = Config::demo(3, processes::CALLBACK);
        config.switches.limits.enabled = false;
        let server = Server::bind(([127, 0, 0, 1], 0).into(), config)
            .await
            .unwrap();
        let platform = server.platform();
        let registered = platform.config().confidential_app().unwrap().clone();
        drop(platform);
        let app = OAuthApp::new(
            registered.client_id(),
            registered.client_secret().map(Secret::new),
            processes::CALLBACK,
            &server.base_url(),
        );
        let keys = KeyRing::generate("k1").unwrap();
        let client = Client::builder(app.unwrap()).store(MemoryStore::new(), keys);
        (server, client.build().unwrap())
    });
    let sign_in = client.begin_sign_in().unwrap();
    let callback = {
        let now = server.now();
        let mut platform = server.platform();
        let login = platform.config().demo_user().unwrap().login.clone();
        platform.sign_in(&sign_in.url, &login, now).unwrap()
    };
    let slow = Fault::Delay(Duration::from_millis(300));
    server.platform().queue_fault(Target::Token, slow, 1);
    let key = GrantKey::new("user");
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    worker.block_on(async {
        let exchange = client.finish_sign_in_as(key.clone(), sign_in.pending, callback.query());
        let patience = Duration::from_millis(100);
        assert!(tokio::time::timeout(patience, exchange).await.is_err());
    });
    // The worker stops, and every task and connection of its runtime with it.
    drop(worker);
    main.block_on(async {
        assert!(client.shutdown(Duration::from_secs(30)).await);
        client.grant(&key).get(processes::ME).await.unwrap();
    });
}
