//! Signed out, or signed in again, while something else is going on.

use rc_auth_core::{
    EndReason, Generation, Input, LoadFailure, Output, RecordState, RefreshPolicy, Reply, Want,
};

use crate::world::{Process, World, expired, is_save, is_send, pair_of_world};

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
        a.input(&world, Input::SignedOut(world.store.version()));
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
    a.input(&world, Input::SignedOut(world.store.version()));
    a.deliver(&world, saved);
    assert_eq!(a.access_token(&world), None);
    a.run(&mut world);
    assert_eq!(a.end(&world), OUT);
    assert!(matches!(world.store.state(), RecordState::SignedOut { .. }));
}

/// A read that was under way for seconds says that somebody is refreshing; meanwhile the user has signed out and in
/// again, which the machine heard of and could not look at.
#[test]
fn an_intent_read_before_a_sign_out_and_heard_of_after_it_is_looked_at_again() {
    let (mut world, mut b) = expired();
    let mut a = world.process();
    a.want(&mut world, Want::Status);
    b.input(&world, Input::Want(Want::Usable));
    // Its request is never sent: the intent stands.
    drop(b.run_to(&mut world, is_send));
    a.input(&world, Input::Changed);
    let load = a.run_to(&mut world, |output| matches!(output, Output::Load));
    let before = a.perform(&mut world, load).expect("an answer");
    world.sign_out();
    a.input(&world, Input::SignedOut(world.store.version()));
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.deliver(&world, before);
    a.run(&mut world);
    assert_eq!(a.end(&world), None);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-101"));
}

/// The caller wants something newer than a pair that was refused; what has replaced it has ended meanwhile.
#[test]
fn a_newer_pair_of_another_sign_in_that_has_ended_too_is_refreshed() {
    let (mut world, mut a) = expired();
    a.want(&mut world, Want::Usable);
    let refused = a.shown(&world).expect("a pair");
    world.sign_in_again(2);
    world.expire();
    a.input(&world, Input::Refused(refused));
    a.input(&world, Input::Changed);
    a.want(&mut world, Want::NewerThan(refused));
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    assert!(
        a.shown(&world)
            .is_some_and(|pair| pair.chain != refused.chain)
    );
}

/// Signed out and in again while a request is out whose answer takes long.
#[test]
fn a_sign_in_after_a_sign_out_is_not_told_to_be_over_while_a_request_is_out() {
    let news: [fn(&World) -> Input; 2] = [
        |_| Input::SignedIn,
        |world| Input::ChangedTo(Some(world.store.version())),
    ];
    for news in news {
        let (mut world, mut a) = expired();
        a.input(&world, Input::Want(Want::Usable));
        let send = a.run_to(&mut world, is_send);
        let answer = a.perform(&mut world, send).expect("an answer");
        world.sign_out();
        a.input(&world, Input::SignedOut(world.store.version()));
        a.input(&world, Input::ChangedTo(Some(world.store.version())));
        assert_eq!(a.end(&world), OUT);
        world.sign_in_again(2);
        a.input(&world, news(&world));
        assert_eq!((a.end(&world), a.access_token(&world)), (None, None));
        a.deliver(&world, answer);
        a.run(&mut world);
        assert_eq!(a.access_token(&world).as_deref(), Some("access-102"));
    }
}

/// Signed out here and in elsewhere, and that sign-in has ended by itself before this process looked.
#[test]
fn what_ended_after_a_sign_out_is_told_by_its_own_reason() {
    let (mut world, mut a) = expired();
    a.want(&mut world, Want::Usable);
    world.sign_out();
    a.input(&world, Input::SignedOut(world.store.version()));
    world.sign_in_again(2);
    let mut record = world.store.record.clone().expect("a record");
    record.state = RecordState::Ended {
        reason: EndReason::TokenDead,
    };
    world.store.put(record);
    a.run(&mut world);
    assert_eq!(a.end(&world), Some(EndReason::TokenDead));
}

#[test]
fn signing_in_again_after_signing_out_is_seen() {
    let (mut world, mut a) = expired();
    world.sign_out();
    a.input(&world, Input::SignedOut(world.store.version()));
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
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.input(&world, Input::SignedOut(world.store.version()));
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

/// Nobody waits while the store is down; what it tells of later says that it is up again.
#[test]
fn a_sign_in_after_the_store_was_down_is_seen_without_a_caller() {
    let (mut world, mut a) = expired();
    a.want(&mut world, Want::Usable);
    world.store.load_faults.push_back(LoadFailure::Unavailable);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert!(a.waits(&world).is_some());
    world.advance(std::time::Duration::from_secs(30));
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.waits(&world), None);
    assert!(
        a.access_token(&world)
            .is_some_and(|token| token.starts_with("access-10"))
    );
}

