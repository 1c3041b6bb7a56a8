//! What is left of processes that die, and of answers that do not come.

#[path = "support/processes.rs"]
mod processes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use processes::{ME, MINUTE, Process, SECOND, Town};
use rc_auth::{
    Environment, GrantKey, NoRandomness, Now, SimulatedProcess, store::TokenStore as _,
    transport::BoxFuture,
};
use rc_sim::{Fault, Replacement, Target};

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user-{n}")).collect()
}

/// Three processes; the first has a refresh in flight for each of `count` grants, and is killed.
fn killed_with_refreshes_in_flight(
    town: &Town,
    count: usize,
    survivors: usize,
    build: fn(rc_auth::ClientBuilder) -> rc_auth::ClientBuilder,
) -> (Vec<String>, Vec<Process>) {
    let dying = town.process_with(build);
    let keys = keys(count);
    for key in &keys {
        town.sign_in(&dying.client, key);
    }
    let survivors: Vec<Process> = (0..survivors)
        .map(|_| town.process_with(build).sweeps())
        .collect();
    town.expire_access_tokens();
    town.oauth_takes.store(300, Ordering::Relaxed);
    for key in &keys {
        let _ = dying.call(key);
    }
    town.pass(Duration::from_millis(150));
    let begun = u64::try_from(count).expect("few");
    assert_eq!(town.counters().token_refresh.received, begun);
    dying.process.kill();
    (keys, survivors)
}

