//! The end of grants: by their users, by another sign-in, by age; whatever the platform answers meanwhile.

#[path = "support/processes.rs"]
mod processes;

use std::{
    future::Future,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use processes::{ME, MINUTE, Process, SECOND, Town};
use rc_auth::{
    CallError, EndReason, Environment as _, GrantError, GrantKey, RefreshPolicy, SignIn,
    SignInError, SignedOut,
    store::{DueAt, TokenStore as _},
};
use rc_sim::{Fault, Replacement, Target};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn answers(status: u16, body: &'static str) -> Fault {
    let status = StatusCode::from_u16(status).expect("a status");
    Fault::Replace(Replacement::new(
        status,
        Bytes::from_static(body.as_bytes()),
    ))
}

fn sign_out(town: &Town, process: &Process, key: &str) -> Result<SignedOut, GrantError> {
    let grant = process.client.grant(&GrantKey::new(key));
    town.run(async { grant.sign_out().await })
}

#[test]
fn a_revocation_that_is_refused_for_two_hours_is_done_in_the_end() {
    for (status, body) in [
        (408, ""),
        (401, r#"{"error":"invalid_client"}"#),
        (503, "<html>OAU-213</html>"),
        (429, ""),
        (404, "<html>no such page</html>"),
    ] {
        let town = Town::new(1);
        let (a, b) = (town.process().sweeps(), town.process().sweeps());
        town.sign_in(&a.client, "user");
        town.run(b.client.grant(&GrantKey::new("user")).get(ME).send())
            .unwrap();
        town.platform()
            .queue_fault(Target::Revoke, answers(status, body), u32::MAX);
        let out = sign_out(&town, &a, "user").unwrap();
        assert_eq!(out, SignedOut::RevocationPending, "{status}");
        town.pass(SECOND);
        for process in [&a, &b] {
            let error = town.run(process.client.grant(&GrantKey::new("user")).get(ME).send());
            let over = matches!(
                error,
                Err(CallError::Grant(GrantError::SignInAgain {
                    reason: EndReason::SignedOut
                }))
            );
            assert!(over, "{status}: {error:?}");
        }
        town.pass(2 * HOUR);
        assert_eq!(town.counters().live_sessions, 1, "{status}");
        town.platform().clear_faults();
        town.until(2 * HOUR, || town.counters().live_sessions == 0);
    }
}

#[test]
fn a_handle_whose_grant_fell_out_of_the_cache_hears_of_a_sign_out() {
    let town = Town::new(16);
    let a = town.process();
    let b = town.process_with(|builder| builder.live_grants(1));
    town.sign_in(&a.client, "user");
    let held = b.client.grant(&GrantKey::new("user"));
    town.run(held.get(ME).send()).unwrap();
    for other in ["other-1", "other-2", "other-3"] {
        town.run(town.sign_in(&b.client, other).get(ME).send())
            .unwrap();
    }
    town.platform()
        .queue_fault(Target::Revoke, answers(503, ""), u32::MAX);
    sign_out(&town, &a, "user").unwrap();
    town.pass(SECOND);
    assert!(town.run(held.get(ME).send()).is_err());
}

#[test]
fn an_answer_that_names_the_token_dead_settles_a_revocation() {
    let town = Town::new(2);
    let a = town.process();
    town.sign_in(&a.client, "user");
    let dead = r#"{"error":"invalid_grant","errors":[{"errorCode":"OAU-213"}]}"#;
    town.platform()
        .queue_fault(Target::Revoke, answers(400, dead), 1);
    assert_eq!(sign_out(&town, &a, "user").unwrap(), SignedOut::Revoked);
}

#[test]
fn a_process_that_dies_after_the_sign_out_was_written_leaves_the_rest_to_others() {
    let town = Town::new(3);
    let (a, _b) = (town.process(), town.process().sweeps());
    town.sign_in(&a.client, "user");
    town.platform()
        .queue_fault(Target::Revoke, Fault::DropBefore, 1);
    let grant = a.client.grant(&GrantKey::new("user"));
    a.process.spawn(Box::pin(async move {
        let _ = grant.sign_out().await;
    }));
    town.pass(SECOND / 10);
    a.process.kill();
    town.until(MINUTE, || town.counters().live_sessions == 0);
}

#[test]
fn signing_out_during_a_refresh_whose_answer_is_lost_revokes_the_pair_nobody_has_seen() {
    for seed in 0..10 {
        let town = Town::new(seed);
        let (a, b) = (town.process(), town.process().sweeps());
        town.sign_in(&a.client, "user");
        town.expire_access_tokens();
        town.oauth_takes.store(300, Ordering::Relaxed);
        let _ = a.call("user");
        town.pass(SECOND / 10);
        a.process.kill();
        sign_out(&town, &b, "user").unwrap();
        town.until(MINUTE, || town.counters().live_sessions == 0);
        assert_eq!(town.counters().token_refresh.replayed, 1, "asked once more");
    }
}

/// The answer that nobody has seen has made the chain live for a week more than its record says.
#[test]
fn a_chain_whose_refresh_was_unfinished_is_revoked_after_its_recorded_end() {
    let town = Town::new(21);
    let a = town.process();
    town.sign_in(&a.client, "user");
    town.pass(7 * DAY - 10 * MINUTE);
    town.oauth_takes.store(300, Ordering::Relaxed);
    let _ = a.call("user");
    town.pass(SECOND / 10);
    a.process.kill();
    let b = town.process().sweeps();
    for target in [Target::Token, Target::Revoke] {
        town.platform()
            .queue_fault(target, answers(503, ""), u32::MAX);
    }
    let out = sign_out(&town, &b, "user").unwrap();
    assert_eq!(out, SignedOut::RevocationPending);
    town.pass(HOUR);
    assert_eq!(town.counters().live_sessions, 1);
    town.platform().clear_faults();
    town.until(2 * HOUR, || town.counters().live_sessions == 0);
}

#[test]
fn a_chain_that_was_replaced_is_revoked_although_the_process_dies() {
    let town = Town::new(4);
    let (a, _b) = (town.process(), town.process().sweeps());
    town.sign_in(&a.client, "user");
    town.platform()
        .queue_fault(Target::Revoke, answers(503, ""), u32::MAX);
    town.sign_in(&a.client, "user");
    town.pass(SECOND);
    a.process.kill();
    town.platform().clear_faults();
    assert_eq!(town.counters().live_sessions, 2);
    town.until(10 * MINUTE, || town.counters().live_sessions == 1);
}

/// Polls `future` up to `times` and drops it.
fn poll_and_drop(town: &Town, future: impl Future, times: usize) {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        if future.as_mut().poll(&mut context).is_ready() {
            return;
        }
        town.pass(SECOND / 20);
    }
}

#[test]
fn a_chain_that_is_over_by_itself_is_revoked_once_and_no_longer_tried() {
    let town = Town::new(21);
    let process = town.process().sweeps();
    town.sign_in(&process.client, "user");
    town.platform()
        .queue_fault(Target::Revoke, answers(503, ""), u32::MAX);
    let out = sign_out(&town, &process, "user").unwrap();
    assert_eq!(out, SignedOut::RevocationPending);
    // As long as RingCentral's refresh tokens live, and a day.
    town.pass(8 * DAY);
    let kept = town.run(town.store.scan(None, 100)).unwrap();
    let texts = kept
        .iter()
        .map(|listed| &listed.stored.as_ref().unwrap().payload);
    let texts = texts.map(|payload| String::from_utf8_lossy(payload).into_owned());
    assert!(!texts.into_iter().any(|text| text.contains("signed_out")));
}

#[test]
fn a_sign_in_whose_caller_goes_away_at_any_point_is_finished() {
    for polls in 1..12 {
        let town = Town::new(5);
        let process = town.process();
        town.way_to_oauth.store(150, Ordering::Relaxed);
        town.oauth_takes.store(150, Ordering::Relaxed);
        let sign_in = process.client.begin_sign_in().unwrap();
        let callback = town.browse(&sign_in.url);
        let key = GrantKey::new("user");
        let pending = sign_in.pending.clone();
        let finish = process
            .client
            .finish_sign_in_as(key.clone(), pending, callback.query());
        poll_and_drop(&town, finish, polls);
        town.pass(SECOND);
        town.run(process.client.grant(&key).get(ME).send()).unwrap();
        assert_eq!(town.counters().token_code.received, 1, "{polls}");
    }
}

#[test]
fn a_refresh_whose_caller_goes_away_at_any_point_is_finished() {
    for polls in 1..12 {
        let town = Town::new(6);
        let process = town.process();
        let grant = town.sign_in(&process.client, "user");
        town.way_to_oauth.store(150, Ordering::Relaxed);
        town.oauth_takes.store(150, Ordering::Relaxed);
        poll_and_drop(&town, grant.refresh(), polls);
        town.pass(SECOND);
        let generation = town.run(grant.status()).unwrap().generation.get();
        let begun = town.counters().token_refresh.received;
        assert_eq!(generation, begun + 1, "{polls}");
        town.run(grant.get(ME).send()).unwrap();
    }
}

#[test]
fn a_sign_out_whose_caller_goes_away_at_any_point_is_finished() {
    for polls in 1..12 {
        let town = Town::new(7);
        let process = town.process();
        let grant = town.sign_in(&process.client, "user");
        town.way_to_oauth.store(150, Ordering::Relaxed);
        town.oauth_takes.store(150, Ordering::Relaxed);
        poll_and_drop(&town, grant.sign_out(), polls);
        town.pass(SECOND);
        assert_eq!(town.counters().live_sessions, 0, "{polls}");
        assert!(town.run(grant.get(ME).send()).is_err());
    }
}

#[test]
fn a_used_state_opens_nothing_for_another_code() {
    let town = Town::new(8);
    let (a, b) = (town.process(), town.process());
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let first = a
        .client
        .finish_sign_in(sign_in.pending.clone(), callback.query());
    town.run(first).unwrap();
    let code = callback
        .query()
        .split('&')
        .find(|pair| pair.starts_with("code="))
        .unwrap();
    let forged = callback.query().replace(code, "code=WRONG");
    for client in [&a.client, &b.client] {
        let again = town.run(client.finish_sign_in(sign_in.pending.clone(), &forged));
        assert!(matches!(again, Err(SignInError::AlreadyUsed)), "{again:?}");
        let again = client.finish_sign_in(sign_in.pending.clone(), callback.query());
        town.run(again).expect("the duplicate of the real one");
    }
    assert_eq!(town.counters().token_code.received, 1);
}

#[test]
fn a_callback_that_comes_again_after_its_sign_in_is_over_opens_nothing() {
    let town = Town::new(20);
    let (a, b) = (town.process(), town.process());
    let key = GrantKey::new("user");
    let finish = |process: &Process, (sign_in, query): &(SignIn, String)| {
        let client = &process.client;
        let finished = client.finish_sign_in_as(key.clone(), sign_in.pending.clone(), query);
        town.run(finished).map_err(Box::new)
    };
    let begin = || {
        let sign_in = a.client.begin_sign_in().unwrap();
        let callback = town.browse(&sign_in.url);
        (sign_in, callback.query().to_owned())
    };
    let first = begin();
    finish(&a, &first).unwrap();
    finish(&b, &first).expect("the same sign-in");
    let second = begin();
    finish(&a, &second).unwrap();
    let again = finish(&b, &first).unwrap_err();
    assert!(matches!(*again, SignInError::AlreadyUsed), "{again:?}");
    town.platform()
        .queue_fault(Target::Revoke, answers(503, ""), u32::MAX);
    let out = sign_out(&town, &a, "user").unwrap();
    assert_eq!(out, SignedOut::RevocationPending);
    let again = finish(&b, &second).unwrap_err();
    assert!(matches!(*again, SignInError::AlreadyUsed), "{again:?}");
}

#[test]
fn a_callback_whose_process_died_is_answered_within_ten_seconds_of_its_reload() {
    let town = Town::new(9);
    let (a, b) = (town.process(), town.process());
    town.oauth_takes.store(20_000, Ordering::Relaxed);
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let finish = a
        .client
        .finish_sign_in(sign_in.pending.clone(), callback.query());
    poll_and_drop(&town, finish, 3);
    a.process.kill();
    let began = town.now();
    let reload = b.client.finish_sign_in(sign_in.pending, callback.query());
    let answer = town.run(reload);
    assert!(
        matches!(answer, Err(SignInError::AlreadyUsed)),
        "{answer:?}"
    );
    assert!(town.now() - began <= 11 * SECOND);
}

#[test]
fn a_duplicate_in_another_process_waits_for_a_slow_exchange() {
    let town = Town::new(10);
    let (a, b) = (town.process(), town.process());
    town.oauth_takes.store(20_000, Ordering::Relaxed);
    let sign_in = a.client.begin_sign_in().unwrap();
    let callback = town.browse(&sign_in.url);
    let finish = a
        .client
        .finish_sign_in(sign_in.pending.clone(), callback.query());
    poll_and_drop(&town, finish, 3);
    let reload = b.client.finish_sign_in(sign_in.pending, callback.query());
    town.run(reload).expect("the same grant");
    assert_eq!(town.counters().token_code.received, 1);
}

fn ends_when_idle(policy: fn(&mut RefreshPolicy)) -> (Town, Process) {
    let town = Town::new(11);
    let process = town
        .process_with(|builder| {
            let mut chosen = RefreshPolicy::default();
            policy(&mut chosen);
            chosen.budget = rc_auth::AuthBudget::Off;
            builder.refresh_policy(chosen)
        })
        .sweeps();
    town.sign_in(&process.client, "user");
    (town, process)
}

/// Thousands of grants, or months: `cargo xtask mutants` leaves these out.
mod at_scale {
    use super::*;

    #[test]
    fn a_grant_that_nobody_uses_ends_after_max_idle_and_is_revoked() {
        let (town, process) = ends_when_idle(|policy| policy.max_idle = Some(30 * DAY));
        town.pass(29 * DAY);
        assert_eq!(town.counters().live_sessions, 1);
        assert!(town.counters().token_refresh.issued >= 4, "kept alive");
        town.pass(7 * DAY);
        assert_eq!(town.counters().live_sessions, 0);
        let refreshed = town.counters().token_refresh.received;
        town.pass(30 * DAY);
        assert_eq!(town.counters().token_refresh.received, refreshed);
        drop(process);
    }
}

#[test]
fn a_grant_that_only_reads_is_in_use() {
    let (town, process) = ends_when_idle(|policy| policy.max_idle = Some(4 * HOUR));
    for _ in 0..48 {
        town.pass(HOUR / 2);
        let call = process.call("user");
        town.pass(SECOND);
        call.lock().unwrap().clone().expect("an answer").unwrap();
    }
    town.pass(10 * HOUR);
    assert_eq!(town.counters().live_sessions, 0);
}

#[test]
fn a_grant_that_is_said_to_be_used_is_in_use() {
    let (town, process) = ends_when_idle(|policy| policy.max_idle = Some(4 * HOUR));
    let grant = process.client.grant(&GrantKey::new("user"));
    for _ in 0..48 {
        town.pass(HOUR / 2);
        town.run(async { grant.note_use() });
    }
    assert_eq!(town.counters().live_sessions, 1);
    town.pass(10 * HOUR);
    assert_eq!(town.counters().live_sessions, 0);
}

#[test]
fn a_grant_ends_at_its_greatest_age_however_much_it_is_used() {
    let (town, process) = ends_when_idle(|policy| policy.max_age = Some(10 * HOUR));
    for _ in 0..24 {
        town.pass(HOUR / 2);
        let _ = process.call("user");
    }
    town.pass(MINUTE);
    assert_eq!(town.counters().live_sessions, 0);
}

#[test]
fn nothing_is_ended_on_the_word_of_one_clock() {
    let (town, process) = ends_when_idle(|policy| policy.max_idle = Some(30 * DAY));
    let a_year = i64::try_from((365 * DAY).as_millis()).unwrap();
    process.process.set_wall_clock(a_year);
    town.pass(6 * HOUR);
    assert_eq!(town.counters().live_sessions, 1);
    process.process.set_wall_clock(0);
    let call = process.call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
}

#[test]
fn who_signed_in_is_remembered_over_refreshes() {
    let town = Town::new(12);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    let person = rc_auth::Person {
        name: Some("Alice Example".to_owned()),
        ..rc_auth::Person::default()
    };
    town.run(grant.remember(person.clone())).unwrap();
    town.run(grant.refresh()).unwrap();
    let other = town.process();
    let status = town.run(other.client.grant(&GrantKey::new("user")).status());
    let status = status.unwrap();
    assert_eq!(status.person, Some(person));
    assert!(status.made_at.is_some() && status.last_used_at.is_some());
}

#[test]
fn a_record_that_cannot_be_opened_fails_its_callers_at_once() {
    let town = Town::new(13);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    // Somebody writes over the record what no version understands.
    let page = town.run(town.store.scan(None, 100)).unwrap();
    for listed in page {
        let version = listed.stored.unwrap().version;
        let expect = rc_auth::store::Expect::Version(version);
        let due = Some(DueAt::from_unix_millis(i64::MAX));
        town.run(town.store.save(&listed.key, b"?", due, expect))
            .unwrap();
    }
    town.pass(SECOND);
    let began = town.now();
    let other = town.process();
    let unread = town.run(other.client.grant(&GrantKey::new("user")).get(ME).send());
    assert!(matches!(
        unread,
        Err(CallError::Grant(GrantError::Unavailable { .. }))
    ));
    assert!(town.now() - began <= SECOND);
    drop(grant);
}

#[test]
fn a_key_ring_that_cannot_open_the_store_is_noticed_at_start() {
    use rc_auth::{
        StoreCheckError,
        store::{KeyRing, MemoryStore, Sealed},
    };
    let inner = Arc::new(MemoryStore::new());
    let sealed = |id: &str| Arc::new(Sealed::new(inner.clone(), KeyRing::generate(id).unwrap()));
    let right = sealed("k1");
    let town = Town::with(14, right, |_| {});
    town.run(town.process().client.check_store()).unwrap();
    town.run(town.process().client.check_store()).unwrap();
    let other = sealed("k2");
    let wrong = town.process_with(|builder| builder.clear_text_store(other));
    let checked = town.run(wrong.client.check_store());
    assert!(
        matches!(checked, Err(StoreCheckError::WrongKeys(_))),
        "{checked:?}"
    );
}

#[test]
fn events_tell_the_life_of_a_grant() {
    let town = Town::new(15);
    let process = town.process();
    let mut events = process.client.events();
    let grant = town.sign_in(&process.client, "user");
    town.run(grant.refresh()).unwrap();
    sign_out(&town, &process, "user").unwrap();
    town.pass(SECOND);
    let told = Arc::new(Mutex::new(Vec::new()));
    while let Ok(event) = events.try_recv() {
        told.lock().unwrap().push(format!("{:?}", event.kind));
    }
    let told = told.lock().unwrap().join(" ");
    for expected in ["SignedIn", "Refreshed", "SignedOut { revoked: true }"] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
}
