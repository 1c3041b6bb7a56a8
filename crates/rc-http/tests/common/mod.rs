//! A server that says byte for byte what a test wants.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot start its server has failed"
)]
#![allow(dead_code, reason = "every test binary uses another part")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use rc_http::{Delivery, FailureKind, Outgoing, TransportError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// What the server does after it has read a request, one step after the other; then it closes.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Write(&'static str),
    /// Write this again and again, with a pause.
    Drip(&'static str, Duration),
    /// Stay silent until the client leaves.
    Wait,
}

/// A TCP server for one test.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    /// Plays `connections[n]` on the n-th connection: one list of steps per request.
    pub(crate) async fn start(connections: Vec<Vec<Vec<Do>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            for requests in connections {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, requests, Arc::clone(&log)));
            }
        });
        Self { address, received }
    }

    /// One connection, one request, these steps.
    pub(crate) async fn once(steps: impl Into<Vec<Do>>) -> Self {
        Self::start(vec![vec![steps.into()]]).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What arrived so far, one text per request.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(mut socket: TcpStream, requests: Vec<Vec<Do>>, log: Arc<Mutex<Vec<String>>>) {
    for steps in requests {
        let Some(request) = read_request(&mut socket).await else {
            return;
        };
        log.lock().unwrap().push(request);
        for step in steps {
            if perform(&mut socket, step).await.is_err() {
                return;
            }
        }
    }
}

async fn perform(socket: &mut TcpStream, step: Do) -> std::io::Result<()> {
    match step {
        Do::Write(text) => socket.write_all(text.as_bytes()).await,
        Do::Drip(text, pause) => loop {
            socket.write_all(text.as_bytes()).await?;
            // Any end of the pause but its own is the client leaving.
            if timeout(pause, socket.read_u8()).await.is_ok() {
                return Ok(());
            }
        },
        Do::Wait => socket.read_u8().await.map(|_| ()),
    }
}

/// Head and `content-length` body of one request; `None` when the client leaves first.
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    while !is_whole(&text) {
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(read) if read > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
            _ => return None,
        }
    }
    Some(text)
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// A POST with a body, as a token request has.
pub(crate) fn post(url: &str) -> Outgoing {
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"grant_type=refresh_token"))
        .unwrap();
    Outgoing::new(request).deadline(Duration::from_secs(5))
}

/// A GET.
pub(crate) fn get(url: &str) -> Outgoing {
    Outgoing::new(Request::get(url).body(Bytes::new()).unwrap()).deadline(Duration::from_secs(5))
}

/// What a failure says to the caller's program.
pub(crate) fn verdict(error: &TransportError) -> (Delivery, FailureKind) {
    (error.delivery(), error.kind())
}

/// `Display` of an error and of everything below it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!("\n  because: {error}"));
        source = error.source();
    }
    text
}
