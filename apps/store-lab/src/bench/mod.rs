//! Times of the stores, and of the bare clients that do the same beside them.
//!
//! Prints one line for each figure, its words separated by tabs: `pair NAME RECORDS STORE BARE` (the same
//! work, times in microseconds), `rate NAME STORE BARE` (per second), `time NAME MICROSECONDS`,
//! `count NAME NUMBER`. Bounds are not known here; `cargo xtask bench stores` holds the figures against them.

mod bare;
mod fill;
mod hints;
mod pairs;
mod records;
mod rotate;
mod seal;

use std::{sync::Arc, time::Duration};

use rc_store::TokenStore;

use crate::open;

pub(crate) async fn run(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["seal"] => seal::measure(),
        ["rotate", url] => rotate::measure(url).await,
        [url, counts @ ..] if !counts.is_empty() => {
            let counts = counts.iter().map(|count| count.parse());
            let counts: Result<Vec<u64>, _> = counts.collect();
            store(url, &counts.map_err(|_| "RECORDS are numbers")?).await
        }
        _ => Err("bench wants URL RECORDS.., `rotate URL` or `seal`".to_owned()),
    }
}

/// Fills the store up to each of `counts` and measures there; the rest with all of them.
async fn store(url: &str, counts: &[u64]) -> Result<(), String> {
    bare::make_database(url).await?;
    let store: Arc<dyn TokenStore> = open::open(url).await?.into();
    let bare = bare::Bare::connect(url).await?;
    let mut there = 0;
    for count in counts {
        fill::fill(&bare, there..*count).await?;
        there = there.max(*count);
        pairs::measure(&*store, &bare, there).await?;
    }
    pairs::writers(&store, &bare, there).await?;
    hints::due(&*store, there).await?;
    hints::changes(&*store, &*open::open(url).await?).await?;
    if url.starts_with("sqlite:") {
        pairs::sealed(store).await?;
    }
    Ok(())
}

/// The value that `percent` of `times` do not exceed; zero for none.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    let found = times.get(rank.saturating_sub(1));
    found.copied().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e6)
}

fn say(words: &[&str]) {
    println!("{}", words.join("\t"));
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
