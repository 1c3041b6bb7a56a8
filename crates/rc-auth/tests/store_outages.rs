//! Sign-ins and sign-outs while the store cannot be written to, cannot be read, or writes late.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/outage.rs"]
mod outage;
#[path = "support/processes.rs"]
mod processes;

use std::sync::{Arc, Mutex, atomic::Ordering::Relaxed};

use altered::Altered;
use outage::Outage;
use processes::{ME, MINUTE, SECOND, Town};
use rc_auth::{Client, Environment as _, GrantKey};

fn town(seed: u64, store: &Arc<Outage>) -> Town {
    Town::with(seed, Arc::new(Altered(store.clone())), |_| {})
}

#[test]
fn a_sign_out_during_an_outage_of_the_store_is_written_down_after_it() {
    let store = Arc::new(Outage::default());
    let town = town(9, &store);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(ME).send()).expect("an answer");
    store.is_read_only.store(true, Relaxed);
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    // This process serves nobody with it all the same.
    assert!(town.run(grant.get(ME).send()).is_err());
    town.pass(10 * MINUTE);
    assert!(town.run(grant.get(ME).send()).is_err());
    assert_eq!(town.counters().live_sessions, 1);
    store.is_read_only.store(false, Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
}

#[test]
fn who_signs_in_again_during_such_a_sign_out_stays_signed_in() {
    let store = Arc::new(Outage::default());
    let town = town(10, &store);
    let process = town.process().sweeps();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.get(ME).send()).expect("an answer");
    store.is_read_only.store(true, Relaxed);
    let _ = town.run(async { grant.sign_out().await });
    store.is_read_only.store(false, Relaxed);
    town.sign_in(&process.client, "user");
    let call = town.run(grant.get(ME).send());
    call.expect("signed in again, and the sign-out is still being looked at");
    town.pass(5 * MINUTE);
    town.is_well(&process.client, 1);
}

