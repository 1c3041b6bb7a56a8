//! Who may refresh while an intent stands: signs of life, pauses, and what a late owner may still do.

use std::time::Duration;

use rc_auth_core::{
    EndReason, Generation, Input, LoadFailure, Output, RecordState, RefreshPolicy, Timestamp,
    Trouble, Want,
};

use crate::{
    server::{DEAD, Fate, MINUTE},
    store::SaveFault,
    world::{Process, World, expired, is_save, is_send, pair_of_world},
};

const SECOND: Duration = Duration::from_secs(1);

/// `a` has a request out, and its answer is still on the way.
fn in_flight() -> (World, Process, Input) {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    (world, a, answer)
}

/// Every second, everybody is told what time it is.
fn pass(world: &mut World, time: Duration, processes: &mut [&mut Process]) {
    let end = world.now.mono + time;
    while world.now.mono < end {
        world.advance(SECOND);
        for process in &mut *processes {
            process.input(world, Input::Timeout);
            process.run(world);
        }
    }
}

#[test]
fn an_owner_at_work_is_not_taken_over_however_long_it_takes() {
    let (mut world, mut a, answer) = in_flight();
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    pass(&mut world, 29 * SECOND, &mut [&mut a, &mut b]);
    assert_eq!(world.server.presented, ["refresh-1"]);
    a.deliver(&world, answer);
    a.run(&mut world);
    pass(&mut world, SECOND, &mut [&mut b]);
    assert_eq!(b.generation(&world), Some(Generation::new(2)));
    assert_eq!(world.server.presented, ["refresh-1"]);
}

#[test]
fn an_answer_that_comes_during_a_renewal_waits_for_its_outcome() {
    let (mut world, mut a, answer) = in_flight();
    world.advance(3 * SECOND);
    a.input(&world, Input::Timeout);
    let renewal = a.run_to(&mut world, is_save);
    a.deliver(&world, answer);
    assert!(a.machine.poll_output().is_none(), "its version is unknown");
    let saved = a.perform(&mut world, renewal).expect("a version");
    a.deliver(&world, saved);
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn a_renewal_whose_outcome_is_unknown_loses_no_answer() {
    for fault in [SaveFault::WrittenUnknown, SaveFault::LostUnknown] {
        let (mut world, mut a, answer) = in_flight();
        world.store.save_faults.push_back(fault);
        world.advance(3 * SECOND);
        a.input(&world, Input::Timeout);
        a.run(&mut world);
        a.deliver(&world, answer);
        a.run(&mut world);
        assert_eq!(a.generation(&world), Some(Generation::new(2)), "{fault:?}");
    }
}

#[test]
fn a_pause_is_written_down_and_others_add_it_to_their_patience() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.want(&mut world, Want::Usable);
    // a dies here.
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    pass(&mut world, 60 * SECOND, &mut [&mut b]);
    assert_eq!(world.server.presented.len(), 1, "sent inside the penalty");
    pass(&mut world, 11 * SECOND, &mut [&mut b]);
    assert_eq!(b.generation(&world), Some(Generation::new(2)));
}

#[test]
fn callers_elsewhere_are_told_of_a_pause_at_once() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.want(&mut world, Want::Usable);
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    assert_eq!(
        b.waits(&world),
        Some((60 * SECOND, Trouble::EarlierFailure))
    );
}

#[test]
fn a_pause_outlives_a_restart_that_knows_its_owner_is_gone() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.want(&mut world, Want::Usable);
    world.advance(10 * SECOND);
    let mut b = world.process();
    b.input(&world, Input::Want(Want::Usable));
    let load = b.run_to(&mut world, |output| matches!(output, Output::Load));
    assert!(matches!(load, Output::Load));
    let mut loaded = world.store.load().expect("a record");
    loaded.silent_for = Duration::MAX;
    b.input(&world, Input::Loaded(Ok(loaded)));
    b.run(&mut world);
    assert_eq!(
        b.waits(&world),
        Some((50 * SECOND, Trouble::EarlierFailure))
    );
}

#[test]
fn what_the_caller_has_seen_before_counts_for_a_machine_that_is_new() {
    let (mut world, _a, _answer) = in_flight();
    let mut b = world.process();
    b.input(&world, Input::Want(Want::Usable));
    let _load = b.run_to(&mut world, |output| matches!(output, Output::Load));
    let mut loaded = world.store.load().expect("a record");
    loaded.silent_for = 8 * SECOND;
    b.input(&world, Input::Loaded(Ok(loaded)));
    let seen = world.now.mono;
    while world.server.presented.len() == 1 {
        b.sleep(&mut world);
    }
    assert_eq!(world.now.mono - seen, 2 * SECOND);
}

#[test]
fn token_dead_is_written_over_the_own_version_only() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    // b takes over, gets the pair and uses it; then a's request arrives, too late for the grace.
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    pass(&mut world, 11 * SECOND, &mut [&mut b]);
    world.server.use_access_token("access-2", world.now.wall);
    world.advance(11 * SECOND);
    let refused = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, refused);
    a.run(&mut world);
    assert_eq!(a.end(&world), None);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    assert!(matches!(world.store.state(), RecordState::Idle { .. }));
}

