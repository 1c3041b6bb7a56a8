//! Where an owner is signed in: listed from any process, whatever happens meanwhile.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/owners.rs"]
mod owners;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/watched.rs"]
mod watched;

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use owners::{index_key, listed, load, lose, names, owner_of, record_of, text, watched_town};
use processes::{ME, MINUTE, SECOND, Town};
use rc_auth::{
    Client, Environment as _, Grant, GrantKey, Person, SignInOptions,
    store::{DueAt, MemoryStore},
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn sign_in_labelled(town: &Town, client: &Client, key: &str, label: &str) -> Grant {
    let sign_in = client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let options = SignInOptions::new().key(GrantKey::new(key)).label(label);
    town.run(client.finish_sign_in_with(sign_in.pending, callback.query(), options))
        .unwrap()
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
