//! Threads that wait for a grant, refresh it and sign it out: every interleaving that the scheduler tries ends.
//!
//! Time stands still here. Whoever waits for something that nobody tells of waits for ever, and the scheduler finds
//! that nobody can go on. `cargo xtask interleave`.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rc_auth_core::{AuthBudget, Now, OAuthApp, Secret, Timestamp};
use rc_http::BoxFuture;
use rc_sim::{Platform, SimClient};
use rc_store::MemoryStore;
use shuttle::{
    Config, Runner,
    future::{block_on, spawn},
    rand::{RngCore as _, thread_rng},
    scheduler::RandomScheduler,
    thread,
};

use crate::{
    Client, Grant, GrantError,
    environment::{Environment, NoRandomness},
    sync::{Ordering, slot},
};

const CALLBACK: &str = "https://app.example.com/callback";
const START: i64 = 1_800_000_000_000;

/// How many interleavings are tried of each test.
const TRIED: usize = 5_000;

/// The scheduler's tasks and its dice. No moment comes that is not here yet.
#[derive(Debug)]
struct Scheduler;

impl Environment for Scheduler {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_unix_millis(START),
            mono: Duration::from_secs(60),
        }
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        if mono <= self.now().mono {
            Box::pin(std::future::ready(()))
        } else {
            Box::pin(std::future::pending())
        }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(spawn(task));
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        thread_rng().fill_bytes(bytes);
        Ok(())
    }
}

/// A platform and a client; a user is signed in.
struct Town {
    platform: Arc<Mutex<Platform>>,
    client: Client,
    grant: Grant,
}

const fn sim_time() -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(START.unsigned_abs())
}

impl Town {
    fn new() -> Self {
        let mut config = rc_sim::Config::demo(7, CALLBACK);
        config.switches.limits.enabled = false;
        let registered = config.confidential_app().unwrap();
        let secret = registered.client_secret().map(Secret::new);
        let server = "https://platform.example.com";
        let app = OAuthApp::new(registered.client_id(), secret, CALLBACK, server).unwrap();
        let login = config.demo_user().unwrap().login.clone();
        let platform = Arc::new(Mutex::new(Platform::new(config)));
        let client = Client::builder(app)
            .clear_text_store(MemoryStore::new())
            .without_keep_alive()
            .environment(Arc::new(Scheduler))
            .transport(Arc::new(SimClient::new(platform.clone(), sim_time)))
            .auth_budget(AuthBudget::Off)
            .build()
            .unwrap();
        let grant = block_on(async {
            let sign_in = client.begin_sign_in().unwrap();
            let callback = platform
                .lock()
                .unwrap()
                .sign_in(&sign_in.url, &login, sim_time())
                .unwrap();
            client
                .finish_sign_in(sign_in.pending, callback.query())
                .await
                .unwrap()
        });
        Self {
            platform,
            client,
            grant,
        }
    }

    fn refreshes(&self) -> u64 {
        let platform = self.platform.lock().unwrap();
        platform.counters(sim_time()).token_refresh.received
    }
}

/// Three callers whose token was refused want a newer one.
fn callers_of_a_refused_token() {
    let town = Town::new();
    let refused = block_on(town.grant.access_token()).unwrap();
    let callers = [(); 3].map(|()| {
        let (grant, refused) = (town.grant.clone(), refused.clone());
        thread::spawn(move || block_on(grant.newer_access_token(&refused)).unwrap())
    });
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(town.refreshes(), 1);
}

/// Nobody in this process knows the grant yet.
fn callers_of_a_grant_that_was_not_read() {
    let town = Town::new();
    let key = town.grant.key().clone();
    let Town {
        client, platform, ..
    } = town;
    let callers = [(); 3].map(|()| {
        let (client, key) = (client.clone(), key.clone());
        thread::spawn(move || block_on(client.grant(&key).access_token()).unwrap())
    });
    for caller in callers {
        caller.join().unwrap();
    }
    let counters = platform.lock().unwrap().counters(sim_time());
    assert_eq!(counters.token_refresh.received, 0);
}

/// One refreshes and one asks for the status, while the user signs out.
fn a_sign_out_among_callers() {
    let town = Town::new();
    let (refreshing, looking) = (town.grant.clone(), town.grant.clone());
    let callers = [
        thread::spawn(move || block_on(refreshing.refresh()).map(drop)),
        thread::spawn(move || block_on(looking.status()).map(drop)),
    ];
    block_on(town.grant.sign_out()).unwrap();
    for caller in callers {
        let ended = caller.join().unwrap();
        assert!(
            matches!(ended, Ok(()) | Err(GrantError::SignInAgain { .. })),
            "{ended:?}"
        );
    }
    let after = block_on(town.grant.access_token());
    assert!(
        matches!(after, Err(GrantError::SignInAgain { .. })),
        "{after:?}"
    );
}

fn try_all(work: fn()) {
    let mut config = Config::new();
    // Of each thread: the futures are large in a build without optimization.
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(TRIED), config).run(work);
}

#[test]
fn callers_of_a_refused_token_share_one_refresh() {
    try_all(callers_of_a_refused_token);
}

#[test]
fn callers_of_a_grant_that_was_not_read_are_all_served() {
    try_all(callers_of_a_grant_that_was_not_read);
}

#[test]
fn a_sign_out_ends_all_who_wait() {
    try_all(a_sign_out_among_callers);
}

/// What is waited for is written before those who wait are woken. Without the fence between the two, somebody looks
/// too early and is not woken again.
#[test]
#[should_panic(expected = "deadlock")]
fn a_token_that_is_seen_after_the_wake_up_leaves_somebody_waiting() {
    try_all(|| {
        slot::IS_LATE.store(true, Ordering::SeqCst);
        callers_of_a_refused_token();
    });
}
