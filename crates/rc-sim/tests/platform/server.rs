//! The platform on a port, asked by a bare TCP client.

use std::{io, net::SocketAddr};

use rc_sim::{Config, Fault, Replacement, Server, Target, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::{ADA, REDIRECT_URI, basic, demo, form, secs};

async fn server() -> Server {
    bind(demo()).await
}

async fn bind(config: Config) -> Server {
    Server::bind(([127, 0, 0, 1], 0).into(), config)
        .await
        .expect("a free port")
}

/// Everything the server sends until it closes the connection.
async fn ask(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // A connection that breaks off may end in a reset; what came before it counts.
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        answer.extend_from_slice(&chunk[..read]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn post(path: &str, head: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// What `GET path` with the head lines `head` is answered.
async fn get_with(server: &Server, path: &str, head: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
    ask(server.address(), &request).await.expect("an answer")
}

/// A code exchange after a sign-in on the server's platform.
fn exchange(server: &Server) -> String {
    let now = server.now();
    let mut platform = server.platform();
    let app = platform
        .config()
        .confidential_app()
        .expect("demo app")
        .clone();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", app.client_id()),
        ("redirect_uri", REDIRECT_URI),
    ]);
    let callback = platform
        .sign_in(&format!("/restapi/oauth/authorize?{query}"), ADA, now)
        .expect("callback");
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &callback.param("code").expect("a code")),
        ("redirect_uri", REDIRECT_URI),
    ]);
    let authorization = basic(app.client_id(), app.client_secret().expect("secret"));
    let head = format!(
        "Authorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    post("/restapi/oauth/token", &head, &body)
}

