//! A sign-in that has not come back yet, as bytes, and the app it belongs to.

use std::time::Duration;

use proptest::prelude::*;
use rc_auth_core::{
    AuthorizationRequest, CodeExchange, Entropy, Now, OAuthApp, PendingAuthorization, Secret,
    Timestamp,
};

const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn app() -> OAuthApp {
    app_at("https://app.example.com/oauth/callback")
}

fn app_at(redirect_uri: &str) -> OAuthApp {
    let secret = Some(Secret::new("example-secret"));
    OAuthApp::new(
        "example-client",
        secret,
        redirect_uri,
        OAuthApp::DEFAULT_SERVER,
    )
    .expect("a good app")
}

fn now() -> Now {
    Now {
        wall: Timestamp::from_unix_millis(1_800_000_000_000),
        mono: Duration::from_secs(1),
    }
}

fn pending() -> PendingAuthorization {
    let mut entropy = [1; 64];
    entropy[32..].fill(2);
    let (url, pending) = AuthorizationRequest::new(&app()).start(&Entropy::new(entropy), now());
    assert!(url.contains(STATE), "{url}");
    pending
}

fn code_sent(exchange: &CodeExchange) -> String {
    let request = exchange.request(&app()).expect("the same app");
    url::form_urlencoded::parse(request.body())
        .find_map(|(name, value)| (name == "code").then(|| value.into_owned()))
        .expect("a code")
}

#[test]
fn pending_bytes_round_trip() {
    let bytes = pending().to_bytes();
    let read = PendingAuthorization::from_bytes(&bytes).expect("its own bytes");
    assert_eq!(read, pending());
    let finished = read.finish(&format!("code=abc&state={STATE}"), now());
    assert_eq!(code_sent(&finished.expect("good")), "abc");
}

#[test]
fn pending_bytes_keep_their_form() {
    insta::assert_snapshot!(String::from_utf8(pending().to_bytes().to_vec()).expect("JSON"));
}

#[test]
fn other_bytes_are_no_pending_sign_in() {
    let bytes = pending().to_bytes();
    for end in 0..bytes.len() {
        assert!(
            PendingAuthorization::from_bytes(&bytes[..end]).is_err(),
            "{end}"
        );
    }
    let text = String::from_utf8(bytes.to_vec()).expect("JSON");
    let verifier = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
    assert!(text.contains(verifier));
    for (from, to) in [
        (r#""v":1"#, r#""v":2"#),
        (r#""v":1"#, r#""v":"1""#),
        (r#""v":1"#, r#""w":1"#),
        (verifier, "tooshort"),
        (verifier, "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg "),
        (verifier, "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg+"),
        (verifier, &"x".repeat(129)),
        (STATE, ""),
        (STATE, "guess"),
        ("started_at", "began_at"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert!(
            PendingAuthorization::from_bytes(edited.as_bytes()).is_err(),
            "{from} as {to}"
        );
    }
}

#[test]
fn a_changed_app_is_refused_before_the_code_is_spent() {
    let exchange = pending()
        .finish(&format!("code=abc&state={STATE}"), now())
        .expect("good");
    let other_server = OAuthApp::new(
        "example-client",
        None,
        app().redirect_uri(),
        "https://platform.ringcentral.biz",
    );
    let other_client = OAuthApp::new(
        "other",
        None,
        app().redirect_uri(),
        OAuthApp::DEFAULT_SERVER,
    );
    for changed in [
        app_at("https://app.example.com/oauth/callback/"),
        other_server.expect("good"),
        other_client.expect("good"),
    ] {
        assert!(exchange.request(&changed).is_err(), "{changed:?}");
    }
    // A new secret is no other app.
    let rotated = OAuthApp::new(
        "example-client",
        Some(Secret::new("rotated-secret")),
        app().redirect_uri(),
        OAuthApp::DEFAULT_SERVER,
    );
    assert!(exchange.request(&rotated.expect("good")).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(PendingAuthorization::from_bytes(&bytes).is_err());
    }
}
