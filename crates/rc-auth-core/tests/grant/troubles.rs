//! Answers that end nothing, waits, and the budget.

use std::time::Duration;

use rc_auth_core::{
    AuthBudget, Gate, Generation, Input, Output, RefreshPolicy, Report, Trouble, Want,
};

use crate::{
    server::{Fate, MINUTE},
    store::SaveFault,
    world::{Process, World, expired, expired_under, is_send},
};

const SECOND: Duration = Duration::from_secs(1);

/// Gives `fate` to the only request, and checks that a later one still succeeds.
fn survives(fate: Fate) -> (Duration, Trouble) {
    let name = format!("{fate:?}");
    let (mut world, mut a) = expired();
    world.server.fates.push_back(fate);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.end(&world), None, "{name}");
    let waits = a
        .waits(&world)
        .unwrap_or_else(|| panic!("no pause after {name}"));
    // Asking more often sends nothing sooner.
    let sent = world.server.presented.len();
    for _ in 0..20 {
        a.want(&mut world, Want::Usable);
    }
    assert_eq!(world.server.presented.len(), sent, "{name}");
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)), "{name}");
    waits
}

#[test]
fn nothing_but_a_token_dead_code_ends_a_grant() {
    for fate in [
        Fate::NotSent,
        Fate::RequestLost,
        Fate::AnswerLost,
        Fate::ProcessedBut(200, r#"{"access_token":"a","refresh_tok"#),
        Fate::ProcessedBut(200, "<html>hotel network</html>"),
        Fate::ProcessedBut(504, "<html>gateway timeout</html>"),
        Fate::Answer(200, ""),
        Fate::Answer(302, ""),
        Fate::Answer(400, ""),
        Fate::Answer(400, "<html>invalid_grant</html>"),
        Fate::Answer(400, r#"{"error":"invalid_client"}"#),
        Fate::Answer(
            400,
            r#"{"error":"invalid_client","errors":[{"errorCode":"OAU-153"}]}"#,
        ),
        Fate::Answer(
            400,
            r#"{"error":"invalid_grant","errors":[{"errorCode":"OAU-109"}]}"#,
        ),
        Fate::Answer(
            400,
            r#"{"error":"unauthorized_client","errors":[{"errorCode":"OAU-251"}]}"#,
        ),
        Fate::Answer(401, r#"{"error":"invalid_client"}"#),
        Fate::Answer(
            403,
            r#"{"error":"invalid_client","errors":[{"errorCode":"OAU-167"}]}"#,
        ),
        Fate::Answer(403, "<html>forbidden</html>"),
        Fate::Answer(408, ""),
        Fate::Answer(
            429,
            r#"{"errorCode":"CMN-301","errors":[{"errorCode":"CMN-301"}]}"#,
        ),
        Fate::Answer(429, r#"{"error":"invalid_grant"}"#),
        Fate::Answer(
            500,
            r#"{"error":"invalid_grant","errors":[{"errorCode":"OAU-213"}]}"#,
        ),
        Fate::Answer(503, "<html>OAU-213</html>"),
        Fate::Answer(503, r#"{"error":"service_unavailable"}"#),
    ] {
        survives(fate);
    }
}

#[test]
fn pauses_are_as_long_as_the_answer_asks_for() {
    let near = |fate: Fate, least: Duration, most: Duration| {
        let name = format!("{fate:?}");
        let (pause, _) = survives(fate);
        assert!(least <= pause && pause <= most, "{name}: {pause:?}");
    };
    let half = SECOND / 2;
    near(Fate::After(429, "7", "{}"), 7 * SECOND, 7 * SECOND);
    near(Fate::After(429, "0", "{}"), half, half);
    near(Fate::After(429, "-3", "{}"), 30 * SECOND, 30 * SECOND);
    near(
        Fate::After(429, "99999999999999", "{}"),
        24 * 60 * MINUTE,
        24 * 60 * MINUTE,
    );
    near(Fate::Answer(429, "{}"), 30 * SECOND, 30 * SECOND);
    near(Fate::After(503, "9", "{}"), 9 * SECOND, 9 * SECOND);
    near(Fate::Answer(503, "{}"), 2 * SECOND, 4 * SECOND);
    near(Fate::RequestLost, half, SECOND);
    near(Fate::NotSent, half, SECOND);
    near(
        Fate::Answer(401, r#"{"error":"invalid_client"}"#),
        MINUTE,
        MINUTE,
    );
}

/// The pauses while a server says 503 twelve times and somebody asks all the time.
fn pauses_of_who_asks(budget: AuthBudget) -> Vec<(Duration, Trouble)> {
    let mut policy = RefreshPolicy::default();
    policy.budget = budget;
    let (mut world, mut a) = expired_under(policy);
    world.server.fates.extend(vec![Fate::Answer(503, ""); 12]);
    let mut pauses = Vec::new();
    while a.generation(&world) != Some(Generation::new(2)) {
        a.want(&mut world, Want::Usable);
        // Whoever waits asks again when the try has failed.
        a.want(&mut world, Want::Usable);
        if let Some(pause) = a.waits(&world) {
            pauses.push(pause);
            a.sleep(&mut world);
        }
    }
    pauses
}

#[test]
fn who_asks_is_served_two_seconds_after_the_server_is_well() {
    let pauses = pauses_of_who_asks(AuthBudget::Off);
    assert_eq!(pauses.len(), 12);
    for (pause, _) in &pauses {
        assert!(*pause < 2 * SECOND, "{pauses:?}");
    }
}

#[test]
fn who_asks_costs_no_more_requests_than_the_budget_allows() {
    let pauses = pauses_of_who_asks(AuthBudget::PerGrant);
    for (pause, trouble) in &pauses {
        let longest = match trouble {
            Trouble::RateLimited => MINUTE,
            _ => 12 * SECOND,
        };
        assert!(*pause <= longest, "{pauses:?}");
    }
}

#[test]
fn a_pause_that_the_server_asks_for_is_cut_short_for_nobody() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(503, "50", ""));
    a.want(&mut world, Want::Usable);
    a.want(&mut world, Want::Usable);
    let (pause, _) = a.waits(&world).expect("a pause");
    assert_eq!(pause, 50 * SECOND);
}

#[test]
fn pauses_grow_up_to_a_bound() {
    let policy = || {
        let mut policy = RefreshPolicy::default();
        policy.budget = AuthBudget::Off;
        policy
    };
    let (mut world, mut a) = expired_under(policy());
    world.server.fates.extend(vec![Fate::Answer(503, ""); 12]);
    a.want(&mut world, Want::Usable);
    let mut pauses = Vec::new();
    while let Some((pause, _)) = a.waits(&world) {
        pauses.push(pause);
        a.sleep(&mut world);
    }
    // Nobody asks again.
    assert_eq!(pauses.len(), 12);
    assert!(pauses[0] < pauses[4] && pauses[11] >= MINUTE, "{pauses:?}");
    assert!(
        pauses.iter().all(|pause| *pause <= 2 * MINUTE),
        "{pauses:?}"
    );
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn word_of_a_change_does_not_shorten_a_pause() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(503, "40", "{}"));
    a.want(&mut world, Want::Usable);
    for _ in 0..10 {
        a.input(&world, Input::Changed);
        a.run(&mut world);
    }
    assert_eq!(world.server.presented.len(), 1);
    assert_eq!(a.waits(&world).map(|(pause, _)| pause), Some(40 * SECOND));
}

#[test]
fn word_of_a_change_during_a_pause_finds_a_new_pair() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(503, "40", "{}"));
    a.want(&mut world, Want::Usable);
    world.sign_in_again(2);
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-101"));
    assert_eq!(a.waits(&world), None);
}

#[test]
fn a_closed_gate_sends_nothing_and_writes_nothing() {
    let (mut world, mut a) = expired();
    a.input(&world, Input::Want(Want::Usable));
    let ask = a.run_to(&mut world, |output| {
        matches!(output, Output::AskGate { .. })
    });
    assert!(matches!(ask, Output::AskGate { .. }));
    let written = world.store.log.len();
    let until = world.now.mono + 12 * SECOND;
    a.input(&world, Input::Gate(Gate::ClosedUntil(until)));
    a.run(&mut world);
    assert_eq!(a.waits(&world), Some((12 * SECOND, Trouble::RateLimited)));
    assert_eq!(
        (world.store.log.len(), world.server.presented.len()),
        (written, 0)
    );
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

/// How many token requests are sent in a minute and a half, however hard callers ask.
fn requests_in(world: &mut World, a: &mut Process, time: Duration) -> usize {
    let end = world.now.mono + time;
    let before = world.server.presented.len();
    while world.now.mono < end {
        a.want(world, Want::Usable);
        world.advance(SECOND / 4);
        a.input(world, Input::Timeout);
        a.run(world);
    }
    world.server.presented.len() - before
}

#[test]
fn a_grant_sends_five_token_requests_a_minute_at_most() {
    let (mut world, mut a) = expired();
    world.server.lifetime = 1;
    let sent = requests_in(&mut world, &mut a, 59 * SECOND);
    assert_eq!(sent, 5);
    assert!(
        matches!(a.waits(&world), Some((_, Trouble::RateLimited))),
        "{:?}",
        a.machine
    );
    assert!(requests_in(&mut world, &mut a, MINUTE) <= 6);
}

#[test]
fn tokens_that_end_on_arrival_are_not_fetched_without_a_pause() {
    let mut policy = RefreshPolicy::default();
    policy.budget = AuthBudget::Off;
    let (mut world, mut a) = expired_under(policy);
    world.server.lifetime = 0;
    // Callers ask while the request is out, too.
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    a.input(&world, Input::Want(Want::Usable));
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    a.run(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    assert_eq!(world.server.presented.len(), 1);
    assert!(requests_in(&mut world, &mut a, 5 * MINUTE) < 15);
}

/// An answer that is repeated long after it was lost holds an access token that has ended.
#[test]
fn what_failed_before_an_answer_does_not_delay_what_follows_it() {
    let mut policy = RefreshPolicy::default();
    policy.budget = AuthBudget::Off;
    let (mut world, mut a) = expired_under(policy);
    world.server.lifetime = 0;
    for _ in 0..8 {
        world.server.fates.push_back(Fate::Answer(503, ""));
    }
    a.input(&world, Input::Want(Want::Usable));
    while world.server.presented.len() < 9 {
        a.run(&mut world);
        a.sleep(&mut world);
    }
    a.run(&mut world);
    let (pause, _) = a.waits(&world).expect("a pause");
    assert!(pause <= 5 * SECOND, "{pause:?}");
}

#[test]
fn an_answer_with_a_refresh_token_only_is_saved_and_not_followed_at_once() {
    let mut policy = RefreshPolicy::default();
    policy.budget = AuthBudget::Off;
    let (mut world, mut a) = expired_under(policy);
    world
        .server
        .fates
        .push_back(Fate::With(r#"{"refresh_token":"refresh-2"}"#));
    a.want(&mut world, Want::Usable);
    let record = world.store.record.as_ref().and_then(|record| record.pair());
    let saved = record.and_then(|pair| pair.refresh_token());
    assert_eq!(saved.map(|token| token.expose()), Some("refresh-2"));
    assert_eq!(a.access_token(&world), None);
    assert!(a.waits(&world).is_some());
    a.sleep(&mut world);
    assert_eq!(a.access_token(&world).as_deref(), Some("access-3"));
}

#[test]
fn troubles_tell_what_the_platform_said() {
    let (_, trouble) = survives(Fate::Answer(401, r#"{"error":"invalid_client"}"#));
    let Trouble::Refused { refusal, verdict } = trouble else {
        panic!("{trouble:?} is no refusal");
    };
    assert_eq!(refusal.error(), Some("invalid_client"));
    assert_eq!(verdict, rc_auth_core::Verdict::FixApp);
}

/// The answer to the write of the pause is lost; what tells of the write has the record read.
#[test]
fn a_pause_goes_on_when_its_own_record_is_read() {
    let (mut world, mut a) = expired();
    world.server.fates.push_back(Fate::After(429, "60", "{}"));
    a.input(&world, Input::Want(Want::Usable));
    let send = a.run_to(&mut world, is_send);
    world.store.save_faults.push_back(SaveFault::WrittenUnknown);
    let answer = a.perform(&mut world, send).expect("an answer");
    a.deliver(&world, answer);
    a.run(&mut world);
    let pause = a.waits(&world);
    assert!(matches!(pause, Some((_, Trouble::Refused { .. }))));
    a.input(&world, Input::Changed);
    a.run(&mut world);
    assert_eq!(a.waits(&world), pause);
    a.sleep(&mut world);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    let is_strange = |report: &Report| matches!(report, Report::Conflict | Report::TakenOver);
    assert!(!a.reports.iter().any(is_strange), "{:?}", a.reports);
}