#[tokio::test]
async fn answers_and_controls_on_one_port() {
    let server = server().await;
    let status = ask(server.address(), &get("/restapi/v1.0/status"))
        .await
        .expect("an answer");
    assert!(status.starts_with("HTTP/1.1 200 OK\r\n"), "{status}");
    assert!(status.contains("rcrequestid: "));
    let token = ask(server.address(), &exchange(&server))
        .await
        .expect("an answer");
    assert!(token.contains(r#""token_type":"bearer""#), "{token}");
    let counters = ask(server.address(), &get("/sim/counters"))
        .await
        .expect("an answer");
    assert!(counters.contains(r#""live_sessions":1"#), "{counters}");
    assert_eq!(server.base_url(), format!("http://{}", server.address()));
}

#[tokio::test]
async fn dropped_before_and_after_close_the_connection_without_a_byte() {
    let server = server().await;
    for (fault, sessions) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        server.platform().queue_fault(Target::Token, fault, 1);
        let answer = ask(server.address(), &exchange(&server))
            .await
            .expect("a connection");
        assert_eq!(answer, "");
        let now = server.now();
        assert_eq!(server.platform().counters(now).live_sessions, sessions);
    }
}

#[tokio::test]
async fn truncated_answers_announce_the_whole_length() {
    let server = server().await;
    server
        .platform()
        .queue_fault(Target::Token, Fault::Truncate(17), 1);
    let answer = ask(server.address(), &exchange(&server))
        .await
        .expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(body, r#"{"access_token":""#);
    let (_, length) = head.split_once("content-length: ").expect("a length");
    let length: usize = length
        .lines()
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    assert!(length > 300, "{length}");
}

#[tokio::test]
async fn delayed_answers_arrive_and_block_nobody() {
    let server = server().await;
    let delay = secs(1) / 4;
    server
        .platform()
        .queue_fault(Target::Api, Fault::Delay(delay), 1);
    let before = std::time::Instant::now();
    let request = get("/restapi");
    let slow = ask(server.address(), &request);
    let address = server.address();
    let fast = async {
        let token = exchange(&server);
        ask(address, &token)
            .await
            .map(|answer| (answer, before.elapsed()))
    };
    let (slow, fast) = tokio::join!(slow, fast);
    assert!(slow.expect("an answer").starts_with("HTTP/1.1 200"));
    assert!(before.elapsed() >= delay);
    let (answer, elapsed) = fast.expect("an answer");
    assert!(answer.contains("access_token") && elapsed < before.elapsed());
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let server = server().await;
    let head = "Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!(
        "POST /restapi/oauth/token HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 1048577\r\n\r\n"
    );
    let body = "x".repeat(1_048_577);
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    // The server may answer before it has read everything.
    drop(stream.write_all(body.as_bytes()).await);
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    for _ in 0..3 {
        stream
            .write_all(b"GET /restapi/v1.0/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .expect("sent");
        let mut start = [0; 1024];
        let read = stream.read(&mut start).await.expect("an answer");
        assert!(start[..read].starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_frees_the_port() {
    let server = server().await;
    let address = server.address();
    let mut idle = TcpStream::connect(address).await.expect("a connection");
    idle.write_all(b"GET /restapi HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .expect("sent");
    let mut bytes = [0; 4096];
    assert!(idle.read(&mut bytes).await.expect("an answer") > 0);
    server.shutdown().await;
    assert_eq!(idle.read(&mut bytes).await.expect("the end"), 0);
    let again = Server::bind(address, Config::demo(1, REDIRECT_URI)).await;
    assert!(again.is_ok(), "the port is free again");
}

#[tokio::test]
async fn loopback_names_are_served_on_any_port() {
    let server = server().await;
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:8090",
        "[::1]",
        "[::1]:8090",
    ] {
        let answer = get_with(&server, "/restapi", &format!("Host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_host_name_that_was_pointed_here_gets_421_and_nothing_is_carried_out() {
    let server = server().await;
    let evil = "Host: rebound.example\r\n";
    for path in ["/restapi", "/sim/counters", "/restapi/oauth/authorize"] {
        let answer = get_with(&server, path, evil).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("content-type: text/plain"), "{answer}");
        assert!(answer.contains("--host-name"), "{answer}");
    }
    let reset = post("/sim/limits", "", r#"{"enabled":true}"#).replace("localhost", "evil.example");
    let answer = ask(server.address(), &reset).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let platform = server.platform();
    assert!(!platform.config().switches.limits.enabled);
    assert_eq!(platform.counters(server.now()).authorize, 0);
}

#[tokio::test]
async fn names_that_only_look_like_loopback_ones_get_421() {
    let server = server().await;
    for host in [
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "10.0.0.1",
        "[::2]:8090",
    ] {
        let answer = get_with(&server, "/restapi", &format!("Host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
    }
    let absolute = "http://evil.example/restapi";
    let answer = get_with(&server, absolute, "Host: localhost\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    for head in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: a b\r\n",
    ] {
        let answer = get_with(&server, "/restapi", head).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn configured_host_names_are_served() {
    let mut config = demo();
    config.host_names = vec![
        "Sim.example".into(),
        "192.0.2.7".into(),
        "[2001:db8::7]".into(),
    ];
    let server = bind(config).await;
    for (host, status) in [
        ("sim.example", "200"),
        ("SIM.EXAMPLE:8090", "200"),
        ("192.0.2.7:80", "200"),
        ("[2001:db8:0::7]:80", "200"),
        ("www.sim.example", "421"),
    ] {
        let answer = get_with(&server, "/restapi", &format!("Host: {host}\r\n")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{host}: {answer}"
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_date_of_the_platforms_clock() {
    let server = server().await;
    let year = secs(366 * 24 * 3600);
    server.platform().advance(year);
    let busy = Replacement::new(http::StatusCode::SERVICE_UNAVAILABLE, "busy");
    server
        .platform()
        .queue_fault(Target::Api, Fault::Replace(busy), 1);
    // The day is compared: the clock runs on between an answer and the look at it.
    let days = |at: Timestamp| at.http_date()[..16].to_owned();
    let before = days(server.now().plus(year));
    for (path, host, status) in [
        ("/restapi", "localhost", "503"),
        ("/restapi", "localhost", "200"),
        ("/restapi", "evil.example", "421"),
        ("/sim/counters", "localhost", "200"),
    ] {
        let answer = get_with(&server, path, &format!("Host: {host}\r\n")).await;
        let after = days(server.now().plus(year));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")));
        let (_, date) = answer.split_once("date: ").expect("a date");
        assert!(
            date.starts_with(&before) || date.starts_with(&after),
            "{path}: {date}"
        );
    }
}
