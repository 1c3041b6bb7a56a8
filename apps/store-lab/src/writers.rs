//! Writers that count records up, and the check that nothing they were promised is lost.

use std::{
    io::{self, BufRead as _, Write as _},
    sync::Arc,
    time::Duration,
};

use rc_store::{DueAt, Expect, RecordKey, StoreError, Stored, TokenStore, Version};
use tokio::task::JoinSet;

/// About a token pair: tears would show.
const PAYLOAD: usize = 2048;

/// Between two tries while the store does not answer.
const PAUSE: Duration = Duration::from_millis(20);

/// Each writer counts a record of its own up, for ever, and prints `KEY COUNT` for every answered write.
/// What it does after a failure is what `rc-auth` does: load again, and look.
pub(crate) async fn write(store: Box<dyn TokenStore>, writers: u32) -> Result<(), String> {
    let store: Arc<dyn TokenStore> = store.into();
    let mut running = JoinSet::new();
    for writer in 0..writers {
        running.spawn(count_up(Arc::clone(&store), key(writer)));
    }
    match running.join_next().await {
        Some(Ok(failure)) => Err(failure),
        Some(Err(error)) => Err(format!("a writer ended: {error}")),
        None => Ok(()),
    }
}

/// Reads `KEY COUNT` lines and compares the greatest count of each key with the store.
pub(crate) async fn check(store: &dyn TokenStore) -> Result<(), String> {
    let mut promised = std::collections::BTreeMap::new();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("stdin: {error}"))?;
        // A killed writer may have printed half a line.
        let Some((key, count)) = parse(&line) else {
            continue;
        };
        let greatest = promised.entry(key).or_insert(0);
        *greatest = count.max(*greatest);
    }
    let (mut lost, mut torn, mut writes) = (0, 0, 0);
    for (key, count) in &promised {
        let stored = load(store, key).await;
        match stored.map_or(Some(0), |stored| counted(&stored)) {
            Some(found) if found >= *count => {}
            None => torn += 1,
            Some(found) => {
                lost += 1;
                writes += count - found;
            }
        }
    }
    println!(
        "records {} behind {lost} writes {writes} torn {torn}",
        promised.len()
    );
    if lost + torn > 0 {
        return Err(format!(
            "{lost} records are behind what was answered, {torn} are torn"
        ));
    }
    Ok(())
}

fn key(writer: u32) -> RecordKey {
    RecordKey::derive(&[b"store-lab", &writer.to_be_bytes()])
}

fn parse(line: &str) -> Option<(RecordKey, u64)> {
    let (key, count) = line.strip_suffix(" .")?.split_once(' ')?;
    Some((RecordKey::from_hex(key)?, count.parse().ok()?))
}

/// A count fills the whole payload, and is the due time too.
fn payload(count: u64) -> Vec<u8> {
    count.to_be_bytes().repeat(PAYLOAD / 8)
}

/// The count of a record; `None` if its parts are of several writes.
fn counted(stored: &Stored) -> Option<u64> {
    let due = u64::try_from(stored.due?.unix_millis()).ok()?;
    (*stored.payload == payload(due)).then_some(due)
}

/// Ends only when the store does what it must not: the text says what.
async fn count_up(store: Arc<dyn TokenStore>, key: RecordKey) -> String {
    let mut known: Option<(u64, Version)> = None;
    loop {
        let (count, expect) = match known {
            Some((count, version)) => (count + 1, Expect::Version(version)),
            None => match load(&*store, &key).await {
                None => (1, Expect::Absent),
                Some(stored) => match counted(&stored) {
                    Some(count) => (count + 1, Expect::Version(stored.version)),
                    None => return format!("the record {} is torn", key.to_hex()),
                },
            },
        };
        let due = Some(DueAt::from_unix_millis(count as i64));
        match store.save(&key, &payload(count), due, expect).await {
            Ok(version) => {
                known = Some((count, version));
                if let Err(error) = say(&key, count) {
                    return format!("stdout: {error}");
                }
            }
            Err(StoreError::Conflict) => known = None,
            Err(StoreError::Unavailable(_) | StoreError::NotWritten(_)) => {
                known = None;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return format!("a save: {error}"),
        }
    }
}

/// Tries until the store answers.
async fn load(store: &dyn TokenStore, key: &RecordKey) -> Option<Stored> {
    loop {
        match store.load(key).await {
            Ok(stored) => return stored,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// One write of the whole line, so that a kill cuts none before it is promised.
fn say(key: &RecordKey, count: u64) -> io::Result<()> {
    let line = format!("{} {count} .\n", key.to_hex());
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}
