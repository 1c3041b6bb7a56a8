//! Signed out, or signed in again, while something else is going on.

use rc_auth_core::{EndReason, Input, Output, RecordState, Want};

use crate::world::{expired, is_save, is_send};

const OUT: Option<EndReason> = Some(EndReason::SignedOut);

#[test]
fn a_pair_that_arrives_after_the_sign_out_is_revoked() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    // Another process signs the user out.
    world.sign_out();
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.end(&world), OUT);
    assert_eq!(world.revoked, ["refresh-2"]);
}

#[test]
fn a_pair_that_arrives_after_the_record_was_deleted_is_revoked() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    world.sign_out();
    world.store.remove();
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::Absent));
    assert_eq!(world.revoked, ["refresh-2"]);
}

#[test]
fn a_pair_of_a_replaced_sign_in_is_revoked_and_the_new_one_adopted() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    world.sign_in_again(2);
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-102"));
    assert_eq!(world.revoked, ["refresh-2"]);
}

#[test]
fn nothing_read_or_written_before_the_sign_out_takes_it_back() {
    let stops: [fn(&Output) -> bool; 3] = [
        |output| matches!(output, Output::Load),
        is_save,
        |output| matches!(output, Output::AskGate { .. }),
    ];
    for (nth, stop) in stops.into_iter().enumerate() {
        let (mut world, mut a) = expired();
        a.input(&world, Input::Changed);
        a.input(&world, Input::Want(Want::Usable));
        let output = a.run_to(&mut world, stop);
        // What comes of it is from before; the machine hears of it after.
        let before = a.perform(&mut world, output).expect("an answer");
        world.sign_out();
        a.input(&world, Input::SignedOut);
        a.deliver(&world, before);
        assert_eq!(a.access_token(&world), None, "{nth}");
        a.run(&mut world);
        a.want(&mut world, Want::Usable);
        assert_eq!(a.end(&world), OUT, "{nth}");
        assert_eq!(a.access_token(&world), None, "{nth}");
        assert!(
            matches!(world.store.state(), RecordState::SignedOut { .. }),
            "{nth}"
        );
    }
}

#[test]
fn a_commit_that_was_first_is_signed_out_all_the_same() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    let save = a.run_to(&mut world, is_save);
    let saved = a.perform(&mut world, save).expect("a version");
    world.sign_out();
    a.input(&world, Input::SignedOut);
    a.deliver(&world, saved);
    assert_eq!(a.access_token(&world), None);
    a.run(&mut world);
    assert_eq!(a.end(&world), OUT);
    assert!(matches!(world.store.state(), RecordState::SignedOut { .. }));
}

#[test]
fn signing_in_again_after_signing_out_is_seen() {
    let (mut world, mut a) = expired();
    world.sign_out();
    a.input(&world, Input::SignedOut);
    a.run(&mut world);
    assert_eq!(a.end(&world), OUT);
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.end(&world), None);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-101"));
}

#[test]
fn a_stale_read_does_not_lock_out_who_has_signed_in_again() {
    let (mut world, mut a) = expired();
    world.sign_out();
    a.input(&world, Input::Changed);
    let load = a.run_to(&mut world, |output| matches!(output, Output::Load));
    let stale = a.perform(&mut world, load).expect("an answer");
    // The user signs in again before the read arrives.
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.deliver(&world, stale);
    a.run(&mut world);
    assert_eq!(a.end(&world), None);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-101"));
}

#[test]
fn a_sign_out_that_is_heard_of_before_anything_was_read_locks_nobody_out() {
    let mut world = crate::world::World::new(rc_auth_core::RefreshPolicy::default());
    let mut a = world.process();
    a.input(&world, Input::SignedOut);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), None);
}

#[test]
fn the_kept_refresh_token_of_a_replaced_sign_in_is_not_revoked_as_new() {
    let (mut world, mut a) = expired();
    let body = r#"{"access_token":"access-2","expires_in":3600}"#;
    world
        .server
        .fates
        .push_back(crate::server::Fate::With(body));
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    world.sign_in_again(2);
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(world.revoked, ["access-2"]);
}
