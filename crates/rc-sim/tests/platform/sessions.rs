//! OAuth sessions: how many, and what ends them.

use crate::stage::{REDIRECT_URI, Stage, pair, refusal, refused, secs};

fn sign_in_as(stage: &mut Stage, endpoint_id: &str) -> crate::stage::Pair {
    let code = stage.code();
    pair(&stage.token(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("endpoint_id", endpoint_id),
    ]))
}

#[test]
fn a_sixth_session_of_an_extension_and_app_ends_the_oldest() {
    let mut stage = Stage::new();
    let sessions: Vec<_> = (0..5).map(|_| stage.sign_in()).collect();
    assert!(
        sessions
            .iter()
            .all(|pair| stage.call(&pair.access).status() == 200)
    );

    let sixth = stage.sign_in();

    assert_eq!(
        refusal(&stage.call(&sessions[0].access)),
        refused(401, "TokenInvalid", "OAU-213")
    );
    assert_eq!(refusal(&stage.refresh(&sessions[0].refresh)).2, "OAU-213");
    assert!(
        sessions[1..]
            .iter()
            .all(|pair| stage.call(&pair.access).status() == 200)
    );
    assert_eq!(stage.call(&sixth.access).status(), 200);
    assert_eq!(stage.live_sessions(), 5);
}

#[test]
fn a_refresh_continues_its_session_and_takes_no_place() {
    let mut stage = Stage::new();
    let mut oldest = stage.sign_in();
    for _ in 0..4 {
        stage.sign_in();
    }
    for _ in 0..10 {
        oldest = pair(&stage.refresh(&oldest.refresh));
    }
    assert_eq!(stage.call(&oldest.access).status(), 200);
    assert_eq!(stage.live_sessions(), 5);
}

#[test]
fn another_user_has_room_of_its_own() {
    let mut stage = Stage::new();
    let ada = stage.sign_in();
    let url = stage.authorize_url(&[]);
    for _ in 0..5 {
        let callback = stage
            .platform
            .sign_in(&url, "grace@acme.example", stage.now)
            .expect("a callback");
        let code = callback.param("code").expect("a code");
        pair(&stage.exchange(&code));
    }
    assert_eq!(stage.call(&ada.access).status(), 200);
    assert_eq!(stage.live_sessions(), 6);
}

#[test]
fn expired_sessions_make_room_first() {
    let mut stage = Stage::with(|switches| switches.sessions_per_extension_and_app = 2);
    let code = stage.code();
    pair(&stage.token(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
    ]));
    let code = stage.code();
    stage.token(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("refresh_token_ttl", "0"),
    ]);
    stage.pass(secs(7200));
    stage.sign_in();
    assert_eq!(
        stage.live_sessions(),
        2,
        "the one without refresh token went, not the oldest"
    );
}

#[test]
fn the_same_endpoint_id_replaces_its_session() {
    let mut stage = Stage::new();
    let first = sign_in_as(&mut stage, "phone");
    let other = sign_in_as(&mut stage, "laptop");
    sign_in_as(&mut stage, "phone");
    assert_eq!(stage.call(&first.access).status(), 401);
    assert_eq!(stage.call(&other.access).status(), 200);

    let mut stage = Stage::with(|switches| switches.endpoint_replaces_session = false);
    let first = sign_in_as(&mut stage, "phone");
    sign_in_as(&mut stage, "phone");
    assert_eq!(stage.call(&first.access).status(), 200);
}

#[test]
fn revoking_either_token_ends_the_whole_session() {
    for revoke_access in [true, false] {
        let mut stage = Stage::new();
        let other = stage.sign_in();
        let mine = stage.sign_in();
        let response = stage.revoke(if revoke_access {
            &mine.access
        } else {
            &mine.refresh
        });
        assert_eq!(response.status(), 200);
        assert!(response.body().is_empty());
        assert_eq!(
            refusal(&stage.call(&mine.access)),
            refused(401, "TokenInvalid", "OAU-213")
        );
        assert_eq!(
            refusal(&stage.refresh(&mine.refresh)),
            refused(400, "invalid_grant", "OAU-211")
        );
        assert_eq!(stage.call(&other.access).status(), 200);
    }
}

