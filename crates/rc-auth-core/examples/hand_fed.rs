//! The core alone, with hand-fed bytes: a sign-in, and an answer of the token endpoint.
//!
//! Nothing is sent. Run it with `cargo run -p rc-auth-core --example hand_fed`.

#![allow(clippy::disallowed_macros, reason = "an example has to show something")]

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::Response;
use rc_auth_core::{App, AuthorizationRequest, Entropy, Now, Secret, Timestamp, TokenSet};

fn main() -> Result<(), Box<dyn Error>> {
    let app = App::new(
        "example-client-id",
        Some(Secret::new("example-client-secret")),
        "https://app.example.com/oauth/callback",
        App::DEFAULT_SERVER,
    )?;
    let now = Now {
        wall: Timestamp::from_unix_millis(1_767_225_600_000),
        mono: Duration::ZERO,
    };

    // Real programs draw the entropy from the operating system, once for each sign-in.
    let (url, pending) = AuthorizationRequest::new(&app).start(&Entropy::new([7; 64]), now);
    println!(
        "send the browser to {}…",
        &url[..url.find('?').unwrap_or(url.len())]
    );

    // What the browser brings back. A wrong state gets no further than this:
    let refused = pending.clone().finish("code=abc&state=someone-elses", now);
    println!(
        "a foreign callback: {}",
        refused.err().map_or_else(String::new, |e| e.to_string())
    );

    let state = url
        .split('&')
        .find_map(|pair| pair.strip_prefix("state="))
        .unwrap_or_default();
    let exchange = pending.finish(&format!("code=abc&state={state}"), now)?;
    let request = exchange.request(&app)?;
    println!("then send {} {}", request.method(), request.uri());

    let answer = Bytes::from_static(
        br#"{"access_token":"example","token_type":"bearer","expires_in":3600,"scope":"ReadAccounts"}"#,
    );
    let tokens: TokenSet = exchange.response(&Response::new(answer), now.wall)?;
    println!("tokens, which print no secret: {tokens:?}");
    Ok(())
}
