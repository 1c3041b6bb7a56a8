//! Writes whose outcome is unknown, writes that come second, and owners that come late.

use std::time::Duration;

use rc_auth_core::{Generation, Input, LoadFailure, Output, RecordState, Report, Trouble, Want};

use crate::{
    server::{Fate, MINUTE},
    store::SaveFault,
    world::{Process, World, expired, is_save, is_send, secret},
};

const SECOND: Generation = Generation::new(2);

/// Sleeps until there is a second pair.
fn sleep_until_refreshed(world: &mut World, process: &mut Process) {
    for _ in 0..1000 {
        if process.generation(world) == Some(SECOND) {
            return;
        }
        process.sleep(world);
    }
    panic!("never refreshed: {:?}", process.machine);
}

#[test]
fn a_claim_that_was_written_after_all_goes_on() {
    let (mut world, mut a) = expired();
    world.store.save_faults.push_back(SaveFault::WrittenUnknown);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.generation(&world), Some(SECOND));
    assert_eq!(world.server.presented, ["refresh-1"]);
}

#[test]
fn a_claim_that_was_not_written_is_made_again_after_a_pause() {
    let (mut world, mut a) = expired();
    world.store.save_faults.push_back(SaveFault::LostUnknown);
    a.want(&mut world, Want::Usable);
    let (pause, trouble) = a.waits(&world).expect("a pause");
    assert_eq!(trouble, Trouble::Store);
    assert!(
        pause >= world.policy.retry_first && pause < MINUTE,
        "{pause:?}"
    );
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
}

#[test]
fn the_same_holds_for_a_second_claim_over_the_own_first_one() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::NotSent);
    a.want(&mut world, Want::Usable);
    world.store.save_faults.push_back(SaveFault::LostUnknown);
    a.sleep(&mut world);
    // The own first intent still stands, and is nobody else's.
    assert!(a.waits(&world).is_some(), "{:?}", a.machine);
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
    assert!(!a.reports.contains(&Report::TakenOver));
}

#[test]
fn a_commit_that_was_written_after_all_is_shown_once_read_back() {
    let (mut world, mut a) = expired();
    world.store.save_faults.extend([SaveFault::WrittenUnknown]);
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    world.store.save_faults.push_back(SaveFault::WrittenUnknown);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    let save = a.run_to(&mut world, is_save);
    let unknown = a.perform(&mut world, save).expect("an answer");
    a.deliver(&world, unknown);
    assert_eq!(a.generation(&world), Some(Generation::FIRST));
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
    let commits = world
        .store
        .log
        .iter()
        .filter(|record| record.generation == SECOND);
    assert_eq!(commits.count(), 1);
}

#[test]
fn a_store_that_is_down_while_committing_keeps_the_pair_unserved_and_is_tried_with_pauses() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    world.store.save_faults.extend([SaveFault::LostUnknown; 6]);
    world
        .store
        .load_faults
        .extend([LoadFailure::Unavailable; 3]);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    a.run(&mut world);
    let mut naps = 0;
    while a.generation(&world) != Some(SECOND) {
        assert!(a.machine.holds_unsaved_pair());
        assert_eq!(a.access_token(&world).as_deref(), Some("access-1"));
        let (pause, trouble) = a.waits(&world).expect("a pause");
        assert!(pause >= world.policy.retry_first, "{pause:?}");
        assert_eq!(trouble, Trouble::Store);
        a.sleep(&mut world);
        naps += 1;
        assert!(naps < 20);
    }
    assert!(naps >= 7, "{naps}");
    assert!(!a.machine.holds_unsaved_pair());
    assert_eq!(world.server.presented, ["refresh-1"]);
}

#[test]
fn an_intent_that_was_lost_in_a_long_outage_of_the_store_is_written_soon_after_it() {
    let (mut world, mut a) = expired();
    world.store.save_faults.push_back(SaveFault::LostUnknown);
    world
        .store
        .load_faults
        .extend([LoadFailure::Unavailable; 20]);
    a.want(&mut world, Want::Usable);
    while !world.store.load_faults.is_empty() {
        a.sleep(&mut world);
    }
    let back_at = world.now.mono;
    while a.generation(&world) != Some(SECOND) {
        a.sleep(&mut world);
    }
    let after = world.now.mono - back_at;
    assert!(after <= Duration::from_secs(11), "{after:?}");
}

