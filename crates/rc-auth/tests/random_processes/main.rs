//! Random work in three processes on a store and a platform that fail in every way, in virtual time.
//!
//! A seed is the work and the weather of one run. Tasks that wait for the same thing may still wake in
//! another order, so a seed that failed may have to be repeated. Variables of the environment:
//!
//! - `RC_SEEDS=from..to`: the seeds to run, without the last; `0..20` unless set, so that a debug build
//!   takes less than 15 seconds. `0..150` takes a little more than a minute.
//! - `RC_VERBOSE=1`: prints a line about each run.
//! - `RC_TRACE=1`: prints what happens, and the log of the clients.
//!
//! `RC_SEEDS=0..150 cargo test -p rc-auth --test random_processes -- --nocapture`
#![allow(clippy::unwrap_used, reason = "parts of a test")]

mod call;
mod checks;
mod ledger;
#[path = "../support/processes.rs"]
mod processes;
mod store;
mod story;
mod weather;
mod wire;

use std::ops::Range;

use story::Story;

/// The seeds to run.
fn seeds() -> Range<u64> {
    let asked = std::env::var("RC_SEEDS").unwrap_or_default();
    match asked.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..20,
    }
}

#[test]
fn random_work_in_bad_weather_loses_nothing_and_settles() {
    let mut failed = 0;
    if std::env::var_os("RC_TRACE").is_some() {
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(std::io::stdout)
            .without_time()
            .try_init();
    }
    for seed in seeds() {
        let complaints = Story::new(seed).run();
        failed += usize::from(!complaints.is_empty());
        for complaint in complaints {
            println!("seed {seed}: {complaint}");
        }
    }
    assert_eq!(failed, 0, "seeds failed");
}
