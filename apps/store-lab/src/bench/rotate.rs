//! A change of keys while somebody reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rc_store::{Expect, KeyRing, MemoryStore, Sealed, TokenStore};

use super::{
    bare::Bare,
    fill::{self, Row},
    records::{self, Random},
    say, text,
};
use crate::open;

const RECORDS: u64 = 20_000;

type Lab = Sealed<Box<dyn TokenStore>>;

pub(super) async fn measure(url: &str) -> Result<(), String> {
    let old = KeyRing::generate("old").map_err(text)?;
    let new = KeyRing::generate("new").map_err(text)?;
    let both = format!("{},{}", *new.to_text(), *old.to_text());
    let both: KeyRing = both.parse().map_err(text)?;
    seal_all(url, old).await?;

    let store = Sealed::new(open::open(url).await?, both.clone());
    let reader = Sealed::new(open::open(url).await?, both);
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read_all_the_time(reader, Arc::clone(&stop)));
    let started = Instant::now();
    let rotation = store.rotate(None, |_| {}).await.map_err(text)?;
    let took = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let (read, failed) = reading.await.map_err(text)?;

    let usage = store.key_usage().await.map_err(text)?;
    let left = usage.by_key.get("old").copied().unwrap_or(0);
    let per_second = rotation.resealed as f64 / took.as_secs_f64();
    say(&["count", "rotation, records/s", &format!("{per_second:.0}")]);
    say(&[
        "count",
        "rotation, records left on the old key",
        &left.to_string(),
    ]);
    say(&["count", "rotation, reads meanwhile", &read.to_string()]);
    say(&["count", "rotation, failed reads", &failed.to_string()]);
    Ok(())
}

/// Makes the records as a store with the old key would have left them, but in few transactions.
async fn seal_all(url: &str, ring: KeyRing) -> Result<(), String> {
    // Opening it makes the table.
    drop(open::open(url).await?);
    let Bare::Sqlite(pool) = Bare::connect(url).await? else {
        return Err("rotation is measured on SQLite".to_owned());
    };
    let sealed = Sealed::new(MemoryStore::new(), ring);
    let mut rows = Vec::new();
    for number in 0..RECORDS {
        let (key, due) = (records::key(number), records::due(number));
        let payload = records::payload(number);
        let saved = sealed.save(&key, &payload, Some(due), Expect::Absent).await;
        let version = saved.map_err(text)?;
        let stored = sealed.get_ref().load(&key).await.map_err(text)?;
        let payload = stored.ok_or("a record is missing")?.payload.to_vec();
        rows.push(Row {
            key,
            version,
            payload,
            due,
        });
    }
    fill::sqlite(&pool, rows).await.map_err(text)?;
    pool.close().await;
    Ok(())
}

/// How many records were read, and how many could not be or were not what they should be.
async fn read_all_the_time(store: Lab, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (mut read, mut failed) = (0, 0);
    let mut random = Random::new(RECORDS);
    while !stop.load(Ordering::Relaxed) {
        let number = random.below(RECORDS);
        let loaded = store.load(&records::key(number)).await;
        let right = loaded.is_ok_and(|stored| {
            stored.is_some_and(|stored| *stored.payload == records::payload(number))
        });
        read += 1;
        failed += u64::from(!right);
    }
    (read, failed)
}
