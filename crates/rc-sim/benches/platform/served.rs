//! The binary: how soon it is ready, how much it takes, how fast it answers, and what keeping its state costs.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    figures::{Bound, Figures, median},
    wire::{Connection, Simulator},
};

const CONNECTIONS: usize = 32;
const LOAD: Duration = Duration::from_secs(5);
const REFRESHES: usize = 2_000;
const STORED: usize = 10_000;

pub(crate) fn measure(figures: &mut Figures) {
    start(figures);
    load(figures);
    state(figures);
}

fn start(figures: &mut Figures) {
    let runs: Vec<Simulator> = (0..20).map(|_| Simulator::start(&[])).collect();
    let ready = runs.iter().map(|run| run.ready_after.as_secs_f64() * 1e3);
    figures.add(
        "ready after start, with its address printed",
        median(ready.collect()),
        "ms",
        Bound::AtMost(10.0),
    );
    let memory = runs.iter().map(Simulator::resident);
    figures.add(
        "memory when idle",
        median(memory.collect()),
        "MiB",
        Bound::AtMost(8.0),
    );
}

fn load(figures: &mut Figures) {
    let simulator = Simulator::start(&[]);
    let tokens = simulator.connect().sign_in(&simulator);
    let access = tokens["access_token"].as_str().expect("a token");
    let request = format!(
        "GET /restapi/v1.0/account/~/extension/~ HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {access}\r\n\r\n"
    );
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = simulator.connect();
                while !stop.load(Ordering::Relaxed) {
                    connection.exchange(request.as_bytes());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(LOAD);
        stop.store(true, Ordering::Relaxed);
    });
    let per_second = answered.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    figures.add(
        "authorized GETs a second, 32 connections",
        per_second,
        "/s",
        Bound::AtLeast(20_000.0),
    );
}

fn state(figures: &mut Figures) {
    let folder = std::env::temp_dir().join(format!("rc-sim-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("sim.state");
    let file = file.to_str().expect("text");
    let bare = refresh_time(&Simulator::start(&[]));
    figures.add("refresh over HTTP, nothing kept", bare, "ms", Bound::None);
    let kept = refresh_time(&Simulator::start(&["--state", file]));
    let bound = Bound::AtMost(2.0);
    figures.add(
        "refresh over HTTP, --state: slower by",
        kept - bare,
        "ms",
        bound,
    );

    let many = ["--state", file, "--sessions", "100000"];
    let simulator = Simulator::start(&many);
    let mut connection = simulator.connect();
    for _ in 0..STORED {
        connection.sign_in(&simulator);
    }
    let kept = refresh_time(&simulator);
    figures.add(
        "the same with 10,000 sessions stored: slower by",
        kept - bare,
        "ms",
        bound,
    );
    drop(simulator);
    let again = Simulator::start(&many);
    figures.add(
        "ready with 10,000 sessions to read",
        again.ready_after.as_secs_f64() * 1e3,
        "ms",
        Bound::None,
    );
    drop(again);
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Milliseconds of a refresh, the median over one connection.
fn refresh_time(simulator: &Simulator) -> f64 {
    let mut connection: Connection = simulator.connect();
    let mut tokens = connection.sign_in(simulator);
    let mut times = Vec::with_capacity(REFRESHES);
    for _ in 0..REFRESHES {
        let refresh = tokens["refresh_token"].as_str().expect("a token");
        let form = format!("grant_type=refresh_token&refresh_token={refresh}");
        let start = Instant::now();
        tokens = connection.token(simulator, &form);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}
