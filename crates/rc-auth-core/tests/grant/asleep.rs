//! A machine that has nothing to do is dropped, and another goes on in its place.

use std::time::Duration;

use rc_auth_core::{
    AuthBudget, EndReason, Input, KnownVersion, LoadFailure, Output, PairId, Phase, Rate,
    RefreshPolicy, Trouble, Want,
};

use crate::{
    store::SaveFault,
    world::{Process, World, expired, is_save, pair_of_world},
};

/// A process that sleeps, after it has refreshed once.
fn asleep() -> (World, Process) {
    let (mut world, mut a) = expired();
    a.want(&mut world, Want::Usable);
    assert!(a.fall_asleep(&world));
    (world, a)
}

fn lent(a: &Process, world: &World) -> Option<PairId> {
    a.machine.view(world.now).lent
}

#[test]
fn the_pair_stays_in_use_until_the_record_was_read() {
    let (mut world, mut a) = asleep();
    let pair = pair_of_world(2);
    assert_eq!(lent(&a, &world), Some(pair));
    assert!(matches!(a.machine.view(world.now).phase, Phase::Idle));
    assert_eq!(a.shown(&world), None);
    a.input(&world, Input::Want(Want::Usable));
    assert_eq!(lent(&a, &world), Some(pair));
    a.run(&mut world);
    assert_eq!((lent(&a, &world), a.shown(&world)), (None, Some(pair)));
    assert_eq!(world.server.presented.len(), 1);
}

#[test]
fn what_is_due_is_refreshed_from_sleep() {
    let (mut world, mut a) = asleep();
    world.expire();
    a.want(&mut world, Want::Usable);
    assert_eq!(a.shown(&world), Some(pair_of_world(3)));
}

#[test]
fn a_refused_token_is_refreshed_from_sleep() {
    let (mut world, mut a) = asleep();
    a.input(&world, Input::Refused(pair_of_world(2)));
    assert!(a.machine.view(world.now).refused);
    assert!(
        !a.fall_asleep(&world),
        "nobody else knows that it was refused"
    );
    a.want(&mut world, Want::Usable);
    assert_eq!(a.shown(&world), Some(pair_of_world(3)));
}

#[test]
fn a_401_of_an_older_pair_costs_nothing() {
    let (world, mut a) = asleep();
    a.input(&world, Input::Refused(pair_of_world(1)));
    assert!(!a.machine.view(world.now).refused);
    assert!(!a.machine.has_output());
    assert!(a.fall_asleep(&world));
}

#[test]
fn only_news_have_the_record_read() {
    let (world, mut a) = asleep();
    let version = world.store.version();
    assert_eq!(a.machine.known_version(), KnownVersion::At(Some(version)));
    a.input(&world, Input::ChangedTo(Some(version)));
    assert!(!a.machine.has_output());
    a.input(&world, Input::ChangedTo(None));
    assert!(matches!(a.machine.poll_output(), Some(Output::Load)));
}

#[test]
fn a_sign_out_ends_what_is_asleep() {
    let (mut world, mut a) = asleep();
    world.sign_out();
    a.input(&world, Input::SignedOut(world.store.version()));
    assert_eq!(lent(&a, &world), None);
    a.run(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::SignedOut));
}

#[test]
fn a_store_that_is_down_takes_nothing_away() {
    let (mut world, mut a) = asleep();
    world.store.load_faults.push_back(LoadFailure::Unavailable);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(lent(&a, &world), Some(pair_of_world(2)));
    assert!(a.machine.shows_what_is_doubted());
    assert!(!a.fall_asleep(&world));
}

#[test]
fn whoever_owns_an_intent_or_waits_stays_awake() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    while let Some(output) = a.machine.poll_output() {
        let is_over = matches!(output, Output::Report(_));
        assert!(is_over || !a.fall_asleep(&world), "{output:?}");
        if let Some(input) = a.perform(&mut world, output) {
            a.deliver(&world, input);
        }
    }
    assert!(a.fall_asleep(&world));
}

#[test]
fn an_intent_in_doubt_keeps_the_machine_awake_until_a_pair_is_saved() {
    let (mut world, mut a) = expired();
    world.store.save_faults.push_back(SaveFault::LostUnknown);
    a.input(&world, Input::Want(Want::Usable));
    let save = a.run_to(&mut world, is_save);
    let unknown = a.perform(&mut world, save).expect("an answer");
    a.deliver(&world, unknown);
    assert!(!a.fall_asleep(&world));
    a.run(&mut world);
    assert!(!a.fall_asleep(&world));
    a.sleep(&mut world);
    assert_eq!(a.shown(&world), Some(pair_of_world(2)));
    assert!(a.fall_asleep(&world));
}

#[test]
fn the_budget_counts_what_was_sent_before() {
    let mut policy = RefreshPolicy::default();
    policy.budget = AuthBudget::PerApp(Rate::GUIDE);
    let mut world = World::new(policy);
    let mut a = world.process();
    for generation in 1..=5 {
        a.want(&mut world, Want::NewerThan(pair_of_world(generation)));
        world.advance(Duration::from_secs(1));
        assert!(a.fall_asleep(&world), "{generation}");
    }
    a.want(&mut world, Want::NewerThan(pair_of_world(6)));
    assert_eq!(a.shown(&world), Some(pair_of_world(6)));
    let (_, trouble) = a.waits(&world).expect("a pause");
    assert_eq!(trouble, Trouble::RateLimited);
}
