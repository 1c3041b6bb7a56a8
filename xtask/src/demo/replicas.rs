//! Several replicas on one database, behind HAProxy, with one simulated platform. Whichever ends is started
//! again, as a service manager does it.

use std::{env, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    Fallible, Outcome,
    processes::{Programs, Replica, Simulator, User, Web},
    services::{Postgres, free_port, haproxy::Haproxy, stop_signal},
};

/// Where the proxy listens, unless `BIND` says another port of this machine.
const PORT: u16 = 8080;

/// So that a replica that cannot start is not started a thousand times a minute.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts everything, says what can be killed, and ends with Ctrl-C.
pub(super) fn run(count: usize) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    let programs = Programs::debug(&["postgres", "mysql"])?;
    let (database, _server) = database()?;
    let port = port()?;
    let ports = (0..count).map(|_| free_port());
    let ports = ports.collect::<Fallible<Vec<_>>>()?;
    let _proxy = Haproxy::for_replicas(port, &ports)?;
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    runtime.block_on(async {
        let redirect_uri = format!("http://127.0.0.1:{port}/oauth/callback");
        let simulator = Simulator::start(&programs, &redirect_uri, &["--limits", "off"]).await?;
        let stage = Stage {
            programs,
            simulator,
            folder,
            database,
        };
        stage.announce(port);
        stage.keep(&ports).await
    })
}

/// `DATABASE_URL`, or a new PostgreSQL server that ends with this command.
fn database() -> Fallible<(String, Option<Postgres>)> {
    match env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => Ok((url, None)),
        _ => {
            let server = Postgres::start().map_err(|error| {
                format!("no PostgreSQL for the replicas: {error}\nOr set DATABASE_URL")
            })?;
            Ok((server.url("postgres"), Some(server)))
        }
    }
}

/// The port of `BIND`, which names this machine.
fn port() -> Fallible<u16> {
    let Ok(bind) = env::var("BIND") else {
        return Ok(PORT);
    };
    let port = bind
        .strip_prefix("127.0.0.1:")
        .and_then(|port| port.parse().ok());
    port.ok_or_else(|| "BIND has to be 127.0.0.1:PORT here, or unset".to_owned())
}

/// What all replicas share.
struct Stage {
    programs: Programs,
    simulator: Simulator,
    folder: TempDir,
    database: String,
}

impl Stage {
    fn announce(&self, port: u16) {
        println!("Open http://127.0.0.1:{port}\n");
        println!("Platform: http://{} (simulated)", self.simulator.address());
        for User { login, password } in self.simulator.users() {
            println!("Sign in:  {login}, password {password}");
        }
        println!("Logs:     {}", self.folder.path().display());
        println!(
            "End or kill any replica by its process: it is started again. Stop with Ctrl-C.\n"
        );
    }

    /// Keeps a replica at each port until Ctrl-C, or until one cannot be started.
    async fn keep(self, ports: &[u16]) -> Outcome {
        let stage = Arc::new(self);
        let mut replicas = JoinSet::new();
        for (place, port) in ports.iter().enumerate() {
            replicas.spawn(Arc::clone(&stage).keep_one(place + 1, *port));
        }
        tokio::select! {
            Some(failure) = replicas.join_next() => {
                failure.map_err(|error| format!("a replica is not watched any more: {error}"))?
            }
            signal = stop_signal() => signal.map_err(|error| format!("no signals: {error}")),
        }
    }

    /// Ends only when a replica cannot be started.
    async fn keep_one(self: Arc<Self>, number: usize, port: u16) -> Outcome {
        let name = format!("replica-{number}");
        let replica = Replica {
            name: &name,
            folder: self.folder.path(),
            database: &self.database,
            port,
        };
        loop {
            let mut web = Web::start_replica(&self.programs, &self.simulator, &replica).await?;
            let id = web.id().unwrap_or_default();
            println!("{name}: process {id}, http://{}", web.address);
            let status = web.ended().await?;
            println!("{name}: process {id} has ended ({status}); starting it again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}
