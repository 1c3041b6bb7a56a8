//! What a failure proves about the request: not sent, or maybe sent.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::time::Duration;

use common::{Do, RawServer, get, post, verdict};
use rc_http::{
    Delivery::{MaybeSent, NotSent},
    FailureKind, HttpClient, ReqwestClient,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Only for servers that never finish: any other test would fail on a machine that is busy for so long.
const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(20);

fn client() -> ReqwestClient {
    ReqwestClient::new().unwrap()
}

/// Sends a POST to a server that does `steps`, and returns what the failure says.
async fn fails_after(steps: impl Into<Vec<Do>>) -> (rc_http::Delivery, FailureKind) {
    fails_within(LATE, steps).await
}

async fn fails_within(
    deadline: Duration,
    steps: impl Into<Vec<Do>>,
) -> (rc_http::Delivery, FailureKind) {
    let server = RawServer::once(steps).await;
    let failure = client()
        .send(post(&server.url("/token")).deadline(deadline))
        .await
        .unwrap_err();
    assert_eq!(server.received().len(), 1, "sent once and never again");
    verdict(&failure)
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = client()
        .send(post(&format!("http://{address}/token")))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Connect));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_not_sent() {
    // RFC 6761 section 6.4: `.invalid` never resolves.
    let failure = client()
        .send(post("https://platform.invalid/token"))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Connect));
}

#[tokio::test]
async fn a_failed_tls_handshake_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket
            .write_all(b"HTTP/1.1 400 this port speaks no TLS\r\n\r\n")
            .await
            .unwrap();
    });
    let failure = client()
        .send(post(&format!("https://{address}/token")))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Connect));
}

#[tokio::test]
async fn a_handshake_longer_than_the_connect_timeout_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = ReqwestClient::builder()
        .connect_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let failure = client
        .send(post(&format!("https://{address}/token")).deadline(Duration::from_secs(3)))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Connect));
    drop(listener);
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    // TEST-NET-1 (RFC 5737): if this were tried, it would time out.
    for url in [
        "http://192.0.2.1/token",
        "http://platform.invalid/token",
        "/token",
    ] {
        let failure = client().send(post(url)).await.unwrap_err();
        assert_eq!(
            verdict(&failure),
            (NotSent, FailureKind::InvalidRequest),
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_connection_closed_right_after_accept_is_maybe_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let failure = client()
        .send(post(&format!("http://{address}/token")))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Broken));
}

#[tokio::test]
async fn a_request_without_any_answer_is_maybe_sent() {
    assert_eq!(fails_after([]).await, (MaybeSent, FailureKind::Broken));
}

#[tokio::test]
async fn a_head_that_breaks_off_is_maybe_sent() {
    let steps = [Do::Write("HTTP/1.1 200 OK\r\ncontent-le")];
    assert_eq!(fails_after(steps).await, (MaybeSent, FailureKind::Broken));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_maybe_sent() {
    let steps = [Do::Write("SSH-2.0-example\r\n")];
    assert_eq!(fails_after(steps).await, (MaybeSent, FailureKind::Broken));
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_is_maybe_sent() {
    let steps = [Do::Write(
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"access_token\":",
    )];
    assert_eq!(
        fails_after(steps).await,
        (MaybeSent, FailureKind::BodyBroken)
    );
}

#[tokio::test]
async fn a_chunked_body_without_its_last_chunk_is_maybe_sent() {
    let steps = [Do::Write(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"ac\r\n",
    )];
    assert_eq!(
        fails_after(steps).await,
        (MaybeSent, FailureKind::BodyBroken)
    );
}

#[tokio::test]
async fn a_head_that_never_comes_ends_at_the_deadline() {
    assert_eq!(
        fails_within(SOON, [Do::Wait]).await,
        (MaybeSent, FailureKind::Timeout)
    );
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_at_the_deadline() {
    let steps = [
        Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
        Do::Wait,
    ];
    assert_eq!(
        fails_within(SOON, steps).await,
        (MaybeSent, FailureKind::Timeout)
    );
}

#[tokio::test]
async fn a_body_that_drips_for_ever_ends_at_the_deadline() {
    let head = Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    let steps = [head, Do::Drip(".", Duration::from_millis(10))];
    assert_eq!(
        fails_within(SOON, steps).await,
        (MaybeSent, FailureKind::Timeout)
    );
}

#[tokio::test]
async fn a_pooled_connection_is_used_again() {
    let answer = vec![Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")];
    let server = RawServer::start(vec![vec![answer.clone(), answer]]).await;
    let client = client();
    for _ in 0..2 {
        assert_eq!(client.send(get(&server.url("/"))).await.unwrap().body, "ok");
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_pooled_connection_that_dies_under_a_request_is_maybe_sent_and_not_retried() {
    let answer = vec![Do::Write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")];
    // The second request is read and left without an answer; a retry would find the second connection.
    let server = RawServer::start(vec![vec![answer.clone(), vec![]], vec![answer]]).await;
    let client = client();
    client.send(post(&server.url("/"))).await.unwrap();
    let failure = client.send(post(&server.url("/"))).await.unwrap_err();
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Broken));
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_redirect_to_a_dead_server_is_maybe_sent_though_the_last_connect_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        drop(listener);
        assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
        let answer = "HTTP/1.1 307 Moved\r\nlocation: /next\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    let outgoing =
        post(&format!("http://{address}/token")).redirects(rc_http::Redirects::SameOrigin);
    let failure = client().send(outgoing).await.unwrap_err();
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Connect));
}