/// A process that is asked for a newer token although its own lives.
fn forced() -> (World, Process) {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    a.input(&world, Input::Want(Want::NewerThan(pair_of_world(1))));
    (world, a)
}

/// A process whose request is out although its token lives.
fn in_the_air() -> (World, Process, Input) {
    let (mut world, mut a) = forced();
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    assert_eq!(a.shown(&world), Some(pair_of_world(1)));
    (world, a, answer)
}

#[test]
fn a_sign_out_elsewhere_hides_the_pair_while_a_request_is_out() {
    let (mut world, mut a, answer) = in_the_air();
    world.sign_out();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    assert_eq!(a.shown(&world), None);
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!((a.end(&world), a.shown(&world)), (OUT, None));
}

#[test]
fn word_of_its_own_intent_hides_nothing() {
    let (world, mut a, _) = in_the_air();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    assert_eq!(a.shown(&world), Some(pair_of_world(1)));
}

#[test]
fn a_renewal_that_meets_a_conflict_hides_the_pair() {
    let (mut world, mut a, _) = in_the_air();
    world.sign_out();
    a.sleep(&mut world);
    assert_eq!(a.shown(&world), None);
}

#[test]
fn a_short_pause_after_such_news_begins_with_a_read() {
    let (mut world, mut a, _) = in_the_air();
    world.sign_out();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    a.deliver(&world, Input::Answered(Reply::NotSent));
    a.run(&mut world);
    assert_eq!(a.end(&world), OUT);
}

/// A process whose intent is written, and which has not heard of it: its token lives.
fn claiming() -> (World, Process, Input) {
    let (mut world, mut a) = forced();
    let save = a.run_to(&mut world, is_save);
    let saved = a.perform(&mut world, save).expect("an answer");
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    (world, a, saved)
}

#[test]
fn word_of_its_own_intent_that_comes_before_the_answer_hides_nothing() {
    let (world, mut a, saved) = claiming();
    a.input(&world, saved);
    assert_eq!(a.shown(&world), Some(pair_of_world(1)));
}

/// The answer to the write of an intent may take seconds, in which the user signs out elsewhere.
#[test]
fn a_sign_out_while_an_intent_is_written_hides_the_pair_once_a_request_is_out() {
    let (mut world, mut a, saved) = claiming();
    world.sign_out();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    a.input(&world, saved);
    assert_eq!(a.shown(&world), None);
}

#[test]
fn a_sign_out_while_an_end_is_written_hides_the_pair() {
    let (mut world, mut a) = forced();
    let send = a.run_to(&mut world, is_send);
    world.server.revoke_all();
    let refused = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, refused);
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    assert_eq!(a.shown(&world), Some(pair_of_world(1)));
    world.sign_out();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    assert_eq!(a.shown(&world), None);
}

/// A pause of a minute is written down, and the answer to that takes long: the sign-out is not heard of after the pause.
#[test]
fn a_sign_out_while_a_pause_is_written_is_read_at_once() {
    let (mut world, mut a, _) = in_the_air();
    a.deliver(&world, limited());
    let save = a.run_to(&mut world, is_save);
    let saved = a.perform(&mut world, save).expect("an answer");
    world.sign_out();
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    a.input(&world, saved);
    a.run(&mut world);
    assert_eq!((a.end(&world), a.shown(&world)), (OUT, None));
}

#[test]
fn what_was_hidden_is_shown_again_where_the_record_is_still_its_own() {
    let (mut world, mut a, _) = in_the_air();
    let other = rc_auth_core::RecordVersion::new([99; 16]);
    a.input(&world, Input::ChangedTo(Some(other)));
    assert_eq!(a.shown(&world), None);
    a.deliver(&world, Input::Answered(Reply::NotSent));
    a.run(&mut world);
    assert!(a.waits(&world).is_some());
    assert_eq!(a.shown(&world), Some(pair_of_world(1)));
}

fn limited() -> Input {
    let mut response = http::Response::new(bytes::Bytes::new());
    *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    Input::Answered(Reply::Response(response))
}