#[test]
fn revoking_a_spent_token_ends_its_session_or_nothing() {
    for ends in [true, false] {
        let mut stage = Stage::with(|switches| switches.spent_token_ends_session = ends);
        let spent = stage.sign_in();
        assert_eq!(stage.refresh(&spent.refresh).status(), 200);
        for token in [&spent.access, &spent.refresh] {
            assert_eq!(stage.revoke(token).status(), 200);
            assert_eq!(stage.live_sessions(), u64::from(!ends), "{ends}");
        }
        if ends {
            continue;
        }
        // Given again, the pair is current, and ends its session.
        let again = pair(&stage.refresh(&spent.refresh));
        assert_eq!(stage.revoke(&again.refresh).status(), 200);
        assert_eq!(stage.live_sessions(), 0);
    }
}

#[test]
fn revoking_tells_nothing_about_unknown_tokens() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    assert_eq!(stage.revoke("unknown").status(), 200);
    let public = stage.public_client_id();
    let foreign = [("token", &*mine.access), ("client_id", &*public)];
    assert_eq!(
        stage
            .post_form("/restapi/oauth/revoke", &foreign, None)
            .status(),
        200
    );
    assert_eq!(
        stage.call(&mine.access).status(),
        200,
        "another app's token is left alone"
    );
}

#[test]
fn revoking_needs_a_token_and_a_client() {
    let mut stage = Stage::new();
    assert_eq!(
        refusal(&stage.revoke("")),
        refused(400, "invalid_request", "CMN-101")
    );
    let response = stage.post_form("/restapi/oauth/revoke", &[("token", "x")], None);
    assert_eq!(
        refusal(&response),
        refused(400, "invalid_client", "OAU-164")
    );
    let mine = stage.sign_in();
    let basic = stage.basic();
    let query = format!("/restapi/oauth/revoke?token={}", mine.access);
    assert_eq!(
        stage
            .post(&query, "", &[("authorization", &basic)])
            .status(),
        200
    );
    assert_eq!(
        stage.call(&mine.access).status(),
        401,
        "the query is read as well"
    );
}

#[test]
fn sessions_can_be_ended_by_hand() {
    let mut stage = Stage::new();
    let (first, second) = (stage.sign_in(), stage.sign_in());
    assert!(stage.platform.end_session(&first.refresh));
    assert!(!stage.platform.end_session(&first.refresh));
    assert_eq!(stage.call(&second.access).status(), 200);
    assert_eq!(stage.platform.end_user_sessions("nobody@acme.example"), 0);
    assert_eq!(stage.platform.end_user_sessions("ADA@acme.example"), 1);
    assert_eq!(stage.call(&second.access).status(), 401);
    stage.sign_in();
    assert_eq!(stage.platform.end_all_sessions(), 1);
    assert_eq!(stage.platform.counters(stage.now).sessions_ended, 3);
}

#[test]
fn a_session_is_there_for_each_of_its_tokens_until_it_ends() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    stage.platform.expire_access_tokens(stage.now);
    let tokens = [&first.access, &first.refresh, &second.access];
    assert!(tokens.iter().all(|token| stage.platform.has_session(token)));
    stage.platform.end_session(&second.refresh);
    assert!(!tokens.iter().any(|token| stage.platform.has_session(token)));
    assert!(!stage.platform.has_session("no token"));
}

#[test]
fn access_tokens_can_be_expired_by_hand() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    assert_eq!(stage.platform.expire_access_tokens(stage.now), 1);
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-128");
    let next = pair(&stage.refresh(&mine.refresh));
    assert_eq!(stage.call(&next.access).status(), 200);
}

#[test]
fn the_clock_can_be_advanced() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    stage.platform.advance(secs(3600));
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-128");
    assert_eq!(stage.platform.clock(stage.now), stage.now.plus(secs(3600)));
}

#[test]
fn a_platform_restarted_with_the_same_seed_knows_no_old_token() {
    let mut before = Stage::new();
    let old = before.sign_in();
    let mut after = Stage::new();
    after.pass(secs(5));
    let new = after.sign_in();
    assert_ne!(old, new);
    assert_eq!(refusal(&after.refresh(&old.refresh)).2, "OAU-213");
    assert_eq!(after.call(&new.access).status(), 200);
}