#[test]
fn a_commit_over_another_record_of_the_same_chain_is_given_up_without_revoking() {
    let (mut world, mut a) = expired();
    let mut b = world.process();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    // a holds the answer and sleeps; b takes over and gets the same pair.
    b.want(&mut world, Want::Usable);
    sleep_until_refreshed(&mut world, &mut b);
    assert!(b.reports.contains(&Report::TakenOver));
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.access_token(&world), b.access_token(&world));
    assert!(world.revoked.is_empty(), "the pair that b has is the same");
    assert_eq!(world.server.presented, ["refresh-1", "refresh-1"]);
}

#[test]
fn a_late_owner_whose_intent_still_stands_commits() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    world.advance(30 * MINUTE);
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
}

#[test]
fn an_intent_without_a_sign_of_life_is_taken_over_ten_seconds_after_it_was_first_seen() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let _never_sent = a.run_to(&mut world, is_send);
    world.advance(30 * MINUTE);
    let mut b = world.process();
    let seen = world.now.mono;
    b.want(&mut world, Want::Usable);
    while world.server.presented.is_empty() {
        let waited = world.now.mono - seen;
        assert!(waited <= world.policy.owner_silence, "{waited:?}");
        b.sleep(&mut world);
    }
    assert!(world.now.mono - seen >= world.policy.owner_silence);
    assert_eq!(b.generation(&world), Some(SECOND));
}

#[test]
fn a_clock_set_forward_by_a_day_takes_nothing_over() {
    let (mut world, mut a) = expired();
    let mut b = world.process();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    b.want(&mut world, Want::Usable);
    let day = Duration::from_secs(24 * 3600);
    world.now.wall = world.now.wall.saturating_add(day);
    b.input(&world, Input::Timeout);
    b.want(&mut world, Want::Usable);
    for _ in 0..5 {
        b.sleep(&mut world);
    }
    assert!(world.server.presented.is_empty());
    world.now.wall = world.now.wall.saturating_sub(day);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    a.run(&mut world);
    b.sleep(&mut world);
    assert_eq!(b.generation(&world), Some(SECOND));
}

#[test]
fn an_intent_that_changes_hands_is_watched_anew() {
    let (mut world, mut a) = expired();
    let mut b = world.process();
    world
        .server
        .fates
        .extend([Fate::RequestLost, Fate::RequestLost]);
    a.want(&mut world, Want::Usable);
    b.want(&mut world, Want::Usable);
    world.advance(8 * Duration::from_secs(1));
    a.input(&world, Input::Timeout);
    a.run(&mut world);
    b.sleep(&mut world);
    world.advance(8 * Duration::from_secs(1));
    b.sleep(&mut world);
    assert_eq!(
        world.server.presented.len(),
        2,
        "b waits for a's second try"
    );
}

#[test]
fn the_intent_of_a_process_known_to_be_gone_is_taken_over_at_once() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let _never_sent = a.run_to(&mut world, is_send);
    let mut b = world.process();
    b.input(&world, Input::Want(Want::Usable));
    let Output::Load = b.run_to(&mut world, |output| matches!(output, Output::Load)) else {
        panic!("b reads first");
    };
    let mut loaded = world.store.load().expect("a record");
    loaded.silent_for = Duration::MAX;
    b.input(&world, Input::Loaded(Ok(loaded)));
    b.run(&mut world);
    assert_eq!(b.generation(&world), Some(SECOND));
}

#[test]
fn a_lease_that_got_too_old_sends_nothing() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let save = a.run_to(&mut world, is_save);
    // Others may soon count this process as gone.
    world.advance(world.policy.owner_silence / 2);
    let saved = a.perform(&mut world, save).expect("a version");
    a.deliver(&world, saved);
    a.run(&mut world);
    assert!(world.server.presented.is_empty());
    // A fresh intent, and then the one request.
    a.sleep(&mut world);
    assert_eq!(world.server.presented, ["refresh-1"]);
    assert_eq!(a.generation(&world), Some(SECOND));
}

