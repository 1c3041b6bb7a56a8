//! The bytes by which a search tells machines and records apart.

use std::time::Duration;

use rc_auth_core::{EndReason, GrantRecord, Input, Lens, Met, Now, RecordState, Want, met};

use crate::{
    server::Fate,
    world::{Process, World, expired, is_send},
};

const SECOND: Duration = Duration::from_secs(1);

fn seen_at<T>(now: Now, look: impl FnOnce(&Lens<'_>) -> T) -> T {
    look(&Lens {
        now,
        version: &|version| version.as_bytes()[15],
        attempt: &|attempt| attempt.as_bytes()[15],
        is_alive: &|_| true,
        oldest: 20 * SECOND,
        grid: SECOND,
    })
}

fn machine_at(process: &Process, now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    seen_at(now, |lens| process.machine.fingerprint(lens, &mut out));
    out
}

fn record_at(record: &GrantRecord, now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    seen_at(now, |lens| lens.record(record, &mut out));
    out
}

#[test]
fn a_sign_out_in_doubt_is_told_from_none() {
    let overtaken = |is_signed_out: bool| {
        let (mut world, mut a) = expired();
        a.input(&world, Input::Want(Want::Usable));
        drop(a.run_to(&mut world, is_send));
        if is_signed_out {
            a.input(&world, Input::SignedOut(world.store.version()));
        }
        a.input(&world, Input::SignedIn);
        machine_at(&a, world.now)
    };
    assert_ne!(overtaken(true), overtaken(false));
}

#[test]
fn what_is_left_of_a_wait_tells_machines_apart() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.want(&mut world, Want::Usable);
    let now = world.now;
    world.advance(2 * SECOND);
    assert_ne!(machine_at(&a, now), machine_at(&a, world.now));
}

#[test]
fn records_in_different_states_are_told_apart() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    drop(a.run_to(&mut world, is_send));
    let mut records = world.store.log.clone();
    let refreshing = records.last().expect("an intent").clone();
    records.extend(refreshing.signed_out(None));
    records.push(GrantRecord {
        state: RecordState::Ended {
            reason: EndReason::TokenDead,
        },
        ..refreshing
    });
    let mut seen: Vec<_> = records.iter().map(|it| record_at(it, world.now)).collect();
    seen.sort();
    seen.dedup();
    assert_eq!((records.len(), seen.len()), (4, 4));
}

#[test]
fn an_input_is_counted_with_the_state_that_it_met() {
    let (mut world, mut a): (World, Process) = expired();
    a.want(&mut world, Want::Usable);
    // Other tests of the process count too.
    let times = |state, input| {
        let is_asked = |met: &&Met| (met.state, met.input) == (state, input);
        met().iter().find(is_asked).map(|met| met.times)
    };
    assert!(times("AtGate", "Gate(open)") > Some(0));
    assert!(times("Sending", "Answered") > Some(0));
    assert_eq!(times("Settled", "Answered"), None, "nobody asked");
}
