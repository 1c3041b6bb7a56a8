//! A whole sign-in without a socket: authorize, exchange, call, lose the answer of a refresh, recover it,
//! and revoke. Run it with `cargo run -p rc-sim --example curl_free_sign_in`.

use std::error::Error;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use rc_sim::{Config, Delivery, Fault, Platform, Target, Timestamp};
use serde_json::Value;

const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback";

fn main() -> Result<(), Box<dyn Error>> {
    let mut platform = Platform::new(Config::demo(1, REDIRECT_URI));
    let now = Timestamp::from_millis(1_800_000_000_000);

    // The app sends the browser here; the platform's own test browser signs Ada in and allows the app.
    let app = platform
        .config()
        .confidential_app()
        .ok_or("the demo has an app")?
        .clone();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", app.client_id())])
        .extend_pairs([("redirect_uri", REDIRECT_URI), ("state", "example")])
        .finish();
    let authorize = format!("/restapi/oauth/authorize?{query}");
    let callback = platform.sign_in(&authorize, "ada@acme.example", now)?;
    println!("callback with the state {:?}", callback.param("state"));

    let secret = app
        .client_secret()
        .ok_or("the demo's first app has a secret")?;
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{secret}", app.client_id()))
    );
    let code = callback
        .param("code")
        .ok_or("the callback carries a code")?;
    let exchange = token_request(
        &basic,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
        ],
    )?;
    let tokens = json(&platform.respond(&exchange, now))?;
    println!(
        "signed in, access token valid for {} s",
        tokens["expires_in"]
    );

    // The answer of the refresh is lost on its way: the platform has replaced the pair, nobody has it.
    platform.queue_fault(Target::Token, Fault::DropAfter, 1);
    let old = tokens["refresh_token"]
        .as_str()
        .ok_or("the demo issues refresh tokens")?;
    let refresh = token_request(
        &basic,
        &[("grant_type", "refresh_token"), ("refresh_token", old)],
    )?;
    let lost = platform.answer(&refresh, now);
    assert_eq!(lost.delivery, Delivery::DropAfter);

    // The same refresh token returns the same new pair, for 60 min while it is unused.
    let recovered = json(&platform.respond(&refresh, now))?;
    assert_eq!(
        recovered["refresh_token"],
        json(&lost.response)?["refresh_token"]
    );
    println!("recovered the pair whose answer was lost");

    let access = recovered["access_token"]
        .as_str()
        .ok_or("an answer has an access token")?;
    let call = Request::get("/restapi/v1.0/account/~/extension/~")
        .header("authorization", format!("Bearer {access}"))
        .body(Bytes::new())?;
    println!("hello, {}", json(&platform.respond(&call, now))?["name"]);

    let body = format!("token={access}");
    let revoke = Request::post("/restapi/oauth/revoke")
        .header("authorization", basic)
        .body(Bytes::from(body))?;
    assert_eq!(platform.respond(&revoke, now).status(), 200);
    assert_eq!(platform.respond(&call, now).status(), 401);
    println!(
        "signed out; live sessions: {}",
        platform.counters(now).live_sessions
    );
    Ok(())
}

fn token_request(basic: &str, pairs: &[(&str, &str)]) -> http::Result<Request<Bytes>> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    Request::post("/restapi/oauth/token")
        .header("authorization", basic)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
}

fn json(response: &Response<Bytes>) -> serde_json::Result<Value> {
    serde_json::from_slice(response.body())
}
