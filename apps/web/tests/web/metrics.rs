//! Measurements: off unless asked for, and never beside the pages.

use crate::stage::{Stage, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_listener_nothing_is_given_out() {
    let stage = Stage::start().await;
    assert_eq!(stage.app.summary().metrics, None);
    assert_eq!(stage.browser().get("/metrics").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_are_given_out_on_a_listener_of_their_own() {
    let stage = Stage::start_with(
        |_| {},
        |variables| drop(variables.insert("RC_METRICS_BIND", "127.0.0.1:0".to_owned())),
    )
    .await;
    let mut browser = stage.signed_in().await;
    browser.get("/me").await;
    assert_eq!(browser.get("/metrics").await.status, 404);

    let listener = stage.app.summary().metrics.expect("a listener");
    let answer = exchange(listener, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    for measured in [
        "http_server_request_duration_bucket{",
        "oauth_client_token_requests",
    ] {
        assert!(answer.body.contains(measured), "{}", answer.body);
    }
    for target in ["/", "/me", "/healthz"] {
        let answer = exchange(listener, "GET", target, &[], "").await;
        assert_eq!(answer.status, 404, "{target}");
    }
    let rebound = [("host", "evil.example")];
    let answer = exchange(listener, "GET", "/metrics", &rebound, "").await;
    assert_eq!(answer.status, 421);
    assert!(!answer.body.contains("request_duration"));

    assert!(stage.app.stop().await);
    let closed = tokio::net::TcpStream::connect(listener).await;
    assert!(closed.is_err(), "the listener ends with the application");
}
