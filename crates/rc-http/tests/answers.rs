//! Whole answers, and the body cap.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::time::Duration;

use common::{Do, RawServer, get, post, verdict};
use http::Request;
use rc_http::{Delivery, FailureKind, HttpClient, Outgoing, ReqwestClient};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn client() -> ReqwestClient {
    ReqwestClient::new().unwrap()
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(template)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for status in [200, 204, 302, 400, 401, 429, 500, 503] {
        let server =
            answering(ResponseTemplate::new(status).insert_header("retry-after", "7")).await;
        let answer = client().send(post(&server.uri())).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["retry-after"]),
            (status, &"7".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn method_headers_and_body_arrive_as_given() {
    let server = answering(ResponseTemplate::new(200)).await;
    let mut outgoing = post(&format!("{}/restapi/oauth/token?a=b%20c", server.uri()));
    outgoing
        .request
        .headers_mut()
        .insert("authorization", "Basic c2FtcGxl".parse().unwrap());
    client().send(outgoing).await.unwrap();
    let received = server.received_requests().await.unwrap().swap_remove(0);
    assert_eq!(
        (received.method.as_str(), received.url.path()),
        ("POST", "/restapi/oauth/token")
    );
    assert_eq!(received.url.query(), Some("a=b%20c"));
    assert_eq!(received.headers["authorization"], "Basic c2FtcGxl");
    assert_eq!(
        received.headers["user-agent"],
        concat!("rc-http/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(received.body, b"grant_type=refresh_token");
}

#[tokio::test]
async fn the_user_agent_is_the_programs_to_choose() {
    let server = answering(ResponseTemplate::new(200)).await;
    let client = ReqwestClient::builder()
        .user_agent("example-app/1.2")
        .build()
        .unwrap();
    client.send(get(&server.uri())).await.unwrap();
    assert_eq!(
        server.received_requests().await.unwrap()[0].headers["user-agent"],
        "example-app/1.2"
    );
    assert!(
        ReqwestClient::builder()
            .user_agent("two\nlines")
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn an_announced_body_over_the_cap_fails_before_it_is_read() {
    // The body never comes: only its length can end this.
    let steps = [
        Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"),
        Do::Wait,
    ];
    let server = RawServer::once(steps).await;
    let failure = client()
        .send(get(&server.url("/")).max_body(1000))
        .await
        .unwrap_err();
    assert_eq!(
        verdict(&failure),
        (Delivery::MaybeSent, FailureKind::BodyTooLarge)
    );
}

#[tokio::test]
async fn an_endless_chunked_body_fails_at_the_cap() {
    let drip = Do::Drip("a\r\n0123456789\r\n", Duration::from_millis(1));
    let server = RawServer::once([Do::Write(CHUNKED), drip]).await;
    let failure = client()
        .send(get(&server.url("/")).max_body(1000))
        .await
        .unwrap_err();
    assert_eq!(
        verdict(&failure),
        (Delivery::MaybeSent, FailureKind::BodyTooLarge)
    );
}

#[tokio::test]
async fn a_body_as_long_as_the_cap_is_whole() {
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 100_000])).await;
    let answer = client()
        .send(get(&server.uri()).max_body(100_000))
        .await
        .unwrap();
    assert_eq!(answer.body.len(), 100_000);
    assert!(
        client()
            .send(get(&server.uri()).max_body(99_999))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_chunked_body_is_put_together_in_order() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Write("3\r\none\r\n"),
        Do::Write("5\r\n, two\r\n0\r\n\r\n"),
    ];
    let server = RawServer::once(steps).await;
    assert_eq!(
        client().send(get(&server.url("/"))).await.unwrap().body,
        "one, two"
    );
}

#[tokio::test]
async fn a_head_request_has_a_length_and_no_body() {
    let server =
        RawServer::once([Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")]).await;
    let request = Request::head(server.url("/"))
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = client()
        .send(Outgoing::new(request).max_body(10))
        .await
        .unwrap();
    assert_eq!(
        (answer.body.len(), &answer.headers["content-length"]),
        (0, &"5000".parse().unwrap())
    );
}
