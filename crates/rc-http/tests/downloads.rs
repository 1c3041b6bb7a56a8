//! Answers whose bodies are streams.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Do, RawServer, chain, get, post, verdict};
use futures_util::StreamExt;
use http::{HeaderMap, Request, StatusCode};
use rc_http::{
    BoxFuture, Delivery::MaybeSent, FailureKind, HttpClient, Incoming, IncomingBody, Opened,
    Opening, Outgoing, Redirects, ReqwestClient, TransportError,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
/// Only for servers that never finish.
const SOON: Duration = Duration::from_millis(200);

fn client() -> ReqwestClient {
    ReqwestClient::new().unwrap()
}

fn opening(uri: &str) -> Opening {
    Opening::new(Request::get(uri).body(Bytes::new()).unwrap())
}

async fn open(server: &RawServer, limit: impl FnOnce(Opening) -> Opening) -> Opened {
    client()
        .open(limit(opening(&server.url("/content"))))
        .await
        .unwrap()
}

/// All that came, and the failure at the end if there is one.
async fn read(mut body: IncomingBody) -> (String, Option<TransportError>) {
    let mut text = String::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => {
                assert!(!piece.is_empty());
                text.push_str(std::str::from_utf8(&piece).unwrap());
            }
            Err(error) => {
                assert!(body.next().await.is_none(), "nothing follows an error");
                return (text, Some(error));
            }
        }
    }
    assert!(body.next().await.is_none(), "the end stays the end");
    (text, None)
}

async fn fails(opened: Opened) -> (String, TransportError) {
    let (text, failure) = read(opened.body).await;
    (text, failure.unwrap())
}

#[tokio::test]
async fn the_head_is_there_before_the_body() {
    let server = RawServer::once([Do::Write(HEAD), Do::Wait]).await;
    let opened = open(&server, |opening| opening).await;
    assert_eq!(opened.status, 200);
    assert_eq!(opened.content_length, Some(9));
    assert_eq!(opened.headers["content-length"], "9");
}

#[tokio::test]
async fn pieces_come_in_order_to_the_end() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Write("3\r\none\r\n5\r\n, two\r\n0\r\n\r\n"),
    ];
    let opened = open(&RawServer::once(steps).await, |opening| opening).await;
    assert_eq!(opened.content_length, None);
    let (text, failure) = read(opened.body).await;
    assert_eq!((text.as_str(), failure.is_none()), ("one, two", true));
}

#[tokio::test]
async fn trailers_are_passed_over() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Write("3\r\none\r\n0\r\nx-sum: 1\r\n\r\n"),
    ];
    let opened = open(&RawServer::once(steps).await, |opening| opening).await;
    let (text, failure) = read(opened.body).await;
    assert_eq!((text.as_str(), failure.is_none()), ("one", true));
}

#[tokio::test]
async fn an_announced_body_over_the_cap_is_not_opened() {
    let server = RawServer::once([Do::Write(HEAD), Do::Wait]).await;
    let failure = client()
        .open(opening(&server.url("/")).max_body(8))
        .await
        .unwrap_err();
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::BodyTooLarge));
}

#[tokio::test]
async fn an_endless_body_ends_at_the_cap() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Drip("1\r\nx\r\n", Duration::from_millis(1)),
    ];
    let opened = open(&RawServer::once(steps).await, |opening| {
        opening.max_body(20)
    })
    .await;
    let (text, failure) = fails(opened).await;
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::BodyTooLarge));
    assert!(!text.is_empty() && text.len() <= 20, "{text}");
}

#[tokio::test]
async fn a_body_as_long_as_the_cap_is_whole() {
    for head in [HEAD, CHUNKED] {
        let body = if head == HEAD {
            "123456789"
        } else {
            "9\r\n123456789\r\n0\r\n\r\n"
        };
        let server = RawServer::once([Do::Write(head), Do::Write(body)]).await;
        let opened = open(&server, |opening| opening.max_body(9)).await;
        let (text, failure) = read(opened.body).await;
        assert_eq!((text.as_str(), failure.is_none()), ("123456789", true));
    }
}

