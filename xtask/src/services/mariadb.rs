//! MariaDB.

use tempfile::TempDir;

use super::{Process, finish, folder, free_port, installed, program, succeeds};
use crate::Outcome;

/// The account it runs as where this process is root.
const USER: &str = "mysql";

/// A server whose `root` needs no password.
pub(crate) struct MariaDb {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl MariaDb {
    /// A new one, with the durability it has by default.
    pub(crate) fn start() -> Result<Self, String> {
        let folder = folder(USER)?;
        let install = installed("mariadb-install-db", &["/usr/bin"], "mariadb-server")?;
        finish(
            program(install, USER, folder.path())?
                .args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ])
                .arg(format!(
                    "--datadir={}",
                    folder.path().join("data").display()
                )),
        )?;
        let port = free_port()?;
        let process = serve(&folder, port)?;
        Ok(Self {
            process,
            folder,
            port,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    /// Makes a database.
    pub(crate) fn database(&self, name: &str) -> Outcome {
        let client = installed("mariadb", &["/usr/bin"], "mariadb-client")?;
        finish(
            program(client, USER, self.folder.path())?
                .args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-P"])
                .arg(self.port.to_string())
                .arg(format!("--execute=CREATE DATABASE {name}")),
        )
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after it was killed.
    pub(crate) fn restart(&mut self) -> Outcome {
        self.process = serve(&self.folder, self.port)?;
        Ok(())
    }
}

fn serve(folder: &TempDir, port: u16) -> Result<Process, String> {
    let folder = folder.path();
    let server = installed("mariadbd", &["/usr/sbin"], "mariadb-server")?;
    let mut command = program(server, USER, folder)?;
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--socket={}", folder.join("socket").display()))
        .arg(format!("--port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=300",
        ]);
    let mut process = Process::start(&mut command, folder.join("log"))?;
    let ask = installed("mariadb-admin", &["/usr/bin"], "mariadb-client")?;
    let mut ask = program(ask, USER, folder)?;
    ask.args([
        "--no-defaults",
        "-h",
        "127.0.0.1",
        "-u",
        "root",
        "-P",
        &port.to_string(),
        "ping",
    ]);
    process.wait_until(|| succeeds(&mut ask))?;
    Ok(process)
}
