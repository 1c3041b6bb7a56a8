//! Request bodies that are streams.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{Do, RawServer, chain, verdict};
use futures_util::{Stream, StreamExt, stream};
use http::Request;
use rc_http::{
    BoxError,
    Delivery::{MaybeSent, NotSent},
    FailureKind, HttpClient, Opening, OutgoingBody, Redirects, ReqwestClient, TransportError,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const MIB: usize = 1024 * 1024;

fn client() -> ReqwestClient {
    ReqwestClient::new().unwrap()
}

fn opening(
    uri: &str,
    len: Option<u64>,
    pieces: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
) -> Opening {
    let body = OutgoingBody::stream(len, pieces);
    Opening::new(Request::put(uri).body(body).unwrap())
}

fn pieces(pieces: &[&'static str]) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect();
    stream::iter(pieces)
}

/// `source`, then an error.
fn failing(
    source: &[&'static str],
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    pieces(source).chain(stream::iter([Err("the file is gone".into())]))
}

/// A server that answers once the request has `end` in it, and tells what it received.
async fn answering_after(
    end: &'static str,
    answer: &'static str,
) -> (String, oneshot::Receiver<String>) {
    let (uri, listener) = listen().await;
    let (sender, received) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        while !text.contains(end) {
            text.push_str(&read_some(&mut socket).await.unwrap());
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        sender.send(text).unwrap();
    });
    (uri, received)
}

async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/upload", listener.local_addr().unwrap());
    (uri, listener)
}

/// `None` at the end of the connection.
async fn read_some(socket: &mut TcpStream) -> Option<String> {
    let mut buffer = [0; 4096];
    match socket.read(&mut buffer).await {
        Ok(read) if read > 0 => Some(String::from_utf8_lossy(&buffer[..read]).into_owned()),
        _ => None,
    }
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        text.push_str(&read_some(socket).await.unwrap());
    }
    text
}

async fn fails(opening: Opening) -> TransportError {
    client().open(opening).await.unwrap_err()
}

#[tokio::test]
async fn an_upload_of_known_length_has_a_content_length_and_no_chunks() {
    let (uri, received) = answering_after("one, two", OK).await;
    let answer = client()
        .open(opening(&uri, Some(8), pieces(&["one", ", two"])))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.read_up_to(100).await.unwrap(), "ok");
    let received = received.await.unwrap();
    assert!(received.contains("content-length: 8\r\n"), "{received}");
    assert!(!received.contains("transfer-encoding"), "{received}");
    assert!(received.ends_with("\r\n\r\none, two"), "{received}");
}

#[tokio::test]
async fn an_upload_of_unknown_length_is_chunked() {
    let (uri, received) = answering_after("0\r\n\r\n", OK).await;
    client()
        .open(opening(&uri, None, pieces(&["one", ", two"])))
        .await
        .unwrap();
    let received = received.await.unwrap();
    assert!(
        received.contains("transfer-encoding: chunked\r\n"),
        "{received}"
    );
    assert!(!received.contains("content-length"), "{received}");
    assert!(
        received.contains("3\r\none\r\n5\r\n, two\r\n"),
        "{received}"
    );
}

#[tokio::test]
async fn the_callers_word_on_the_length_does_not_count() {
    let (uri, received) = answering_after("one, two", OK).await;
    let mut opening = opening(&uri, Some(8), pieces(&["one, two"]));
    let headers = opening.request.headers_mut();
    headers.insert("content-length", "3".parse().unwrap());
    headers.insert("transfer-encoding", "chunked".parse().unwrap());
    client().open(opening).await.unwrap();
    let received = received.await.unwrap();
    assert!(received.contains("content-length: 8\r\n"), "{received}");
    assert!(!received.contains("transfer-encoding"), "{received}");
}

#[tokio::test]
async fn an_empty_stream_is_an_empty_body() {
    let (uri, received) = answering_after("\r\n\r\n", OK).await;
    client()
        .open(opening(&uri, Some(0), pieces(&[])))
        .await
        .unwrap();
    assert!(received.await.unwrap().contains("content-length: 0\r\n"));
}

/// 64 MiB against a server that reads 1 MiB and then waits: what is asked of the stream meanwhile is bounded
/// by the buffers of both sockets, and not by the length.
#[tokio::test]
async fn a_large_upload_is_taken_piece_by_piece_as_the_server_reads() {
    const PIECES: usize = 1024;
    const PIECE: usize = 64 * 1024;
    let (uri, listener) = listen().await;
    let (read_on, told) = oneshot::channel();
    let (first_read, first) = oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = read_head(&mut socket).await;
        let mut left = PIECES * PIECE - (head.len() - head.find("\r\n\r\n").unwrap() - 4);
        let mut buffer = vec![0; MIB];
        left -= socket.read_exact(&mut buffer).await.unwrap();
        first_read.send(()).unwrap();
        told.await.unwrap();
        while left > 0 {
            left -= socket.read(&mut buffer).await.unwrap();
        }
        socket.write_all(OK.as_bytes()).await.unwrap();
    });
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let source = stream::iter(0..PIECES).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Bytes::from_static(&[b'x'; PIECE]))
    });
    let upload = opening(&uri, Some((PIECES * PIECE) as u64), source);
    let exchange = tokio::spawn(async move { client().open(upload).await });
    first.await.unwrap();
    let while_waiting = taken.load(Ordering::Relaxed);
    assert!(
        while_waiting < PIECES / 2,
        "{while_waiting} pieces were taken"
    );
    read_on.send(()).unwrap();
    assert_eq!(exchange.await.unwrap().unwrap().status, 200);
    assert_eq!(taken.load(Ordering::Relaxed), PIECES);
    server.await.unwrap();
}

