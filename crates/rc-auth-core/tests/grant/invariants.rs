//! The eight rules of the machine, each by its name.

use std::time::Duration;

use rc_auth_core::{Generation, Input, RecordState, Report, Want};

use crate::{
    server::{DEAD, Fate, MINUTE},
    store::SaveFault,
    world::{World, expired, is_save, is_send, pair_of_world, secret},
};

#[test]
fn saved_before_used() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    // The new pair has arrived; until its save is confirmed only the old one can be seen.
    assert_eq!(a.access_token(&world).as_deref(), Some("access-1"));
    assert!(a.machine.holds_unsaved_pair());
    let save = a.run_to(&mut world, is_save);
    let saved = a.perform(&mut world, save).expect("a version");
    assert_eq!(a.access_token(&world).as_deref(), Some("access-1"));
    a.deliver(&world, saved);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-2"));
    assert!(!a.machine.holds_unsaved_pair());
}

#[test]
fn intent_before_send() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let _send = a.run_to(&mut world, is_send);
    let RecordState::Refreshing { pair, intent } = world.store.state() else {
        panic!("sent without an intent in the store");
    };
    assert_eq!(secret(pair.refresh_token()), Some("refresh-1"));
    assert_eq!(intent.unanswered, 0);
    // Whoever looks for work finds it first, whatever their clock says.
    assert_eq!(
        world.store.due,
        Some(rc_auth_core::RefreshPolicy::INTENT_DUE)
    );
}

#[test]
fn intent_before_send_and_none_without_a_confirmed_save() {
    let (mut world, mut a) = expired();
    world.store.save_faults.push_back(SaveFault::LostUnknown);
    a.want(&mut world, Want::Usable);
    assert!(world.server.presented.is_empty());
}

#[test]
fn losers_only_read() {
    let (mut world, mut a) = expired();
    let mut b = world.process();
    b.want(&mut world, Want::Status);
    // Both see the old pair; b's claim is on its way when a has finished.
    b.input(&world, Input::Want(Want::Usable));
    let claim = b.run_to(&mut world, is_save);
    a.want(&mut world, Want::Usable);
    let written = world.store.log.len();
    let conflict = b.perform(&mut world, claim).expect("an answer");
    b.deliver(&world, conflict);
    b.run(&mut world);
    assert_eq!(b.access_token(&world).as_deref(), Some("access-2"));
    assert_eq!(world.store.log.len(), written, "the loser wrote something");
    assert_eq!(world.server.presented, ["refresh-1"]);
    let adopted = Report::Adopted {
        generation: Generation::new(2),
    };
    assert!(b.reports.contains(&adopted), "{:?}", b.reports);
    assert!(world.revoked.is_empty());
}

#[test]
fn losers_only_read_also_when_the_platform_refused_them() {
    let (mut world, mut a) = expired();
    let mut b = world.process();
    b.input(&world, Input::Want(Want::Usable));
    let late = b.run_to(&mut world, is_send);
    // b stops here for so long that a takes over, finishes, and uses the new token.
    a.want(&mut world, Want::Status);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    for _ in 0..500 {
        if a.generation(&world) == Some(Generation::new(2)) {
            break;
        }
        a.sleep(&mut world);
    }
    world.server.use_access_token("access-2", world.now.wall);
    world.advance(MINUTE);
    let refused = b.perform(&mut world, late).expect("an answer");
    b.deliver(&world, refused);
    b.run(&mut world);
    assert_eq!(b.access_token(&world).as_deref(), Some("access-2"));
    assert_eq!(b.end(&world), None);
    assert!(matches!(world.store.state(), RecordState::Idle { .. }));
}

#[test]
fn a_401_names_its_pair() {
    let mut world = World::new(rc_auth_core::RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Status);
    a.input(&world, Input::Refused(pair_of_world(1)));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    // A call that was sent with the first pair hears of it now. The second pair is not blamed.
    a.input(&world, Input::Refused(pair_of_world(1)));
    assert!(!a.machine.view(world.now).refused);
    a.want(&mut world, Want::Usable);
    a.want(&mut world, Want::NewerThan(pair_of_world(1)));
    assert_eq!(world.server.presented, ["refresh-1"]);
}

#[test]
fn dead_only_by_code() {
    let (mut world, mut a) = expired();
    world
        .server
        .fates
        .push_back(Fate::Answer(401, "<html>invalid_grant</html>"));
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), None);
    assert!(matches!(
        world.store.state(),
        RecordState::Refreshing { .. }
    ));
    world.server.fates.push_back(Fate::Answer(400, DEAD));
    a.sleep(&mut world);
    assert_eq!(a.end(&world), Some(rc_auth_core::EndReason::TokenDead));
    assert!(matches!(world.store.state(), RecordState::Ended { .. }));
}

#[test]
fn sign_out_is_final() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    world.sign_out();
    a.input(&world, Input::SignedOut(world.store.version()));
    a.deliver(&world, answer);
    a.run(&mut world);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), Some(rc_auth_core::EndReason::SignedOut));
    assert!(matches!(world.store.state(), RecordState::SignedOut { .. }));
    assert_eq!(world.revoked, ["refresh-2"]);
}

#[test]
fn one_refresh_in_flight() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    for want in [
        Want::Usable,
        Want::Care,
        Want::Status,
        Want::NewerThan(pair_of_world(1)),
    ] {
        for _ in 0..200 {
            a.input(&world, Input::Want(want));
        }
        assert!(a.machine.poll_output().is_none(), "{want:?} asked for more");
    }
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(world.server.presented, ["refresh-1"]);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn a_dead_grant_costs_one_request_not_one_per_caller() {
    let (mut world, mut a) = expired();
    world.server.revoke_all();
    for _ in 0..200 {
        a.want(&mut world, Want::Usable);
    }
    assert_eq!(world.server.presented.len(), 1);
    let loads = world.store.loads;
    world.advance(Duration::from_secs(2));
    a.want(&mut world, Want::Usable);
    // Asked later, the record is read again: somebody may have signed in.
    assert_eq!(world.store.loads, loads + 1);
    assert_eq!(world.server.presented.len(), 1);
    let ends = a
        .reports
        .iter()
        .filter(|report| matches!(report, Report::Ended { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn the_old_refresh_token_stays() {
    let (mut world, mut a) = expired();
    let body = r#"{"access_token":"access-2","expires_in":3600}"#;
    world.server.fates.push_back(Fate::With(body));
    a.want(&mut world, Want::Usable);
    let record = world.store.record.as_ref().expect("a record");
    let pair = record.pair().expect("a pair");
    assert_eq!(secret(pair.access_token()), Some("access-2"));
    assert_eq!(secret(pair.refresh_token()), Some("refresh-1"));
    assert_eq!(pair.owner_id(), Some("12133895004"));
    assert_eq!(pair.scope(), ["ReadAccounts"]);
    assert!(pair.refresh_expires_at().is_some());
}

#[test]
fn outputs_never_print_tokens() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let mut printed = String::new();
    while let Some(output) = a.machine.poll_output() {
        printed += &format!("{output:?} {:?}", a.machine);
        if let Some(input) = a.perform(&mut world, output) {
            printed += &format!("{input:?}");
            a.deliver(&world, input);
        }
    }
    for token in ["access-", "refresh-", "example-secret"] {
        assert!(!printed.contains(token), "{token} in {printed}");
    }
}