#[test]
fn an_end_whose_outcome_is_unknown_is_read_back() {
    for fault in [SaveFault::WrittenUnknown, SaveFault::LostUnknown] {
        let (mut world, mut a) = expired();
        world.server.revoke_all();
        a.input(&world, Input::Want(Want::Usable));
        let send = a.run_to(&mut world, is_send);
        world.store.save_faults.push_back(fault);
        let answer = a.perform(&mut world, send).expect("an answer");
        a.deliver(&world, answer);
        a.run(&mut world);
        assert!(a.end(&world).is_some(), "{fault:?}");
        assert!(matches!(world.store.state(), RecordState::Ended { .. }));
        assert_eq!(world.server.presented.len(), 1, "{fault:?}");
    }
}

#[test]
fn a_crash_after_the_answer_costs_one_repeat_and_nothing_else() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let _unread = a.perform(&mut world, send);
    drop(a);
    let mut b = world.process();
    b.want(&mut world, Want::Care);
    sleep_until_refreshed(&mut world, &mut b);
    let record = world.store.record.as_ref().and_then(|record| record.pair());
    let token = secret(record.and_then(|pair| pair.refresh_token()));
    assert_eq!(token, Some("refresh-2"));
    assert!(world.server.takes("refresh-2", world.now.wall));
}

#[test]
fn answers_to_nothing_are_refused_and_change_nothing() {
    let (mut world, mut a) = expired();
    let odd = [
        Input::Loaded(Err(LoadFailure::Unavailable)),
        Input::Saved(Err(rc_auth_core::SaveFailure::Conflict)),
        Input::Gate(rc_auth_core::Gate::ClosedUntil(MINUTE)),
        Input::Answered(rc_auth_core::Reply::MaybeSent),
    ];
    for input in odd {
        assert!(a.machine.handle_input(input, world.now).is_err());
    }
    a.want(&mut world, Want::Usable);
    assert_eq!(a.generation(&world), Some(SECOND));
}

#[test]
fn a_store_that_was_down_for_long_is_read_again_within_seconds() {
    let (mut world, mut a) = expired();
    world
        .store
        .load_faults
        .extend([LoadFailure::Unavailable; 12]);
    a.input(&world, Input::Changed);
    a.want(&mut world, Want::Usable);
    while !world.store.load_faults.is_empty() {
        let (pause, _) = a.waits(&world).expect("a pause");
        assert!(pause <= Duration::from_secs(5), "{pause:?}");
        a.sleep(&mut world);
    }
    assert!(a.access_token(&world).is_some());
}

#[test]
fn an_intent_that_got_too_old_is_written_anew_over_itself() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let save = a.run_to(&mut world, is_save);
    world.advance(world.policy.owner_silence / 2);
    let saved = a.perform(&mut world, save).expect("a version");
    a.deliver(&world, saved);
    a.run(&mut world);
    assert!(a.machine.owns_an_intent());
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
    let is_strange = |report: &Report| matches!(report, Report::Conflict | Report::TakenOver);
    assert!(!a.reports.iter().any(is_strange), "{:?}", a.reports);
}

#[test]
fn the_intent_is_owned_from_its_write_until_the_pair_is_saved() {
    let (mut world, mut a) = expired();
    assert!(!a.machine.owns_an_intent());
    world.server.fates.push_back(Fate::Answer(503, ""));
    a.want(&mut world, Want::Usable);
    assert!(a.waits(&world).is_some());
    assert!(a.machine.owns_an_intent(), "it stands during the pause");
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
    assert!(!a.machine.owns_an_intent());
}

/// A process whose new pair is written, and which has not heard of it.
fn committing() -> (World, Process, Input) {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    let save = a.run_to(&mut world, is_save);
    let saved = a.perform(&mut world, save).expect("a version");
    (world, a, saved)
}

#[test]
fn word_of_its_own_pair_that_comes_before_the_answer_costs_no_read() {
    let (mut world, mut a, saved) = committing();
    let loads = world.store.loads;
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    a.deliver(&world, saved);
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(SECOND));
    assert_eq!(world.store.loads, loads);
}

#[test]
fn a_sign_in_that_is_heard_of_while_a_pair_is_saved_is_read() {
    let (mut world, mut a, saved) = committing();
    world.sign_in_again(2);
    a.input(&world, Input::ChangedTo(Some(world.store.version())));
    a.deliver(&world, saved);
    a.run(&mut world);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-102"));
}
