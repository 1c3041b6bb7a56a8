//! A mark in the store, by which a key ring that cannot open it is noticed before any grant is asked for.

use rc_store::{Expect, RecordKey, StoreError};

use crate::{
    key::mark_record_key,
    record::{self, Mark, StoredRecord},
    shared::Shared,
    tasks::guarded,
};

/// Why a store should not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreCheckError {
    /// What stands in the store was sealed with a key that is not in the key ring.
    #[error(
        "the stored records cannot be opened with the keys that were given ({}). Is it another database, or \
         was a key replaced instead of added? Give the old key too, after the new one", cause(.0)
    )]
    WrongKeys(StoreError),
    /// The store does not answer.
    #[error("the store does not answer")]
    Store(#[source] StoreError),
}

/// The innermost error: it names the key.
fn cause(error: &StoreError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

pub(crate) async fn check(shared: &Shared) -> Result<(), StoreCheckError> {
    let checked = guarded(look(shared)).await;
    checked.unwrap_or_else(|_| {
        Err(StoreCheckError::Store(StoreError::unavailable(
            "the store panicked",
        )))
    })
}

async fn look(shared: &Shared) -> Result<(), StoreCheckError> {
    let key = mark_record_key();
    match shared.store.load(&key).await {
        Ok(Some(_)) => return Ok(()),
        Err(error) => return Err(sort(error)),
        Ok(None) => {}
    }
    // Made by a version that left no mark: its records show.
    let first = shared.store.scan(None, 1).await.map_err(sort)?;
    if let Some(Err(error)) = first.into_iter().next().map(|listed| listed.stored) {
        return Err(sort(error));
    }
    leave(shared, &key).await
}

async fn leave(shared: &Shared, key: &RecordKey) -> Result<(), StoreCheckError> {
    let payload = record::encode(&StoredRecord::Mark(Mark::default()));
    match shared.store.save(key, &payload, None, Expect::Absent).await {
        // Another process that starts now was faster.
        Ok(_) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(sort(error)),
    }
}

fn sort(error: StoreError) -> StoreCheckError {
    if matches!(error, StoreError::Corrupt(_)) {
        StoreCheckError::WrongKeys(error)
    } else {
        StoreCheckError::Store(error)
    }
}
