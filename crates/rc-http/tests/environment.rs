//! What the machine's environment changes. Each test runs itself again in a child process, because a
//! process's environment is read by every thread.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use std::{env, future::Future, io::Read, process::Command};

use common::{chain, get, verdict};
use rc_http::{Delivery, FailureKind, HttpClient, ReqwestClient};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

const CHILD: &str = "RC_HTTP_TEST_CHILD";

/// Runs `body` in a child process with these variables set. `test` is the name of the calling test.
fn with_environment(test: &str, variables: &[(&str, &str)], body: impl Future<Output = ()>) {
    if env::var_os(CHILD).is_some() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(body);
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .envs(variables.iter().copied());
    let output = child.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "no test is named {test}"
    );
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    server
}

#[test]
fn without_ca_certificates_plain_http_works_and_https_says_what_to_install() {
    let test = "without_ca_certificates_plain_http_works_and_https_says_what_to_install";
    with_environment(
        test,
        &[
            ("SSL_CERT_FILE", "/nonexistent.pem"),
            ("SSL_CERT_DIR", "/nonexistent"),
        ],
        async {
            let client = ReqwestClient::new().unwrap();
            assert_eq!(
                client
                    .send(get(&server().await.uri()))
                    .await
                    .unwrap()
                    .status,
                204
            );

            let failure = client
                .send(get("https://platform.example.com/restapi"))
                .await
                .unwrap_err();
            assert_eq!(verdict(&failure), (Delivery::NotSent, FailureKind::Connect));
            insta::assert_snapshot!("no_ca_certificates", chain(&failure));
            insta::assert_snapshot!("ensure_https", chain(&client.ensure_https().unwrap_err()));
        },
    );
}

#[test]
fn nothing_on_the_own_machine_is_asked_of_a_proxy() {
    // Port 9 refuses: whatever is asked of this proxy fails.
    let proxy = "http://127.0.0.1:9";
    let variables = [
        ("HTTP_PROXY", proxy),
        ("http_proxy", proxy),
        ("ALL_PROXY", proxy),
        ("NO_PROXY", ""),
    ];
    with_environment(
        "nothing_on_the_own_machine_is_asked_of_a_proxy",
        &variables,
        async {
            let answer = ReqwestClient::new()
                .unwrap()
                .send(get(&server().await.uri()))
                .await;
            assert_eq!(answer.unwrap().status, 204);
        },
    );
}

#[test]
fn another_machine_is_asked_through_the_proxy() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = format!("http://{address}");
    let asked = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let read = socket.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    });
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/example-ca.pem");
    let variables = [
        ("HTTPS_PROXY", &*proxy),
        ("https_proxy", &*proxy),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        ("SSL_CERT_FILE", ca),
    ];
    with_environment(
        "another_machine_is_asked_through_the_proxy",
        &variables,
        async {
            let failure = ReqwestClient::new()
                .unwrap()
                .send(get("https://platform.invalid/restapi"))
                .await
                .unwrap_err();
            assert_eq!(verdict(&failure), (Delivery::NotSent, FailureKind::Connect));
        },
    );
    if env::var_os(CHILD).is_none() {
        // Ends the wait of a proxy that nobody asked; refused where it was asked.
        drop(std::net::TcpStream::connect(address));
        let asked = asked.join().unwrap();
        assert!(
            asked.starts_with("CONNECT platform.invalid:443 "),
            "{asked}"
        );
    }
}

#[test]
fn with_ca_certificates_https_can_be_used() {
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/example-ca.pem");
    with_environment(
        "with_ca_certificates_https_can_be_used",
        &[("SSL_CERT_FILE", ca)],
        async {
            ReqwestClient::new().unwrap().ensure_https().unwrap();
        },
    );
}
