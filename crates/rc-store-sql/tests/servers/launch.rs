//! Servers of the tests' own, from installed programs: each in a temporary folder, on a free port of this
//! machine, gone with its value.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

/// How long a server may take until it answers. MariaDB writes some 100 MiB first.
const START_LIMIT: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(20);

/// Everybody on this machine is trusted; `app` has to know its password.
const SIGN_IN: &str = "host all app 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Engine {
    Postgres,
    MariaDb,
}

/// A server with a database `tokens`, that only this value knows.
pub(crate) struct Server {
    engine: Engine,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start(engine: Engine) -> Self {
        let mut server = Self::prepared(engine);
        server.serve(&[]);
        server.execute("CREATE DATABASE tokens").await;
        server
    }

    /// One that does not run yet.
    pub(crate) fn prepared(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        give_away(folder.path(), engine.account());
        let server = Self {
            engine,
            folder,
            port: free_port(),
            settings: Vec::new(),
            child: None,
        };
        let data = server.path("data").display().to_string();
        match engine {
            Engine::Postgres => {
                let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8"];
                server.finish(
                    "initdb",
                    &[&options[..], &["--locale=C", "-N", "-D", &data]].concat(),
                );
                fs::write(server.path("data/pg_hba.conf"), SIGN_IN).expect("writes pg_hba.conf");
            }
            Engine::MariaDb => {
                let normal = "--auth-root-authentication-method=normal";
                let data = format!("--datadir={data}");
                let options = ["--no-defaults", normal, "--skip-test-db", &data];
                server.finish("mariadb-install-db", &options);
            }
        }
        server
    }

    /// Starts it and waits until it answers.
    pub(crate) fn serve(&mut self, settings: &[&str]) {
        self.settings = settings.iter().map(|&setting| setting.into()).collect();
        self.restart();
    }

    /// `kill -9`. The children of PostgreSQL end by themselves.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it after it was killed, and waits until it answers.
    pub(crate) fn restart(&mut self) {
        let started = Instant::now();
        while !self.answers() {
            assert!(started.elapsed() < START_LIMIT, "{}", self.log());
            let ended = match &mut self.child {
                Some(child) => child.try_wait().expect("a state").is_some(),
                None => true,
            };
            if ended {
                // What was killed may hold on to its shared memory for a moment: then it ends again.
                self.child = Some(self.spawn());
            }
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        match self.engine {
            Engine::Postgres => self.url_of("postgres", database),
            Engine::MariaDb => self.url_of("root", database),
        }
    }

    /// `user` may be followed by `:` and a password.
    pub(crate) fn url_of(&self, user: &str, database: &str) -> String {
        let scheme = match self.engine {
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mysql",
        };
        format!("{scheme}://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a statement of an administrator.
    pub(crate) async fn execute(&self, sql: &str) {
        let database = match self.engine {
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mysql",
        };
        self.execute_in(database, sql).await;
    }

    pub(crate) async fn execute_in(&self, database: &str, sql: &str) {
        let admin = Database::connect(self.url(database)).await;
        let admin = admin.expect("an administrator connects");
        admin.execute_unprepared(sql).await.expect(sql);
        admin.close().await.expect("closes");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program as the account of the server to its end, quietly unless it fails.
    pub(crate) fn finish(&self, program: &str, arguments: &[&str]) {
        let done = self.program(program).args(arguments).output();
        let done = done.expect(program);
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(done.status.success(), "{program} failed: {said}");
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(installed(name, self.engine));
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            // A MariaDB server that starts removes what others keep in the folder they share.
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null());
        #[cfg(unix)]
        if let Some((uid, gid)) = account(self.engine.account()) {
            use std::os::unix::process::CommandExt as _;
            command.uid(uid).gid(gid);
        }
        command
    }

    fn spawn(&self) -> Child {
        let log = fs::File::create(self.path("log")).expect("a log");
        let (data, port) = (self.path("data"), self.port.to_string());
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = self.program("postgres");
                command
                    .args(["-h", "127.0.0.1", "-k", "", "-p", &port, "-D"])
                    .arg(data);
                command
            }
            Engine::MariaDb => {
                let mut command = self.program("mariadbd");
                command
                    .args([
                        "--no-defaults",
                        "--bind-address=127.0.0.1",
                        "--skip-name-resolve",
                    ])
                    .arg(format!("--datadir={}", data.display()))
                    .arg(format!("--socket={}", self.path("socket").display()))
                    .arg(format!("--port={port}"));
                command
            }
        };
        command
            .args(&self.settings)
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("starts a server")
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        let mut ask = match self.engine {
            Engine::Postgres => {
                let mut ask = self.program("pg_isready");
                ask.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                ask
            }
            Engine::MariaDb => {
                let mut ask = self.program("mariadb-admin");
                ask.args([
                    "--no-defaults",
                    "-h",
                    "127.0.0.1",
                    "-u",
                    "root",
                    "-P",
                    &port,
                    "ping",
                ]);
                ask
            }
        };
        let quiet = ask.stdout(Stdio::null()).stderr(Stdio::null());
        self.child.is_some() && quiet.status().expect("asks").success()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).expect("a log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.engine == Engine::Postgres && self.child.is_some() {
            // What is killed leaves its shared memory behind. If this fails, the next line does it.
            let data = self.path("data");
            let mut stop = self.program("pg_ctl");
            let stop = stop.args(["stop", "-s", "-m", "immediate", "-D"]).arg(data);
            let _ = stop.output();
        }
        self.kill();
    }
}

impl Engine {
    /// Who it runs as where this process is root, which servers refuse.
    fn account(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mysql",
        }
    }
}

/// A program from `PATH` or where Debian has it.
fn installed(name: &str, engine: Engine) -> PathBuf {
    // Some of PostgreSQL's in `PATH` are Debian's scripts, which choose a server by themselves.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.push("/usr/sbin".into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let package = match engine {
        _ if name == "openssl" => "openssl",
        Engine::Postgres => "postgresql",
        Engine::MariaDb => "mariadb-server",
    };
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed (Debian: apt install {package})"))
}

fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = bound.and_then(|listener| listener.local_addr());
    address.expect("a free port").port()
}

#[cfg(unix)]
fn give_away(folder: &Path, user: &str) {
    if let Some((uid, gid)) = account(user) {
        std::os::unix::fs::chown(folder, Some(uid), Some(gid)).expect("gives a folder away");
    }
}

#[cfg(not(unix))]
fn give_away(_folder: &Path, _user: &str) {}

/// User and group of `user`, if this process is root.
#[cfg(unix)]
fn account(user: &str) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() != 0) {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let fields = accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields[0] == user).then(|| (fields[2].parse().ok(), fields[3].parse().ok()))
    });
    match fields {
        Some((Some(uid), Some(gid))) => Some((uid, gid)),
        _ => panic!("this machine has no user {user}"),
    }
}
