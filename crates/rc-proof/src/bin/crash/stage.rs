//! What the processes share: a store, a simulated platform on a port, and a client that outlives them.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use rc_auth::{Client, GrantKey, store::TokenStore};
use rc_sim::{Config, Server};
use rc_store_sql::SqlStore;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    child::{self, CALLBACK, Deed, Orders},
    points::{How, Points},
};

/// Who signed in.
const ME: &str = "/restapi/v1.0/account/~/extension/~";

/// How long a process may take to stop after it has said so.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    pub(crate) server: Server,
    /// The process that goes on.
    pub(crate) client: Client,
    store: String,
    client_id: String,
    client_secret: String,
    login: String,
}

impl Stage {
    /// # Errors
    ///
    /// When the store or the platform cannot be used.
    pub(crate) async fn set(store: &str) -> Result<Self, String> {
        let opened = SqlStore::connect(store)
            .await
            .map_err(|error| error.to_string())?;
        Self::on(store, opened).await
    }

    /// The same on a store that is open; `store` is its address, for other processes.
    ///
    /// # Errors
    ///
    /// When the platform cannot be used.
    pub(crate) async fn on(store: &str, opened: impl TokenStore + 'static) -> Result<Self, String> {
        let mut config = Config::demo(77, CALLBACK);
        config.switches.limits.enabled = false;
        config.switches.sessions_per_extension_and_app = 1_000_000;
        let app = config.confidential_app().ok_or("no app with a secret")?;
        let (client_id, secret) = (app.client_id().to_owned(), app.client_secret());
        let client_secret = secret.unwrap_or_default().to_owned();
        let login = config.demo_user().ok_or("no user")?.login.clone();
        let server = Server::bind(([127, 0, 0, 1], 0).into(), config)
            .await
            .map_err(|error| error.to_string())?;
        let orders = Orders {
            store: store.to_owned(),
            platform: server.base_url(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            key: String::new(),
            deed: Deed::Refresh,
            how: How::Kill,
            at: String::new(),
            callers: 0,
        };
        let points = Arc::new(Points::new(How::Kill, String::new()));
        let client = child::client(&orders, opened, points)?;
        Ok(Self {
            server,
            client,
            store: store.to_owned(),
            client_id,
            client_secret,
            login,
        })
    }

    /// A person signs in at this address; what comes back.
    pub(crate) fn browse(&self, url: &str) -> Result<String, String> {
        let now = self.server.now();
        let callback = self.server.platform().sign_in(url, &self.login, now);
        let callback = callback.map_err(|error| format!("{error:?}"))?;
        Ok(callback.query().to_owned())
    }

    /// A sign-in in the process that goes on.
    pub(crate) async fn sign_in(&self, key: &str) -> Result<(), String> {
        let sign_in = self
            .client
            .begin_sign_in()
            .map_err(|error| error.to_string())?;
        let query = self.browse(sign_in.url.as_str())?;
        let key = GrantKey::new(key);
        let finished = self
            .client
            .finish_sign_in_as(key, sign_in.pending, &query)
            .await;
        finished.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Starts a process that does this.
    pub(crate) fn start(
        &self,
        key: &str,
        deed: Deed,
        how: How,
        at: &str,
    ) -> Result<Process, String> {
        self.start_with(key, deed, how, at, 1)
    }

    pub(crate) fn start_with(
        &self,
        key: &str,
        deed: Deed,
        how: How,
        at: &str,
        callers: usize,
    ) -> Result<Process, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["child", "--store", &self.store])
            .args(["--platform", &self.server.base_url()])
            .args(["--client-id", &self.client_id])
            .args(["--client-secret", &self.client_secret])
            .args(["--key", key, "--at", at])
            .args(["--deed", &value_name(&deed), "--how", &value_name(&how)])
            .args(["--callers", &callers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start a process: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok(Process {
            stdin: stdin.ok_or("no stdin")?,
            lines: BufReader::new(stdout.ok_or("no stdout")?).lines(),
            child,
        })
    }

    pub(crate) fn expire_access_tokens(&self) {
        let now = self.server.now();
        self.server.platform().expire_access_tokens(now);
    }

    /// Somebody calls the API in the process that goes on; how long it took.
    pub(crate) async fn is_served(&self, key: &str) -> Result<Duration, String> {
        let began = Instant::now();
        let grant = self.client.grant(&GrantKey::new(key));
        match grant.get(ME).await {
            Ok(_) => Ok(began.elapsed()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn value_name(value: &impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A process that was started.
pub(crate) struct Process {
    pub(crate) child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// What it says next; `None`: nothing more.
    pub(crate) async fn line(&mut self) -> Result<Option<String>, String> {
        let line = self.lines.next_line().await;
        line.map_err(|error| error.to_string())
    }

    pub(crate) async fn tell(&mut self, line: &str) -> Result<(), String> {
        let line = format!("{line}\n");
        let told = self.stdin.write_all(line.as_bytes()).await;
        told.map_err(|error| error.to_string())
    }

    /// All that it says until it ends or, with `until`, says that.
    pub(crate) async fn listen(
        &mut self,
        stage: &Stage,
        until: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        while let Some(line) = self.line().await? {
            if let Some(url) = line.strip_prefix("url ") {
                let query = stage.browse(url)?;
                self.tell(&query).await?;
            }
            let is_last = until == Some(line.as_str());
            said.push(line);
            if is_last {
                break;
            }
        }
        Ok(said)
    }

    /// Waits until it is stopped: it says so before it is, and a `-CONT` that comes earlier would do nothing.
    pub(crate) async fn stands_still(&self) -> Result<(), String> {
        let id = self.child.id().ok_or("the process is gone")?;
        let file = format!("/proc/{id}/status");
        let began = Instant::now();
        loop {
            let status = std::fs::read_to_string(&file);
            let status = status.map_err(|error| format!("{file}: {error}"))?;
            if status.lines().any(|line| line.starts_with("State:\tT")) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("process {id} said that it stops, and goes on"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends it a signal, such as `-CONT`.
    pub(crate) async fn signal(&self, signal: &str) -> Result<(), String> {
        let id = self.child.id().ok_or("the process is gone")?.to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        sent.map(|_| ()).map_err(|error| error.to_string())
    }
}
