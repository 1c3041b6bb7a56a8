//! Servers that do not repeat answers, and may take the re-use of a refresh token for theft.

use rc_auth_core::{
    AuthBudget, EndReason, Generation, Input, RecordState, RefreshPolicy, RefreshReplay,
    SaveFailure, Want,
};

use crate::{
    server::{DEAD, Fate, MINUTE},
    world::{Process, World, expired_under, is_save, is_send},
};

fn strict() -> (World, Process) {
    let mut policy = RefreshPolicy::default();
    policy.replay = RefreshReplay::None;
    policy.budget = AuthBudget::Off;
    expired_under(policy)
}

fn unanswered(world: &World) -> u8 {
    match world.store.state() {
        RecordState::Refreshing { intent, .. } => intent.unanswered,
        other => panic!("no intent but {other:?}"),
    }
}

#[test]
fn a_request_that_was_lost_on_its_way_there_is_repeated_and_succeeds() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::RequestLost);
    a.want(&mut world, Want::Usable);
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn the_second_presentation_is_written_down_beforehand() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::RequestLost);
    a.want(&mut world, Want::Usable);
    assert_eq!(unanswered(&world), 0);
    let at = a.machine.next_timeout().expect("a pause");
    world.advance(at.saturating_sub(world.now.mono));
    a.input(&world, Input::Timeout);
    let _send = a.run_to(&mut world, is_send);
    assert_eq!(unanswered(&world), 1);
}

#[test]
fn a_refusal_after_a_lost_answer_is_indeterminate() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::AnswerLost);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), None);
    a.sleep(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::Indeterminate));
    assert_eq!(world.server.presented, ["refresh-1", "refresh-1"]);
}

#[test]
fn two_lost_answers_are_indeterminate_without_a_third_request() {
    let (mut world, mut a) = strict();
    world
        .server
        .fates
        .extend([Fate::RequestLost, Fate::AnswerLost]);
    a.want(&mut world, Want::Usable);
    a.sleep(&mut world);
    a.sleep(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::Indeterminate));
    assert_eq!(world.server.presented.len(), 2);
}

#[test]
fn a_refusal_of_the_first_request_is_a_plain_end() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::Answer(400, DEAD));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), Some(EndReason::TokenDead));
}

#[test]
fn what_was_not_sent_or_was_answered_does_not_count() {
    let (mut world, mut a) = strict();
    let harmless = [
        Fate::NotSent,
        Fate::Answer(429, "{}"),
        Fate::Answer(503, "{}"),
        Fate::Answer(401, r#"{"error":"invalid_client"}"#),
        Fate::NotSent,
    ];
    world
        .server
        .fates
        .extend(harmless.iter().cycle().take(15).cloned());
    a.want(&mut world, Want::Usable);
    for _ in 0..15 {
        assert_eq!(a.end(&world), None);
        a.sleep(&mut world);
    }
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn word_of_changes_counts_for_nothing() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::Answer(503, "{}"));
    a.want(&mut world, Want::Usable);
    for _ in 0..5 {
        a.input(&world, Input::Changed);
        a.run(&mut world);
    }
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn a_take_over_counts_as_an_answer_that_was_lost() {
    let (mut world, mut a) = strict();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let _unread = a.perform(&mut world, send);
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    let give_up = world.now.mono + 2 * MINUTE;
    while b.end(&world).is_none() {
        assert!(world.now.mono < give_up);
        b.sleep(&mut world);
    }
    assert_eq!(b.end(&world), Some(EndReason::Indeterminate));
    assert_eq!(world.server.presented.len(), 2);
}

#[test]
fn a_take_over_counts_what_was_lost_before_it() {
    let (mut world, mut a) = strict();
    world.server.fates.push_back(Fate::RequestLost);
    a.want(&mut world, Want::Usable);
    let at = a.machine.next_timeout().expect("a pause");
    world.advance(at.saturating_sub(world.now.mono));
    a.input(&world, Input::Timeout);
    // The second request may have left before its owner died.
    drop(a.run_to(&mut world, is_send));
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    while b.machine.next_timeout().is_some() {
        b.sleep(&mut world);
    }
    assert_eq!(b.end(&world), Some(EndReason::Indeterminate));
    assert_eq!(world.server.presented.len(), 1);
}

#[test]
fn an_answer_that_was_written_down_is_not_counted_by_whoever_takes_over() {
    let (mut world, mut a) = strict();
    world
        .server
        .fates
        .extend([Fate::Answer(429, "{}"), Fate::Answer(400, DEAD)]);
    a.want(&mut world, Want::Usable);
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    while b.machine.next_timeout().is_some() {
        b.sleep(&mut world);
    }
    assert_eq!(b.end(&world), Some(EndReason::TokenDead));
}

/// The write of an intent, thought to be lost, arrives while the next one is on its way.
#[test]
fn an_own_intent_that_nothing_was_sent_for_counts_as_no_presentation() {
    let (mut world, mut a) = strict();
    a.input(&world, Input::Want(Want::Usable));
    let late = a.run_to(&mut world, is_save);
    a.deliver(&world, Input::Saved(Err(SaveFailure::OutcomeUnknown)));
    a.run(&mut world);
    let at = a.machine.next_timeout().expect("a pause");
    world.advance(at.saturating_sub(world.now.mono));
    a.input(&world, Input::Timeout);
    let second = a.run_to(&mut world, is_save);
    let _written = a.perform(&mut world, late);
    let conflict = a.perform(&mut world, second).expect("an answer");
    a.deliver(&world, conflict);
    world.server.fates.push_back(Fate::Answer(400, DEAD));
    a.run(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::TokenDead));
}
