//! The texts of failures, with their causes: they name the origin, and neither path nor query.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::time::Duration;

use common::{Do, RawServer, chain, post};
use rc_http::{HttpClient, Outgoing, ReqwestClient};
use tokio::net::TcpListener;

/// For servers that never finish.
const SOON: Duration = Duration::from_millis(400);
const PATH: &str = "/restapi/oauth/token?code=sample";

async fn failure_text(outgoing: Outgoing) -> String {
    let failure = ReqwestClient::new()
        .unwrap()
        .send(outgoing)
        .await
        .unwrap_err();
    let text = chain(&failure);
    assert!(
        !text.contains("restapi") && !text.contains("code="),
        "{text}"
    );
    text
}

async fn text_after(steps: impl Into<Vec<Do>>) -> String {
    text_within(Duration::from_secs(20), steps).await
}

async fn text_within(deadline: Duration, steps: impl Into<Vec<Do>>) -> String {
    let server = RawServer::once(steps).await;
    let outgoing = post(&server.url(PATH)).deadline(deadline).max_body(100);
    failure_text(outgoing)
        .await
        .replace(&server.address.port().to_string(), "PORT")
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = failure_text(post(&format!("http://{address}{PATH}"))).await;
    insta::assert_snapshot!(text.replace(&address.port().to_string(), "PORT"));
}

#[tokio::test]
async fn timeout() {
    insta::assert_snapshot!("timeout_head", text_within(SOON, [Do::Wait]).await);
    let half = Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    insta::assert_snapshot!("timeout_body", text_within(SOON, [half, Do::Wait]).await);
}

#[tokio::test]
async fn broken() {
    insta::assert_snapshot!(text_after([Do::Write("HTTP/1.1 200 OK\r\ncont")]).await);
}

#[tokio::test]
async fn body_broken() {
    insta::assert_snapshot!(
        text_after([Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")]).await
    );
}

#[tokio::test]
async fn body_too_large() {
    insta::assert_snapshot!(
        text_after([Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n")]).await
    );
}

#[tokio::test]
async fn invalid_request() {
    let mut texts = Vec::new();
    for origin in [
        "http://platform.example.com",
        "ftp://platform.example.com",
        "https://user:word@platform.example.com:8443",
        "",
    ] {
        texts.push(failure_text(post(&format!("{origin}{PATH}"))).await);
    }
    insta::assert_snapshot!(texts.join("\n\n"));
}
