//! The platform's rules of refreshing, one test per rule.

use crate::stage::{Stage, json, pair, refusal, refused, secs};

const NOT_FOUND: (u16, &str, &str) = (400, "invalid_grant", "OAU-213");

fn assert_not_found(response: &http::Response<bytes::Bytes>) {
    let (status, error, code) = NOT_FOUND;
    assert_eq!(refusal(response), refused(status, error, code));
}

#[test]
fn rule_1_a_refresh_makes_a_new_pair_and_the_old_access_token_dies_at_once() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    assert_eq!(stage.call(&first.access).status(), 200);

    let second = pair(&stage.refresh(&first.refresh));

    assert_ne!(second.access, first.access);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(
        refusal(&stage.call(&first.access)),
        refused(401, "TokenInvalid", "OAU-129")
    );
    assert_eq!(stage.call(&second.access).status(), 200);
}

#[test]
fn rule_1_the_old_access_token_is_corrupted_for_10_s_then_not_found() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    stage.refresh(&first.refresh);
    stage.pass(secs(10));
    assert_eq!(
        refusal(&stage.call(&first.access)),
        refused(401, "TokenInvalid", "OAU-129")
    );
    stage.pass(secs(1));
    assert_eq!(
        refusal(&stage.call(&first.access)),
        refused(401, "TokenInvalid", "OAU-213")
    );
}

#[test]
fn rule_2_while_unused_the_old_refresh_token_returns_the_same_pair_for_60_min() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    // The use of the pair before is not the use of the new one.
    assert_eq!(stage.call(&first.access).status(), 200);
    let second = pair(&stage.refresh(&first.refresh));

    stage.pass(secs(60 * 60));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);

    stage.pass(secs(1));
    assert_not_found(&stage.refresh(&first.refresh));
}

#[test]
fn rule_2_once_used_the_old_refresh_token_returns_the_same_pair_for_10_s() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    stage.pass(secs(600));
    assert_eq!(stage.call(&second.access).status(), 200);

    stage.pass(secs(10));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);

    stage.pass(secs(1));
    assert_not_found(&stage.refresh(&first.refresh));
}

#[test]
fn rule_3_only_the_first_authenticated_call_with_the_new_access_token_is_its_use() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    // Refused calls with the old token and calls without any do not count.
    assert_eq!(stage.call(&first.access).status(), 401);
    assert_eq!(stage.get("/restapi/v1.0/status", &[]).status(), 200);
    stage.pass(secs(60));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);

    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(8));
    // A later call does not start the 10 s again.
    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(3));
    assert_not_found(&stage.refresh(&first.refresh));
}

#[test]
fn rule_4_refresh_tokens_older_than_the_last_are_not_found() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    let third = pair(&stage.refresh(&second.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(pair(&stage.refresh(&second.refresh)), third);
}

#[test]
fn rule_5_refreshing_an_unused_pair_ends_the_grace_of_the_one_before() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);
    pair(&stage.refresh(&second.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
}

#[test]
fn rule_6_a_replayed_answer_counts_down() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    assert_eq!(json(&stage.refresh(&first.refresh))["expires_in"], 3599);
    stage.pass(secs(100));
    let replayed = json(&stage.refresh(&first.refresh));
    assert_eq!(replayed["expires_in"], 3499);
    assert_eq!(replayed["refresh_token_expires_in"], 604_699);
}

#[test]
fn rule_7_a_dead_refresh_token_does_not_end_the_session() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    let third = pair(&stage.refresh(&second.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&third.access).status(), 200);
    assert_eq!(stage.live_sessions(), 1);
}

#[test]
fn rule_8_without_refresh_tokens_there_is_none_and_the_grant_is_refused() {
    let mut config = crate::stage::demo();
    config.apps[0].issue_refresh_tokens = false;
    let mut stage = Stage::of(config);
    let code = stage.code();
    let answer = json(&stage.exchange(&code));
    assert!(answer.get("refresh_token").is_none());
    assert!(answer.get("refresh_token_expires_in").is_none());
    let access = answer["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(stage.call(&access).status(), 200);
    let response = stage.refresh("anything");
    assert_eq!(
        refusal(&response),
        refused(400, "unauthorized_client", "OAU-251")
    );
}

#[test]
fn refreshing_slides_the_life_of_the_refresh_token() {
    let mut stage = Stage::new();
    let mut pair_now = stage.sign_in();
    for _ in 0..4 {
        stage.pass(secs(6 * 86_400));
        pair_now = pair(&stage.refresh(&pair_now.refresh));
    }
    assert_eq!(stage.call(&pair_now.access).status(), 200);
}

#[test]
fn a_refresh_works_after_the_access_token_expired() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    stage.pass(secs(75 * 60));
    assert_eq!(
        refusal(&stage.call(&first.access)),
        refused(401, "OAU-128", "OAU-128")
    );
    let second = pair(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&second.access).status(), 200);
}

