//! The store and the bare client by turns, so that noise of the machine meets both.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rc_store::{Expect, KeyRing, RecordKey, Sealed, TokenStore, Version};
use tokio::task::JoinSet;

use super::{
    bare::Bare,
    micros, percentile,
    records::{self, Random},
    say, text,
};

/// Enough for a steady median.
const SAMPLES: u64 = 2000;

/// Statements are prepared and pages read before anything is timed.
const WARM_UP: u64 = 200;

const WRITERS: u64 = 64;
const WRITING: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Times {
    load: Vec<Duration>,
    save: Vec<Duration>,
}

/// A `load` and a `save` of the store on one record, and the same of the bare client on another.
pub(super) async fn measure(store: &dyn TokenStore, bare: &Bare, count: u64) -> Result<(), String> {
    let mut random = Random::new(count);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for turn in 0..WARM_UP + SAMPLES {
        if turn == WARM_UP {
            (ours, theirs) = (Times::default(), Times::default());
        }
        let payload = records::payload(turn);
        let (one, other) = (random.below(count), random.below(count));
        if turn % 2 == 0 {
            of_store(store, one, &payload, &mut ours).await?;
            of_bare(bare, other, &payload, &mut theirs).await?;
        } else {
            of_bare(bare, other, &payload, &mut theirs).await?;
            of_store(store, one, &payload, &mut ours).await?;
        }
    }
    pair("load", count, &mut ours.load, &mut theirs.load);
    pair("save", count, &mut ours.save, &mut theirs.save);
    Ok(())
}

fn pair(name: &str, count: u64, ours: &mut [Duration], theirs: &mut [Duration]) {
    let [ours, theirs] = [ours, theirs].map(|times| micros(percentile(times, 50)));
    say(&["pair", name, &count.to_string(), &ours, &theirs]);
}

async fn of_store(
    store: &dyn TokenStore,
    number: u64,
    payload: &[u8],
    times: &mut Times,
) -> Result<(), String> {
    let key = records::key(number);
    let started = Instant::now();
    let stored = store.load(&key).await.map_err(text)?;
    times.load.push(started.elapsed());
    let version = stored.ok_or("a record is missing")?.version;
    let started = Instant::now();
    let saved = store.save(
        &key,
        payload,
        Some(records::due(number)),
        Expect::Version(version),
    );
    saved.await.map_err(text)?;
    times.save.push(started.elapsed());
    Ok(())
}

async fn of_bare(
    bare: &Bare,
    number: u64,
    payload: &[u8],
    times: &mut Times,
) -> Result<(), String> {
    let key = records::key(number);
    let started = Instant::now();
    let version = bare.load(&key).await?;
    times.load.push(started.elapsed());
    let started = Instant::now();
    bare.save(&key, payload, records::due(number), version)
        .await?;
    times.save.push(started.elapsed());
    Ok(())
}

/// How many saves a second 64 writers get answered, each on a record of its own.
pub(super) async fn writers(
    store: &Arc<dyn TokenStore>,
    bare: &Bare,
    count: u64,
) -> Result<(), String> {
    let of_store = together(count, |number| save_all_the_time(Arc::clone(store), number)).await?;
    let of_bare = together(count, |number| save_bare(bare.clone(), number)).await?;
    say(&["rate", "save, 64 writers", &of_store, &of_bare]);
    Ok(())
}

async fn together<F>(count: u64, writer: impl Fn(u64) -> F) -> Result<String, String>
where
    F: Future<Output = Result<u64, String>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let started = Instant::now();
    for number in 0..WRITERS.min(count) {
        running.spawn(writer(number));
    }
    let mut written = 0;
    while let Some(done) = running.join_next().await {
        written += done.map_err(text)??;
    }
    Ok(format!(
        "{:.0}",
        written as f64 / started.elapsed().as_secs_f64()
    ))
}

async fn save_all_the_time(store: Arc<dyn TokenStore>, number: u64) -> Result<u64, String> {
    let (key, payload, due) = parts(number);
    let stored = store.load(&key).await.map_err(text)?;
    let mut version = stored.ok_or("a record is missing")?.version;
    let started = Instant::now();
    let mut written = 0;
    while started.elapsed() < WRITING {
        let saved = store.save(&key, &payload, Some(due), Expect::Version(version));
        version = saved.await.map_err(text)?;
        written += 1;
    }
    Ok(written)
}

async fn save_bare(bare: Bare, number: u64) -> Result<u64, String> {
    let (key, payload, due) = parts(number);
    let mut version: Version = bare.load(&key).await?;
    let started = Instant::now();
    let mut written = 0;
    while started.elapsed() < WRITING {
        version = bare.save(&key, &payload, due, version).await?;
        written += 1;
    }
    Ok(written)
}

fn parts(number: u64) -> (RecordKey, Vec<u8>, rc_store::DueAt) {
    (
        records::key(number),
        records::payload(number),
        records::due(number),
    )
}

/// `load` through [`Sealed`], of records among all the others.
pub(super) async fn sealed(store: Arc<dyn TokenStore>) -> Result<(), String> {
    const RECORDS: u64 = 200;
    let sealed = Sealed::new(store, KeyRing::generate("bench").map_err(text)?);
    let key = |number: u64| RecordKey::derive(&[b"store-lab sealed", &number.to_be_bytes()]);
    for number in 0..RECORDS {
        let payload = records::payload(number);
        let key = key(number);
        let saved = sealed.save(&key, &payload, None, Expect::Absent);
        saved.await.map_err(text)?;
    }
    let mut random = Random::new(RECORDS);
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let key = key(random.below(RECORDS));
        let started = Instant::now();
        let loaded = sealed.load(&key).await.map_err(text)?;
        times.push(started.elapsed());
        loaded.ok_or("a sealed record is missing")?;
    }
    say(&[
        "time",
        "load, sealed, p50",
        &micros(percentile(&mut times, 50)),
    ]);
    Ok(())
}
