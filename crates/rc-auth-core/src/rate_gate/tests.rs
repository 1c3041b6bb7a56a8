use proptest::prelude::*;

use super::*;

const S: Duration = Duration::from_secs(1);
const ADA: Owner = Owner::new([1; 32]);
const GRACE: Owner = Owner::new([2; 32]);
const DEAD: AuthRequest = AuthRequest::Refresh {
    access_token_lives: false,
};
const LIVING: AuthRequest = AuthRequest::Refresh {
    access_token_lives: true,
};
use AuthRequest::{Revoke, SignIn};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

fn owner(number: u32) -> Owner {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    Owner::new(digest)
}

/// A gate and what the API answers to GET.
struct Api(ApiGate);

impl Api {
    fn new() -> Self {
        Self(ApiGate::default())
    }

    fn answers(
        &mut self,
        owner: &Owner,
        path: &str,
        status: u16,
        pairs: &[(&'static str, &str)],
        now: Duration,
    ) -> Option<Closed> {
        let status = StatusCode::from_u16(status).unwrap();
        self.0
            .observe(owner, &Method::GET, path, status, &headers(pairs), now)
    }

    fn check(&self, owner: &Owner, path: &str, now: Duration) -> Result<(), Closed> {
        self.0.check(owner, &Method::GET, path, now)
    }
}

fn closed(group: &str, until: Duration) -> Closed {
    Closed {
        group: Some(group.to_owned()),
        until,
    }
}

const LIGHT: &[(&str, &str)] = &[("x-rate-limit-group", "Light")];
const LIGHT_7: &[(&str, &str)] = &[
    ("x-rate-limit-group", "Light"),
    ("retry-after", "7"),
    ("x-rate-limit-remaining", "50"),
];

#[test]
fn a_429_closes_its_group_only_and_for_as_long_as_it_says() {
    let mut api = Api::new();
    let heavy = [("x-rate-limit-group", "heavy")];
    api.answers(&ADA, "/b", 200, &heavy, S);
    assert_eq!(
        api.answers(&ADA, "/a", 429, LIGHT_7, S),
        Some(closed("light", 8 * S))
    );
    assert_eq!(api.check(&ADA, "/a", 2 * S), Err(closed("light", 8 * S)));
    assert_eq!(api.check(&ADA, "/b", 2 * S), Ok(()));
    assert_eq!(api.check(&ADA, "/never-seen", 2 * S), Ok(()));
    assert_eq!(api.check(&ADA, "/a", 8 * S), Ok(()));
}

#[test]
fn a_429_of_one_owner_closes_nothing_for_another() {
    let mut api = Api::new();
    api.answers(&ADA, "/a", 429, LIGHT_7, S);
    assert_eq!(api.check(&GRACE, "/a", 2 * S), Ok(()));
    api.answers(&GRACE, "/a", 429, LIGHT_7, 3 * S);
    assert_eq!(api.check(&ADA, "/a", 4 * S), Err(closed("light", 8 * S)));
    assert_eq!(api.check(&GRACE, "/a", 4 * S), Err(closed("light", 10 * S)));
}

#[test]
fn paths_that_differ_in_an_id_are_closed_together() {
    let mut api = Api::new();
    api.answers(&ADA, "/message-store/123", 429, LIGHT_7, S);
    let other = api.check(&ADA, "/message-store/456?view=short", 2 * S);
    assert_eq!(other, Err(closed("light", 8 * S)));
    // In another group, as far as is known.
    let delete = api
        .0
        .check(&ADA, &Method::DELETE, "/message-store/456", 2 * S);
    assert_eq!(delete, Ok(()));
}

#[test]
fn what_one_owner_learns_of_groups_holds_for_all() {
    let mut api = Api::new();
    api.answers(&GRACE, "/b", 200, LIGHT, S);
    api.answers(&ADA, "/a", 429, LIGHT_7, S);
    assert_eq!(api.check(&ADA, "/b", 2 * S), Err(closed("light", 8 * S)));
}

#[test]
fn a_429_without_a_group_closes_the_known_one_or_everything_of_its_owner() {
    let mut api = Api::new();
    api.answers(&ADA, "/a", 200, LIGHT, S);
    api.answers(&ADA, "/a", 429, &[("retry-after", "7")], S);
    assert_eq!(api.check(&ADA, "/a", 2 * S), Err(closed("light", 8 * S)));
    assert_eq!(api.check(&ADA, "/b", 2 * S), Ok(()));
    api.answers(&ADA, "/b", 429, &[("retry-after", "9")], S);
    let everything = Closed {
        group: None,
        until: 10 * S,
    };
    assert_eq!(api.check(&ADA, "/c", 2 * S), Err(everything.clone()));
    assert_eq!(api.check(&ADA, "/a", 2 * S), Err(everything));
    assert_eq!(api.check(&GRACE, "/b", 2 * S), Ok(()));
}

#[test]
fn a_shorter_penalty_opens_nothing_earlier() {
    let mut api = Api::new();
    api.answers(&ADA, "/a", 429, LIGHT_7, S);
    let short = [("x-rate-limit-group", "light"), ("retry-after", "1")];
    api.answers(&ADA, "/a", 429, &short, 2 * S);
    api.answers(&ADA, "/a", 200, LIGHT, 3 * S);
    assert_eq!(api.check(&ADA, "/a", 4 * S), Err(closed("light", 8 * S)));
}

#[test]
fn the_number_of_remembered_routes_is_bounded_and_new_ones_are_still_learned() {
    let mut api = Api::new();
    for number in 0..10_000 {
        let path = format!("/{}", "a".repeat(number % 200) + &"b".repeat(number / 200));
        api.answers(&ADA, &path, 200, LIGHT, S);
    }
    assert_eq!(api.0.groups.sizes().0, ApiGroups::MAX_ROUTES);
    api.answers(&ADA, "/new", 429, LIGHT_7, S);
    assert_eq!(api.check(&ADA, "/new", 2 * S), Err(closed("light", 8 * S)));
}

#[test]
fn penalties_that_are_over_are_forgotten() {
    let mut api = Api::new();
    for number in 0..50_000_u32 {
        api.answers(&owner(number), "/a", 429, LIGHT_7, number * S);
    }
    assert!(api.0.groups.sizes().1 <= 64, "{:?}", api.0.groups.sizes());
}

#[test]
fn beyond_the_bound_of_owners_a_429_closes_its_group_for_all_for_a_minute_at_most() {
    let mut api = Api::new();
    let most = u32::try_from(ApiGroups::MAX_OWNERS).unwrap();
    let day = [("x-rate-limit-group", "light"), ("retry-after", "86400")];
    for number in 0..most {
        api.answers(&owner(number), "/a", 429, &day, S);
    }
    assert_eq!(api.check(&owner(most), "/a", 2 * S), Ok(()));
    api.answers(&owner(most), "/a", 429, &day, S);
    assert_eq!(api.0.groups.sizes().1, ApiGroups::MAX_OWNERS);
    let end = S + ApiGroups::MAX_FOR_ALL;
    for number in [most, most + 1] {
        let answer = api.check(&owner(number), "/a", 2 * S);
        assert_eq!(answer, Err(closed("light", end)));
        assert_eq!(api.check(&owner(number), "/a", end), Ok(()));
    }
    // Those inside the bound keep their own.
    let own = closed("light", 86_401 * S);
    assert_eq!(api.check(&owner(0), "/a", end), Err(own));
    // Once they are over there is room again.
    api.answers(&owner(most), "/a", 429, LIGHT_7, 100_000 * S);
    assert_eq!(api.0.groups.sizes().1, 1);
}

#[test]
fn too_many_groups_of_one_owner_are_closed_as_one() {
    let mut api = Api::new();
    for number in 0..20 {
        let group = format!("group-{number}");
        let pairs = [
            ("x-rate-limit-group", group.as_str()),
            ("retry-after", "60"),
        ];
        api.answers(&ADA, &format!("/{}", "a".repeat(number)), 429, &pairs, S);
    }
    assert_eq!(api.check(&ADA, "/", 60 * S).unwrap_err().until, 61 * S);
    assert_eq!(api.check(&GRACE, "/", 60 * S), Ok(()));
}

#[test]
fn as_many_groups_as_are_kept_apart_close_nothing_else() {
    let mut api = Api::new();
    let mut close = |number: usize| {
        let group = format!("group-{number}");
        let pairs = [
            ("x-rate-limit-group", group.as_str()),
            ("retry-after", "60"),
        ];
        api.answers(&ADA, &format!("/{}", "a".repeat(number)), 429, &pairs, S);
        api.check(&ADA, "/never-seen", 2 * S).is_err()
    };
    for number in 1..=ApiGroups::MAX_GROUPS {
        assert!(!close(number), "{number}");
    }
    assert!(close(ApiGroups::MAX_GROUPS + 1));
}

#[test]
fn a_full_table_is_searched_for_room_once_a_second_at_most() {
    let mut api = Api::new();
    let two = [("x-rate-limit-group", "light"), ("retry-after", "2")];
    let most = u32::try_from(ApiGroups::MAX_OWNERS).unwrap();
    for number in 0..most {
        api.answers(&owner(number), "/a", 429, &two, Duration::ZERO);
    }
    // The second one comes when all penalties are over, and too soon after the first.
    for (millis, expected) in [(1_500, most), (2_100, most), (2_500, 1)] {
        let now = Duration::from_millis(millis);
        api.answers(&owner(most), "/a", 429, &two, now);
        assert_eq!(api.0.groups.sizes().1, expected as usize, "{now:?}");
    }
}

#[test]
fn owners_whose_digests_begin_alike_share_a_mark() {
    assert_eq!(owner(0x0900_0001).mark(), owner(0x0900_0002).mark());
    assert_ne!(owner(0x0900_0001).mark(), owner(0x0800_0001).mark());
}

fn limited(gate: &mut AuthGate, lane: AuthLane, seconds: &str, now: Duration) -> Option<Duration> {
    let answer = headers(&[("retry-after", seconds)]);
    gate.observe(lane, StatusCode::TOO_MANY_REQUESTS, &answer, now)
}

/// From when on each request may be sent, in whole seconds after `now`.
fn opens(gate: &mut AuthGate, now: Duration) -> [u64; 4] {
    [DEAD, LIVING, SignIn, Revoke].map(|request| {
        let answer = gate.take(request, now);
        answer.map_or_else(|until| (until - now).as_secs(), |()| 0)
    })
}

#[test]
fn a_429_to_a_refresh_closes_all_lanes() {
    let mut gate = AuthGate::new(AuthBudget::PerGrant);
    assert_eq!(limited(&mut gate, AuthLane::Refresh, "20", S), Some(21 * S));
    assert_eq!(opens(&mut gate, S), [20, 20, 21, 22]);
    assert_eq!(opens(&mut gate, 21 * S), [0, 0, 1, 2]);
    assert_eq!(opens(&mut gate, 23 * S), [0, 0, 0, 0]);
}

#[test]
fn a_429_to_a_sign_in_stops_no_refresh_whose_access_token_is_dead() {
    let mut gate = AuthGate::new(AuthBudget::PerGrant);
    assert_eq!(limited(&mut gate, AuthLane::SignIn, "20", S), Some(22 * S));
    assert_eq!(opens(&mut gate, S), [0, 20, 21, 22]);
    // Its success opens nothing early.
    gate.observe(AuthLane::Refresh, StatusCode::OK, &HeaderMap::new(), 2 * S);
    assert_eq!(opens(&mut gate, 2 * S), [0, 19, 20, 21]);
    // Its own 429 closes all.
    limited(&mut gate, AuthLane::Refresh, "60", 2 * S);
    assert_eq!(opens(&mut gate, 2 * S), [60, 60, 61, 62]);
}

#[test]
fn a_429_to_a_revocation_closes_revocations_only() {
    let mut gate = AuthGate::new(AuthBudget::PerGrant);
    assert_eq!(limited(&mut gate, AuthLane::Revoke, "20", S), Some(21 * S));
    assert_eq!(opens(&mut gate, S), [0, 0, 0, 20]);
}

#[test]
fn no_429_opens_a_lane_earlier_than_another_said() {
    let mut gate = AuthGate::new(AuthBudget::PerGrant);
    limited(&mut gate, AuthLane::Refresh, "60", S);
    for lane in [AuthLane::Refresh, AuthLane::SignIn, AuthLane::Revoke] {
        limited(&mut gate, lane, "1", 2 * S);
    }
    assert_eq!(opens(&mut gate, 2 * S), [59, 59, 60, 61]);
}

#[test]
fn a_429_without_retry_after_closes_for_thirty_seconds() {
    let mut gate = AuthGate::new(AuthBudget::Off);
    let status = StatusCode::TOO_MANY_REQUESTS;
    gate.observe(AuthLane::Refresh, status, &HeaderMap::new(), S);
    assert_eq!(gate.take(DEAD, 30 * S), Err(31 * S));
    assert_eq!(gate.take(DEAD, 31 * S), Ok(()));
}

#[test]
fn an_app_wide_budget_is_a_sliding_window() {
    let mut gate = AuthGate::new("2/60s".parse().unwrap());
    assert_eq!(gate.take(DEAD, S), Ok(()));
    assert_eq!(gate.take(LIVING, 10 * S), Ok(()));
    assert_eq!(gate.take(DEAD, 20 * S), Err(61 * S));
    assert_eq!(gate.take(DEAD, 61 * S), Ok(()));
    assert_eq!(gate.take(DEAD, 62 * S), Err(70 * S));
}

#[test]
fn without_an_app_wide_budget_nothing_is_counted() {
    for budget in [AuthBudget::PerGrant, AuthBudget::Off] {
        let mut gate = AuthGate::new(budget);
        for _ in 0..100 {
            assert_eq!(opens(&mut gate, S), [0; 4]);
        }
    }
}

/// How many of 100 requests may be sent at once.
fn burst(gate: &mut AuthGate, request: AuthRequest, now: Duration) -> usize {
    (0..100).filter(|_| gate.take(request, now).is_ok()).count()
}

#[test]
fn no_lane_uses_up_what_those_before_it_need() {
    // budget; revocations, then sign-ins, then refreshes that get through
    for (budget, expected) in [
        ("1/60s", [1, 0, 0]),
        ("2/60s", [1, 0, 1]),
        ("3/60s", [1, 1, 1]),
        ("4/60s", [1, 1, 2]),
        ("5/60s", [1, 2, 2]),
        ("10/60s", [3, 3, 4]),
    ] {
        let mut gate = AuthGate::new(budget.parse().unwrap());
        let got = [Revoke, SignIn, DEAD].map(|request| burst(&mut gate, request, S));
        assert_eq!(got, expected, "{budget}");
    }
}

#[test]
fn refreshes_may_use_a_whole_budget() {
    for (budget, all) in [("1/60s", 1), ("2/60s", 2), ("5/60s", 5)] {
        let mut gate = AuthGate::new(budget.parse().unwrap());
        assert_eq!(burst(&mut gate, DEAD, S), all);
        assert_eq!(opens(&mut gate, S), [60; 4]);
    }
}

proptest! {
    /// However many of the others ask all the time, each lane goes on, and the whole stays in budget.
    #[test]
    fn under_a_flood_every_lane_before_still_goes(requests in 1_u32..8) {
        let budget = format!("{requests}/60s");
        let mut gate = AuthGate::new(budget.parse().unwrap());
        let (mut refreshed, mut signed_in) = (0, 0);
        let mut sent = Vec::new();
        for second in 0..600_u32 {
            let now = second * S;
            // Those behind ask first.
            for request in [Revoke, SignIn, DEAD] {
                // Somebody refreshes every half minute only, the others without end.
                if request == DEAD && second % 30 != 0 {
                    continue;
                }
                if gate.take(request, now).is_ok() {
                    sent.push(second);
                    refreshed += u32::from(request == DEAD);
                    signed_in += u32::from(request == SignIn);
                }
            }
        }
        prop_assert!(refreshed >= 4, "{} refreshes", refreshed);
        prop_assert!(signed_in >= 2, "{} sign-ins", signed_in);
        for window in sent.windows(requests as usize + 1) {
            prop_assert!(window[requests as usize] - window[0] >= 60);
        }
    }
}
