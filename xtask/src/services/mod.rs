//! Throw-away servers from installed programs: each in a folder of its own, on a free port of this machine,
//! gone with its value.
//!
//! Only these are ever killed or reconfigured by a test or a proof, never a server that was there before.

pub(crate) mod haproxy;
mod mariadb;
mod postgres;
mod redis;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::Outcome;

pub(crate) use mariadb::MariaDb;
pub(crate) use postgres::{Postgres, Standby};
pub(crate) use redis::{Cluster, Redis};

/// How long a server may take until it answers. MariaDB writes some 100 MiB first.
const START_LIMIT: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(50);

/// A service, by the name it has on the command line.
struct Service {
    name: &'static str,
    variable: &'static str,
    start: fn() -> Result<Running, String>,
}

/// A server and its address. The server lives as long as this.
pub(crate) struct Running {
    url: String,
    _server: Box<dyn Send>,
}

/// Names and values of environment variables.
type Variables = BTreeMap<&'static str, String>;

const SERVICES: [Service; 4] = [
    Service {
        name: "postgres",
        variable: "RC_TEST_POSTGRES_URL",
        start: || Postgres::start().map(|server| Running::new(server.url("postgres"), server)),
    },
    Service {
        name: "mysql",
        variable: "RC_TEST_MYSQL_URL",
        start: || MariaDb::start().map(|server| Running::new(server.url(), server)),
    },
    Service {
        name: "redis",
        variable: "RC_TEST_REDIS_URL",
        start: || Redis::start().map(|server| Running::new(server.url(), server)),
    },
    Service {
        name: "redis-cluster",
        variable: "RC_TEST_REDIS_CLUSTER_URL",
        start: || Cluster::start().map(|server| Running::new(server.url(), server)),
    },
];

impl Running {
    fn new(url: String, server: impl Send + 'static) -> Self {
        Self {
            url,
            _server: Box::new(server),
        }
    }
}

/// `services [NAME..] [-- COMMAND..]`: starts them and prints how tests find them; then runs the command
/// with those variables, or waits to be ended.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (names, command) = match arguments.iter().position(|word| word == "--") {
        Some(place) => (&arguments[..place], Some(&arguments[place + 1..])),
        None => (arguments, None),
    };
    if let Some(unknown) = names
        .iter()
        .find(|name| SERVICES.iter().all(|service| service.name != *name))
    {
        let known = SERVICES.map(|service| service.name).join(" ");
        return Err(format!(
            "there is no service {unknown:?}; there are: {known}"
        ));
    }
    let chosen =
        |service: &&Service| names.is_empty() || names.iter().any(|name| name == service.name);
    let mut variables = Variables::new();
    let mut running = Vec::new();
    for service in SERVICES.iter().filter(chosen) {
        let started = (service.start)().map_err(|error| format!("{}: {error}", service.name))?;
        println!("export {}='{}'", service.variable, started.url);
        variables.insert(service.variable, started.url.clone());
        running.push(started);
    }
    match command {
        Some([program, rest @ ..]) => {
            let mut command = Command::new(program);
            command
                .args(rest)
                .envs(&variables)
                .current_dir(crate::cargo::root());
            crate::cargo::run(&mut command)
        }
        _ => {
            println!("# They end with this command: Ctrl-C.");
            until_interrupted()
        }
    }
}

/// Every service that no variable names yet, and the variables that name them.
pub(crate) fn missing() -> Result<(Vec<Running>, Variables), String> {
    let mut running = Vec::new();
    let mut variables = Variables::new();
    for service in &SERVICES {
        if std::env::var_os(service.variable).is_some() {
            continue;
        }
        let started = (service.start)().map_err(|error| format!("{}: {error}", service.name))?;
        variables.insert(service.variable, started.url.clone());
        running.push(started);
    }
    Ok((running, variables))
}

