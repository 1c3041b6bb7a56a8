//! Owners of sign-ins: their records, and what is listed of them.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

use std::sync::Arc;

use rc_auth::{
    Grant, SignInEntry,
    store::{RecordKey, Stored},
};
use rc_sim::Config;

use crate::{
    altered::Altered,
    processes::{CALLBACK, Process, Town},
    watched::Watched,
};

const SERVER: &str = "https://platform.example.com";

fn client_id(seed: u64) -> String {
    let config = Config::demo(seed, CALLBACK);
    config.confidential_app().unwrap().client_id().to_owned()
}

pub fn index_key(seed: u64, owner_id: &str) -> RecordKey {
    let client_id = client_id(seed);
    RecordKey::derive(&[
        b"rc-auth owner 1",
        SERVER.as_bytes(),
        client_id.as_bytes(),
        owner_id.as_bytes(),
    ])
}

/// The extension that signs in.
fn demo_owner(seed: u64) -> String {
    let town = Town::new(seed);
    let grant = town.sign_in(&town.process().client, "user");
    owner_of(&town, &grant)
}

pub fn owner_of(town: &Town, grant: &Grant) -> String {
    town.run(grant.status()).unwrap().owner_id.unwrap()
}

pub fn record_of(seed: u64, key: &str) -> RecordKey {
    let client_id = client_id(seed);
    RecordKey::derive(&[
        b"rc-auth grant 1",
        SERVER.as_bytes(),
        client_id.as_bytes(),
        key.as_bytes(),
    ])
}

pub fn load(town: &Town, key: &RecordKey) -> Option<Stored> {
    town.run(town.store.load(key)).unwrap()
}

/// As a crash of another kind would: the record is gone, and nobody was told.
pub fn lose(town: &Town, key: &RecordKey) {
    let stored = load(town, key).unwrap();
    town.run(town.store.delete(key, stored.version)).unwrap();
}

pub fn text(town: &Town, key: &RecordKey) -> String {
    let stored = load(town, key).unwrap();
    String::from_utf8(stored.payload.to_vec()).unwrap()
}

pub fn names(entries: &[SignInEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

pub fn listed(town: &Town, process: &Process, owner_id: &str) -> Vec<String> {
    let entries = town.run(process.client.sign_ins_of(owner_id)).unwrap();
    names(&entries).into_iter().map(str::to_owned).collect()
}

pub fn watched_town(seed: u64) -> (Town, Arc<Watched>, String) {
    let owner_id = demo_owner(seed);
    let store = Arc::new(Watched::new(index_key(seed, &owner_id)));
    (
        Town::with(seed, Arc::new(Altered(store.clone())), |_| {}),
        store,
        owner_id,
    )
}
