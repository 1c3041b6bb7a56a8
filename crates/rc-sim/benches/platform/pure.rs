//! `Platform::respond` without a socket.

use std::{hint::black_box, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use rc_sim::{Config, Platform, Timestamp};
use url::form_urlencoded;

use crate::figures::{Bound, Figures, median};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const MANY: usize = 100_000;
/// How often each request is answered for one figure.
const ROUNDS: usize = 20_000;

pub(crate) fn measure(figures: &mut Figures) {
    let mut platform = platform();
    let jwt = personal_jwt(&platform);
    let first = sign_in(&mut platform, &jwt);
    let (get, refresh) = (
        time_get(&mut platform, &first),
        time_refresh(&mut platform, first),
    );
    let bound = Bound::AtMost(20.0);
    figures.add("respond, authorized GET, 1 session", get, "us", bound);
    figures.add("respond, refresh, 1 session", refresh, "us", bound);

    let before = resident();
    let mut platform = self::platform();
    let pairs: Vec<(String, String)> = (0..MANY).map(|_| sign_in(&mut platform, &jwt)).collect();
    // The tokens that the bench itself holds are not the platform's.
    let held = pairs
        .iter()
        .map(|(access, refresh)| access.capacity() + refresh.capacity() + 48);
    let held = held.sum::<usize>() as f64 / 1_048_576.0;
    figures.add(
        "memory of 100,000 sessions",
        resident() - before - held,
        "MiB",
        Bound::AtMost(200.0),
    );
    let (get_many, refresh_many) = time_many(&mut platform, pairs);
    figures.add(
        "respond, authorized GET, 100,000 sessions",
        get_many,
        "us",
        bound,
    );
    figures.add(
        "respond, refresh, 100,000 sessions",
        refresh_many,
        "us",
        bound,
    );
    let growth = Bound::AtMost(2.0);
    figures.add(
        "growth of GET, 1 to 100,000 sessions",
        get_many / get,
        "x",
        growth,
    );
    figures.add(
        "growth of refresh, 1 to 100,000 sessions",
        refresh_many / refresh,
        "x",
        growth,
    );
}

fn platform() -> Platform {
    let mut config = Config::demo(1, "http://localhost:8080/oauth/callback");
    config.switches.limits.enabled = false;
    config.switches.sessions_per_extension_and_app = usize::MAX;
    Platform::new(config)
}

/// Access and refresh token.
type Pair = (String, String);

/// Signing it takes far longer than what is measured.
fn personal_jwt(platform: &Platform) -> String {
    let user = platform.config().demo_user().expect("the demo's user");
    platform.personal_jwt(&user.login).expect("a user")
}

fn sign_in(platform: &mut Platform, jwt: &str) -> Pair {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let body = [("grant_type", grant), ("assertion", jwt)];
    pair(&answer(platform, &token_request(platform, &body)))
}

fn token_request(platform: &Platform, form: &[(&str, &str)]) -> Request<Bytes> {
    let app = platform
        .config()
        .confidential_app()
        .expect("the demo's app");
    let secret = app.client_secret().expect("a secret");
    let basic = STANDARD.encode(format!("{}:{secret}", app.client_id()));
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    Request::post("/restapi/oauth/token")
        .header(AUTHORIZATION, format!("Basic {basic}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .expect("a request")
}

fn refresh_request(platform: &Platform, token: &str) -> Request<Bytes> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    token_request(platform, &form)
}

fn get_request(access: &str) -> Request<Bytes> {
    Request::get("/restapi/v1.0/account/~/extension/~")
        .header(AUTHORIZATION, format!("Bearer {access}"))
        .body(Bytes::new())
        .expect("a request")
}

fn answer(platform: &mut Platform, request: &Request<Bytes>) -> Bytes {
    let response = platform.respond(request, NOW);
    assert_eq!(response.status(), 200, "{:?}", response.body());
    response.into_body()
}

fn pair(body: &Bytes) -> Pair {
    let value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    let text = |name: &str| value[name].as_str().expect("a token").to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Microseconds, the median of rounds of a hundred.
fn time(mut act: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS / 100).map(|_| {
        let start = Instant::now();
        for _ in 0..100 {
            act();
        }
        start.elapsed().as_secs_f64() * 1e6 / 100.0
    });
    median(rounds.collect())
}

fn time_get(platform: &mut Platform, pair: &Pair) -> f64 {
    let request = get_request(&pair.0);
    time(|| drop(black_box(answer(platform, black_box(&request)))))
}

fn time_refresh(platform: &mut Platform, mut pair: Pair) -> f64 {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let request = refresh_request(platform, &pair.1);
        let start = Instant::now();
        let body = black_box(answer(platform, black_box(&request)));
        times.push(start.elapsed().as_secs_f64() * 1e6);
        pair = self::pair(&body);
    }
    median(times)
}

/// Over sessions far apart, each once.
fn time_many(platform: &mut Platform, pairs: Vec<Pair>) -> (f64, f64) {
    let step = MANY / ROUNDS;
    let mut gets = Vec::with_capacity(ROUNDS);
    let mut refreshes = Vec::with_capacity(ROUNDS);
    for (access, refresh) in pairs.into_iter().step_by(step) {
        let request = get_request(&access);
        let start = Instant::now();
        black_box(answer(platform, black_box(&request)));
        gets.push(start.elapsed().as_secs_f64() * 1e6);
        let request = refresh_request(platform, &refresh);
        let start = Instant::now();
        black_box(answer(platform, black_box(&request)));
        refreshes.push(start.elapsed().as_secs_f64() * 1e6);
    }
    (median(gets), median(refreshes))
}

/// MiB of this process in memory.
fn resident() -> f64 {
    crate::wire::resident("self")
}
