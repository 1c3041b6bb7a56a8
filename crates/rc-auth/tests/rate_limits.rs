//! The platform's rate limits: they delay whom they concern, and nobody else.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use rc_auth::{AuthBudget, CallError, Client, Grant, SignInError};
use rc_sim::{Config, Fault, Replacement, Target};
use support::{CALLBACK, ME, World};

const ACCOUNT: &str = "/restapi/v1.0/account/~";
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Two people, and a platform that lets each make two calls a minute in the group `light`. Token
/// requests are not counted.
async fn two_people() -> (World, Grant, Grant) {
    let mut config = Config::demo(7, CALLBACK);
    config.switches.limits.light = 2;
    config.switches.limits.auth = u32::MAX;
    let logins: Vec<String> = config.users.iter().map(|user| user.login.clone()).collect();
    let mut world = World::with(config, |builder| builder);
    world.platform().enable_limits(true);
    let ada = world.sign_in().await;
    world.login.clone_from(&logins[1]);
    let grace = world.sign_in().await;
    (world, ada, grace)
}

/// Everything of the group that may be sent, and one call more.
async fn use_up(grant: &Grant) -> CallError {
    for _ in 0..2 {
        grant.get(ME).await.expect("an answer");
    }
    grant.get(ME).await.expect_err("one call too many")
}

fn too_many_requests() -> Fault {
    let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
    Fault::Replace(
        Replacement::new(StatusCode::TOO_MANY_REQUESTS, Bytes::new())
            .header(header::RETRY_AFTER, seconds),
    )
}

async fn fail_to_sign_in(world: &World, client: &Client) -> SignInError {
    world.fault(Target::Token, too_many_requests(), 1);
    world.try_sign_in(client).await.expect_err("a 429")
}

#[tokio::test(start_paused = true)]
async fn one_users_429_delays_nobody_else() {
    let (world, ada, grace) = two_people().await;
    use_up(&ada).await;
    let received = world.counters().api.received;
    grace.get(ME).await.expect("a limit of her own");
    ada.get(ME).await.expect_err("still closed");
    assert_eq!(world.counters().api.received, received + 1);
    world.pass(RETRY_AFTER).await;
    ada.get(ME).await.expect("open again");
    assert_eq!(world.counters().api.limited, 1);
}

#[tokio::test(start_paused = true)]
async fn a_penalty_counts_from_the_moment_its_answer_comes() {
    let (world, ada, _) = two_people().await;
    for _ in 0..2 {
        ada.get(ME).await.expect("an answer");
    }
    world.fault(Target::Api, Fault::Delay(Duration::from_secs(5)), 1);
    ada.get(ME).await.expect_err("one call too many");
    world.pass(RETRY_AFTER - Duration::from_secs(2)).await;
    let received = world.counters().api.received;
    ada.get(ME).await.expect_err("still closed");
    assert_eq!(world.counters().api.received, received);
}

#[tokio::test(start_paused = true)]
async fn paths_that_differ_in_an_id_are_one_to_the_gate() {
    let (world, ada, _) = two_people().await;
    let id = {
        let me: serde_json::Value = ada.get(ME).await.unwrap().json().unwrap();
        me["id"].as_u64().expect("an id")
    };
    ada.get(ACCOUNT).await.expect("the second call");
    ada.get(ME).await.expect_err("one call too many");
    let received = world.counters().api.received;
    // Never asked for under this name.
    let same = format!("/restapi/v1.0/account/~/extension/{id}?view=short");
    let error = ada.get(&same).await.expect_err("closed");
    assert!(matches!(error, CallError::RateLimited { .. }), "{error}");
    assert_eq!(world.counters().api.received, received);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_rate_limit_says_until_when() {
    let (world, ada, _) = two_people().await;
    let first = use_up(&ada).await.to_string();
    let text = "the rate limit of the group light is used up until 2026-01-01T00:01:00Z";
    assert_eq!(first, text);
    world.pass(Duration::from_millis(7_500)).await;
    assert_eq!(ada.get(ME).await.unwrap_err().to_string(), text);

    let answered = fail_to_sign_in(&world, &world.client).await.to_string();
    assert!(
        answered.ends_with("wait before trying again. Not before 2026-01-01T00:01:08Z."),
        "{answered}"
    );
    let held_back = world.try_sign_in(&world.client).await.unwrap_err();
    assert_eq!(
        held_back.to_string(),
        "the sign-in could not be finished: the rate limit for token requests is used up until \
         2026-01-01T00:01:09Z"
    );
}

#[tokio::test(start_paused = true)]
async fn a_429_to_a_sign_in_stops_no_refresh_whose_access_token_is_dead() {
    let world = World::new();
    let grant = world.sign_in().await;
    fail_to_sign_in(&world, &world.client).await;
    world.expire_access_tokens();
    let began = tokio::time::Instant::now();
    grant.get(ME).await.expect("an answer");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(world.counters().token_refresh.issued, 1);
    // The next sign-in costs no token request before its time.
    let received = world.counters().token_code.received;
    world.try_sign_in(&world.client).await.expect_err("closed");
    assert_eq!(world.counters().token_code.received, received);
    world.pass(RETRY_AFTER).await;
    world.try_sign_in(&world.client).await.expect("open again");
}

#[tokio::test(start_paused = true)]
async fn after_a_429_to_a_sign_in_a_refresh_waits_while_its_access_token_lives() {
    let world = World::new();
    let grant = world.sign_in().await;
    // An hour's token: refreshed in the background from here on, and good for four minutes more.
    world.pass(Duration::from_secs(3600 - 240)).await;
    fail_to_sign_in(&world, &world.client).await;
    grant.get(ME).await.expect("the access token lives");
    world.pass(RETRY_AFTER / 2).await;
    grant.get(ME).await.expect("the access token lives");
    assert_eq!(world.counters().token_refresh.received, 0);
    world.pass(RETRY_AFTER).await;
    grant.get(ME).await.expect("the access token lives");
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.counters().token_refresh.issued, 1);
}

