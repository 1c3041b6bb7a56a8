//! When a pair is refreshed: early, at the latest, and to be kept alive.

use std::time::Duration;

use rc_auth_core::{
    Generation, InvalidPolicy, RefreshPolicy, Timestamp, TokenPair, TokenSet, Want,
};
use serde_json::json;

use crate::{
    server::{MINUTE, answer},
    world::{World, pair_of_world},
};

const ARRIVED: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn pair(expires_in: f64, refresh_expires_in: Option<u64>) -> TokenPair {
    let body = json!({
        "access_token": "a", "refresh_token": "r",
        "expires_in": expires_in, "refresh_token_expires_in": refresh_expires_in,
    });
    let set = TokenSet::from_response(&answer(200, body.to_string()), ARRIVED).expect("tokens");
    TokenPair::new(set)
}

/// Milliseconds from arrival.
fn ms(moment: Timestamp) -> i64 {
    moment.unix_millis() - ARRIVED.unix_millis()
}

#[test]
fn windows_are_shares_of_short_lives_and_bounded_for_long_ones() {
    let policy = RefreshPolicy::default();
    for (life, early, latest_early, mandatory) in [
        (3600.0, 3_300_000, 3_360_000, 3_570_000),
        (600.0, 540_000, 552_000, 570_000),
        (2.0, 1_800, 1_840, 1_900),
    ] {
        let pair = pair(life, None);
        assert_eq!(ms(policy.early_at(&pair, 0)), early, "{life}");
        assert_eq!(ms(policy.early_at(&pair, 255)), latest_early, "{life}");
        assert_eq!(ms(policy.mandatory_at(&pair)), mandatory, "{life}");
        for jitter in 0..=255 {
            let at = ms(policy.early_at(&pair, jitter));
            assert!((early..=latest_early).contains(&at), "{life} {jitter}");
        }
    }
}

#[test]
fn an_idle_grant_is_due_a_day_before_its_refresh_token_ends_or_half_way() {
    let policy = RefreshPolicy::default();
    for (refresh_life, due) in [
        (Some(604_800), 518_400_000),
        (Some(86_400), 43_200_000),
        (Some(10), 5_000),
        (None, 3 * 24 * 3_600_000),
    ] {
        assert_eq!(
            ms(policy.keep_alive_at(&pair(3600.0, refresh_life))),
            due,
            "{refresh_life:?}"
        );
    }
}

#[test]
fn care_refreshes_what_is_due_and_nothing_else() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    world.advance(2 * HOUR);
    a.want(&mut world, Want::Care);
    assert!(
        world.server.presented.is_empty(),
        "an idle grant costs nothing"
    );
    world.advance(6 * 24 * HOUR);
    a.want(&mut world, Want::Care);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    let due = world.store.due.expect("a due time");
    assert!(due.saturating_since(world.now.wall) > 5 * 24 * HOUR);
}

#[test]
fn fresh_tokens_are_left_alone_and_early_ones_refreshed_behind_the_callers() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Usable);
    world.advance(54 * MINUTE);
    a.want(&mut world, Want::Usable);
    assert!(world.server.presented.is_empty());
    world.advance(2 * MINUTE);
    a.want(&mut world, Want::Usable);
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
}

#[test]
fn a_newer_pair_can_be_asked_for_although_this_one_is_good() {
    let mut world = World::new(RefreshPolicy::default());
    let mut a = world.process();
    a.want(&mut world, Want::Status);
    a.want(&mut world, Want::NewerThan(pair_of_world(1)));
    assert_eq!(a.generation(&world), Some(Generation::new(2)));
    a.want(&mut world, Want::NewerThan(pair_of_world(1)));
    assert_eq!(world.server.presented.len(), 1);
}

#[test]
fn early_moments_of_one_grant_differ_between_generations() {
    let mut world = World::new(RefreshPolicy::default());
    let a = world.process();
    let pair = pair(3600.0, None);
    let moments: std::collections::BTreeSet<_> = (1..20)
        .map(|number| a.machine.early_at(&pair, Generation::new(number)))
        .collect();
    assert!(moments.len() > 10, "{moments:?}");
}

#[test]
fn policies_that_contradict_themselves_are_refused() {
    let checked = |change: fn(&mut RefreshPolicy)| {
        let mut policy = RefreshPolicy::default();
        change(&mut policy);
        policy.check()
    };
    assert_eq!(checked(|_| {}), Ok(()));
    let too_short = Err(InvalidPolicy::DeadlineTooShort);
    assert_eq!(
        checked(|policy| policy.request_timeout = 45 * MINUTE / 60),
        too_short
    );
    assert_eq!(
        checked(|policy| policy.request_timeout = Duration::MAX),
        too_short
    );
    assert_eq!(
        checked(|policy| policy.intent_deadline = 3 * MINUTE),
        Err(InvalidPolicy::DeadlineTooLong)
    );
    let renewal = Err(InvalidPolicy::Renewal);
    assert_eq!(
        checked(|policy| policy.renew_every = Duration::ZERO),
        renewal
    );
    assert_eq!(
        checked(|policy| policy.renew_every = policy.owner_silence / 2),
        renewal
    );
    let delay = Err(InvalidPolicy::Delay);
    assert_eq!(checked(|policy| policy.retry_first = Duration::ZERO), delay);
    assert_eq!(
        checked(|policy| policy.trouble_first = Duration::ZERO),
        delay
    );
    assert_eq!(checked(|policy| policy.poll_first = Duration::ZERO), delay);
    assert_eq!(
        checked(|policy| policy.retry_max = Duration::from_millis(1)),
        delay
    );
    assert_eq!(
        checked(|policy| policy.poll_max = Duration::from_millis(1)),
        delay
    );
}