#[test]
fn a_lost_answer_is_asked_for_again_before_the_grace_ends_whatever_the_server_asks_for() {
    let (mut world, mut a) = expired();
    world
        .server
        .fates
        .extend([Fate::AnswerLost, Fate::After(429, "7200", "{}")]);
    a.want(&mut world, Want::Usable);
    let began = world.now.mono;
    while world.server.presented.len() < 3 {
        a.sleep(&mut world);
    }
    let waited = world.now.mono - began;
    assert_eq!(waited.as_secs(), 48 * 60);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn the_last_chance_outlives_a_restart() {
    let (mut world, mut a) = expired();
    world
        .server
        .fates
        .extend([Fate::AnswerLost, Fate::After(429, "7200", "{}")]);
    a.want(&mut world, Want::Usable);
    a.sleep(&mut world);
    let began = world.now.mono;
    // a dies; b starts half an hour later.
    world.advance(30 * MINUTE);
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    while b.generation(&world) != Some(Generation::new(2)) {
        assert!(world.now.mono - began < 59 * MINUTE, "the grace is over");
        b.sleep(&mut world);
    }
}

#[test]
fn without_a_lost_answer_a_long_penalty_is_kept() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "3000", "{}"));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.waits(&world).map(|(wait, _)| wait), Some(50 * MINUTE));
}

#[test]
fn a_dead_owner_on_a_server_that_refuses_ends_the_grant_once() {
    let (mut world, _a, _answer) = in_flight();
    world.server.fates.push_back(Fate::Answer(400, DEAD));
    world.server.revoke_all();
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    pass(&mut world, 11 * SECOND, &mut [&mut b]);
    assert_eq!(b.end(&world), Some(EndReason::TokenDead));
}

#[test]
fn tokens_refused_again_and_again_cost_three_refreshes_in_a_minute() {
    let mut world = World::new(RefreshPolicy::default());
    let mut processes = [world.process(), world.process()];
    for _ in 0..40 {
        for process in &mut processes {
            process.want(&mut world, Want::Usable);
            if let Some(pair) = process.shown(&world) {
                process.input(&world, Input::Refused(pair));
                process.want(&mut world, Want::NewerThan(pair));
            }
            process.input(&world, Input::Changed);
            process.run(&mut world);
        }
        world.advance(SECOND);
    }
    assert_eq!(world.server.presented.len(), 3);
    let refused = Some(Trouble::AccessTokenRefused);
    assert!(
        processes
            .iter()
            .any(|process| process.waits(&world).map(|(_, trouble)| trouble) == refused)
    );
}

#[test]
fn a_pair_of_another_sign_in_is_newer_than_any_of_the_old_one() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Status);
    let old = a.shown(&world).expect("a pair");
    // Another process signs the user in again; the old chain is revoked.
    world.sign_in_again(2);
    a.input(&world, Input::Refused(old));
    a.want(&mut world, Want::NewerThan(old));
    let new = a.shown(&world).expect("a pair");
    assert!(new.is_newer_than(old));
    assert_eq!(new.generation, old.generation);
    assert!(
        world.server.presented.is_empty(),
        "a token request was made"
    );
}

#[test]
fn word_of_a_version_that_is_known_costs_no_read() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Status);
    let known = match a.machine.known_version() {
        rc_auth_core::KnownVersion::At(version) => version,
        other => panic!("{other:?}"),
    };
    let loads = world.store.loads;
    a.input(&world, Input::ChangedTo(known));
    a.run(&mut world);
    assert_eq!(world.store.loads, loads);
    a.input(&world, Input::ChangedTo(None));
    a.run(&mut world);
    assert_eq!(world.store.loads, loads + 1);
}

#[test]
fn a_record_that_could_not_be_opened_is_read_again_when_it_changes() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    world.store.load_faults.push_back(LoadFailure::Unreadable);
    a.want(&mut world, Want::Usable);
    assert_eq!(
        a.waits(&world).map(|(_, trouble)| trouble),
        Some(Trouble::Record)
    );
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::FIRST));
}

#[test]
fn a_clock_that_is_behind_takes_no_noted_use_back() {
    let (mut world, mut a) = expired();
    let noted = |world: &World| {
        let record = world.store.record.as_ref();
        record.and_then(|record| record.about.last_used_at)
    };
    a.want(&mut world, Want::Usable);
    let before = noted(&world);
    assert!(before.is_some());
    world.expire();
    let behind = world.now.wall.unix_millis() - 2 * 3_600_000;
    let mut b = world.process();
    let ended = world.now.wall;
    world.now.wall = Timestamp::from_unix_millis(behind);
    b.want(&mut world, Want::NewerThan(pair_of_world(2)));
    assert_eq!(b.generation(&world), Some(Generation::new(3)));
    world.now.wall = ended;
    assert!(noted(&world) >= before, "{:?}", noted(&world));
}

#[test]
fn a_use_is_written_down_once_in_an_eighth_of_the_idle_time() {
    let mut policy = RefreshPolicy::default();
    policy.max_idle = Some(Duration::from_secs(8 * 3600));
    let mut world = World::new(policy);
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    let written = world.store.log.len();
    world.advance(30 * MINUTE);
    a.want(&mut world, Want::Usable);
    assert_eq!(world.store.log.len(), written, "too soon");
    world.server.lifetime = 24 * 3600;
    world.advance(31 * MINUTE);
    for _ in 0..10 {
        a.want(&mut world, Want::Usable);
    }
    // The access token has ended too: the refresh carries the note.
    let used = world
        .store
        .record
        .as_ref()
        .and_then(|record| record.about.last_used_at);
    assert_eq!(used, Some(world.now.wall));
    world.advance(2 * 60 * MINUTE);
    let written = world.store.log.len();
    for _ in 0..10 {
        a.want(&mut world, Want::Usable);
    }
    assert_eq!(world.store.log.len(), written + 1, "one note, nothing else");
    assert_eq!(world.server.presented, ["refresh-1"]);
    let used = world
        .store
        .record
        .as_ref()
        .and_then(|record| record.about.last_used_at);
    assert_eq!(used, Some(world.now.wall));
    // Care alone is no use.
    world.advance(2 * 60 * MINUTE);
    a.want(&mut world, Want::Care);
    assert_eq!(world.store.log.len(), written + 1);
}
