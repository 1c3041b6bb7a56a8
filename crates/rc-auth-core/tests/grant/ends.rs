//! Grants that are over, cannot be read, or can never be refreshed.

use std::time::Duration;

use bytes::Bytes;
use rc_auth_core::{
    EndReason, GrantRecord, Input, LoadFailure, RecordState, RefreshPolicy, TokenPair, TokenSet,
    Trouble, Want,
};

use crate::{
    server::{DEAD, Fate, answer},
    world::{World, expired, pair_of_world},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A world whose app gets no refresh tokens.
fn without_refresh_token() -> World {
    let mut world = World::new(RefreshPolicy::default());
    let body = Bytes::from(r#"{"access_token":"access-1","expires_in":3600}"#);
    let set = TokenSet::from_response(&answer(200, body), world.now.wall).expect("tokens");
    let record = world.store.record.clone().expect("a record");
    let pair = TokenPair::new(set);
    world
        .store
        .put(GrantRecord::signed_in(record.chain, pair, world.now.wall));
    world
}

#[test]
fn without_a_refresh_token_the_grant_lasts_as_long_as_its_access_token() {
    let mut world = without_refresh_token();
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    world.advance(HOUR - Duration::from_millis(1));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), None);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-1"));
    world.advance(Duration::from_millis(1));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), Some(EndReason::NotRefreshable));
    assert!(world.server.presented.is_empty());
}

#[test]
fn without_a_refresh_token_a_401_is_the_end() {
    let mut world = without_refresh_token();
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    a.input(&world, Input::Refused(pair_of_world(1)));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), Some(EndReason::NotRefreshable));
    // A sign-in under the same key is found all the same.
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.end(&world), None);
}

#[test]
fn nobody_signed_in_is_absent_and_no_news() {
    let mut world = World::new(RefreshPolicy::default());
    world.store.remove();
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), Some(EndReason::Absent));
    assert!(a.reports.is_empty(), "{:?}", a.reports);
}

#[test]
fn why_a_grant_ended_is_learned_by_every_process_without_asking_the_platform() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::Answer(400, DEAD));
    a.want(&mut world, Want::Usable);
    let kept = world.now.wall.saturating_add(world.policy.keep_ended);
    assert_eq!(world.store.due, Some(kept));
    let mut b = world.process();
    b.want(&mut world, Want::Usable);
    assert_eq!(b.end(&world), Some(EndReason::TokenDead));
    assert_eq!(world.server.presented.len(), 1);
}

#[test]
fn an_ended_record_holds_no_token() {
    let (mut world, mut a) = expired();
    world.server.revoke_all();
    a.want(&mut world, Want::Usable);
    let record = world.store.record.as_ref().expect("a record");
    assert!(matches!(record.state, RecordState::Ended { .. }));
    assert_eq!((record.pair(), record.revocable()), (None, None));
}

#[test]
fn news_that_could_not_be_read_leave_a_doubt_until_they_are() {
    let mut world = World::new(RefreshPolicy::default());
    let (mut a, mut b) = (world.process(), world.process());
    a.want(&mut world, Want::Usable);
    assert!(!a.machine.shows_what_is_doubted());
    b.want(&mut world, Want::NewerThan(pair_of_world(1)));
    world.store.load_faults.push_back(LoadFailure::Unavailable);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert!(a.machine.shows_what_is_doubted());
    a.sleep(&mut world);
    assert!(!a.machine.shows_what_is_doubted());
    assert_eq!(a.generation(&world), b.generation(&world));
}

#[test]
fn a_record_that_cannot_be_read_is_kept_and_tried_again() {
    for (failure, expected) in [
        (LoadFailure::Unavailable, Trouble::Store),
        (LoadFailure::Unreadable, Trouble::Record),
    ] {
        let mut world = World::new(RefreshPolicy::default());
        let mut a = world.process();
        world.store.load_faults.push_back(failure);
        a.want(&mut world, Want::Usable);
        let (pause, trouble) = a.waits(&world).expect("a pause");
        assert_eq!(trouble, expected);
        assert!(pause >= world.policy.retry_first);
        let written = world.store.log.len();
        a.sleep(&mut world);
        assert_eq!(a.access_token(&world).as_deref(), Some("access-1"));
        assert_eq!(world.store.log.len(), written);
    }
}

#[test]
fn without_a_refresh_token_the_end_is_seen_by_a_machine_that_stays_awake() {
    let mut world = without_refresh_token();
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    assert!(!a.fall_asleep(&world));
    world.advance(HOUR);
    assert_eq!(a.end(&world), Some(EndReason::NotRefreshable));
}
