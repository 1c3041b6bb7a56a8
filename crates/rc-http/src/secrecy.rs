//! Searches everything that is printed at the finest level, also by the crates below, for what was sent.

use std::{
    error::Error,
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    BoxError, HttpClient, Opening, Outgoing, OutgoingBody, Redirects, ReqwestClient, TransportError,
};

/// Every `tracing` event and span, and every `log` record, of this test binary.
static PRINTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct Printed;

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        PRINTED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Printed {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl log::Log for Printed {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}\n", record.level(), record.target(), record.args());
        PRINTED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

fn print_everything() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        log::set_logger(&Printed).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(Printed)
            .init();
    });
}

fn printed() -> String {
    String::from_utf8_lossy(&PRINTED.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// A token request with secrets in query, headers and body.
fn outgoing(server: &MockServer, path: &str) -> Outgoing {
    let request = Request::post(format!("{}{path}?code=needle-query", server.uri()))
        .header("authorization", "Bearer needle-bearer")
        .header("cookie", "session=needle-cookie")
        .header("x-api-key", "needle-header")
        .body(Bytes::from_static(b"refresh_token=needle-body"))
        .unwrap();
    Outgoing::new(request)
}

/// A server whose answer, a redirect, has secrets in location, headers and body.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(302)
        .insert_header("location", "/next?token=needle-location")
        .insert_header("set-cookie", "session=needle-set-cookie")
        .set_body_string("{\"access_token\":\"needle-answer\"}");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn texts(error: &TransportError) -> String {
    let mut texts = format!("{error:?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        texts.push_str(&format!("\n{error}"));
        next = error.source();
    }
    texts
}

async fn exchange_secrets(client: &ReqwestClient, server: &MockServer, path: &str) {
    let answer = client
        .send(outgoing(server, path).redirects(Redirects::SameOrigin))
        .await
        .unwrap();
    assert!(answer.body.ends_with(b"needle-answer\"}"));
    let failure = client
        .send(outgoing(server, path).max_body(4))
        .await
        .unwrap_err();
    assert!(!texts(&failure).contains("needle"), "{}", texts(&failure));
}

/// The same secrets, in bodies that are streams, and one that the caller's own stream reports.
async fn stream_secrets(client: &ReqwestClient, server: &MockServer, path: &str) {
    let opening = |pieces: Vec<Result<Bytes, BoxError>>| {
        let request = outgoing(server, path).request;
        Opening::new(request.map(|_| OutgoingBody::stream(None, stream::iter(pieces))))
    };
    let piece = || Ok(Bytes::from_static(b"refresh_token=needle-body"));
    let opened = client.open(opening(vec![piece()])).await.unwrap();
    assert!(!format!("{opened:?} {:?}", opened.body).contains("needle"));
    let body = opened.body.read_up_to(1000).await.unwrap();
    assert!(body.ends_with(b"needle-answer\"}"));
    let failure = client
        .open(opening(vec![piece()]).max_body(4))
        .await
        .unwrap_err();
    assert!(!texts(&failure).contains("needle"), "{}", texts(&failure));
    let failure = client
        .open(opening(vec![piece(), Err("the file is gone".into())]))
        .await
        .unwrap_err();
    assert!(!texts(&failure).contains("needle"), "{}", texts(&failure));
    drop(client.open(opening(vec![piece()])).await.unwrap());
}

#[track_caller]
fn assert_printed_no_secret(expected: &[&str]) {
    let printed = printed();
    for line in printed.lines() {
        assert!(!line.contains("needle"), "a secret was printed: {line}");
    }
    for expected in expected {
        assert!(
            printed.contains(expected),
            "nothing was printed of {expected}, so this test sees too little"
        );
    }
}

#[tokio::test]
async fn nothing_secret_is_printed_over_http_1() {
    print_everything();
    let server = server().await;
    exchange_secrets(&ReqwestClient::new().unwrap(), &server, "/first").await;
    let ours = [
        "http_request{method=POST host=\"127.0.0.1\"",
        "path=\"/first\"",
        "status=302 bytes=32 hops=5",
    ];
    assert_printed_no_secret(&ours);
    assert_printed_no_secret(&[
        "hyper_util::client",
        "reqwest::connect",
        "kind=BodyTooLarge",
    ]);
}

#[tokio::test]
async fn nothing_secret_is_printed_over_http_2() {
    print_everything();
    let server = server().await;
    let mut builder = ReqwestClient::builder();
    builder.http2_prior_knowledge = true;
    exchange_secrets(&builder.build().unwrap(), &server, "/second").await;
    assert_printed_no_secret(&["path=\"/second\"", "h2::codec", "h2::hpack"]);
}

#[tokio::test]
async fn nothing_secret_of_streams_is_printed() {
    print_everything();
    let server = server().await;
    stream_secrets(&ReqwestClient::new().unwrap(), &server, "/streamed").await;
    assert_printed_no_secret(&[
        "path=\"/streamed\"",
        "opened status=302 hops=0",
        "received bytes=32",
        "kind=UploadBroken",
        "abandoned bytes=0",
    ]);
    let mut builder = ReqwestClient::builder();
    builder.http2_prior_knowledge = true;
    stream_secrets(&builder.build().unwrap(), &server, "/streamed-second").await;
    assert_printed_no_secret(&["path=\"/streamed-second\""]);
}

#[tokio::test]
async fn failures_print_no_secret_either() {
    print_everything();
    let nowhere = "https://needle-user:needle-word@platform.invalid/?code=needle-query";
    let request = Request::get(nowhere).body(Bytes::new()).unwrap();
    let failure = ReqwestClient::new()
        .unwrap()
        .send(Outgoing::new(request))
        .await
        .unwrap_err();
    assert!(!texts(&failure).contains("needle"), "{}", texts(&failure));

    let request = Request::get("https://platform.invalid/?code=needle-query")
        .body(Bytes::new())
        .unwrap();
    let failure = ReqwestClient::new()
        .unwrap()
        .send(Outgoing::new(request))
        .await
        .unwrap_err();
    assert!(!texts(&failure).contains("needle"), "{}", texts(&failure));
    assert_printed_no_secret(&["no whole answer"]);
}
