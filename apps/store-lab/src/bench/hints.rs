//! What is due, and how soon another handle hears of a change.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rc_store::{Change, ChangeStream, DueCursor, Expect, RecordKey, TokenStore};

use super::{
    micros, percentile,
    records::{self, Random},
    say, text,
};

const PAGES: u64 = 300;
const PAGE: usize = 100;

/// The next 100 from anywhere among all records.
pub(super) async fn due(store: &dyn TokenStore, count: u64) -> Result<(), String> {
    let mut random = Random::new(PAGES);
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let number = random.below(count.saturating_sub(PAGE as u64) + 1);
        let after = DueCursor {
            due: records::due(number),
            key: RecordKey::new([0; 32]),
        };
        let started = Instant::now();
        let found = store.due(Some(after), records::due(count), PAGE).await;
        times.push(started.elapsed());
        let found = found.map_err(text)?;
        let wanted = (count - number).min(PAGE as u64);
        if found.len() as u64 != wanted {
            return Err(format!("due found {} of {wanted} records", found.len()));
        }
    }
    say(&[
        "time",
        "due, next 100, p50",
        &micros(percentile(&mut times, 50)),
    ]);
    Ok(())
}

/// So many changes of which another handle hears.
const CHANGES: u64 = 60;

/// A hint that takes longer is a failure.
const HINT_LIMIT: Duration = Duration::from_secs(5);

/// Between two hints, at most, so that a store that asks at intervals is met at any of its moments.
const SPREAD_MILLIS: u64 = 250;

/// From the call of a save to the hint of it.
pub(super) async fn changes(
    writer: &dyn TokenStore,
    reader: &dyn TokenStore,
) -> Result<(), String> {
    let Some(mut hints) = reader.changes() else {
        say(&["note", "change to other handle, p95", "polling"]);
        return Ok(());
    };
    let key = RecordKey::derive(&[b"store-lab change"]);
    let save = |expect| writer.save(&key, b"sample", None, expect);
    // The first hint is the gap of the beginning.
    heard(&mut hints, None).await?;
    let mut version = save(Expect::Absent).await.map_err(text)?;
    heard(&mut hints, Some(&key)).await?;
    let mut random = Random::new(CHANGES);
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        let pause = Duration::from_millis(random.below(SPREAD_MILLIS));
        tokio::time::sleep(pause).await;
        let started = Instant::now();
        let saved = save(Expect::Version(version));
        let (saved, heard) = tokio::join!(saved, heard(&mut hints, Some(&key)));
        heard?;
        times.push(started.elapsed());
        version = saved.map_err(text)?;
    }
    say(&[
        "time",
        "change to other handle, p95",
        &micros(percentile(&mut times, 95)),
    ]);
    Ok(())
}

/// The next hint of `key`, or any gap.
async fn heard(hints: &mut ChangeStream, key: Option<&RecordKey>) -> Result<(), String> {
    let wait = async {
        while let Some(change) = hints.next().await {
            match change {
                Change::Key { key: changed, .. } if key.is_some_and(|key| *key != changed) => {}
                _ => return Ok(()),
            }
        }
        Err("the stream of changes ended".to_owned())
    };
    let heard = tokio::time::timeout(HINT_LIMIT, wait).await;
    heard.unwrap_or_else(|_| Err("no hint of a change came".to_owned()))
}
