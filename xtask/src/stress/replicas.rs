//! Three replicas behind HAProxy on PostgreSQL, itself a primary with a synchronous standby behind another:
//! each is ended, killed or stopped under load. Then three on a Redis Cluster of which a master dies.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    browser::Browser,
    figures::{Figures, seconds},
    kill::signed_in,
    load::{Calls, Load},
};
use crate::{
    Fallible, Outcome,
    processes::{Programs, Replica, Simulator, Web},
    services::{Cluster, Postgres, Standby, free_port, haproxy::Haproxy},
};

const BROWSERS: usize = 60;
const REPLICAS: usize = 3;

/// How long an access token lives, in seconds: 60 browsers refresh four or more of them a second.
const ACCESS_TOKEN_LIFE: &str = "15";

/// Between two things that happen, so that each is seen alone.
const CALM: Duration = Duration::from_secs(4);

/// What a replica is stopped for, longer than the proxy waits.
const FREEZE: Duration = Duration::from_secs(8);

/// How long a failover may leave one browser without an answer of 200.
const OUTAGE: Duration = Duration::from_secs(30);

pub(super) async fn play(figures: &mut Figures) -> Fallible<()> {
    let programs = Programs::release(&["postgres", "redis"])?;
    let mut stage = Stage::set(&programs, Backing::postgres()?).await?;
    stage.rolling_restart(figures).await?;
    stage.kills(figures).await?;
    stage.freeze(figures).await?;
    stage.failover(figures).await?;
    stage.everybody_is_signed_in(figures).await?;
    drop(stage);
    let mut stage = Stage::set(&programs, Backing::Cluster(Cluster::start()?)).await?;
    stage.failover(figures).await?;
    stage.everybody_is_signed_in(figures).await
}

/// What the replicas share.
enum Backing {
    Postgres(Box<Pair>),
    Cluster(Cluster),
}

/// A primary and its standby, behind a proxy that leads to whichever takes writes.
struct Pair {
    primary: Postgres,
    standby: Standby,
    proxy: Haproxy,
}

impl Backing {
    fn postgres() -> Fallible<Self> {
        let mut primary = Postgres::start()?;
        let standby = primary.standby()?;
        let proxy = Haproxy::for_postgres(&[primary.port(), standby.port()])?;
        Ok(Self::Postgres(Box::new(Pair {
            primary,
            standby,
            proxy,
        })))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Cluster(_) => "Redis Cluster",
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(pair) => {
                format!(
                    "postgres://postgres@127.0.0.1:{}/postgres",
                    pair.proxy.port()
                )
            }
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    /// The primary dies, and two seconds later its standby takes its place; or a master of the cluster dies.
    async fn fail_over(&mut self) -> Outcome {
        match self {
            Self::Postgres(pair) => {
                pair.primary.kill();
                sleep(Duration::from_secs(2)).await;
                pair.standby.promote()
            }
            Self::Cluster(cluster) => {
                cluster.kill_a_master();
                Ok(())
            }
        }
    }
}

struct Stage<'a> {
    programs: &'a Programs,
    simulator: Simulator,
    backing: Backing,
    database: String,
    ports: Vec<u16>,
    replicas: Vec<Web>,
    browsers: Vec<Browser>,
    folder: TempDir,
    _proxy: Haproxy,
}

impl<'a> Stage<'a> {
    async fn set(programs: &'a Programs, backing: Backing) -> Fallible<Self> {
        let ports = (0..REPLICAS).map(|_| free_port());
        let ports = ports.collect::<Fallible<Vec<_>>>()?;
        let port = free_port()?;
        let proxy = Haproxy::for_replicas(port, &ports)?;
        let redirect_uri = format!("http://127.0.0.1:{port}/oauth/callback");
        let sessions = BROWSERS.to_string();
        let arguments = [
            "--limits",
            "off",
            "--sessions",
            &sessions,
            "--access-token-ttl",
            ACCESS_TOKEN_LIFE,
        ];
        let simulator = Simulator::start(programs, &redirect_uri, &arguments).await?;
        let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
        let mut stage = Self {
            programs,
            simulator,
            database: backing.url(),
            backing,
            ports,
            replicas: Vec::new(),
            browsers: Vec::new(),
            folder,
            _proxy: proxy,
        };
        for place in 0..REPLICAS {
            let replica = stage.start_replica(place).await?;
            stage.replicas.push(replica);
        }
        // The proxy has to notice them.
        sleep(CALM / 2).await;
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        stage.browsers = signed_in(&stage.simulator, proxy, BROWSERS).await?;
        Ok(stage)
    }

