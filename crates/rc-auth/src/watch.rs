//! Keeps the grants in memory up to date with what other processes write.

use std::{
    future::poll_fn,
    sync::{Arc, Weak},
    time::Duration,
};

use rc_auth_core::{Input, KnownVersion, RecordVersion};
use rc_store::{Change, ChangeStream, RecordKey, Version};
use tokio_util::sync::CancellationToken;

use crate::{
    shared::{Shared, lock},
    tasks::guarded,
};

/// How often versions are compared where the store cannot tell of changes, and how long a stream that
/// has ended is left alone. Half of the second within which a replaced token is no longer used.
const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// How many versions are asked for at once.
const CHUNK: usize = 1000;

/// Watches until the client is gone or closing.
pub(crate) async fn run(shared: Weak<Shared>, closing: CancellationToken) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let stream = strong.store.changes();
        drop(strong);
        if let Some(stream) = stream {
            tokio::select! {
                biased;
                () = closing.cancelled() => return,
                () = read(&shared, stream) => {}
            }
        }
        let Some(strong) = shared.upgrade() else {
            return;
        };
        strong.compare().await;
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

async fn read(shared: &Weak<Shared>, mut stream: ChangeStream) {
    while let Ok(Some(change)) =
        guarded(poll_fn(|context| stream.as_mut().poll_next(context))).await
    {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match change {
            Change::Key { key, version } => shared.heard(&key, version),
            Change::Gap => shared.compare().await,
        }
    }
}

impl Shared {
    /// A grant in memory hears of its record's version; what it knows already costs nothing.
    fn heard(self: &Arc<Self>, key: &RecordKey, version: Option<Version>) {
        let Some(slot) = self.slots.get(key) else {
            return;
        };
        let version = version.map(|version| RecordVersion::new(*version.as_bytes()));
        let known = lock(&slot.inner).machine.known_version();
        if known != KnownVersion::At(version) && known != KnownVersion::Nothing {
            slot.input(self, Input::ChangedTo(version));
        }
    }

    /// Compares every grant in memory with its record.
    async fn compare(self: &Arc<Self>) {
        let keys: Vec<RecordKey> = self.slots.all().iter().map(|slot| slot.key).collect();
        for keys in keys.chunks(CHUNK) {
            match self.versions(keys).await {
                Some(versions) => {
                    for (key, version) in keys.iter().zip(versions) {
                        self.heard(key, version);
                    }
                }
                None => return,
            }
        }
    }
}
