//! Redis: one server, or a cluster of six.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Process, finish, free_port, installed, succeeds};
use crate::Outcome;

/// A cluster may take so long to agree on who has which slots.
const AGREE_LIMIT: Duration = Duration::from_secs(30);

/// A server that writes everything to disk before it answers.
pub(crate) struct Redis {
    process: Process,
    folder: TempDir,
    port: u16,
    more: &'static [&'static str],
}

impl Redis {
    /// A new one, on its own.
    pub(crate) fn start() -> Result<Self, String> {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn start_with(more: &'static [&'static str]) -> Result<Self, String> {
        let folder =
            tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let port = free_port()?;
        let process = serve(&folder, port, more)?;
        Ok(Self {
            process,
            folder,
            port,
            more,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after it was killed.
    pub(crate) fn restart(&mut self) -> Outcome {
        self.process = serve(&self.folder, self.port, self.more)?;
        Ok(())
    }
}

fn serve(folder: &TempDir, port: u16, more: &[&str]) -> Result<Process, String> {
    let server = installed("redis-server", &["/usr/bin"], "redis-server")?;
    let mut command = Command::new(server);
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--port",
            &port.to_string(),
            "--dir",
        ])
        .arg(folder.path())
        .args(more);
    let mut process = Process::start(&mut command, folder.path().join("log"))?;
    let mut ask = client(port)?;
    ask.arg("ping");
    process.wait_until(|| succeeds(&mut ask))?;
    Ok(process)
}

fn client(port: u16) -> Result<Command, String> {
    let mut command = Command::new(installed("redis-cli", &["/usr/bin"], "redis-tools")?);
    command.args(["-e", "-p", &port.to_string()]);
    Ok(command)
}

/// Three masters, each with a replica that takes its place two seconds after it has died.
pub(crate) struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// A new one.
    pub(crate) fn start() -> Result<Self, String> {
        const NODE: &[&str] = &[
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            // A replica that has just been made need not wait for others to be made.
            "--repl-diskless-sync-delay",
            "0",
        ];
        let nodes = (0..6).map(|_| Redis::start_with(NODE));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let mut create = client(nodes[0].port)?;
        create.args(["--cluster", "create"]);
        create.args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        finish(create.args(["--cluster-replicas", "1", "--cluster-yes"]))?;
        let cluster = Self { nodes };
        wait_until_agreed(&cluster.nodes)?;
        Ok(cluster)
    }

    pub(crate) fn url(&self) -> String {
        let nodes = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis-cluster://{}", nodes.collect::<Vec<_>>().join(","))
    }

    /// Kills the first master, as `redis-cli --cluster create` makes the first three masters.
    pub(crate) fn kill_a_master(&mut self) {
        self.nodes[0].kill();
    }

    /// Waits until the replica of the master that was killed has taken its place.
    pub(crate) fn wait_for_failover(&self) -> Outcome {
        // Until the others notice, they take everything to be as it was.
        thread::sleep(Duration::from_secs(3));
        wait_until_agreed(&self.nodes[1..])
    }
}

/// Waits until every node knows all slots to be served, and every replica has what its master has: one that
/// has not cannot take its place.
fn wait_until_agreed(nodes: &[Redis]) -> Outcome {
    let started = Instant::now();
    for node in nodes {
        loop {
            let cluster = said(node.port, &["cluster", "info"])?;
            let replication = said(node.port, &["info", "replication"])?;
            let serves =
                cluster.contains("cluster_state:ok") && cluster.contains("cluster_slots_ok:16384");
            let follows = replication.contains("role:master")
                || replication.contains("master_link_status:up");
            if serves && follows {
                break;
            }
            if started.elapsed() > AGREE_LIMIT {
                return Err(format!(
                    "the nodes of the cluster did not agree\n{cluster}\n{replication}"
                ));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// What a node answers.
fn said(port: u16, command: &[&str]) -> Result<String, String> {
    crate::cargo::output(client(port)?.args(command))
}
