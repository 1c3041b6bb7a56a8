//! How long sessions last, over every session store.

mod support;

use std::time::Duration;

use http::{HeaderValue, header::COOKIE};
use rc_auth::store::KeyRing;
use rc_auth_web::SealedCookies;
use support::{Browser, Sessions, World};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_fourteen_idle_days() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        world.pass(14 * DAY - MINUTE).await;
        assert!(world.session(&browser.clone()).await.is_some());

        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        world.pass(14 * DAY).await;
        assert!(world.session(&browser).await.is_none(), "{sessions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_active_session_is_reissued_and_ends_thirty_days_after_the_sign_in() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        let token = world.session(&browser).await.unwrap().form_token();
        for day in 1..30 {
            world.pass(DAY).await;
            let session = world.session(&browser).await.expect("active");
            assert!(session.owns_form(token.as_str()), "open pages stay good");
            if let Some(set_cookie) = session.reissue() {
                browser.keep_one(set_cookie.to_str().unwrap());
            }
            // From the sixteenth day on the end cannot move.
            assert_eq!(
                session.reissue().is_some(),
                day <= 16,
                "{sessions:?}, day {day}"
            );
        }
        world.pass(DAY).await;
        assert!(world.session(&browser).await.is_none(), "{sessions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_reissued_once_in_a_twentieth_of_its_idle_time() {
    for (idle, pause) in [(100 * MINUTE, 5 * MINUTE), (10 * MINUTE, MINUTE)] {
        let world = World::with(|builder| builder.session_idle(idle));
        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        world.pass(pause - Duration::from_secs(1)).await;
        assert!(world.session(&browser).await.unwrap().reissue().is_none());
        world.pass(Duration::from_secs(1)).await;
        let session = world.session(&browser).await.unwrap();
        let set_cookie = session.reissue().unwrap().to_str().unwrap();
        assert!(
            set_cookie.contains(&format!("Max-Age={}", idle.as_secs())),
            "{set_cookie}"
        );
        browser.keep_one(set_cookie);
        assert!(world.session(&browser).await.unwrap().reissue().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn the_grant_of_a_session_that_is_over_ends_with_the_next_sign_in() {
    let world = World::with(|builder| builder.session_idle(MINUTE));
    let mut browser = Browser::default();
    world.sign_in(&mut browser).await;
    let older = world.session(&browser).await.unwrap().grant().clone();
    world.pass(MINUTE).await;
    assert!(world.session(&browser).await.is_none());
    older.status().await.unwrap();
    world.sign_in(&mut browser).await;
    world.pass(Duration::from_secs(1)).await;
    assert!(older.status().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn edited_and_foreign_cookies_are_no_sessions() {
    for sessions in Sessions::ALL {
        let world = World::new(sessions);
        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        let value = browser.cookies["rc_session"].clone();
        let edited = format!(
            "{}{}",
            if value.starts_with('A') { 'B' } else { 'A' },
            &value[1..]
        );
        for strange in [edited.as_str(), "", "x", &value[1..], &"A".repeat(5000)] {
            let mut request = browser.get("/");
            let cookie = HeaderValue::try_from(format!("rc_session={strange}")).unwrap();
            request.headers.insert(COOKIE, cookie);
            assert!(
                world
                    .auth
                    .session(&request.headers)
                    .await
                    .unwrap()
                    .is_none()
            );
        }
        let elsewhere = World::new(sessions);
        assert!(elsewhere.session(&browser).await.is_none(), "{sessions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_ring_serves_several_applications_apart() {
    let keys = KeyRing::generate("shared").unwrap();
    let on = |context| {
        World::with(|builder| builder.session_store(SealedCookies::new(keys.clone(), context)))
    };
    let (one, other) = (on("one"), on("other"));
    let mut browser = Browser::default();
    one.sign_in(&mut browser).await;
    assert!(one.session(&browser).await.is_some());
    assert!(other.session(&browser).await.is_none());
}
