//! `rc-store` alone: two workers change one sealed record, and neither loses the other's change.
//!
//! `cargo run -p rc-store --example compare_and_swap`

use std::{error::Error, sync::Arc};

use rc_store::{Expect, KeyRing, MemoryStore, RecordKey, Sealed, StoreError, TokenStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ring = KeyRing::generate("2026a")?;
    let store: Arc<dyn TokenStore> = Arc::new(Sealed::new(MemoryStore::new(), ring));

    let alice = tokio::spawn(append(store.clone(), "alice"));
    let bob = tokio::spawn(append(store.clone(), "bob"));
    alice.await??;
    bob.await??;

    let stored = store.load(&key()).await?.ok_or("the record is gone")?;
    println!("{}", String::from_utf8_lossy(&stored.payload));
    Ok(())
}

fn key() -> RecordKey {
    RecordKey::derive(&[b"guests", b"today"])
}

/// Adds a name to the record: loads it, writes it if nobody else has, and begins again if somebody has.
async fn append(store: Arc<dyn TokenStore>, name: &str) -> Result<(), StoreError> {
    loop {
        let (mut payload, expect) = match store.load(&key()).await? {
            Some(stored) => (stored.payload.to_vec(), Expect::Version(stored.version)),
            None => (Vec::new(), Expect::Absent),
        };
        payload.extend(format!("{name} was here. ").into_bytes());
        match store.save(&key(), &payload, None, expect).await {
            Err(StoreError::Conflict) => continue,
            outcome => return outcome.map(drop),
        }
    }
}
