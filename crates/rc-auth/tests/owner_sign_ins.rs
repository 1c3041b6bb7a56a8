//! Where an owner is signed in: listed and ended from any process, whatever happens meanwhile.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/watched.rs"]
mod watched;

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use altered::Altered;
use bytes::Bytes;
use http::StatusCode;
use processes::{CALLBACK, ME, MINUTE, Process, SECOND, Town};
use rc_auth::{
    Client, Environment as _, Grant, GrantKey, Person, SignInEntry, SignInOptions,
    store::{DueAt, MemoryStore, RecordKey, Stored},
};
use rc_sim::{Config, Fault, Replacement, Target};
use watched::Watched;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SERVER: &str = "https://platform.example.com";

fn client_id(seed: u64) -> String {
    let config = Config::demo(seed, CALLBACK);
    config.confidential_app().unwrap().client_id().to_owned()
}

fn index_key(seed: u64, owner_id: &str) -> RecordKey {
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

fn owner_of(town: &Town, grant: &Grant) -> String {
    town.run(grant.status()).unwrap().owner_id.unwrap()
}

fn record_of(seed: u64, key: &str) -> RecordKey {
    let client_id = client_id(seed);
    RecordKey::derive(&[
        b"rc-auth grant 1",
        SERVER.as_bytes(),
        client_id.as_bytes(),
        key.as_bytes(),
    ])
}

fn load(town: &Town, key: &RecordKey) -> Option<Stored> {
    town.run(town.store.load(key)).unwrap()
}

/// As a crash of another kind would: the record is gone, and nobody was told.
fn lose(town: &Town, key: &RecordKey) {
    let stored = load(town, key).unwrap();
    town.run(town.store.delete(key, stored.version)).unwrap();
}

fn text(town: &Town, key: &RecordKey) -> String {
    let stored = load(town, key).unwrap();
    String::from_utf8(stored.payload.to_vec()).unwrap()
}

fn names(entries: &[SignInEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn listed(town: &Town, process: &Process, owner_id: &str) -> Vec<String> {
    let entries = town.run(process.client.sign_ins_of(owner_id)).unwrap();
    names(&entries).into_iter().map(str::to_owned).collect()
}

fn sign_in_labelled(town: &Town, client: &Client, key: &str, label: &str) -> Grant {
    let sign_in = client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let options = SignInOptions::new().key(GrantKey::new(key)).label(label);
    town.run(client.finish_sign_in_with(sign_in.pending, callback.query(), options))
        .unwrap()
}

fn watched_town(seed: u64) -> (Town, Arc<Watched>, String) {
    let owner_id = demo_owner(seed);
    let store = Arc::new(Watched::new(index_key(seed, &owner_id)));
    (
        Town::with(seed, Arc::new(Altered(store.clone())), |_| {}),
        store,
        owner_id,
    )
}

#[test]
fn sign_ins_of_one_owner_are_listed_in_every_process() {
    let town = Town::new(1);
    let (a, b) = (town.process(), town.process());
    let desk = sign_in_labelled(&town, &a.client, "desk", "Firefox on Linux");
    town.pass(MINUTE);
    let phone = sign_in_labelled(&town, &b.client, "phone", &"é".repeat(150));
    let person = Person {
        name: Some("Alice Example".to_owned()),
        ..Person::default()
    };
    town.run(desk.remember(person.clone())).unwrap();

    let seen = town.run(phone.sign_ins()).unwrap();
    assert_eq!(names(&seen), ["desk", "phone"]);
    let [first, second] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(first.label.as_deref(), Some("Firefox on Linux"));
    assert_eq!(first.person, Some(person));
    assert!(first.made_at < second.made_at && first.last_used_at.is_some());
    assert_eq!(second.label, Some("é".repeat(100)), "cut");
    assert!(!first.is_this && second.is_this);

    let owner_id = owner_of(&town, &desk);
    let seen = town.run(a.client.sign_ins_of(&owner_id)).unwrap();
    assert!(seen.iter().all(|entry| !entry.is_this));
    assert!(listed(&town, &a, "another owner").is_empty());
}

#[test]
fn one_sign_in_is_ended_from_another_process() {
    let town = Town::new(2);
    let (a, b) = (town.process(), town.process());
    let desk = town.sign_in(&a.client, "desk");
    let phone = town.sign_in(&b.client, "phone");
    let seen = town.run(phone.sign_ins()).unwrap();
    town.run(b.client.grant(&seen[0].key).sign_out()).unwrap();
    town.pass(2 * SECOND);
    assert!(town.run(desk.get(ME).send()).is_err());
    town.run(phone.get(ME).send()).unwrap();
    let owner_id = owner_of(&town, &phone);
    let index = index_key(2, &owner_id);
    assert!(!text(&town, &index).contains("desk"), "it left the index");
    assert_eq!(listed(&town, &a, &owner_id), ["phone"]);
    town.run(phone.sign_out()).unwrap();
    town.pass(SECOND);
    assert!(load(&town, &index).is_none(), "an empty index is deleted");
}

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

#[test]
fn an_index_that_nobody_writes_is_looked_at_after_thirty_days() {
    let town = Town::new(17);
    let grant = town.sign_in(&town.process().client, "user");
    let index = index_key(17, &owner_of(&town, &grant));
    let is_due_by = |time| {
        let at = town.world.now().wall.saturating_add(time);
        let before = DueAt::from_unix_millis(at.unix_millis());
        let due = town.run(town.store.due(None, before, 10)).unwrap();
        due.iter().any(|due| due.key == index)
    };
    assert!(!is_due_by(29 * DAY) && is_due_by(30 * DAY));
}

#[test]
fn one_that_is_not_listed_is_not_entered_where_the_list_is_full() {
    let (town, store, owner_id) = watched_town(18);
    let process = town.process();
    let first = town.sign_in(&process.client, "first");
    for number in 0..32 {
        town.sign_in(&process.client, &format!("user-{number:02}"));
    }
    let saved = store.indexes_saved.load(Relaxed);
    let seen = town.run(first.sign_ins()).unwrap();
    assert_eq!(seen.len(), 33, "the list, and itself");
    town.pass(SECOND);
    assert_eq!(store.indexes_saved.load(Relaxed), saved);
    assert_eq!(listed(&town, &process, &owner_id).len(), 32);
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
fn a_crash_between_index_and_grant_leaves_nothing_that_is_listed() {
    let (town, store, owner_id) = watched_town(5);
    let (a, b) = (town.process(), town.process());
    town.sign_in(&b.client, "stands");
    store.hangs_on_grants.store(true, Relaxed);
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let client = a.client.clone();
    a.process.spawn(Box::pin(async move {
        let key = GrantKey::new("crashed");
        let _ = client
            .finish_sign_in_as(key, sign_in.pending, callback.query())
            .await;
    }));
    town.pass(SECOND);
    a.process.kill();
    store.hangs_on_grants.store(false, Relaxed);
    let index = index_key(5, &owner_id);
    assert!(text(&town, &index).contains("crashed"));
    assert_eq!(listed(&town, &b, &owner_id), ["stands"]);
    town.pass(SECOND);
    assert!(
        text(&town, &index).contains("crashed"),
        "its sign-in could still be under way"
    );
    town.pass(HOUR);
    assert_eq!(listed(&town, &b, &owner_id), ["stands"]);
    town.pass(SECOND);
    assert!(!text(&town, &index).contains("crashed"));
}

#[test]
fn sign_ins_that_three_processes_finish_at_once_are_all_listed() {
    let (town, store, owner_id) = watched_town(12);
    let processes = [town.process(), town.process(), town.process()];
    let done = Arc::new(Mutex::new(0));
    for (number, process) in processes.iter().enumerate() {
        let sign_in = process.client.begin_sign_in().unwrap();
        let callback = town.browse(&sign_in.url);
        let (client, done) = (process.client.clone(), done.clone());
        process.process.spawn(Box::pin(async move {
            let key = GrantKey::new(format!("user-{number}"));
            client
                .finish_sign_in_as(key, sign_in.pending, callback.query())
                .await
                .unwrap();
            *done.lock().unwrap() += 1;
        }));
    }
    town.until(MINUTE, || *done.lock().unwrap() == 3);
    let mut all = listed(&town, &processes[0], &owner_id);
    all.sort();
    assert_eq!(all, ["user-0", "user-1", "user-2"]);
    assert!(store.conflicts.load(Relaxed) > 0, "they came between");
}

#[test]
fn of_forty_sign_ins_the_latest_thirty_two_are_listed() {
    let town = Town::new(7);
    let process = town.process();
    let mut last = None;
    for number in 0..40 {
        last = Some(town.sign_in(&process.client, &format!("user-{number:02}")));
    }
    let owner_id = owner_of(&town, &last.unwrap());
    let all = listed(&town, &process, &owner_id);
    let expected: Vec<String> = (8..40).map(|number| format!("user-{number:02}")).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_full_index_drops_what_is_gone_before_what_is_old() {
    let town = Town::new(8);
    let process = town.process();
    for number in 0..32 {
        town.sign_in(&process.client, &format!("user-{number:02}"));
    }
    lose(&town, &record_of(8, "user-20"));
    town.pass(HOUR);
    let latest = town.sign_in(&process.client, "latest");
    let all = listed(&town, &process, &owner_of(&town, &latest));
    assert_eq!(all.len(), 32);
    assert_eq!((&*all[0], &*all[31]), ("user-00", "latest"));
}

#[test]
fn an_index_that_nobody_looks_at_is_cleaned_by_the_sweeper() {
    let town = Town::new(9);
    let process = town.process();
    let gone = town.sign_in(&process.client, "gone");
    town.sign_in(&process.client, "stands");
    let index = index_key(9, &owner_of(&town, &gone));
    lose(&town, &record_of(9, "gone"));
    town.pass(HOUR);
    // As if 30 days had passed.
    let due = Some(DueAt::from_unix_millis(town.world.now().wall.unix_millis()));
    let stored = load(&town, &index).unwrap();
    let expect = rc_auth::store::Expect::Version(stored.version);
    town.run(town.store.save(&index, &stored.payload, due, expect))
        .unwrap();
    let sweeper = town.process().sweeps();
    town.pass(MINUTE);
    let kept = text(&town, &index);
    assert!(kept.contains("stands") && !kept.contains("gone"));
    let written = load(&town, &index).unwrap().version;
    town.pass(MINUTE);
    assert_eq!(load(&town, &index).unwrap().version, written, "put off");
    sweeper.process.kill();
    lose(&town, &record_of(9, "stands"));
    town.pass(31 * DAY);
    let _sweeper = town.process().sweeps();
    town.pass(MINUTE);
    assert!(load(&town, &index).is_none());
}

#[test]
fn a_grant_that_the_platform_ends_leaves_the_index() {
    let town = Town::new(10);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    let index = index_key(10, &owner_of(&town, &grant));
    town.pass(40 * DAY);
    assert!(town.run(grant.get(ME).send()).is_err());
    town.pass(SECOND);
    assert!(load(&town, &index).is_none());
}

#[test]
fn a_sign_in_under_the_same_key_takes_the_place_of_the_first() {
    let town = Town::new(11);
    let process = town.process();
    town.sign_in(&process.client, "user");
    let second = town.sign_in(&process.client, "user");
    town.pass(SECOND);
    let owner_id = owner_of(&town, &second);
    assert_eq!(listed(&town, &process, &owner_id), ["user"]);
    let index = text(&town, &index_key(11, &owner_id));
    assert_eq!(index.matches("chain").count(), 1, "{index}");
}

#[test]
fn an_index_that_cannot_be_written_costs_no_sign_in() {
    let (town, store, owner_id) = watched_town(12);
    let process = town.process();
    store.refuses_indexes.store(true, Relaxed);
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(ME).send()).unwrap();
    assert!(listed(&town, &process, &owner_id).is_empty());
    store.refuses_indexes.store(false, Relaxed);
    let seen = town.run(grant.sign_ins()).unwrap();
    assert_eq!((seen.len(), seen[0].is_this), (1, true));
    town.pass(SECOND);
    let all = listed(&town, &process, &owner_id);
    assert_eq!(all, ["user"], "it was entered later");
}

#[test]
fn a_sign_in_costs_one_load_and_one_save_more_and_calls_cost_none() {
    let (town, store, _) = watched_town(13);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(ME).send()).unwrap();
    town.expire_access_tokens();
    town.run(grant.get(ME).send()).unwrap();
    let counted = [&store.indexes_loaded, &store.indexes_saved].map(|count| count.load(Relaxed));
    assert_eq!(counted, [1, 1]);
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

#[test]
fn the_index_holds_no_token_and_is_not_listed_as_a_grant() {
    let town = Town::with(15, Arc::new(MemoryStore::new()), |_| {});
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    let index = text(&town, &index_key(15, &owner_of(&town, &grant)));
    let record: serde_json::Value =
        serde_json::from_str(&text(&town, &record_of(15, "user"))).unwrap();
    let pair = &record["grant"]["state"]["idle"]["pair"];
    for token in ["access_token", "refresh_token"] {
        let token = pair[token].as_str().unwrap();
        assert!(!index.contains(token));
    }
    let page = town.run(process.client.list_grants(None)).unwrap();
    assert_eq!(page.grants.len(), 1);
    town.run(process.client.check_store()).unwrap();
    let seen = format!("{:?}", town.run(grant.sign_ins()).unwrap());
    assert!(!seen.contains("user"), "{seen}");
}
