//! Keeps the grants in memory up to date with what other processes write.

use std::{
    future::poll_fn,
    sync::{Arc, Weak},
    time::Duration,
};

use rc_auth_core::{Input, KnownVersion, RecordVersion};
use rc_store::{Change, ChangeStream, RecordKey, Version};
use tokio_util::sync::CancellationToken;

use super::waiting;
use crate::{state::ClientState, tasks::guarded};

/// How often versions are compared where the store cannot tell of changes, and how long a stream that
/// has ended is left alone. Half of the second within which a replaced token is no longer used.
const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// How many versions are asked for at once.
const CHUNK: usize = 1000;

/// Watches until the client is gone or closing.
pub(crate) async fn run(client: Weak<ClientState>, closing: CancellationToken) {
    loop {
        let Some(strong) = client.upgrade() else {
            return;
        };
        let stream = strong.records.store().changes();
        drop(strong);
        if let Some(stream) = stream {
            tokio::select! {
                biased;
                () = closing.cancelled() => return,
                () = read(&client, stream) => {}
            }
        }
        let Some(strong) = client.upgrade() else {
            return;
        };
        compare(&strong).await;
        let next = strong
            .environment
            .sleep_until(strong.now().mono + COMPARE_EVERY);
        drop(strong);
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = next => {}
        }
    }
}

async fn read(client: &Weak<ClientState>, mut stream: ChangeStream) {
    while let Ok(Some(change)) =
        guarded(poll_fn(|context| stream.as_mut().poll_next(context))).await
    {
        let Some(client) = client.upgrade() else {
            return;
        };
        match change {
            Change::Key { key, version } => heard(&client, &key, version),
            Change::Gap => compare(&client).await,
        }
    }
}

/// A grant in memory hears of its record's version; what it knows already costs nothing.
fn heard(client: &Arc<ClientState>, key: &RecordKey, version: Option<Version>) {
    let Some(live) = client.live.get(key) else {
        return;
    };
    let version = version.map(|version| RecordVersion::new(*version.as_bytes()));
    let known = live.lock().known_version();
    if known != KnownVersion::At(version) && known != KnownVersion::Nothing {
        waiting::input(client, &live, Input::ChangedTo(version));
    }
}

/// Compares every grant in memory with its record.
async fn compare(client: &Arc<ClientState>) {
    let keys: Vec<RecordKey> = client.live.all().iter().map(|live| live.key).collect();
    for keys in keys.chunks(CHUNK) {
        match client.records.versions(keys).await {
            Some(versions) => {
                for (key, version) in keys.iter().zip(versions) {
                    heard(client, key, version);
                }
            }
            None => return,
        }
    }
}
