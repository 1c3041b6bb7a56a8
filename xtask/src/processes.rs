//! The programs under test, as processes.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    Fallible, cargo,
    wire::{self, Request},
};

mod usage;

/// How long a program may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Nothing listens there: who drives the applications carries callbacks to them.
pub(crate) const NO_REDIRECT_URI: &str = "http://127.0.0.1:1/oauth/callback";
/// Of the bytes 0 to 31; it protects sign-ins at a simulated platform, which forgets them when it ends.
const KEYS: &str = "throwaway:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    web: PathBuf,
    simulator: PathBuf,
}

impl Programs {
    /// Builds them for measuring, with these features of rc-web.
    pub(crate) fn release(features: &[&str]) -> Fallible<Self> {
        Self::build(&["--release"], features)
    }

    /// Builds them as `cargo run` does, with these features of rc-web.
    pub(crate) fn debug(features: &[&str]) -> Fallible<Self> {
        Self::build(&[], features)
    }

    /// Builds them for measuring beside what `more` asks cargo for: in one build, so with the same dependencies.
    /// Also what cargo said.
    pub(crate) fn release_beside(more: &[&str]) -> Fallible<(Self, String)> {
        let messages = Self::messages(&[&["--release"], more].concat(), &[])?;
        Ok((Self::named_in(&messages)?, messages))
    }

    fn build(more: &[&str], features: &[&str]) -> Fallible<Self> {
        Self::named_in(&Self::messages(more, features)?)
    }

    fn messages(more: &[&str], features: &[&str]) -> Fallible<String> {
        let mut command = cargo::cargo(&[
            "build",
            "--bins",
            "--package=rc-web",
            "--package=rc-sim",
            "--message-format=json-render-diagnostics",
        ]);
        let features = features
            .iter()
            .map(|feature| format!("--features=rc-web/{feature}"));
        cargo::output(command.args(more).args(features))
    }

    fn named_in(messages: &str) -> Fallible<Self> {
        Ok(Self {
            web: executable(messages, "rc-web")?,
            simulator: executable(messages, "rc-sim")?,
        })
    }

    /// The application.
    pub(crate) fn web(&self) -> &Path {
        &self.web
    }
}

/// The path of the program called `name` in what cargo said about its build.
pub(crate) fn executable(messages: &str, name: &str) -> Fallible<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == name;
        named.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    messages
        .next_back()
        .ok_or_else(|| format!("cargo did not say where {name} is"))
}

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) login: String,
    pub(crate) password: String,
}

/// A running platform. Killed when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Simulator {
    address: SocketAddr,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    users: Vec<User>,
    _child: Arc<Child>,
}