    async fn start_replica(&self, place: usize) -> Fallible<Web> {
        let replica = Replica {
            name: &format!("replica-{place}"),
            folder: self.folder.path(),
            database: &self.database,
            port: self.ports[place],
        };
        Web::start_replica(self.programs, &self.simulator, &replica).await
    }

    /// `SIGTERM` to one after the other, each started again before the next.
    async fn rolling_restart(&mut self, figures: &mut Figures) -> Fallible<()> {
        let load = self.load();
        for place in 0..REPLICAS {
            signal(&self.replicas[place], "TERM")?;
            self.replicas[place].ended().await?;
            self.replicas[place] = self.start_replica(place).await?;
            sleep(CALM).await;
        }
        let calls = self.end(load).await?;
        figures.note("rolling restart: answers", calls.shown());
        figures.exactly("rolling restart: failed calls", calls.failed(), 0);
        Ok(())
    }

    /// `kill -9` of one after the other.
    async fn kills(&mut self, figures: &mut Figures) -> Fallible<()> {
        let load = self.load();
        for place in 0..REPLICAS {
            signal(&self.replicas[place], "KILL")?;
            self.replicas[place].ended().await?;
            self.replicas[place] = self.start_replica(place).await?;
            sleep(CALM).await;
        }
        let calls = self.end(load).await?;
        figures.note("kill -9 of each replica: answers", calls.shown());
        figures.at_most(
            "kill -9 of each replica: longest without a 200",
            calls.longest_outage,
            OUTAGE,
            seconds,
        );
        Ok(())
    }

    /// One is stopped for a while and goes on.
    async fn freeze(&mut self, figures: &mut Figures) -> Fallible<()> {
        let load = self.load();
        signal(&self.replicas[0], "STOP")?;
        sleep(FREEZE).await;
        signal(&self.replicas[0], "CONT")?;
        sleep(CALM).await;
        let calls = self.end(load).await?;
        figures.note("one replica stopped for 8 s: answers", calls.shown());
        figures.at_most(
            "one replica stopped for 8 s: longest without a 200",
            calls.longest_outage,
            OUTAGE,
            seconds,
        );
        Ok(())
    }

    async fn failover(&mut self, figures: &mut Figures) -> Fallible<()> {
        let load = self.load();
        sleep(CALM).await;
        self.backing.fail_over().await?;
        sleep(OUTAGE / 2).await;
        let calls = self.end(load).await?;
        let name = format!("failover of {}", self.backing.name());
        figures.note(&format!("{name}: answers"), calls.shown());
        figures.at_most(
            &format!("{name}: longest without a 200"),
            calls.longest_outage,
            OUTAGE,
            seconds,
        );
        Ok(())
    }

    async fn everybody_is_signed_in(&mut self, figures: &mut Figures) -> Fallible<()> {
        // Once more, every token has to be refreshed.
        sleep(Duration::from_secs(20)).await;
        let mut served = 0;
        for browser in &mut self.browsers {
            served += usize::from(browser.get("/me").await?.status == 200);
        }
        let name = format!(
            "{}, after all of it: browsers signed out",
            self.backing.name()
        );
        figures.exactly(&name, BROWSERS - served, 0);
        Ok(())
    }

    fn load(&mut self) -> Load {
        Load::start(std::mem::take(&mut self.browsers))
    }

    async fn end(&mut self, load: Load) -> Fallible<Calls> {
        let (browsers, calls) = load.stop().await?;
        self.browsers = browsers;
        Ok(calls)
    }
}

/// `kill -NAME` of a replica.
fn signal(web: &Web, name: &str) -> Outcome {
    let id = web
        .id()
        .ok_or("the replica has ended by itself")?
        .to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &id])
        .status();
    match sent {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("kill -s {name} {id} failed ({status})")),
        Err(error) => Err(format!("cannot start kill: {error}")),
    }
}