/// How many grants have a pair that nobody is refreshing.
fn idle_records(town: &Town) -> usize {
    let mut idle = 0;
    let mut after = None;
    loop {
        let page = town.run(town.store.scan(after, 1000)).expect("a page");
        let Some(last) = page.last() else { return idle };
        after = Some(last.key);
        for listed in &page {
            let payload =
                String::from_utf8_lossy(&listed.stored.as_ref().expect("a record").payload)
                    .into_owned();
            idle +=
                usize::from(payload.contains(r#""generation":2"#) && payload.contains(r#""idle""#));
        }
    }
}

#[test]
fn users_of_a_process_that_was_killed_are_answered_within_fifteen_seconds() {
    let town = Town::new(1);
    let (keys, survivors) = killed_with_refreshes_in_flight(&town, 200, 2, |builder| builder);
    let calls: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| survivors[n % 2].call(key))
        .collect();
    let took = town.until(15 * SECOND, || {
        calls.iter().all(|call| call.lock().unwrap().is_some())
    });
    assert!(took <= 15 * SECOND, "{took:?}");
    for call in calls {
        call.lock().unwrap().clone().unwrap().unwrap();
    }
    assert_eq!(town.counters().live_sessions, 200);
}

#[test]
fn with_nobody_calling_all_are_usable_within_thirty_seconds() {
    let town = Town::new(2);
    let (_, _survivors) = killed_with_refreshes_in_flight(&town, 200, 2, |builder| builder);
    let took = town.until(30 * SECOND, || idle_records(&town) == 200);
    assert!(took <= 30 * SECOND, "{took:?}");
    assert_eq!(town.counters().live_sessions, 200);
}

#[test]
fn a_full_cache_delays_no_recovery() {
    let town = Town::new(3);
    let (_, survivors) =
        killed_with_refreshes_in_flight(&town, 60, 1, |builder| builder.live_grants(20));
    // 60 other grants are in daily use.
    let busy: Vec<String> = (0..60).map(|n| format!("busy-{n}")).collect();
    for key in &busy {
        town.sign_in(&survivors[0].client, key);
    }
    let took = town.until(30 * SECOND, || {
        for key in &busy {
            let _ = survivors[0].call(key);
        }
        idle_records(&town) >= 60
    });
    assert!(took <= 30 * SECOND, "{took:?}");
}

/// Thousands of grants, or months: `cargo xtask mutants` leaves these out.
mod at_scale {
    use super::*;

    #[test]
    fn five_thousand_orphans_are_home_within_ten_minutes() {
        let town = Town::new(4);
        let (_, _survivor) = killed_with_refreshes_in_flight(&town, 5000, 1, |builder| builder);
        let took = town.until(10 * MINUTE, || {
            town.pass(10 * SECOND);
            idle_records(&town) == 5000
        });
        assert!(took <= 10 * MINUTE, "{took:?}");
        assert_eq!(town.counters().live_sessions, 5000);
    }
}

#[test]
fn a_token_endpoint_that_takes_twenty_seconds_is_asked_once() {
    let town = Town::new(5);
    let processes = [(); 3].map(|()| town.process().sweeps());
    town.sign_in(&processes[0].client, "user");
    town.expire_access_tokens();
    town.oauth_takes.store(20_000, Ordering::Relaxed);
    let calls = processes.each_ref().map(|process| process.call("user"));
    town.pass(25 * SECOND);
    for call in calls {
        call.lock().unwrap().clone().expect("an answer").unwrap();
    }
    assert_eq!(town.counters().token_refresh.received, 1);
}

fn too_many(retry_after: &'static str) -> Fault {
    let answer = Replacement::new(StatusCode::TOO_MANY_REQUESTS, Bytes::new());
    Fault::Replace(answer.header(header::RETRY_AFTER, HeaderValue::from_static(retry_after)))
}

#[test]
fn nothing_is_sent_inside_a_penalty_by_any_of_three_processes() {
    let town = Town::new(6);
    let processes = [(); 3].map(|()| town.process().sweeps());
    town.sign_in(&processes[0].client, "user");
    town.expire_access_tokens();
    town.platform()
        .queue_fault(Target::Token, too_many("60"), 1);
    let _ = processes[0].call("user");
    town.pass(SECOND);
    for _ in 0..55 {
        for process in &processes {
            let _ = process.call("user");
        }
        town.pass(SECOND);
    }
    assert_eq!(town.counters().token_refresh.received, 1);
    town.pass(30 * SECOND);
    let call = processes[2].call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
    assert_eq!(town.counters().token_refresh.received, 2);
}

#[test]
fn a_lost_answer_followed_by_a_penalty_longer_than_the_grace_loses_nothing() {
    let town = Town::new(7);
    let process = town.process().sweeps();
    town.sign_in(&process.client, "user");
    town.expire_access_tokens();
    town.platform()
        .queue_fault(Target::Token, Fault::DropAfter, 1);
    town.platform()
        .queue_fault(Target::Token, too_many("7200"), 1);
    let _ = process.call("user");
    town.pass(10 * MINUTE);
    // Half way, the process is replaced by another one.
    process.process.kill();
    let next = town.process().sweeps();
    town.pass(60 * MINUTE);
    let call = next.call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
    assert_eq!(town.counters().live_sessions, 1);
}

#[test]
fn a_clock_set_back_two_hours_after_a_crash_loses_nothing() {
    let town = Town::new(8);
    let dying = town.process();
    town.sign_in(&dying.client, "user");
    town.expire_access_tokens();
    town.oauth_takes.store(300, Ordering::Relaxed);
    let _ = dying.call("user");
    town.pass(Duration::from_millis(100));
    dying.process.kill();
    let next = town.process();
    next.process.set_wall_clock(-2 * 3600 * 1000);
    let next = next.sweeps();
    town.until(30 * SECOND, || idle_records(&town) == 1);
    drop(next);
    assert_eq!(town.counters().live_sessions, 1);
}

#[test]
fn a_process_that_knows_it_is_alone_takes_over_at_once() {
    let town = Town::new(9);
    let dying = town.process();
    town.sign_in(&dying.client, "user");
    town.expire_access_tokens();
    town.oauth_takes.store(300, Ordering::Relaxed);
    let _ = dying.call("user");
    town.pass(Duration::from_millis(100));
    dying.process.kill();
    let next = town.process();
    next.process.set_wall_clock(-2 * 3600 * 1000);
    assert_eq!(town.run(next.client.take_over_abandoned()).unwrap(), 1);
    let call = next.call("user");
    town.pass(SECOND);
    call.lock().unwrap().clone().expect("an answer").unwrap();
}

#[test]
fn signing_in_again_in_another_process_fails_no_call_and_costs_no_token_request() {
    for seed in 0..20 {
        let town = Town::new(seed);
        let (a, b) = (town.process(), town.process());
        town.sign_in(&a.client, "user");
        let old = a.client.grant(&GrantKey::new("user"));
        town.run(old.refresh()).unwrap();
        town.run(old.refresh()).unwrap();
        let before = town.counters().token_refresh.received;
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(a.call("user"));
        }
        town.sign_in(&b.client, "user");
        for _ in 0..20 {
            calls.push(a.call("user"));
            town.pass(SECOND / 10);
        }
        for call in calls {
            call.lock().unwrap().clone().expect("an answer").unwrap();
        }
        assert_eq!(town.counters().token_refresh.received, before);
    }
}

