//! Several processes, each with many callers, whose access token is refused at the same moment.

use std::{sync::Arc, time::Duration};

use rc_auth::{Client, GrantKey};
use rc_sim::{Fault, Target};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    child::{Deed, line},
    points::How,
    stage::{Process, Stage},
    wrappers::micros,
};

/// How long the platform takes for a refresh.
const TOKEN_ENDPOINT: Duration = Duration::from_millis(200);

/// How many of whom, on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Size {
    /// The store: sqlite:FILE, or the address of a PostgreSQL
    #[arg(long)]
    store: String,
    #[arg(long, default_value_t = 8)]
    processes: usize,
    /// In each process
    #[arg(long, default_value_t = 1000)]
    callers: usize,
    #[arg(long, default_value_t = 300)]
    rounds: usize,
}

/// A process of the stampede: for each key that it is told, all callers get a token, and then a newer one.
///
/// # Errors
///
/// When a caller gets none.
pub(crate) async fn join(client: &Client, callers: usize) -> Result<(), String> {
    while let Ok(key) = line() {
        let grant = client.grant(&GrantKey::new(key));
        let token = grant.access_token().await;
        let token = Arc::new(token.map_err(|error| error.to_string())?);
        let (go, _) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (grant, token, mut go) = (grant.clone(), token.clone(), go.subscribe());
            tasks.spawn(async move {
                let _ = go.wait_for(|go| *go).await;
                let newer = grant.newer_access_token(&token).await;
                newer.map(|_| micros()).map_err(|error| error.to_string())
            });
        }
        println!("ready");
        line()?;
        go.send_replace(true);
        let mut last = 0;
        while let Some(done) = tasks.join_next().await {
            last = last.max(done.map_err(|error| error.to_string())??);
        }
        println!("last {last}");
    }
    Ok(())
}

/// What came of a round.
struct Round {
    requests: u64,
    /// From the commit until the last caller was served, in microseconds.
    lag: u64,
}

/// # Errors
///
/// When the stage breaks down.
pub(crate) async fn run(size: &Size) -> Result<bool, String> {
    let stage = Stage::set(&size.store).await?;
    let mut processes = Vec::new();
    for _ in 0..size.processes {
        let how = How::Kill;
        processes.push(stage.start_with("", Deed::Stampede, how, "", size.callers)?);
    }
    let mut rounds = Vec::new();
    for number in 0..size.rounds {
        let key = format!("stampede {number}");
        stage.sign_in(&key).await?;
        rounds.push(round(&stage, &mut processes, &key).await?);
    }
    let requests: u64 = rounds.iter().map(|round| round.requests).sum();
    let mut lags: Vec<u64> = rounds.iter().map(|round| round.lag).collect();
    lags.sort_unstable();
    let at = |part: usize| lags.get(lags.len() * part / 100).copied().unwrap_or(0);
    let baseline = baseline(size.callers).await;
    println!(
        "{} processes, {} callers each, {} rounds: {requests} token requests; the last caller served after the \
         commit: p50 {:.1} ms, p95 {:.1} ms, worst {:.1} ms (waking {} waiters in one process: {:.1} ms)",
        size.processes,
        size.callers,
        size.rounds,
        millis(at(50)),
        millis(at(95)),
        millis(lags.last().copied().unwrap_or(0)),
        size.callers,
        millis(baseline),
    );
    Ok(rounds.iter().all(|round| round.requests == 1))
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

async fn round(stage: &Stage, processes: &mut [Process], key: &str) -> Result<Round, String> {
    for process in &mut *processes {
        process.tell(key).await?;
    }
    for process in &mut *processes {
        until(process, "ready").await?;
    }
    let refreshes = || {
        let now = stage.server.now();
        stage.server.platform().counters(now).token_refresh.received
    };
    let before = refreshes();
    stage
        .server
        .platform()
        .queue_fault(Target::Token, Fault::Delay(TOKEN_ENDPOINT), 1);
    for process in &mut *processes {
        process.tell("go").await?;
    }
    let (mut committed, mut last) = (0_u64, 0_u64);
    for process in &mut *processes {
        let said = until(process, "last ").await?;
        for line in said {
            if let Some(at) = line.strip_prefix("last ") {
                last = last.max(at.parse().unwrap_or(0));
            } else if let Some(at) = line.strip_prefix("saved idle ") {
                committed = at.parse().unwrap_or(0);
            }
        }
    }
    Ok(Round {
        requests: refreshes() - before,
        lag: last.saturating_sub(committed),
    })
}

/// What a process says up to a line that begins like this.
async fn until(process: &mut Process, beginning: &str) -> Result<Vec<String>, String> {
    let mut said = Vec::new();
    while let Some(line) = process.line().await? {
        let is_last = line.starts_with(beginning);
        said.push(line);
        if is_last {
            return Ok(said);
        }
    }
    Err(format!(
        "a process ended before it said {beginning:?}: {said:?}"
    ))
}

/// How long it takes to wake as many waiters, without a store.
async fn baseline(callers: usize) -> u64 {
    let (go, _) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let mut go = go.subscribe();
        tasks.spawn(async move {
            let _ = go.wait_for(|go| *go).await;
            micros()
        });
    }
    tokio::task::yield_now().await;
    let began = micros();
    go.send_replace(true);
    let mut last = 0;
    while let Some(done) = tasks.join_next().await {
        last = last.max(done.unwrap_or(0));
    }
    last.saturating_sub(began)
}