#[tokio::test]
async fn a_stream_that_fails_at_once_is_not_sent_and_costs_no_connection() {
    // A request to this port would be refused, which is another failure.
    let (uri, listener) = listen().await;
    drop(listener);
    let failure = fails(opening(&uri, None, failing(&[]))).await;
    assert_eq!(verdict(&failure), (NotSent, FailureKind::UploadBroken));
}

#[tokio::test]
async fn a_stream_that_fails_on_its_way_is_maybe_sent_and_never_whole() {
    for len in [None, Some(100)] {
        let (uri, listener) = listen().await;
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while let Some(more) = read_some(&mut socket).await {
                text.push_str(&more);
            }
            text
        });
        let failure = fails(opening(&uri, len, failing(&["one"]))).await;
        assert_eq!(verdict(&failure), (MaybeSent, FailureKind::UploadBroken));
        let origin = failure.origin();
        assert_eq!(
            chain(&failure),
            format!(
                "the request's body could not be read whole to send it to {origin}\n  \
                 because: the file is gone"
            )
        );
        assert!(
            !server.await.unwrap().contains("0\r\n\r\n"),
            "no last chunk"
        );
    }
}

#[tokio::test]
async fn a_stream_of_another_length_than_announced_fails() {
    for (len, says) in [(7, "ended after 6 bytes"), (5, "longer than the 5 bytes")] {
        let server = RawServer::once([Do::Write(OK)]).await;
        let failure = fails(opening(
            &server.url("/"),
            Some(len),
            pieces(&["one", "two"]),
        ))
        .await;
        assert_eq!(verdict(&failure), (MaybeSent, FailureKind::UploadBroken));
        assert!(chain(&failure).contains(says), "{}", chain(&failure));
        assert!(server.received().is_empty(), "never whole at the server");
    }
}

#[tokio::test]
async fn a_refused_connection_leaves_a_streamed_request_unsent() {
    let (uri, listener) = listen().await;
    drop(listener);
    let failure = fails(opening(&uri, None, pieces(&["one"]))).await;
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Connect));
}

#[tokio::test]
async fn no_redirect_is_followed_after_a_streamed_body() {
    for status in ["301", "302", "303", "307", "308"] {
        let answer =
            format!("HTTP/1.1 {status} Elsewhere\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n");
        let (uri, received) = answering_after("one", answer.leak()).await;
        let opening = opening(&uri, Some(3), pieces(&["one"])).redirects(Redirects::SameOrigin);
        let answer = client().open(opening).await.unwrap();
        assert_eq!(answer.status.as_str(), status);
        assert_eq!(answer.headers["location"], "/next");
        received.await.unwrap();
    }
}

#[tokio::test]
async fn a_first_piece_that_never_comes_ends_unsent_at_the_head_deadline() {
    let (uri, _listener) = listen().await;
    let opening = opening(&uri, None, stream::pending()).head_deadline(Duration::from_millis(50));
    let failure = fails(opening).await;
    assert_eq!(verdict(&failure), (NotSent, FailureKind::Timeout));
    assert!(
        chain(&failure).contains("first piece"),
        "{}",
        chain(&failure)
    );
}

#[tokio::test]
async fn a_stream_that_stops_ends_at_the_head_deadline() {
    let (uri, _listener) = listen().await;
    let source = pieces(&["one"]).chain(stream::pending());
    let opening = opening(&uri, None, source).head_deadline(Duration::from_millis(200));
    let failure = fails(opening).await;
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::Timeout));
    assert!(chain(&failure).contains("200ms"), "{}", chain(&failure));
}

/// Each of the ten pieces comes later than half of the deadline: without a new start this would fail.
#[tokio::test]
async fn each_piece_starts_the_head_deadline_anew() {
    let (uri, received) = answering_after("0\r\n\r\n", OK).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut count = 0;
    let source = stream::poll_fn(move |cx| {
        if count == 10 {
            return std::task::Poll::Ready(None);
        }
        ticks.poll_tick(cx).map(|_| {
            count += 1;
            Some(Ok(Bytes::from_static(b"piece")))
        })
    });
    let opening = opening(&uri, None, source).head_deadline(Duration::from_millis(600));
    assert_eq!(client().open(opening).await.unwrap().status, 200);
    received.await.unwrap();
}

#[tokio::test]
async fn an_early_answer_is_handed_out_and_dropping_it_ends_the_upload() {
    let (uri, listener) = listen().await;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await;
        let early = "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
        socket.write_all(early.as_bytes()).await.unwrap();
        while read_some(&mut socket).await.is_some() {}
    });
    let source = pieces(&["one"]).chain(stream::pending());
    let answer = client().open(opening(&uri, None, source)).await.unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body.read_up_to(100).await.unwrap(), "no");
    server.await.unwrap();
}

#[tokio::test]
async fn an_upload_that_fails_under_its_answer_is_what_the_answer_ends_with() {
    let (uri, listener) = listen().await;
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await;
        let early = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        socket.write_all(early.as_bytes()).await.unwrap();
        while read_some(&mut socket).await.is_some() {}
    });
    let (fail, told) = oneshot::channel::<()>();
    let source = pieces(&["one"]).chain(stream::once(async move {
        told.await?;
        Err("the file is gone".into())
    }));
    let mut answer = client().open(opening(&uri, None, source)).await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "half");
    fail.send(()).unwrap();
    let failure = answer.body.next().await.unwrap().unwrap_err();
    assert_eq!(verdict(&failure), (MaybeSent, FailureKind::UploadBroken));
    assert!(answer.body.next().await.is_none());
}
