//! Whether a store can be opened is told at the start, before a user is told by a page.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/processes.rs"]
mod processes;

use std::sync::Arc;

use processes::{Process, Town};
use rc_auth::{
    StoreCheckError,
    store::{KeyRing, MemoryStore},
};

/// A process with these keys, the first of which seals.
fn with_keys(town: &Town, keys: &[&KeyRing]) -> Process {
    let texts: Vec<_> = keys.iter().map(|keys| keys.to_text()).collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
    let ring: KeyRing = texts.join(",").parse().unwrap();
    town.process_with(|builder| builder.store(town.store.clone(), ring))
}

fn check(town: &Town, process: &Process) -> Result<(), StoreCheckError> {
    town.run(process.client.check_store())
}

fn keys(id: &str) -> KeyRing {
    KeyRing::generate(id).unwrap()
}

#[test]
fn a_store_that_is_new_or_was_left_by_the_same_keys_is_opened() {
    let town = Town::with(1, Arc::new(MemoryStore::new()), |_| {});
    let old = keys("k1");
    for _ in 0..2 {
        let process = with_keys(&town, &[&old]);
        check(&town, &process).unwrap();
        town.sign_in(&process.client, "user");
    }
}

#[test]
fn other_keys_are_told_apart_by_the_name_of_the_one_that_is_missing() {
    let town = Town::with(2, Arc::new(MemoryStore::new()), |_| {});
    let (old, new) = (keys("k-old"), keys("k-new"));
    let process = with_keys(&town, &[&old]);
    check(&town, &process).unwrap();
    town.sign_in(&process.client, "user");
    let error = check(&town, &with_keys(&town, &[&new])).unwrap_err();
    assert!(matches!(error, StoreCheckError::WrongKeys(_)), "{error}");
    assert!(error.to_string().contains("k-old"), "{error}");
}

/// The mark is written anew at each start, by whoever starts.
#[test]
fn a_mark_that_can_be_read_does_not_stand_for_records_that_cannot() {
    let town = Town::with(3, Arc::new(MemoryStore::new()), |_| {});
    let (old, new) = (keys("k-old"), keys("k-new"));
    town.sign_in(&with_keys(&town, &[&old]).client, "user");
    check(&town, &with_keys(&town, &[&new, &old])).unwrap();
    let error = check(&town, &with_keys(&town, &[&new])).unwrap_err();
    assert!(matches!(error, StoreCheckError::WrongKeys(_)), "{error}");
}

#[test]
fn one_record_that_can_be_read_is_enough() {
    let town = Town::with(4, Arc::new(MemoryStore::new()), |_| {});
    let (old, new) = (keys("k-old"), keys("k-new"));
    town.sign_in(&with_keys(&town, &[&old]).client, "one");
    let both = with_keys(&town, &[&new, &old]);
    check(&town, &both).unwrap();
    town.sign_in(&both.client, "two");
    check(&town, &with_keys(&town, &[&new])).unwrap();
}
