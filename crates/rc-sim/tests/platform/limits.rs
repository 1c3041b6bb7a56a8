//! Request rates: windows, penalties, headers.

use rc_sim::AuthLimitScope;

use crate::stage::{Pair, Stage, demo, json, pair, secs};

fn limited() -> Stage {
    Stage::of({
        let mut config = demo();
        config.switches.limits.enabled = true;
        config.switches.limits.count_authorize = false;
        config
    })
}

fn header(response: &http::Response<bytes::Bytes>, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text").to_owned())
}

#[test]
fn the_auth_group_takes_5_requests_a_minute_per_app() {
    let mut stage = limited();
    for left in ["4", "3", "2", "1", "0"] {
        let response = stage.refresh("unknown");
        assert_eq!(response.status(), 400);
        assert_eq!(
            header(&response, "x-rate-limit-group").as_deref(),
            Some("auth")
        );
        assert_eq!(
            header(&response, "x-rate-limit-limit").as_deref(),
            Some("5")
        );
        assert_eq!(
            header(&response, "x-rate-limit-remaining").as_deref(),
            Some(left)
        );
        assert_eq!(
            header(&response, "x-rate-limit-window").as_deref(),
            Some("60")
        );
    }
    let response = stage.refresh("unknown");
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "retry-after").as_deref(), Some("60"));
    assert_eq!(
        header(&response, "x-rate-limit-remaining").as_deref(),
        Some("5"),
        "full, as observed"
    );
    let body = json(&response);
    assert_eq!(body["errorCode"], "CMN-301");
    assert_eq!(body["message"], "Request rate exceeded");
    assert_eq!(body["errors"][0]["errorCode"], "CMN-301");

    let public = stage.public_client_id();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", public.as_str()),
    ];
    assert_eq!(
        stage
            .post_form("/restapi/oauth/token", &pairs, None)
            .status(),
        400,
        "another app"
    );
}

#[test]
fn every_request_during_the_penalty_restarts_it() {
    let mut stage = limited();
    for _ in 0..6 {
        stage.refresh("unknown");
    }
    stage.pass(secs(59));
    assert_eq!(stage.refresh("unknown").status(), 429);
    stage.pass(secs(59));
    assert_eq!(
        stage.refresh("unknown").status(),
        429,
        "118 s after the first 429"
    );
    stage.pass(secs(60));
    assert_eq!(stage.refresh("unknown").status(), 400);
}

#[test]
fn the_window_slides() {
    let mut stage = limited();
    for _ in 0..5 {
        assert_eq!(stage.refresh("unknown").status(), 400);
        stage.pass(secs(12));
    }
    assert_eq!(
        stage.refresh("unknown").status(),
        400,
        "the first is 60 s ago"
    );
    assert_eq!(stage.refresh("unknown").status(), 429);
}

#[test]
fn a_limited_refresh_spends_nothing() {
    let mut stage = limited();
    let first = stage.sign_in();
    for _ in 0..5 {
        stage.refresh("unknown");
    }
    assert_eq!(stage.refresh(&first.refresh).status(), 429);
    assert_eq!(stage.call(&first.access).status(), 200, "groups are apart");
    stage.pass(secs(60));
    pair(&stage.refresh(&first.refresh));
    let counters = stage.platform.counters(stage.now).token_refresh;
    assert_eq!(
        (counters.received, counters.issued, counters.limited),
        (7, 1, 2)
    );
}

#[test]
fn light_calls_count_per_user() {
    let mut stage = limited();
    let ada = stage.sign_in();
    let url = stage.authorize_url(&[]);
    let callback = stage
        .platform
        .sign_in(&url, "grace@acme.example", stage.now)
        .expect("a callback");
    let grace = pair(&stage.exchange(&callback.param("code").expect("a code")));
    for _ in 0..50 {
        assert_eq!(stage.call(&ada.access).status(), 200);
    }
    assert_eq!(stage.call(&ada.access).status(), 429);
    assert_eq!(stage.call(&grace.access).status(), 200);
}

#[test]
fn unauthenticated_answers_carry_no_limit_headers() {
    let mut stage = limited();
    assert_eq!(header(&stage.call("garbage"), "x-rate-limit-limit"), None);
    assert_eq!(
        header(&stage.get("/restapi", &[]), "x-rate-limit-limit"),
        None
    );
}