/// Waits for Ctrl-C or `SIGTERM`, so that the servers are ended in an orderly way.
fn until_interrupted() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime
        .block_on(stop_signal())
        .map_err(|error| format!("no signals: {error}"))
}

/// Ends at Ctrl-C or `SIGTERM`.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// A running server program. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with what it says in `log`.
    fn start(command: &mut Command, log: PathBuf) -> Result<Self, String> {
        let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| error.to_string())?;
        let command = command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        Ok(Self { child, log })
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until `ready` says so; fails when the program has ended, or after a minute.
    fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Outcome {
        let started = Instant::now();
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended ({status})\n{}", self.said()));
            }
            if started.elapsed() > START_LIMIT {
                return Err(format!("it did not answer in time\n{}", self.said()));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A new folder that belongs to `user` if this process is root: servers refuse to run as root.
fn folder(user: &str) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    if let Some((uid, gid)) = account(user)? {
        give(folder.path(), uid, gid)?;
    }
    Ok(folder)
}

/// A program that runs as `user` if this process is root.
fn program(path: impl AsRef<Path>, user: &str, folder: &Path) -> Result<Command, String> {
    let mut command = Command::new(path.as_ref());
    // A MariaDB server that starts removes the temporary files of others from a folder they share.
    let command_folder = [("HOME", folder), ("TMPDIR", folder)];
    command.current_dir(folder).envs(command_folder);
    #[cfg(unix)]
    if let Some((uid, gid)) = account(user)? {
        use std::os::unix::process::CommandExt as _;
        command.uid(uid).gid(gid);
    }
    Ok(command)
}

#[cfg(unix)]
fn give(path: &Path, uid: u32, gid: u32) -> Outcome {
    std::os::unix::fs::chown(path, Some(uid), Some(gid))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(not(unix))]
fn give(_path: &Path, _uid: u32, _gid: u32) -> Outcome {
    Ok(())
}

/// User and group of `user`, if this process is root and so has to become somebody else.
fn account(user: &str) -> Result<Option<(u32, u32)>, String> {
    if !is_root() {
        return Ok(None);
    }
    let accounts =
        fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let fields = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| fields.skip(1))
    });
    let ids = fields
        .and_then(|mut fields| Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)));
    ids.map(Some)
        .ok_or_else(|| format!("this machine has no user {user}"))
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// A port that is free now, low enough that Redis Cluster's second port, 10,000 higher, exists.
pub(crate) fn free_port() -> Result<u16, String> {
    for _ in 0..100 {
        let bound =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = bound
            .map_err(|error| format!("no free port: {error}"))?
            .port();
        if port < 55_000 {
            return Ok(port);
        }
    }
    Err("no free port below 55000".to_owned())
}

/// Runs a program to its end, quietly unless it fails.
fn finish(command: &mut Command) -> Outcome {
    let done = command.stdin(Stdio::null()).output();
    let name = command.get_program().display().to_string();
    let done = done.map_err(|error| format!("cannot start {name}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(format!(
        "{name} failed ({})\n{}",
        done.status,
        String::from_utf8_lossy(&said)
    ))
}

/// Whether a program runs and ends well.
fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The first of `paths` that exists, else the name alone, to be found in `PATH`.
fn installed(name: &str, paths: &[&str], package: &str) -> Result<PathBuf, String> {
    let in_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let folders = in_path
        .into_iter()
        .flatten()
        .chain(paths.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| format!("{name} is not installed (Debian: apt install {package})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_service_is_refused_by_name() {
        let message = run(&["oracle".to_owned()]).unwrap_err();
        assert!(
            message.contains("oracle") && message.contains("postgres"),
            "{message}"
        );
    }

    #[test]
    fn a_program_that_is_not_installed_is_named_with_its_package() {
        let message = installed("no-such-server", &["/nowhere"], "no-such-package").unwrap_err();
        assert!(message.contains("apt install no-such-package"), "{message}");
    }
}
