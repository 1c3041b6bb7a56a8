//! The binary, and requests to it over a connection that stays open.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// A running `rc-sim`. Killed when dropped.
pub(crate) struct Simulator {
    child: Child,
    pub(crate) ready_after: Duration,
    pub(crate) credentials: Value,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // One that is gone already is no trouble.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Simulator {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let start = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
            .args(["--port", "0", "--json", "--limits", "off"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let ready_after = start.elapsed();
        let credentials = serde_json::from_str(&line).expect("JSON");
        Self {
            child,
            ready_after,
            credentials,
        }
    }

    /// MiB in memory.
    pub(crate) fn resident(&self) -> f64 {
        resident(&self.child.id().to_string())
    }

    pub(crate) fn connect(&self) -> Connection {
        let base = self.credentials["base_url"].as_str().expect("an address");
        let stream = TcpStream::connect(base.trim_start_matches("http://")).expect("listening");
        stream.set_nodelay(true).expect("a socket option");
        Connection {
            reader: BufReader::new(stream.try_clone().expect("a second handle")),
            stream,
        }
    }

    /// The head of a token request, and the personal JWT.
    pub(crate) fn authorization(&self) -> String {
        let app = &self.credentials["apps"][0];
        let text = |name: &str| app[name].as_str().expect("text");
        let basic = STANDARD.encode(format!("{}:{}", text("client_id"), text("client_secret")));
        format!("Basic {basic}")
    }

    pub(crate) fn jwt(&self) -> &str {
        self.credentials["personal_jwt"].as_str().expect("text")
    }
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Sends a whole request and reads its answer; panics unless it is a 200.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).expect("sent");
        let mut line = String::new();
        let mut length = 0;
        let mut first = true;
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a head");
            if first {
                assert!(line.starts_with("HTTP/1.1 200"), "{line}");
                first = false;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a body");
        body
    }

    /// A token request; the tokens.
    pub(crate) fn token(&mut self, simulator: &Simulator, form: &str) -> Value {
        let request = format!(
            "POST /restapi/oauth/token HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            simulator.authorization(),
            form.len()
        );
        serde_json::from_slice(&self.exchange(request.as_bytes())).expect("tokens")
    }

    pub(crate) fn sign_in(&mut self, simulator: &Simulator) -> Value {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let form = format!("grant_type={grant}&assertion={}", simulator.jwt());
        self.token(simulator, &form)
    }
}

/// MiB of a process in memory.
pub(crate) fn resident(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
