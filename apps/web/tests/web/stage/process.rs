//! The program itself, as a process.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
};

use super::Variables;

/// A running `rc-web`. Killed when dropped.
pub struct Process {
    pub address: SocketAddr,
    pub greeting: String,
    child: Child,
    log: JoinHandle<String>,
}

/// The program with exactly these variables.
pub fn program(variables: &Variables) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rc-web"));
    command.env_clear().envs(variables).kill_on_drop(true);
    command
}

/// Runs it to its end; at most ten seconds.
pub async fn output(command: &mut Command) -> Output {
    let output = tokio::time::timeout(Duration::from_secs(10), command.output());
    output.await.expect("an end in time").expect("a program")
}

impl Process {
    /// Starts it and waits until it has said where it listens.
    pub async fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program");
        let log = tokio::spawn(read(child.stderr.take().expect("stderr")));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let mut greeting = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            greeting.push_str(&line);
            greeting.push('\n');
            if line.starts_with("Stop with") {
                break;
            }
        }
        let address = greeting
            .lines()
            .find_map(|line| line.strip_prefix("Listens:  "));
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {greeting:?}"));
        Self {
            address,
            greeting,
            child,
            log,
        }
    }

    /// `SIGKILL`, and the log up to there.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.expect("a process to kill");
        self.log.await.expect("a log")
    }

    /// `SIGTERM`; the exit code and the log.
    pub async fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.child.id().expect("a running process").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.expect("kill").success());
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let code = ended.expect("an end in time").expect("a status").code();
        (code, self.log.await.expect("a log"))
    }
}

async fn read(mut stderr: ChildStderr) -> String {
    let mut text = String::new();
    stderr
        .read_to_string(&mut text)
        .await
        .expect("a log in UTF-8");
    text
}
