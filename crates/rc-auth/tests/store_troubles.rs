//! A store that panics, that has records which cannot be read, and how often it is read.

#[path = "support/altered.rs"]
mod altered;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/troubled.rs"]
mod troubled;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use altered::{Alteration, Altered};
use processes::{ME, MINUTE, SECOND, Town};
use rc_auth::{
    GrantKey,
    store::{RecordKey, StoreError, Stored, TokenStore},
    transport::BoxFuture,
};
use troubled::Troubled;

#[test]
fn a_store_that_panics_costs_nothing_but_a_pause() {
    let town = Town::new(12);
    let process = town.process();
    town.sign_in(&process.client, "user");
    town.expire_access_tokens();
    let store = Arc::new(Troubled::panicking(town.store.clone()));
    let other =
        town.process_with(|builder| builder.clear_text_store(Arc::new(Altered(store.clone()))));
    for _ in 0..6 {
        let call = other.call("user");
        town.pass(20 * SECOND);
        if call
            .lock()
            .unwrap()
            .clone()
            .is_some_and(|answer| answer.is_ok())
        {
            assert_eq!(store.panics(), 4, "all panics happened");
            assert_eq!(town.counters().live_sessions, 1);
            return;
        }
    }
    panic!("the grant did not come back");
}

#[test]
fn a_record_that_could_not_be_read_for_long_is_read_again_within_five_seconds() {
    let town = Town::new(15);
    town.sign_in(&town.process().client, "user");
    let store = Arc::new(Troubled::damaged(town.store.clone()));
    let process =
        town.process_with(|builder| builder.clear_text_store(Arc::new(Altered(store.clone()))));
    let grant = process.client.grant(&GrantKey::new("user"));
    for _ in 0..20 {
        let began = town.now();
        let error = town.run(grant.get(ME).send()).expect_err("cannot be read");
        assert!(error.to_string().contains("cannot be opened"), "{error}");
        assert!(town.now() - began < SECOND, "nobody waits for it");
        town.pass(5 * SECOND);
    }
    store.damaged.store(false, Ordering::Relaxed);
    town.pass(5 * SECOND);
    town.run(grant.get(ME).send()).expect("it is well again");
}

#[test]
fn the_status_of_a_grant_whose_record_cannot_be_read_is_told_at_once() {
    let town = Town::new(17);
    town.sign_in(&town.process().client, "user");
    let store = Arc::new(Altered(Arc::new(Troubled::damaged(town.store.clone()))));
    let process = town.process_with(|builder| builder.clear_text_store(store));
    let grant = process.client.grant(&GrantKey::new("user"));
    let began = town.now();
    town.run(grant.status()).unwrap_err();
    assert!(town.now() - began < SECOND);
}

/// Counts how often records are read.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn TokenStore>,
    loads: AtomicU64,
}

impl Alteration for Counting {
    fn inner(&self) -> &dyn TokenStore {
        &*self.inner
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.inner.load(key)
    }
}

#[test]
fn keeping_a_grant_alive_that_is_asleep_here_reads_its_record_once() {
    let town = Town::new(16);
    let store = Arc::new(Counting {
        inner: town.store.clone(),
        loads: AtomicU64::new(0),
    });
    let altered = Arc::new(Altered(store.clone()));
    let process = town
        .process_with(|builder| builder.clear_text_store(altered))
        .sweeps();
    town.sign_in(&process.client, "user");
    town.run(process.client.grant(&GrantKey::new("user")).get(ME).send())
        .unwrap();
    // Until nothing else is left to look after.
    town.pass(60 * MINUTE);
    let issued = || town.counters().token_refresh.issued;
    let read = store.loads.load(Ordering::Relaxed);
    town.until(10 * 24 * 60 * MINUTE, || issued() == 1);
    town.pass(MINUTE);
    assert_eq!(store.loads.load(Ordering::Relaxed), read + 1);
}
