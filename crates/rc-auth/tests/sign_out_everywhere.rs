//! All sign-ins of an owner are ended at once.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/owners.rs"]
mod owners;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/watched.rs"]
mod watched;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use altered::{Alteration, Altered};
use bytes::Bytes;
use http::StatusCode;
use owners::{index_key, listed, load, names, owner_of, record_of, watched_town};
use processes::{ME, SECOND, Town};
use rc_auth::{
    Environment as _, SimulatedProcess,
    store::{RecordKey, StoreError, Stored, TokenStore},
    transport::BoxFuture,
};
use rc_sim::{Fault, Replacement, Target};

#[test]
fn all_sign_ins_of_an_owner_are_ended_at_once() {
    let town = Town::new(3);
    let (a, b) = (town.process(), town.process());
    let grants = ["one", "two", "three"].map(|key| town.sign_in(&a.client, key));
    let own = town.sign_in(&b.client, "own");
    let index = index_key(3, &owner_of(&town, &own));
    let done = town.run(own.sign_out_everywhere()).unwrap();
    assert_eq!((done.ended, done.failed.len()), (4, 0));
    town.pass(2 * SECOND);
    for grant in grants.iter().chain([&own]) {
        assert!(town.run(grant.get(ME).send()).is_err());
    }
    assert_eq!(town.counters().live_sessions, 0);
    assert!(load(&town, &index).is_none());
}

#[test]
fn all_sign_ins_leave_the_index_in_one_write_and_one_that_could_not_be_ended_stays() {
    let (town, store, owner_id) = watched_town(16);
    let process = town.process();
    for key in ["one", "two", "three"] {
        town.sign_in(&process.client, key);
    }
    *store.refused.lock().unwrap() = Some(record_of(16, "two"));
    let saved = store.indexes_saved.load(Relaxed);
    let done = town
        .run(process.client.sign_out_everywhere(&owner_id))
        .unwrap();
    let failed: Vec<&str> = done.failed.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((done.ended, failed), (2, vec!["two"]));
    assert_eq!(listed(&town, &process, &owner_id), ["two"]);
    town.pass(SECOND);
    assert_eq!(store.indexes_saved.load(Relaxed), saved + 1);
}

/// A store whose second reading of one record takes until it is let go.
#[derive(Debug)]
struct Holding {
    inner: Arc<dyn TokenStore>,
    record: RecordKey,
    readings: AtomicU32,
    is_let_go: AtomicBool,
    process: SimulatedProcess,
}

impl Alteration for Holding {
    fn inner(&self) -> &dyn TokenStore {
        &*self.inner
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let is_second = *key == self.record && self.readings.fetch_add(1, Relaxed) == 1;
        Box::pin(async move {
            while is_second && !self.is_let_go.load(Relaxed) {
                let soon = self.process.now().mono + SECOND / 10;
                self.process.sleep_until(soon).await;
            }
            self.inner.load(key).await
        })
    }
}

#[test]
fn who_signs_in_while_all_sign_ins_are_ended_is_spared() {
    let town = Town::new(19);
    let b = town.process();
    let owner_id = owner_of(&town, &town.sign_in(&b.client, "user"));
    let store = Arc::new(Holding {
        inner: town.store.clone(),
        record: record_of(19, "user"),
        readings: AtomicU32::new(0),
        is_let_go: AtomicBool::new(false),
        process: town.world.process(),
    });
    let altered = Arc::new(Altered(store.clone()));
    let a = town.process_with(|builder| builder.clear_text_store(altered));
    let client = a.client.clone();
    a.process.spawn(Box::pin(async move {
        let done = client.sign_out_everywhere(&owner_id).await.unwrap();
        assert!(done.failed.is_empty());
    }));
    town.pass(SECOND);
    assert_eq!(store.readings.load(Relaxed), 2, "it knows whom it ends");
    let grant = town.sign_in(&b.client, "user");
    store.is_let_go.store(true, Relaxed);
    town.pass(5 * SECOND);
    town.run(grant.get(ME).send()).expect("still signed in");
}

#[test]
fn an_operator_ends_all_sign_ins_of_an_owner_and_then_none() {
    let town = Town::new(4);
    let process = town.process();
    let grant = town.sign_in(&process.client, "one");
    let owner_id = owner_of(&town, &grant);
    for ended in [1, 0] {
        let done = town
            .run(process.client.sign_out_everywhere(&owner_id))
            .unwrap();
        assert_eq!((done.ended, done.failed.len()), (ended, 0));
    }
}

#[test]
fn a_grant_whose_owner_is_not_named_lists_and_ends_itself_only() {
    let town = Town::new(14);
    let process = town.process();
    let named = town.sign_in(&process.client, "named");
    let body = r#"{"access_token":"example-access","token_type":"bearer","expires_in":3600,
        "refresh_token":"example-refresh","refresh_token_expires_in":604800}"#;
    let answer = Replacement::new(StatusCode::OK, Bytes::from_static(body.as_bytes()));
    town.platform()
        .queue_fault(Target::Token, Fault::Replace(answer), 1);
    let nameless = town.sign_in(&process.client, "nameless");
    let seen = town.run(nameless.sign_ins()).unwrap();
    assert_eq!(names(&seen), ["nameless"]);
    assert_eq!(names(&town.run(named.sign_ins()).unwrap()), ["named"]);
    assert_eq!(town.run(nameless.sign_out_everywhere()).unwrap().ended, 1);
    town.run(named.get(ME).send()).unwrap();
}
