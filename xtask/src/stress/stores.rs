//! Programs that write to a store are killed, and so is the store's server: no answered write is lost and
//! no record is torn. It proves nothing about power cuts.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::figures::{Figures, count, seconds};
use crate::{
    Fallible, Outcome, cargo, processes,
    services::{Cluster, MariaDb, Postgres, Redis, haproxy::Haproxy},
};

/// How often the writing program is killed.
const CLIENT_KILLS: usize = 200;

/// How often a server is killed.
const SERVER_KILLS: usize = 50;

const WRITERS: &str = "8";

/// How long the program writes before it is killed: it has to connect first.
const WRITING: Duration = Duration::from_millis(150);

/// How long the program writes between two kills of its server.
const CALM: Duration = Duration::from_millis(300);

/// How long a failover is waited for.
const FAILOVER: Duration = Duration::from_secs(12);

pub(super) fn play(figures: &mut Figures) -> Outcome {
    let lab = Lab::build()?;
    let sqlite = lab.folder.path().join("lab.db");
    lab.kill_clients(
        figures,
        "SQLite",
        &format!("sqlite://{}?mode=rwc", sqlite.display()),
    )?;
    let files = lab.folder.path().join("files");
    lab.kill_clients(figures, "files", &format!("file://{}", files.display()))?;

    let mut postgres = Postgres::start()?;
    let url = postgres.url("postgres");
    lab.kill_clients(figures, "PostgreSQL", &url)?;
    lab.kill_servers(figures, "PostgreSQL", &url, || {
        postgres.kill();
        postgres.restart()
    })?;
    let mut mariadb = MariaDb::start()?;
    mariadb.database("lab")?;
    let url = format!("{}/lab", mariadb.url());
    lab.kill_clients(figures, "MariaDB", &url)?;
    lab.kill_servers(figures, "MariaDB", &url, || {
        mariadb.kill();
        mariadb.restart()
    })?;
    let mut redis = Redis::start()?;
    let url = redis.url();
    lab.kill_clients(figures, "Redis", &url)?;
    lab.kill_servers(figures, "Redis", &url, || {
        redis.kill();
        redis.restart()
    })
}

/// A server's place is taken by another one under load.
pub(super) fn fail_over(figures: &mut Figures) -> Outcome {
    let lab = Lab::build()?;
    lab.postgres_failover(figures)?;
    lab.cluster_failover(figures)
}

struct Lab {
    program: PathBuf,
    folder: TempDir,
}

/// What a check of a store found.
struct Found {
    records: usize,
    /// Records that are older than what was answered last.
    behind: usize,
    /// By how many writes they are, together.
    writes: usize,
    torn: usize,
    promises: usize,
}

impl Lab {
    fn build() -> Fallible<Self> {
        let arguments = [
            "build",
            "--release",
            "--package=rc-store-lab",
            "--features=lab",
            "--message-format=json-render-diagnostics",
        ];
        let messages = cargo::output(&mut cargo::cargo(&arguments))?;
        Ok(Self {
            program: processes::executable(&messages, "store-lab")?,
            folder: TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?,
        })
    }

    /// The program is killed again and again in the middle of writing.
    fn kill_clients(&self, figures: &mut Figures, engine: &str, url: &str) -> Outcome {
        let promises = self.folder.path().join(format!("{engine}-clients"));
        for _ in 0..CLIENT_KILLS {
            let mut writing = self.write(url, &promises)?;
            thread::sleep(WRITING);
            end(&mut writing)?;
        }
        let name = format!("{engine}, {CLIENT_KILLS} kills of the program");
        self.check(url, &promises)?.figures(figures, &name);
        Ok(())
    }

    /// The server is killed again and again while one program goes on writing.
    fn kill_servers(
        &self,
        figures: &mut Figures,
        engine: &str,
        url: &str,
        mut kill_and_restart: impl FnMut() -> Outcome,
    ) -> Outcome {
        let promises = self.folder.path().join(format!("{engine}-servers"));
        let mut writing = self.write(url, &promises)?;
        let (mut waited, started) = (Duration::ZERO, Instant::now());
        for _ in 0..SERVER_KILLS {
            thread::sleep(CALM);
            kill_and_restart()?;
            waited = waited.max(next_promise(&promises)?);
        }
        end(&mut writing)?;
        let name = format!("{engine}, {SERVER_KILLS} kills of the server");
        self.check(url, &promises)?.figures(figures, &name);
        figures.note(&format!("{name}: took"), seconds(started.elapsed()));
        figures.at_most(
            &format!("{name}: longest from its start to a write"),
            waited,
            Duration::from_secs(5),
            seconds,
        );
        Ok(())
    }