#[test]
fn a_refresh_token_expires_after_7_days_with_oau_210() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    stage.pass(secs(604_800));
    let response = stage.refresh(&first.refresh);
    assert_eq!(refusal(&response), refused(400, "invalid_grant", "OAU-210"));
    assert_eq!(stage.live_sessions(), 0);
}

#[test]
fn another_apps_refresh_token_is_not_found() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let client_id = stage.public_client_id();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh.as_str()),
        ("client_id", client_id.as_str()),
    ];
    assert_not_found(&stage.post_form("/restapi/oauth/token", &pairs, None));
    assert_eq!(stage.call(&first.access).status(), 200);
}

#[test]
fn strict_a_spent_refresh_token_ends_the_session() {
    let mut stage = Stage::strict();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(
        refusal(&stage.call(&second.access)),
        refused(401, "TokenInvalid", "OAU-213")
    );
    assert_not_found(&stage.refresh(&second.refresh));
    assert_eq!(stage.live_sessions(), 0);
}

#[test]
fn strict_a_long_spent_refresh_token_ends_the_session_too() {
    let mut stage = Stage::strict();
    let first = stage.sign_in();
    let mut newest = pair(&stage.refresh(&first.refresh));
    for _ in 0..3 {
        newest = pair(&stage.refresh(&newest.refresh));
    }
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&newest.access).status(), 401);
}

#[test]
fn strict_forged_and_foreign_tokens_end_nothing() {
    let mut stage = Stage::strict();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    let mut forged = first.refresh.clone();
    forged.pop();
    forged.push(if first.refresh.ends_with('A') {
        'B'
    } else {
        'A'
    });
    assert_not_found(&stage.refresh(&forged));
    assert_not_found(&stage.refresh("garbage"));
    assert_eq!(stage.call(&second.access).status(), 200);
}

#[test]
fn grace_of_length_zero_is_off() {
    let mut stage = Stage::with(|switches| {
        switches.refresh_replay = rc_sim::RefreshReplay::Grace {
            unused: secs(0),
            used: secs(0),
        };
    });
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&second.access).status(), 200);
}

fn late_reuse_ends() -> Stage {
    Stage::with(|switches| switches.late_reuse_ends_session = true)
}

#[test]
fn late_reuse_ends_the_session_where_switched() {
    let mut stage = late_reuse_ends();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(10));
    assert_eq!(
        pair(&stage.refresh(&first.refresh)),
        second,
        "within its grace it is as good as ever"
    );
    stage.pass(secs(1));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.live_sessions(), 0);
    assert_eq!(
        refusal(&stage.call(&second.access)),
        refused(401, "TokenInvalid", "OAU-213")
    );
    assert_not_found(&stage.refresh(&second.refresh));
}

#[test]
fn late_reuse_of_an_unused_pairs_predecessor_or_of_an_older_token_counts_too() {
    let mut stage = late_reuse_ends();
    let first = stage.sign_in();
    pair(&stage.refresh(&first.refresh));
    stage.pass(secs(60 * 60 + 1));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.live_sessions(), 0);

    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    pair(&stage.refresh(&second.refresh));
    assert_not_found(&stage.refresh(&first.refresh));
    assert_eq!(stage.live_sessions(), 0);
}

#[test]
fn late_reuse_by_another_app_ends_nothing() {
    let mut stage = late_reuse_ends();
    let first = stage.sign_in();
    pair(&stage.refresh(&first.refresh));
    stage.pass(secs(2 * 60 * 60));
    let public = stage.public_client_id();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh.as_str()),
        ("client_id", public.as_str()),
    ];
    assert_not_found(&stage.post_form("/restapi/oauth/token", &pairs, None));
    assert_eq!(stage.live_sessions(), 1);
}