/// A platform that lets the whole app make five token requests a minute, and somebody signed in.
async fn five_a_minute(budget: AuthBudget) -> (World, Grant) {
    let world = World::with(Config::demo(7, CALLBACK), |builder| {
        builder.auth_budget(budget)
    });
    let grant = world.sign_in().await;
    world.pass(2 * RETRY_AFTER).await;
    world.platform().enable_limits(true);
    (world, grant)
}

/// A stranger's callbacks: the state is good, the code is worth nothing.
async fn eight_junk_callbacks(world: &World) {
    for _ in 0..8 {
        let sign_in = world.client.begin_sign_in().expect("a sign-in");
        let callback = world.browse(&sign_in.url);
        let (_, state) = callback.query().split_once("state=").expect("a state");
        let query = format!("code=junk&state={state}");
        let error = world.client.finish_sign_in(sign_in.pending, &query).await;
        error.expect_err("no code of the platform's");
    }
}

#[tokio::test(start_paused = true)]
async fn junk_callbacks_leave_refreshes_their_share_of_an_app_wide_budget() {
    let (world, grant) = five_a_minute("5/60s".parse().unwrap()).await;
    world.expire_access_tokens();
    eight_junk_callbacks(&world).await;
    assert_eq!(world.counters().token_code.refused, 3);
    grant.get(ME).await.expect("a refresh at once");
    assert_eq!(world.counters().token_refresh.issued, 1);
    world.pass(RETRY_AFTER).await;
    world.try_sign_in(&world.client).await.expect("a sign-in");
    assert_eq!(world.counters().token_code.limited, 0);
}

#[tokio::test(start_paused = true)]
async fn junk_callbacks_lock_nobody_out_for_longer_than_a_penalty() {
    let (world, grant) = five_a_minute(AuthBudget::PerGrant).await;
    world.expire_access_tokens();
    eight_junk_callbacks(&world).await;
    assert_eq!(world.counters().token_code.limited, 1);
    // The platform counts the whole app: this refresh starts the penalty anew, once.
    let first = grant.get(ME).await;
    first.expect_err("inside the penalty");
    assert_eq!(world.counters().token_refresh.limited, 1);
    world.pass(RETRY_AFTER).await;
    grant.get(ME).await.expect("an answer");
    world.try_sign_in(&world.client).await.expect("a sign-in");
    let counters = world.counters();
    let limited = counters.token_refresh.limited + counters.token_code.limited;
    assert_eq!(limited, 2);
}

#[tokio::test(start_paused = true)]
async fn a_429_to_a_revocation_stops_neither_sign_ins_nor_refreshes() {
    let world = World::new();
    let (grant, leaving) = (world.sign_in().await, world.sign_in().await);
    world.fault(Target::Revoke, too_many_requests(), 1);
    leaving.sign_out().await.expect("signed out");
    world.try_sign_in(&world.client).await.expect("a sign-in");
    world.expire_access_tokens();
    grant.get(ME).await.expect("an answer");
}