#[tokio::test]
async fn a_pause_over_the_idle_limit_ends_the_body() {
    let server = RawServer::once([Do::Write(HEAD), Do::Write("half"), Do::Wait]).await;
    let (text, failure) = fails(open(&server, |opening| opening.idle_limit(SOON)).await).await;
    assert_eq!(text, "half");
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Timeout));
    assert!(chain(&failure).contains("200ms, the limit set for its pauses"));
}

/// The whole takes three times the idle limit, and no pause a third of it.
#[tokio::test]
async fn a_body_that_moves_is_not_idle() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Drip("1\r\nx\r\n", Duration::from_millis(100)),
    ];
    let server = RawServer::once(steps).await;
    let opened = open(&server, |opening| {
        opening.idle_limit(Duration::from_millis(600)).max_body(17)
    })
    .await;
    let (text, failure) = fails(opened).await;
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::BodyTooLarge));
    assert_eq!(text.len(), 17);
}

#[tokio::test]
async fn the_total_limit_ends_a_body_that_moves() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Drip("1\r\nx\r\n", Duration::from_millis(10)),
    ];
    let opened = open(&RawServer::once(steps).await, |opening| {
        opening.total_limit(SOON)
    })
    .await;
    let (text, failure) = fails(opened).await;
    assert!(!text.is_empty());
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Timeout));
    assert!(chain(&failure).contains("200ms, the limit set for the whole"));
}

#[tokio::test]
async fn a_head_that_never_comes_ends_at_the_sooner_limit() {
    let (soon, late) = (SOON, Duration::from_secs(20));
    for (head, total, says) in [
        (soon, late, "the deadline of 200ms"),
        (late, soon, "200ms, the limit set for the whole"),
        (soon, soon, "200ms, the limit set for the whole"),
        (soon, Duration::MAX, "the deadline of 200ms"),
    ] {
        let server = RawServer::once([Do::Wait]).await;
        let opening = opening(&server.url("/"))
            .head_deadline(head)
            .total_limit(total);
        let failure = client().open(opening).await.unwrap_err();
        assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Timeout));
        assert!(chain(&failure).contains(says), "{}", chain(&failure));
    }
}

#[tokio::test]
async fn limits_without_end_are_none() {
    let server = RawServer::once([Do::Write(HEAD), Do::Write("123456789")]).await;
    let opened = open(&server, |opening| {
        opening
            .head_deadline(Duration::MAX)
            .idle_limit(Duration::MAX)
            .total_limit(Duration::MAX)
            .max_body(u64::MAX)
    })
    .await;
    assert_eq!(read(opened.body).await.0, "123456789");
}

#[tokio::test]
async fn a_body_that_breaks_off_says_so() {
    let server = RawServer::once([Do::Write(HEAD), Do::Write("half")]).await;
    let (text, failure) = fails(open(&server, |opening| opening).await).await;
    assert_eq!(text, "half");
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::BodyBroken));
    assert!(!chain(&failure).contains("/content"), "{}", chain(&failure));
}