impl Simulator {
    /// Starts one with an app for this redirect URI, and with these arguments.
    pub(crate) async fn start(
        programs: &Programs,
        redirect_uri: &str,
        arguments: &[&str],
    ) -> Fallible<Self> {
        let mut command = Command::new(&programs.simulator);
        command
            .args(["--port", "0", "--redirect-uri", redirect_uri])
            .args(arguments)
            .stderr(Stdio::inherit());
        let (child, said) = start(&mut command, "/sim/counters").await?;
        let (_, base) = said.split_once("platform: http://").unwrap_or_default();
        let address = base.lines().next().and_then(|base| base.parse().ok());
        let (_, app) = said.split_once("client id ").unwrap_or_default();
        let mut app = app.split_ascii_whitespace();
        Ok(Self {
            address: address.ok_or("rc-sim did not say where it listens")?,
            client_id: app.next().unwrap_or_default().to_owned(),
            client_secret: app.nth(2).unwrap_or_default().to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            users: said.lines().filter_map(user).collect(),
            _child: Arc::new(child),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everybody who can sign in.
    pub(crate) fn users(&self) -> &[User] {
        &self.users
    }

    /// The user at this place of the platform's list.
    pub(crate) fn user(&self, place: usize) -> Fallible<&User> {
        let user = self.users.get(place);
        user.ok_or_else(|| "rc-sim named too few users".to_owned())
    }

    /// Every access token ends.
    pub(crate) async fn expire_access_tokens(&self) -> Fallible<()> {
        self.control("POST", "access-tokens/expire", "")
            .await
            .map(drop)
    }

    /// From now on token requests are answered so much later than they are carried out.
    pub(crate) async fn delay_tokens(&self, milliseconds: u64) -> Fallible<()> {
        let fault = json!({
            "target": "token", "fault": "delay", "milliseconds": milliseconds, "times": 1_000_000,
        });
        self.control("POST", "faults", &fault.to_string())
            .await
            .map(drop)
    }

    /// Refreshes that the platform has received.
    pub(crate) async fn refreshes(&self) -> Fallible<u64> {
        let counters = self.control("GET", "counters", "").await?;
        let received = counters["token_refresh"]["received"].as_u64();
        received.ok_or_else(|| "the counters have no token_refresh".to_owned())
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> Fallible<Value> {
        let request = Request {
            method,
            target: &format!("/sim/{path}"),
            headers: Vec::new(),
            body,
        };
        let answer = wire::exchange(self.address, &request).await?;
        if answer.status != 200 {
            return Err(format!("/sim/{path} was answered {}", answer.status));
        }
        let json = serde_json::from_str(&answer.body);
        json.map_err(|error| format!("/sim/{path} was answered without JSON: {error}"))
    }
}

/// The user in `Ada Example  ada@acme.example  password Engine-1843  (administrator)`.
fn user(line: &str) -> Option<User> {
    let (who, password) = line.split_once("  password ")?;
    Some(User {
        login: who.split_ascii_whitespace().next_back()?.to_owned(),
        password: password.split_ascii_whitespace().next()?.to_owned(),
    })
}

/// What a replica of the application is told, beside the platform.
#[derive(Debug)]
pub(crate) struct Replica<'a> {
    /// What its log file is called.
    pub(crate) name: &'a str,
    /// Where its log file is.
    pub(crate) folder: &'a Path,
    /// `DATABASE_URL`
    pub(crate) database: &'a str,
    /// Where it listens; port 0 takes a free one.
    pub(crate) port: u16,
}

/// A running application. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Web {
    /// Starts one that keeps its database, a SQLite file, in `folder`, and its log in a file called `name`
    /// there.
    pub(crate) async fn start(
        programs: &Programs,
        simulator: &Simulator,
        folder: &Path,
        name: &str,
    ) -> Fallible<Self> {
        let database = folder.join("web.db");
        let database = format!("sqlite://{}?mode=rwc", database.display());
        let replica = Replica {
            name,
            folder,
            database: &database,
            port: 0,
        };
        Self::start_replica(programs, simulator, &replica).await
    }

    /// Starts one.
    pub(crate) async fn start_replica(
        programs: &Programs,
        simulator: &Simulator,
        replica: &Replica<'_>,
    ) -> Fallible<Self> {
        Self::start_program(&programs.web, simulator, replica).await
    }

    /// Starts `program`, which is configured like the application and says the same.
    pub(crate) async fn start_program(
        program: &Path,
        simulator: &Simulator,
        replica: &Replica<'_>,
    ) -> Fallible<Self> {
        let log = replica.folder.join(format!("{}.log", replica.name));
        let log_file = File::options().append(true).create(true).open(&log);
        let log_file = log_file.map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("BIND", format!("127.0.0.1:{}", replica.port))
            .env("DATABASE_URL", replica.database)
            .env("RC_CLIENT_ID", &simulator.client_id)
            .env("RC_CLIENT_SECRET", &simulator.client_secret)
            .env("RC_ENCRYPTION_KEYS", KEYS)
            .env("RC_REDIRECT_URI", &simulator.redirect_uri)
            .env("RC_REFRESH_REPLAY", "grace")
            .env("RC_SERVER_URL", format!("http://{}", simulator.address))
            .env("RC_TRUSTED_PROXIES", "127.0.0.1")
            .stderr(log_file);
        let started = start(&mut command, "Stop with").await;
        let (child, said) = started.map_err(|error| format!("{error}{}", tail(&log)))?;
        let address = said.lines().find_map(|line| line.strip_prefix("Listens:"));
        let address = address.and_then(|address| address.trim().parse().ok());
        Ok(Self {
            address: address.ok_or("rc-web did not say where it listens")?,
            child,
            log,
        })
    }

    /// The number of its process, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended, and says how.
    pub(crate) async fn ended(&mut self) -> Fallible<ExitStatus> {
        let ended = self.child.wait().await;
        ended.map_err(|error| format!("cannot wait for rc-web: {error}"))
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) -> Fallible<()> {
        let killed = self.child.kill().await;
        killed.map_err(|error| format!("cannot kill rc-web: {error}"))
    }

    /// The processor time that all its threads have taken so far, in the system and outside.
    pub(crate) fn processor_time(&self) -> Fallible<Duration> {
        usage::processor_time(self.running()?)
    }

    /// The most memory it has held so far, in KiB.
    pub(crate) fn peak_memory(&self) -> Fallible<u64> {
        usage::peak_memory(self.running()?)
    }

    fn running(&self) -> Fallible<u32> {
        self.id().ok_or_else(|| "the program has ended".to_owned())
    }

    /// How many lines of its log say `words`.
    pub(crate) fn logged(&self, words: &str) -> Fallible<usize> {
        let log = std::fs::read_to_string(&self.log);
        let log = log.map_err(|error| format!("{}: {error}", self.log.display()))?;
        Ok(log.lines().filter(|line| line.contains(words)).count())
    }
}

fn tail(log: &Path) -> String {
    std::fs::read_to_string(log).map_or_else(
        |error| format!(" (its log cannot be read: {error})"),
        |log| format!("\n{log}"),
    )
}

/// Starts `command` and waits for a line that contains `last`. The process, and what it said up to there.
async fn start(command: &mut Command, last: &str) -> Fallible<(Child, String)> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let failed = |what: &str| format!("{program}: {what}");
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let stdout = child.stdout.take().ok_or_else(|| failed("no output"))?;
    let said = timeout(START_LIMIT, read_until(stdout, last)).await;
    let said = said.map_err(|_| failed("it did not start in time"))?;
    Ok((child, said.map_err(|error| failed(&error))?))
}

async fn read_until(stdout: impl AsyncRead + Unpin, last: &str) -> Fallible<String> {
    let mut lines = BufReader::new(stdout).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.map_err(|e| e.to_string())? {
        said.push_str(&line);
        said.push('\n');
        if line.contains(last) {
            return Ok(said);
        }
    }
    Err("it ended before it was ready".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_its_line() {
        let ada =
            user("Ada Example        ada@acme.example  password Engine-1843  (administrator)")
                .unwrap();
        assert_eq!(ada.login, "ada@acme.example");
        assert_eq!(ada.password, "Engine-1843");
        assert!(user("Counters, clock and faults:").is_none());
    }

    #[test]
    fn the_program_is_found_in_what_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"rc-web"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"rc-web"},"executable":"/t/rc-web"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "rc-web"), Ok("/t/rc-web".into()));
        assert!(executable(messages, "rc-sim").is_err());
    }
}