    /// A primary dies, and its synchronous standby takes its place behind HAProxy.
    fn postgres_failover(&self, figures: &mut Figures) -> Outcome {
        let mut primary = Postgres::start()?;
        let standby = primary.standby()?;
        let proxy = Haproxy::for_postgres(&[primary.port(), standby.port()])?;
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port());
        let promises = self.folder.path().join("postgres-failover");
        let mut writing = self.write(&url, &promises)?;
        thread::sleep(FAILOVER / 4);
        primary.kill();
        thread::sleep(Duration::from_secs(1));
        standby.promote()?;
        let outage = next_promise(&promises)?;
        thread::sleep(FAILOVER / 4);
        end(&mut writing)?;
        let name = "PostgreSQL, failover to a synchronous standby";
        self.check(&url, &promises)?.figures(figures, name);
        figures.note(&format!("{name}: promoted to next write"), seconds(outage));
        Ok(())
    }

    /// A master of Redis Cluster dies. Its replica may lack the last writes: how many is shown, not bounded.
    fn cluster_failover(&self, figures: &mut Figures) -> Outcome {
        let mut cluster = Cluster::start()?;
        let url = cluster.url();
        let promises = self.folder.path().join("cluster-failover");
        let mut writing = self.write(&url, &promises)?;
        thread::sleep(FAILOVER / 4);
        cluster.kill_a_master();
        let killed = Instant::now();
        cluster.wait_for_failover()?;
        let outage = killed.elapsed() + next_promise(&promises)?;
        thread::sleep(FAILOVER / 4);
        end(&mut writing)?;
        let name = "Redis Cluster, failover";
        let found = self.check(&url, &promises)?;
        figures.note(&format!("{name}: answered writes"), found.promises);
        figures.note(&format!("{name}: kill to next write"), seconds(outage));
        figures.note(
            &format!("{name}: records behind what was answered, of {WRITERS}"),
            found.behind,
        );
        figures.note(&format!("{name}: answered writes lost"), found.writes);
        figures.exactly(&format!("{name}: torn records"), found.torn, 0);
        Ok(())
    }

    /// Starts the program, with what it promises at the end of a file.
    fn write(&self, url: &str, promises: &Path) -> Fallible<Child> {
        let file = File::options().append(true).create(true).open(promises);
        let file = file.map_err(|error| format!("{}: {error}", promises.display()))?;
        Command::new(&self.program)
            .args(["write", url, WRITERS])
            .stdin(Stdio::null())
            .stdout(file)
            .spawn()
            .map_err(|error| format!("cannot start store-lab: {error}"))
    }

    fn check(&self, url: &str, promises: &Path) -> Fallible<Found> {
        let file =
            File::open(promises).map_err(|error| format!("{}: {error}", promises.display()))?;
        let done = Command::new(&self.program)
            .args(["check", url])
            .stdin(file)
            .stderr(Stdio::inherit())
            .output();
        let done = done.map_err(|error| format!("cannot start store-lab: {error}"))?;
        let said = String::from_utf8_lossy(&done.stdout);
        let number = |word: &str| {
            let mut words = said
                .split_ascii_whitespace()
                .skip_while(|other| *other != word);
            words.nth(1).and_then(|number| number.parse().ok())
        };
        let wrong = || format!("store-lab check ended without a word ({})", done.status);
        Ok(Found {
            records: number("records").ok_or_else(wrong)?,
            behind: number("behind").ok_or_else(wrong)?,
            writes: number("writes").ok_or_else(wrong)?,
            torn: number("torn").ok_or_else(wrong)?,
            promises: lines(promises)?,
        })
    }
}

impl Found {
    fn figures(&self, figures: &mut Figures, name: &str) {
        figures.note(&format!("{name}: answered writes"), self.promises);
        figures.at_most(
            &format!("{name}: records without any, of {WRITERS}"),
            8_u64.saturating_sub(self.records as u64),
            0,
            count,
        );
        figures.exactly(&format!("{name}: answered writes lost"), self.writes, 0);
        figures.exactly(&format!("{name}: torn records"), self.torn, 0);
    }
}

/// Kills the program, which has to be still running.
fn end(writing: &mut Child) -> Outcome {
    if let Ok(Some(status)) = writing.try_wait() {
        return Err(format!("store-lab has ended by itself ({status})"));
    }
    let killed = writing.kill().and_then(|()| writing.wait());
    killed
        .map(drop)
        .map_err(|error| format!("cannot kill store-lab: {error}"))
}

/// How long it takes until the next write is answered.
fn next_promise(promises: &Path) -> Fallible<Duration> {
    let (before, started) = (size(promises)?, Instant::now());
    while size(promises)? == before {
        if started.elapsed() > Duration::from_secs(60) {
            return Err("no write is answered any more".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(started.elapsed())
}

fn size(path: &Path) -> Fallible<u64> {
    let metadata = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(metadata.len())
}

fn lines(path: &Path) -> Fallible<usize> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.iter().filter(|byte| **byte == b'\n').count())
}
