//! Sign-in and sign-out by requests and answers, over every session store.

mod support;

use std::time::Duration;

use http::{
    Request, StatusCode,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use rc_auth::{
    Client, OAuthApp, SignInError,
    store::{KeyRing, MemoryStore},
};
use rc_auth_web::{
    Begun, BuildError, ClientAddress, FinishError, LocalPath, Paths, SignOutOutcome, WebAuth,
};
use support::{Browser, FROM, Sessions, World, location};

#[tokio::test(start_paused = true)]
async fn a_browser_signs_in_comes_back_to_where_it_was_and_signs_out() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        assert!(world.session(&browser).await.is_none(), "{sessions:?}");

        let url = world.begin(&mut browser, "/login?return_to=%2Fcalls%3Fpage%3D2");
        let callback = world.sign_in_at_platform(&url);
        let finished = world.call_back(&browser, &callback).await.unwrap();
        assert!(finished.is_new());
        let response = finished.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response), "/calls?page=2");
        browser.keep(response.headers());
        assert_eq!(browser.pending(), 0);

        let session = world.session(&browser).await.unwrap();
        session.grant().status().await.unwrap();
        let body = format!("form_token={}", session.form_token().as_str());
        let form = Request::post("/logout")
            .header(HOST, "127.0.0.1:8080")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = browser.parts(form);
        assert_eq!(session.check_form(&form.headers, body.as_bytes()), Ok(()));
        assert!(session.check_form(&form.headers, b"form_token=x").is_err());
        assert!(
            session
                .check_form(&browser.get("/").headers, body.as_bytes())
                .is_err()
        );

        let copy = browser.clone();
        let signed_out = world.auth.sign_out(&session).await;
        assert!(
            matches!(signed_out.outcome, SignOutOutcome::Ended),
            "{signed_out:?}"
        );
        browser.keep_one(signed_out.set_cookie.to_str().unwrap());
        assert!(world.session(&browser).await.is_none());
        // What a copied cookie still leads to, if anything, is a grant that is over.
        if let Some(session) = world.session(&copy).await {
            assert!(session.grant().status().await.is_err(), "{sessions:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_tabs_finish_in_any_order_and_the_older_grant_ends() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        let first = world.begin(&mut browser, "/login?return_to=/first");
        let second = world.begin(&mut browser, "/login?return_to=/second");
        let (first, second) = (
            world.sign_in_at_platform(&first),
            world.sign_in_at_platform(&second),
        );

        let finished = world.call_back(&browser, &second).await.unwrap();
        let older = finished.grant().clone();
        let response = finished.into_response();
        assert_eq!(location(&response), "/second");
        browser.keep(response.headers());
        let old_session = browser.clone();

        let finished = world.call_back(&browser, &first).await.unwrap();
        let response = finished.into_response();
        assert_eq!(location(&response), "/first");
        browser.keep(response.headers());
        world.pass(Duration::from_secs(1)).await;
        assert!(older.status().await.is_err(), "nothing names it any more");
        let session = world.session(&browser).await.unwrap();
        session.grant().status().await.unwrap();
        let old_session = world.session(&old_session).await;
        assert_eq!(old_session.is_some(), matches!(sessions, Sessions::Sealed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_a_callback_gets_the_same_grant_and_ends_nothing() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        let url = world.begin(&mut browser, "/login");
        let callback = world.sign_in_at_platform(&url);
        let (one, other) = tokio::join!(
            world.call_back(&browser, &callback),
            world.call_back(&browser, &callback),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.grant().key(), other.grant().key());
        browser.keep(one.into_response().headers());
        browser.keep(other.into_response().headers());
        world.pass(Duration::from_secs(1)).await;
        let session = world.session(&browser).await.unwrap();
        session.grant().status().await.unwrap();
        assert_eq!(world.counters().token_code.received, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_valid_session_is_worth_more_than_an_outdated_callback() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        let stale_url = world.begin(&mut browser, "/login?return_to=/stale");
        let stale = world.sign_in_at_platform(&stale_url);
        world.pass(Duration::from_secs(11 * 60)).await;
        let too_late = world.call_back(&browser, &stale).await.unwrap_err();
        assert_eq!(too_late.status(), StatusCode::BAD_REQUEST, "{too_late}");

        // Kept, as a browser does whose clock is behind.
        let pending = browser.cookies.clone();
        world.sign_in(&mut browser).await;
        let exchanges = world.counters().token_code.received;
        let finished = world.call_back(&browser, &stale).await.unwrap();
        assert!(!finished.is_new());
        assert_eq!(
            finished.return_to().as_str(),
            "/",
            "its cookie was cleared away"
        );

        browser.cookies.extend(pending);
        let finished = world.call_back(&browser, &stale).await.unwrap();
        assert!(!finished.is_new());
        let session = world.session(&browser).await.unwrap();
        assert_eq!(finished.grant().key(), session.grant().key());
        let response = finished.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response), "/stale");
        assert_eq!(
            world.counters().token_code.received,
            exchanges,
            "nothing is exchanged"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_state_signs_nobody_in_after_a_sign_out() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        let url = world.begin(&mut browser, "/login");
        let callback = world.sign_in_at_platform(&url);
        let pending = browser.clone();
        let finished = world.call_back(&browser, &callback).await.unwrap();
        browser.keep(finished.into_response().headers());
        let session = world.session(&browser).await.unwrap();
        let signed_out = world.auth.sign_out(&session).await;
        browser.keep_one(signed_out.set_cookie.to_str().unwrap());

        let replay = world.call_back(&pending, &callback).await.unwrap_err();
        assert!(
            matches!(replay, FinishError::SignIn(SignInError::AlreadyUsed)),
            "{replay:?}"
        );
        let replay = world.call_back(&browser, &callback).await.unwrap_err();
        assert!(matches!(replay, FinishError::Foreign), "{replay:?}");
        assert_eq!(world.counters().token_code.received, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_state_is_refused_before_anything_is_sent() {
    let world = World::new(Sessions::Sealed);
    let (mut browser, mut attacker) = (Browser::default(), Browser::default());
    world.begin(&mut browser, "/login");
    let theirs = world.begin(&mut attacker, "/login");
    let theirs = world.sign_in_at_platform(&theirs);
    let injected = world.call_back(&browser, &theirs).await.unwrap_err();
    assert!(matches!(injected, FinishError::Foreign), "{injected:?}");
    for query in ["", "?code=x", "?code=x&state=a&state=b"] {
        let callback = format!("/oauth/callback{query}");
        let refused = world.call_back(&browser, &callback).await.unwrap_err();
        assert!(
            matches!(refused, FinishError::Malformed),
            "{query}: {refused:?}"
        );
    }
    assert_eq!(browser.pending(), 1, "the real one can still come back");
    assert_eq!(world.counters().token_code.received, 0);
}

#[tokio::test(start_paused = true)]
async fn an_address_whose_codes_were_refused_has_to_wait() {
    let world = World::new(Sessions::Sealed);
    let mut browser = Browser::default();
    for refused in 0..4 {
        let url = world.begin(&mut browser, "/login");
        let callback = world.sign_in_at_platform(&url);
        let (_, state) = callback.split_once("state=").unwrap();
        let state = state.split('&').next().unwrap();
        let forged = format!("/oauth/callback?code=forged&state={state}");
        let error = world.call_back(&browser, &forged).await.unwrap_err();
        let waits = matches!(error, FinishError::TooManyRefused { .. });
        assert_eq!(waits, refused == 3, "{error:?}");
        assert_eq!(error.retry_after().is_some(), waits);
    }
    assert_eq!(world.counters().token_code.received, 3);
}

#[tokio::test(start_paused = true)]
async fn no_browser_carries_more_than_five_unfinished_sign_ins() {
    let world = World::new(Sessions::Sealed);
    let mut browser = Browser::default();
    let junk = "rc_sign_in_junk".to_owned();
    browser.cookies.insert(junk.clone(), "junk".to_owned());
    for _ in 0..9 {
        world.begin(&mut browser, "/login");
        world.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(browser.pending(), 5);
    assert!(!browser.cookies.contains_key(&junk));
    let last = world.begin(&mut browser, "/login");
    let callback = world.sign_in_at_platform(&last);
    assert!(world.call_back(&browser, &callback).await.unwrap().is_new());
}

#[tokio::test(start_paused = true)]
async fn another_site_starts_nothing_and_a_wrong_name_is_put_right() {
    let world = World::new(Sessions::Sealed);
    let browser = Browser::default();
    let request = Request::get("/login?return_to=/calls").header(HOST, "127.0.0.1:8080");
    let cross_site = browser.parts(request.header("sec-fetch-site", "cross-site"));
    match world.auth.begin_sign_in(&cross_site).unwrap() {
        Begun::FromAnotherSite { again } => assert_eq!(again, "/login?return_to=%2Fcalls"),
        other => panic!("{other:?}"),
    }
    let request = Request::get("/login?return_to=/calls").header(HOST, "localhost:8080");
    match world.auth.begin_sign_in(&browser.parts(request)).unwrap() {
        Begun::ToOwnName(response) => {
            assert_eq!(response.status(), StatusCode::FOUND);
            let there = "http://127.0.0.1:8080/login?return_to=%2Fcalls";
            assert_eq!(location(&response), there);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_led_elsewhere_or_around_in_circles() {
    for wanted in [
        "https://evil.example/",
        "//evil.example",
        "/login",
        "/oauth/callback?x=y",
    ] {
        let world = World::new(Sessions::Sealed);
        let mut browser = Browser::default();
        let url = world.begin(&mut browser, &format!("/login?return_to={wanted}"));
        let callback = world.sign_in_at_platform(&url);
        let finished = world.call_back(&browser, &callback).await.unwrap();
        assert_eq!(finished.return_to().as_str(), "/", "{wanted}");
    }
}

#[tokio::test]
async fn what_is_missing_or_cannot_be_is_said_when_building() {
    let builder = |redirect_uri| {
        let app = OAuthApp::new(
            "example-client",
            None,
            redirect_uri,
            OAuthApp::DEFAULT_SERVER,
        )
        .unwrap();
        let keys = KeyRing::generate("k1").unwrap();
        let client = Client::builder(app).store(MemoryStore::new(), keys.clone());
        WebAuth::builder(client.build().unwrap(), keys)
    };
    let good = "https://app.example.com/oauth/callback";
    assert_eq!(
        builder(good).build().unwrap_err(),
        BuildError::NoClientAddress
    );
    let builder = |redirect_uri| builder(redirect_uri).client_address(ClientAddress::Peer);
    assert!(builder(good).build().is_ok());
    let error = builder("https://app.example.com/login")
        .build()
        .unwrap_err();
    assert!(matches!(error, BuildError::RedirectUri(_)), "{error}");
    let paths = Paths {
        home: LocalPath::parse("/oauth/callback").unwrap(),
        ..Paths::default()
    };
    assert!(builder(good).paths(paths).build().is_err());
    let prefix = builder(good).cookie_prefix("a=b").build();
    assert_eq!(prefix.unwrap_err(), BuildError::CookiePrefix);
    let second = Duration::from_secs(1);
    for too_short in [Duration::ZERO, second - Duration::from_nanos(1)] {
        let times = builder(good).session_idle(too_short).build();
        assert_eq!(times.unwrap_err(), BuildError::SessionTimes);
    }
    assert!(builder(good).session_idle(second).build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_is_listed_by_the_name_of_its_browser() {
    let world = World::new(Sessions::Sealed);
    let mut browser = Browser::default();
    let url = world.begin(&mut browser, "/login");
    let callback = world.sign_in_at_platform(&url);
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
    let request = Request::get(&callback)
        .header(HOST, "127.0.0.1:8080")
        .header(USER_AGENT, firefox);
    let parts = browser.parts(request);
    let finished = world.auth.finish_sign_in(&parts, FROM).await.unwrap();
    let listed = finished.grant().sign_ins().await.unwrap();
    assert_eq!(listed[0].label.as_deref(), Some("Firefox on Linux"));
}
