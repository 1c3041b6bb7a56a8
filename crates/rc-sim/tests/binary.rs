//! The `rc-sim` binary: what it prints, and how it ends.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};

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
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
    }

    fn send(&self, request: &str) -> String {
        let address = self.after("platform: ").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("listening");
        write!(stream, "{request}").expect("sent");
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
    let authorize = binary.after("Or sign in, in a browser:\n");
    let path = &authorize[authorize.find("/restapi").expect("a path")..];
    let answer = binary.get(path);
    assert!(answer.starts_with("HTTP/1.1 302 Found"), "{answer}");
    assert!(binary.get("/sim/counters").contains(r#""authorize":1"#));
    assert_eq!(binary.stop("-TERM"), Some(0));
}

impl Binary {
    /// Carries out the printed curl line that gets tokens; returns the access token.
    fn tokens_by_the_printed_line(&self) -> String {
        let (_, line) = self
            .introduction
            .split_once("with a personal JWT:\n")
            .expect("printed");
        let words: Vec<&str> = line.lines().next().expect("a line").split(' ').collect();
        let options = |name: &str| -> Vec<&str> {
            let pairs = words.windows(2);
            pairs
                .filter(|pair| pair[0] == name)
                .map(|pair| pair[1])
                .collect()
        };
        let basic = STANDARD.encode(options("-u")[0]);
        let body = options("-d").join("&");
        let answer = self.send(&format!(
            "POST /restapi/oauth/token HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        let tokens: serde_json::Value = serde_json::from_str(body).expect("tokens");
        tokens["access_token"].as_str().expect("a token").to_owned()
    }

    fn extension(&self, token: &str) -> String {
        self.send(&format!(
            "GET /restapi/v1.0/account/~/extension/~ HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    }
}

#[test]
fn the_printed_line_gets_tokens_as_it_is() {
    let binary = start(&[]);
    let token = binary.tokens_by_the_printed_line();
    assert!(binary.extension(&token).contains("\"id\":12133895101"));
}

#[test]
fn a_killed_platform_goes_on_from_its_state_file() {
    let folder = std::env::temp_dir().join(format!("rc-sim-binary-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let state = folder.join("sim.state");
    let state = state.to_str().expect("text");
    let binary = start(&["--state", state]);
    let token = binary.tokens_by_the_printed_line();
    assert_eq!(binary.stop("-KILL"), None);
    let binary = start(&["--state", state]);
    assert!(binary.extension(&token).starts_with("HTTP/1.0 200"));
    drop(binary);
    std::fs::remove_dir_all(&folder).expect("removed");
}

fn output_of(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
        .args(arguments)
        .output()
        .expect("runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_environment_is_printed_for_a_shell_and_fits_the_platform() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    // It does not listen: the port is taken.
    let variables = output_of(&["--env", "--seed", "3", "--port", &port]);
    let script = format!("{variables}\necho \"$RC_SERVER_URL $RC_CLIENT_ID $RC_REDIRECT_URI\"");
    let shell = Command::new("sh").args(["-c", &script]).output();
    let told = String::from_utf8(shell.expect("a shell").stdout).expect("text");
    let binary = start(&["--seed", "3"]);
    let client_id = binary.after("App with a secret  client id ");
    let expected =
        format!("http://127.0.0.1:{port} {client_id} http://localhost:8080/oauth/callback\n");
    assert_eq!(told, expected);
    for name in [
        "RC_CLIENT_SECRET",
        "RC_PUBLIC_CLIENT_ID",
        "RC_USERNAME",
        "RC_PASSWORD",
        "RC_JWT",
        "RC_PRIVATE_KEY_JWT_KEY",
    ] {
        assert!(variables.contains(&format!("{name}='")), "{name}");
    }
    let jwt = variables
        .lines()
        .find_map(|line| line.strip_prefix("RC_JWT="));
    let jwt = jwt.expect("there").trim_matches('\'');
    assert!(binary.introduction.contains(jwt), "the same personal JWT");
}

#[test]
fn json_is_one_line_for_programs() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
        .args(["--port", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stdout = child.stdout.take().expect("piped");
    let line = BufReader::new(stdout).lines().next().expect("a line");
    let told: serde_json::Value = serde_json::from_str(&line.expect("text")).expect("JSON");
    child.kill().expect("killed");
    child.wait().expect("an end");
    let base = told["base_url"].as_str().expect("text");
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    assert_eq!(told["users"][0]["login"], "ada@acme.example");
    assert!(told["apps"][0]["client_secret"].is_string());
    assert!(told["personal_jwt"].is_string());
}

#[test]
fn a_configuration_file_makes_apps_and_is_refused_by_name() {
    let folder = std::env::temp_dir().join(format!("rc-sim-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("sim.toml");
    let file = path.to_str().expect("text");
    std::fs::write(
        &path,
        "[[apps]]\nname = \"Mine\"\nclient_id = \"mine\"\nclient_secret = \"secret\"\n\n[switches.limits]\nlight = 9\n",
    )
    .expect("written");
    let variables = output_of(&["--env", "--config", file]);
    assert!(variables.contains("RC_CLIENT_ID='mine'\n"), "{variables}");
    std::fs::write(&path, "[switches.limits]\nlihgt = 9\n").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_rc-sim"))
        .args(["--config", file])
        .output()
        .expect("runs");
    let error = String::from_utf8(output.stderr).expect("text");
    std::fs::remove_dir_all(&folder).expect("removed");
    assert!(
        error.contains("sim.toml") && error.contains("lihgt"),
        "{error}"
    );
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