#[tokio::test]
async fn dropping_the_body_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
        socket.write_all(HEAD.as_bytes()).await.unwrap();
        socket.write_all(b"half").await.unwrap();
        socket.read(&mut [0; 1]).await
    });
    let client = client();
    let mut opened = client.open(opening(&uri)).await.unwrap();
    assert_eq!(opened.body.next().await.unwrap().unwrap(), "half");
    drop(opened);
    assert!(matches!(server.await.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_body_read_to_its_end_leaves_the_connection_to_the_next_request() {
    let answer = vec![Do::Write(HEAD), Do::Write("123456789")];
    let server = RawServer::start(vec![vec![answer.clone(), answer]]).await;
    let client = client();
    for _ in 0..2 {
        let opened = client.open(opening(&server.url("/"))).await.unwrap();
        assert_eq!(read(opened.body).await.0, "123456789");
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_whole_request_follows_redirects_on_its_own_origin() {
    let redirect = "HTTP/1.1 307 Moved\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n";
    let connection = vec![
        vec![Do::Write(redirect)],
        vec![Do::Write(HEAD), Do::Write("123456789")],
    ];
    let server = RawServer::start(vec![connection]).await;
    let outgoing = post(&server.url("/token")).redirects(Redirects::SameOrigin);
    let opened = client().open(outgoing.into()).await.unwrap();
    assert_eq!(opened.status, 200);
    assert!(server.received()[1].starts_with("POST /next "));
    assert!(server.received()[1].ends_with("grant_type=refresh_token"));
}

#[tokio::test]
async fn an_address_that_is_refused_is_not_opened() {
    let failure = client()
        .open(opening("http://192.0.2.1/"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::InvalidRequest);
}

#[tokio::test]
async fn the_beginning_of_an_error_text_can_be_read_alone() {
    for (max, text) in [(4, "1234"), (9, "123456789"), (100, "123456789"), (0, "")] {
        let server = RawServer::once([Do::Write(HEAD), Do::Write("123456789")]).await;
        let opened = open(&server, |opening| opening).await;
        assert_eq!(opened.body.read_up_to(max).await.unwrap(), text);
    }
    let server = RawServer::once([Do::Write(HEAD), Do::Write("half")]).await;
    let body = open(&server, |opening| opening).await.body;
    let failure = body.read_up_to(100).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::BodyBroken);
}

#[tokio::test]
async fn what_follows_the_beginning_is_not_waited_for() {
    let server = RawServer::once([Do::Write(HEAD), Do::Write("half"), Do::Wait]).await;
    let opened = open(&server, |opening| opening.idle_limit(SOON)).await;
    assert_eq!(opened.body.read_up_to(4).await.unwrap(), "half");
}

#[tokio::test]
async fn the_beginning_can_end_inside_a_later_piece() {
    let steps = [
        Do::Write(CHUNKED),
        Do::Write("3\r\none\r\n5\r\n, two\r\n0\r\n\r\n"),
    ];
    let opened = open(&RawServer::once(steps).await, |opening| opening).await;
    assert_eq!(opened.body.read_up_to(5).await.unwrap(), "one, ");
}

#[tokio::test]
async fn debug_prints_neither_headers_nor_body() {
    let head = "HTTP/1.1 200 OK\r\nset-cookie: secret-1\r\ncontent-length: 8\r\n\r\nsecret-2";
    let opened = open(&RawServer::once([Do::Write(head)]).await, |opening| opening).await;
    assert_eq!(
        format!("{opened:?} {:?}", opened.body),
        "Opened { status: 200, content_length: Some(8), .. } IncomingBody { .. }"
    );
}

/// A double: it repeats the request's body and its limits.
#[derive(Debug)]
struct Echo;

impl HttpClient for Echo {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let mut headers = HeaderMap::new();
            let limits = format!("{:?} {}", outgoing.deadline, outgoing.max_body);
            headers.insert("limits", limits.parse().unwrap());
            let redirects = format!("{:?}", outgoing.redirects);
            headers.insert("redirects", redirects.parse().unwrap());
            let body = outgoing.request.into_body();
            Ok(Incoming::new(StatusCode::OK, headers, body))
        })
    }
}

#[tokio::test]
async fn a_client_that_only_sends_can_be_opened_too() {
    let outgoing = post("https://platform.example.com/").redirects(Redirects::SameOrigin);
    let opened = std::sync::Arc::new(Echo)
        .open(outgoing.into())
        .await
        .unwrap();
    assert_eq!(opened.content_length, Some(24));
    assert_eq!(opened.headers["limits"], "5s 1048576");
    assert_eq!(opened.headers["redirects"], "SameOrigin");
    assert_eq!(read(opened.body).await.0, "grant_type=refresh_token");
    let empty = Echo
        .open(get("https://platform.example.com/").into())
        .await
        .unwrap();
    let mut body = empty.body;
    assert!(body.next().await.is_none(), "no empty piece");
}
