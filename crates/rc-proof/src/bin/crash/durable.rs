//! What it costs that a refresh is written down: its intent before the request, and the new pair after the answer.

use std::time::{Duration, Instant};

use rc_auth::{GrantKey, store::MemoryStore};

use crate::stage::Stage;

/// What the two writes may add to a refresh on SQLite, at the median.
const MOST_ON_SQLITE: Duration = Duration::from_millis(2);

/// How many refreshes, on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Size {
    /// The store: sqlite:FILE, or the address of a PostgreSQL
    #[arg(long)]
    store: String,
    #[arg(long, default_value_t = 300)]
    rounds: usize,
}

/// `false`: it costs more than it may.
///
/// # Errors
///
/// When the stage breaks down.
pub(crate) async fn run(size: &Size) -> Result<bool, String> {
    let durable = Stage::set(&size.store).await?;
    let fleeting = Stage::on("", MemoryStore::new()).await?;
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    // In turns, so that both meet the same moods of the machine.
    for number in 0..size.rounds {
        let key = format!("durable {number}");
        written.push(refresh(&durable, &key).await?);
        kept.push(refresh(&fleeting, &key).await?);
    }
    let (written, kept) = (median(written), median(kept));
    let adds = written.saturating_sub(kept);
    println!(
        "{} refreshes each: {written:.1?} at the median, {kept:.1?} on a store in memory; being written down adds {adds:.1?}",
        size.rounds
    );
    Ok(!size.store.starts_with("sqlite:") || adds <= MOST_ON_SQLITE)
}

/// How long the first refresh of a new grant takes; a grant may not be refreshed again and again.
async fn refresh(stage: &Stage, key: &str) -> Result<Duration, String> {
    stage.sign_in(key).await?;
    let grant = stage.client.grant(&GrantKey::new(key));
    let began = Instant::now();
    let refreshed = grant.refresh().await;
    let took = began.elapsed();
    refreshed.map(|_| took).map_err(|error| error.to_string())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
