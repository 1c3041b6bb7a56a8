//! Servers that answer duplicates in other ways, and runtimes that end before the process does.

#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/processes.rs"]
mod processes;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use altered::{Alteration, Altered, Write};
use http::StatusCode;
use processes::{MINUTE, SECOND, Town};
use rc_auth::{
    Client, Environment as _, GrantKey, OAuthApp, Secret, SimulatedProcess,
    store::{DueAt, KeyRing, MemoryStore, StoreError, TokenStore, Version},
    transport::BoxFuture,
};
use rc_sim::{ConcurrentDuplicates, Config, Fault, RefreshReplay, Replacement, Server, Target};

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
        town.is_well(&b.client, 2);
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
        town.is_well(&a.client, 1);
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
    let a = town.process_with(|builder| builder.clear_text_store(Arc::new(Altered(slow))));
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
    town.is_well(&a.client, 1);
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
        town.is_well(&processes[1].client, 1);
    }
}

/// A store whose writes are in effect long before whoever wrote them is told.
#[derive(Debug)]
struct SlowToAnswer {
    inner: Arc<dyn TokenStore>,
    process: SimulatedProcess,
}

impl Alteration for SlowToAnswer {
    fn inner(&self) -> &dyn TokenStore {
        &*self.inner
    }

    fn save<'a>(&'a self, write: Write<'a>) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let saved = write.to(&*self.inner).await;
            self.process
                .sleep_until(self.process.now().mono + SECOND)
                .await;
            saved
        })
    }
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
