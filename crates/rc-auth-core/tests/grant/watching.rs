//! How the intent of another process is watched, and what it says to whoever takes over.

use std::time::Duration;

use rc_auth_core::{Generation, Input, Output, RecordState, Trouble, Want};

use crate::{
    server::{Fate, MINUTE},
    world::{Process, World, expired, is_send},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A process with a request out.
fn in_flight() -> (World, Process) {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    drop(a.run_to(&mut world, is_send));
    (world, a)
}

/// A new process whose driver has seen the record stand for `silent_for`.
fn begun_after(world: &mut World, silent_for: Duration) -> Process {
    let mut process = world.process();
    process.input(world, Input::Want(Want::Usable));
    drop(process.run_to(world, |output| matches!(output, Output::Load)));
    let mut loaded = world.store.load().expect("a record");
    loaded.silent_for = silent_for;
    process.input(world, Input::Loaded(Ok(loaded)));
    process.run(world);
    process
}

fn until_next_look(process: &Process, world: &World) -> Duration {
    let at = process.machine.next_timeout().expect("a timeout");
    at.saturating_sub(world.now.mono)
}

#[test]
fn an_owner_that_is_silent_is_looked_at_ever_less_often() {
    let (mut world, _a) = in_flight();
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    let mut pauses = Vec::new();
    while world.server.presented.is_empty() {
        pauses.push(until_next_look(&b, &world).as_millis());
        b.sleep(&mut world);
    }
    assert_eq!(pauses[..7], [25, 50, 100, 200, 400, 500, 500]);
    assert!(pauses.len() < 26, "{pauses:?}");
}

#[test]
fn a_sign_of_life_is_no_reason_to_look_more_often() {
    let (mut world, mut a) = in_flight();
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    for _ in 0..6 {
        b.sleep(&mut world);
    }
    // Its owner writes the intent once more.
    a.sleep(&mut world);
    for _ in 0..3 {
        b.sleep(&mut world);
        assert_eq!(until_next_look(&b, &world), world.policy.poll_max);
    }
}

#[test]
fn every_sign_of_life_is_counted_in_the_record() {
    let (mut world, mut a) = in_flight();
    for expected in 0..4 {
        let RecordState::Refreshing { intent, .. } = world.store.state() else {
            panic!("no intent");
        };
        assert_eq!(intent.renewals, expected);
        a.sleep(&mut world);
    }
}

/// A process that was told to wait for a minute has died, and its clock was an hour ahead.
fn paused_by_a_clock_that_is_ahead() -> World {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.want(&mut world, Want::Usable);
    world.now.wall = world.now.wall.saturating_sub(HOUR);
    world
}

#[test]
fn a_pause_that_was_watched_to_its_end_is_not_made_again() {
    let mut world = paused_by_a_clock_that_is_ahead();
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    let began = world.now.mono;
    while b.generation(&world) != Some(Generation::new(2)) {
        b.sleep(&mut world);
    }
    assert_eq!(world.now.mono - began, 70 * SECOND);
}

#[test]
fn a_pause_that_the_driver_has_seen_pass_is_not_made_again() {
    let mut world = paused_by_a_clock_that_is_ahead();
    let b = begun_after(&mut world, 70 * SECOND);
    assert_eq!(b.generation(&world), Some(Generation::new(2)));
}

#[test]
fn without_a_lost_answer_a_long_penalty_outlives_a_restart() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "3000", "{}"));
    a.want(&mut world, Want::Usable);
    let b = begun_after(&mut world, Duration::MAX);
    assert_eq!(
        b.waits(&world),
        Some((50 * MINUTE, Trouble::EarlierFailure))
    );
}

/// The grace began with a request of a process that is gone, not with that of its successor.
#[test]
fn the_last_chance_counts_from_the_first_presentation_whoever_made_it() {
    let (mut world, mut a) = expired();
    let began = world.now.mono;
    world
        .server
        .fates
        .extend([Fate::AnswerLost, Fate::After(429, "7200", "{}")]);
    a.want(&mut world, Want::Usable);
    world.advance(30 * MINUTE);
    let mut b = begun_after(&mut world, Duration::MAX);
    assert_eq!(world.server.presented.len(), 2);
    b.sleep(&mut world);
    assert_eq!(world.now.mono - began, 48 * MINUTE);
    assert_eq!(b.generation(&world), Some(Generation::new(2)));
}

#[test]
fn a_wall_clock_that_is_set_back_does_not_move_the_last_chance() {
    let (mut world, mut a) = expired();
    let began = world.now.mono;
    world
        .server
        .fates
        .extend([Fate::AnswerLost, Fate::After(429, "7200", "{}")]);
    a.want(&mut world, Want::Usable);
    world.now.wall = world.now.wall.saturating_sub(24 * HOUR);
    while world.server.presented.len() < 3 {
        a.sleep(&mut world);
    }
    assert_eq!(world.now.mono - began, 48 * MINUTE);
}