#[test]
fn a_second_sign_out_ends_whom_the_first_was_too_late_for() {
    let store = Arc::new(Outage::default());
    let town = town(12, &store);
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    store.is_away.store(true, Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let first = town.run(async { grant.sign_out().await });
    assert!(first.is_err(), "not written down: {first:?}");
    store.is_away.store(false, Relaxed);
    town.sign_in(&b.client, "user");
    store.is_away.store(true, Relaxed);
    // The user leaves again, while the first is not done yet.
    let second = town.run(async { grant.sign_out().await });
    assert!(second.is_err(), "not written down: {second:?}");
    store.is_away.store(false, Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
}

/// A sign-in of `user` that fails although its last write is still under way; then that is carried out.
fn sign_in_that_is_written_late(town: &Town, client: &Client, store: &Outage) {
    store.be_late();
    let sign_in = client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let key = GrantKey::new("user");
    let finished = town.run(client.finish_sign_in_as(key, sign_in.pending, callback.query()));
    assert!(finished.is_err(), "nothing was written");
    town.run(store.catch_up()).unwrap();
}

#[test]
fn a_failed_sign_in_whose_write_comes_late_keeps_its_user_signed_in() {
    let store = Arc::new(Outage::default());
    let town = town(13, &store);
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    sign_in_that_is_written_late(&town, &a.client, &store);
    town.pass(5 * MINUTE);
    // With the new pair; the one that it has replaced is revoked.
    town.is_well(&b.client, 1);
}

#[test]
fn a_failed_sign_in_that_nobody_knows_of_is_ended_when_its_write_comes_late() {
    let store = Arc::new(Outage::default());
    let town = town(14, &store);
    let a = town.process().sweeps();
    sign_in_that_is_written_late(&town, &a.client, &store);
    town.until(MINUTE, || town.counters().live_sessions == 0);
    let grant = a.client.grant(&GrantKey::new("user"));
    assert!(town.run(grant.get(ME).send()).is_err());
}

#[test]
fn a_failed_sign_in_whose_write_comes_late_undoes_no_sign_out() {
    let store = Arc::new(Outage::default());
    let town = town(15, &store);
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    sign_in_that_is_written_late(&town, &a.client, &store);
    // Before the process has found its write in the store, the user leaves.
    store.is_away.store(true, Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    store.is_away.store(false, Relaxed);
    town.until(MINUTE, || town.counters().live_sessions == 0);
    for process in [&a, &b] {
        let grant = process.client.grant(&GrantKey::new("user"));
        assert!(town.run(grant.get(ME).send()).is_err());
    }
}

#[test]
fn a_sign_out_that_could_not_read_the_record_spares_who_signs_in_later_elsewhere() {
    let store = Arc::new(Outage::default());
    let town = town(11, &store);
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    store.is_away.store(true, Relaxed);
    let grant = a.client.grant(&GrantKey::new("user"));
    let answer = town.run(async { grant.sign_out().await });
    assert!(answer.is_err(), "not written down: {answer:?}");
    store.is_away.store(false, Relaxed);
    town.sign_in(&b.client, "user");
    town.pass(5 * MINUTE);
    town.is_well(&b.client, 1);
    town.is_well(&a.client, 1);
}

#[test]
fn a_sign_in_that_died_before_it_replaced_another_leaves_that_one_and_no_note() {
    let store = Arc::new(Outage::default());
    let town = town(16, &store);
    let (a, b) = (town.process(), town.process().sweeps());
    town.sign_in(&b.client, "user");
    let is_noted = || {
        let records = town.run(town.store.scan(None, 100)).unwrap();
        let texts = records.into_iter().map(|listed| listed.stored.unwrap());
        let mut texts = texts.map(|stored| String::from_utf8_lossy(&stored.payload).into_owned());
        texts.any(|text| text.contains("replaced_under"))
    };
    store.hangs_on_sign_ins.store(true, Relaxed);
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let client = a.client.clone();
    a.process.spawn(Box::pin(async move {
        let key = GrantKey::new("user");
        let finished = client.finish_sign_in_as(key, sign_in.pending, callback.query());
        let _ = finished.await;
    }));
    town.pass(SECOND);
    a.process.kill();
    store.hangs_on_sign_ins.store(false, Relaxed);
    assert!(is_noted(), "one is to be revoked");
    town.pass(20 * MINUTE);
    let grant = b.client.grant(&GrantKey::new("user"));
    town.run(grant.get(ME).send()).expect("not revoked");
    assert!(!is_noted());
}

#[test]
fn a_process_that_is_told_to_stop_first_saves_the_pair_it_holds() {
    let store = Arc::new(Outage::default());
    let town = town(17, &store);
    let (a, b) = (town.process(), town.process());
    town.sign_in(&a.client, "user");
    town.expire_access_tokens();
    town.oauth_takes.store(2_000, Relaxed);
    let _ = a.call("user");
    town.pass(SECOND);
    store.is_read_only.store(true, Relaxed);
    // The pair comes, and cannot be written.
    town.pass(2 * SECOND);
    let client = a.client.clone();
    let stopped = Arc::new(Mutex::new(None));
    let tell = stopped.clone();
    a.process.spawn(Box::pin(async move {
        let all_done = client.shutdown(MINUTE).await;
        *tell.lock().unwrap() = Some(all_done);
    }));
    town.pass(5 * SECOND);
    assert_eq!(*stopped.lock().unwrap(), None, "it holds a pair");
    store.is_read_only.store(false, Relaxed);
    town.pass(10 * SECOND);
    assert_eq!(*stopped.lock().unwrap(), Some(true));
    let call = b.call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
    assert_eq!(town.counters().token_refresh.received, 1);
}

#[test]
fn a_sign_in_that_is_never_written_down_leaves_no_session() {
    let store = Arc::new(Outage::default());
    let town = town(18, &store);
    let process = town.process();
    let sign_in = process.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    store.be_late();
    let key = GrantKey::new("user");
    let finish = process
        .client
        .finish_sign_in_as(key, sign_in.pending, callback.query());
    assert!(town.run(finish).is_err());
    assert_eq!(town.counters().token_code.issued, 1);
    town.until(2 * MINUTE, || town.counters().live_sessions == 0);
}

#[test]
fn who_asks_for_the_status_of_a_grant_waits_for_a_store_that_comes_back() {
    let store = Arc::new(Outage::default());
    let town = town(19, &store);
    town.sign_in(&town.process().client, "user");
    store.is_away.store(true, Relaxed);
    let process = town.process();
    let grant = process.client.grant(&GrantKey::new("user"));
    let status = Arc::new(Mutex::new(None));
    let tell = status.clone();
    process.process.spawn(Box::pin(async move {
        let known = grant.status().await;
        *tell.lock().unwrap() = Some(known.is_ok());
    }));
    town.pass(3 * SECOND);
    assert_eq!(*status.lock().unwrap(), None);
    store.is_away.store(false, Relaxed);
    town.pass(10 * SECOND);
    assert_eq!(*status.lock().unwrap(), Some(true));
}

/// It began the same sign-in, which was written once more before its user left.
#[test]
fn a_first_write_that_comes_after_the_sign_out_signs_nobody_in() {
    let store = Arc::new(Outage::default());
    let town = town(20, &store);
    let process = town.process();
    store.be_late_once();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.sign_out()).unwrap();
    assert!(town.run(store.catch_up()).is_err(), "its place is taken");
    assert!(town.run(grant.get(ME).send()).is_err());
}

#[test]
fn who_signs_in_while_a_failed_sign_in_is_ended_is_spared() {
    let store = Arc::new(Outage::default());
    let town = Town::with(21, store.behind(), |_| {});
    let altered = Arc::new(Altered(store.clone()));
    let a = town.process_with(|builder| builder.clear_text_store(altered));
    let b = town.process();
    store.be_late();
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let key = GrantKey::new("user");
    let finish = a
        .client
        .finish_sign_in_as(key, sign_in.pending, callback.query());
    assert!(town.run(finish).is_err());
    town.run(store.catch_up_and_hold());
    // It has found its write, and is about to end what it began.
    town.until(MINUTE, || store.is_holding.load(Relaxed));
    let grant = town.sign_in(&b.client, "user");
    store.let_go();
    town.pass(10 * SECOND);
    town.run(grant.get(ME).send()).expect("still signed in");
}
