//! PostgreSQL: one server, or a primary with a synchronous standby.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Process, finish, folder, free_port, installed, program, succeeds};
use crate::Outcome;

/// The account it runs as where this process is root.
const USER: &str = "postgres";

/// A server that was killed may hold on to its shared memory for a moment.
const RESTART_LIMIT: Duration = Duration::from_secs(20);

/// A server that trusts everybody on this machine.
pub(crate) struct Postgres {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// A new one, with the durability it has by default.
    pub(crate) fn start() -> Result<Self, String> {
        let folder = folder(USER)?;
        let data = folder.path().join("data");
        finish(tool("initdb", folder.path())?.arg("-D").arg(&data).args([
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]))?;
        let port = free_port()?;
        let process = serve(folder.path(), port)?;
        Ok(Self {
            process,
            folder,
            port,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address, with one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes one more database.
    pub(crate) fn create_database(&self, name: &str) -> Outcome {
        self.sql(&format!("CREATE DATABASE {name}"))
    }

    /// `kill -9` of the server; its children end by themselves.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after it was killed.
    pub(crate) fn restart(&mut self) -> Outcome {
        let started = Instant::now();
        loop {
            match serve(self.folder.path(), self.port) {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                Err(error) if started.elapsed() > RESTART_LIMIT => return Err(error),
                Err(_still_ending) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// A second server that has every write before it is answered.
    pub(crate) fn standby(&mut self) -> Result<Standby, String> {
        let standby = folder(USER)?;
        let data = standby.path().join("data");
        finish(
            tool("pg_basebackup", standby.path())?
                .args(["-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string()])
                .args(["--write-recovery-conf", "--checkpoint=fast", "-D"])
                .arg(&data),
        )?;
        let port = free_port()?;
        let process = serve(standby.path(), port)?;
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.sql("SELECT pg_reload_conf()")?;
        self.wait_for_sync()?;
        Ok(Standby(Self {
            process,
            folder: standby,
            port,
        }))
    }

    fn wait_for_sync(&self) -> Outcome {
        let in_step = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_stat_replication \
                       WHERE sync_state = 'sync') THEN RAISE 'not yet'; END IF; END $$";
        let started = Instant::now();
        while let Err(error) = self.sql(in_step) {
            if started.elapsed() > RESTART_LIMIT {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn sql(&self, statement: &str) -> Outcome {
        finish(
            tool("psql", self.folder.path())?
                .args(["-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string()])
                .args(["-v", "ON_ERROR_STOP=1", "-qAtc", statement, "postgres"]),
        )
    }
}

/// A synchronous standby of a primary.
pub(crate) struct Standby(Postgres);

impl Standby {
    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    /// Makes it a primary, without a standby of its own.
    pub(crate) fn promote(&self) -> Outcome {
        let data = self.0.folder.path().join("data");
        finish(
            tool("pg_ctl", self.0.folder.path())?
                .arg("promote")
                .arg("-D")
                .arg(data),
        )
    }
}

/// Starts a server on the folder and waits until it answers.
fn serve(folder: &Path, port: u16) -> Result<Process, String> {
    let mut command = tool("postgres", folder)?;
    command
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string()])
        // What the standby was copied from says nothing about the standby.
        .args(["-c", "synchronous_commit=on", "-c", "max_connections=300"]);
    let mut process = Process::start(&mut command, folder.join("log"))?;
    let mut ask = tool("pg_isready", folder)?;
    ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    process.wait_until(|| succeeds(&mut ask))?;
    Ok(process)
}

/// A program of PostgreSQL, the newest that is installed.
fn tool(name: &str, folder: &Path) -> Result<Command, String> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    let newest = folders.last().and_then(|path| path.to_str()).unwrap_or("");
    // Debian's `psql` and others in PATH are scripts that choose a cluster by themselves.
    let direct = Path::new(newest).join(name);
    let path = if direct.is_file() {
        direct
    } else {
        installed(name, &[], "postgresql")?
    };
    program(path, USER, folder)
}