#[test]
fn a_replaced_or_signed_out_token_is_not_used_a_second_later_in_another_process() {
    let town = Town::new(10);
    let (a, b) = (town.process(), town.process());
    town.sign_in(&a.client, "user");
    town.run(b.client.grant(&GrantKey::new("user")).get(ME).send())
        .unwrap();
    let answer = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    town.platform()
        .queue_fault(Target::Revoke, Fault::Replace(answer), 100);
    let grant = a.client.grant(&GrantKey::new("user"));
    let signing_out = async { grant.sign_out().await };
    town.run(signing_out).unwrap();
    town.pass(SECOND);
    let before = town.counters().api.received;
    let call = b.call("user");
    town.pass(SECOND);
    assert!(call.lock().unwrap().clone().expect("an answer").is_err());
    assert_eq!(
        town.counters().api.received,
        before,
        "the old token was sent"
    );
}

#[test]
fn an_api_that_refuses_every_token_costs_three_refreshes_a_minute_and_twenty_an_hour() {
    let town = Town::new(11);
    let processes = [(); 3].map(|()| town.process());
    town.sign_in(&processes[0].client, "user");
    let refused = Replacement::new(
        StatusCode::UNAUTHORIZED,
        Bytes::from_static(br#"{"errorCode":"OAU-213","message":"Token not found"}"#),
    );
    town.platform()
        .queue_fault(Target::Api, Fault::Replace(refused), u32::MAX);
    let call_for = |time: Duration| {
        let end = town.now() + time;
        while town.now() < end {
            for process in &processes {
                let _ = process.call("user");
            }
            town.pass(2 * SECOND);
        }
    };
    call_for(MINUTE - 2 * SECOND);
    let sent = town.counters().token_refresh.received;
    assert!((1..=3).contains(&sent), "{sent}");
    call_for(58 * MINUTE);
    let sent = town.counters().token_refresh.received;
    assert!((10..=20).contains(&sent), "{sent}");
}

/// A process whose random numbers panic when they are told to.
#[derive(Debug)]
struct Unlucky {
    process: SimulatedProcess,
    panics: AtomicBool,
}

impl Environment for Unlucky {
    fn now(&self) -> Now {
        self.process.now()
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        self.process.sleep_until(mono)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.process.spawn(task);
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        // An attempt is named by 16 bytes, drawn by the driver itself.
        assert!(
            bytes.len() != 16 || !self.panics.swap(false, Ordering::Relaxed),
            "out of luck"
        );
        self.process.fill(bytes)
    }
}

#[test]
fn a_driver_that_panics_itself_goes_on_from_the_record() {
    let town = Town::new(14);
    let first = town.process();
    town.sign_in(&first.client, "user");
    town.expire_access_tokens();
    let process = town.world.process();
    let unlucky = Arc::new(Unlucky {
        process: process.clone(),
        panics: AtomicBool::new(true),
    });
    let environment = unlucky.clone();
    let client = town
        .process_with(|builder| builder.environment(environment))
        .client;
    let grant = client.grant(&GrantKey::new("user"));
    let began = town.now();
    town.run(grant.get(ME).send()).expect("the call goes on");
    assert!(!unlucky.panics.load(Ordering::Relaxed), "nothing panicked");
    assert!(town.now() - began < 5 * SECOND);
}

#[test]
fn idle_grants_cost_no_task() {
    let town = Town::new(13);
    let process = town.process().sweeps();
    town.pass(SECOND);
    let before = process.process.tasks();
    for key in keys(50) {
        let grant = town.sign_in(&process.client, &key);
        town.run(grant.get(ME).send()).unwrap();
    }
    town.pass(MINUTE);
    assert_eq!(process.process.tasks(), before);
}
