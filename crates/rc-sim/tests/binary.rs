//! The `rc-sim` binary: what it prints, and how it ends.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

struct Binary {
    child: Child,
    introduction: String,
}

impl Drop for Binary {
    fn drop(&mut self) {
        // Already gone when the test passed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn start(arguments: &[&str]) -> Binary {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stdout = child.stdout.take().expect("piped");
    let mut introduction = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        introduction.push_str(&line);
        introduction.push('\n');
        if line.contains("/sim/counters") {
            break;
        }
    }
    Binary {
        child,
        introduction,
    }
}

impl Binary {
    fn after(&self, label: &str) -> &str {
        let (_, rest) = self.introduction.split_once(label).expect("printed");
        rest.split_whitespace().next().expect("a value")
    }

    fn get(&self, path: &str) -> String {
        self.get_as("localhost", path)
    }

    fn get_as(&self, host: &str, path: &str) -> String {
        let address = self.after("platform: ").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("listening");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn stop(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([signal, &id])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("an end").code()
    }
}

#[test]
fn prints_what_works_and_ends_cleanly_on_sigterm() {
    let binary = start(&["--redirect-uri", "http://localhost:1/cb"]);
    let authorize = binary.after("Open in a browser:\n");
    let path = &authorize[authorize.find("/restapi").expect("a path")..];
    let answer = binary.get(path);
    assert!(answer.starts_with("HTTP/1.1 302 Found"), "{answer}");
    assert!(binary.get("/sim/counters").contains(r#""authorize":1"#));
    assert_eq!(binary.stop("-TERM"), Some(0));
}

#[test]
fn ids_and_secrets_follow_from_the_seed() {
    let (first, same, other) = (
        start(&["--seed", "5"]),
        start(&["--seed", "5"]),
        start(&["--seed", "6"]),
    );
    for label in ["client id ", "client secret "] {
        assert_eq!(first.after(label), same.after(label));
        assert_ne!(first.after(label), other.after(label));
    }
    assert_eq!(first.stop("-INT"), Some(0));
}

/// How the binary ends on SIGTERM when nobody reads what it prints; `None` when that came too early.
fn end_without_a_reader() -> Option<i32> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
        .args(["--port", &address.port().to_string()])
        .stdout(writer)
        .spawn()
        .expect("the binary starts");
    let mut binary = Binary {
        child,
        introduction: format!("platform: http://{address}"),
    };
    while TcpStream::connect(address).is_err() {
        if let Some(ended) = binary.child.try_wait().expect("a child") {
            return ended.code();
        }
        std::thread::yield_now();
    }
    assert!(binary.get("/sim/counters").contains(r#""authorize":0"#));
    binary.stop("-TERM")
}

#[test]
fn a_reader_that_left_as_head_does_leaves_it_running() {
    // The port is open a moment before the signal is listened for.
    let end = std::iter::repeat_with(end_without_a_reader)
        .find_map(|end| end)
        .expect("an end");
    assert_eq!(end, 0);
}

#[test]
fn only_loopback_names_and_given_ones_are_answered() {
    let binary = start(&["--host-name", "sim.example"]);
    for (host, status) in [
        ("localhost", "200"),
        ("sim.example:1", "200"),
        ("evil.example", "421"),
    ] {
        let answer = binary.get_as(host, "/sim/counters");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[test]
fn a_wrong_flag_and_a_taken_port_are_named() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
            .args(arguments)
            .output()
            .expect("runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (ok, error) = run(&["--access-token-ttl", "0"]);
    assert!(!ok && error.contains("--access-token-ttl"), "{error}");
    for name in ["http://sim.example", "sim.example:8090", "sim.example/", ""] {
        let (ok, error) = run(&["--host-name", name]);
        assert!(!ok && error.contains("without scheme, port"), "{error}");
    }
    let (ok, error) = run(&["--strict", "--late-reuse-ends-session"]);
    assert!(!ok && error.contains("--strict"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (ok, error) = run(&["--port", &port]);
    assert!(
        !ok && error.contains(&port) && error.contains("--port"),
        "{error}"
    );
}