#[test]
fn switched_off_there_is_no_limit_and_no_header() {
    let mut stage = limited();
    stage.platform.enable_limits(false);
    for _ in 0..20 {
        let response = stage.refresh("unknown");
        assert_eq!(response.status(), 400);
        assert_eq!(header(&response, "x-rate-limit-limit"), None);
    }
}

#[test]
fn authorization_requests_count_for_the_app_unless_switched_off() {
    let mut config = demo();
    config.switches.limits.enabled = true;
    let mut stage = Stage::of(config.clone());
    let url = stage.authorize_url(&[]);
    assert!((0..5).all(|_| stage.get(&url, &[]).status() == 302));
    assert_eq!(stage.get(&url, &[]).status(), 429);

    let mut never_for_a_user = limited_per_user();
    assert!((0..9).all(|_| never_for_a_user.get(&url, &[]).status() == 302));
    config.switches.limits.count_authorize = false;
    let mut stage = Stage::of(config);
    assert!((0..9).all(|_| stage.get(&url, &[]).status() == 302));
}

fn limited_per_user() -> Stage {
    let mut config = demo();
    config.switches.limits.enabled = true;
    config.switches.limits.auth_per = AuthLimitScope::User;
    Stage::of(config)
}

/// A code of the demo's other user.
fn code_of_grace(stage: &mut Stage) -> String {
    let url = stage.authorize_url(&[]);
    let callback = stage
        .platform
        .sign_in(&url, "grace@acme.example", stage.now)
        .expect("a callback");
    callback.param("code").expect("a code")
}

#[test]
fn per_user_the_auth_budget_of_one_is_no_other_ones() {
    let mut stage = limited_per_user();
    let Pair { access, refresh } = stage.sign_in();
    for _ in 0..3 {
        pair(&stage.refresh(&refresh));
    }
    assert_eq!(stage.revoke(&access).status(), 200, "the fifth of Ada");
    let ada = stage.code();
    assert_eq!(stage.exchange(&ada).status(), 429);

    let grace = code_of_grace(&mut stage);
    let response = stage.exchange(&grace);
    assert_eq!(
        header(&response, "x-rate-limit-remaining").as_deref(),
        Some("4")
    );
    pair(&response);
}

#[test]
fn per_user_requests_that_name_nobody_use_up_no_users_budget() {
    let mut stage = limited_per_user();
    let mine = stage.sign_in();
    for _ in 0..5 {
        assert_eq!(stage.exchange("junk").status(), 400);
    }
    assert_eq!(stage.exchange("junk").status(), 429);
    assert_eq!(stage.refresh("junk").status(), 429);
    assert_eq!(stage.revoke("junk").status(), 429);
    pair(&stage.refresh(&mine.refresh));
    assert_eq!(stage.revoke(&mine.access).status(), 200);
}

#[test]
fn per_user_spent_codes_and_spent_tokens_count_for_their_user() {
    let mut stage = limited_per_user();
    let code = stage.code();
    let first = pair(&stage.exchange(&code));
    let second = pair(&stage.refresh(&first.refresh));
    let third = pair(&stage.refresh(&second.refresh));
    assert_eq!(stage.refresh(&first.refresh).status(), 400);
    assert_eq!(stage.exchange(&code).status(), 400);
    assert_eq!(stage.refresh(&third.refresh).status(), 429);
}

#[test]
fn per_app_the_budget_is_shared_by_all_users() {
    let mut stage = limited();
    let mine = stage.sign_in();
    for _ in 0..4 {
        pair(&stage.refresh(&mine.refresh));
    }
    let grace = code_of_grace(&mut stage);
    assert_eq!(stage.exchange(&grace).status(), 429);
}

#[test]
fn per_user_another_apps_token_names_nobody() {
    let mut stage = limited_per_user();
    let mine = stage.sign_in();
    let public = stage.public_client_id();
    let mut present = |token: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", public.as_str()),
        ];
        let response = stage.post_form("/restapi/oauth/token", &pairs, None);
        response.status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(present(&mine.refresh), 400);
    }
    assert_eq!(present("junk"), 429);
}
