//! A mark in the store, by which a key ring that cannot open it is noticed before any grant is asked for.

use std::fmt;

use rc_store::{Expect, RecordKey, StoreError};

use super::{
    Records,
    format::{self, Mark, StoredRecord},
};
use crate::{error::ErrorChain, key::mark_record_key, tasks::guarded};

/// How many records are looked at.
const PAGE: usize = 100;

/// Why a store should not be used.
#[derive(thiserror::Error)]
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

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for StoreCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ErrorChain(self), f)
    }
}

/// The innermost error: it names the key.
fn cause(error: &StoreError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

pub(crate) async fn check(records: &Records) -> Result<(), StoreCheckError> {
    let checked = guarded(look(records)).await;
    checked.unwrap_or_else(|_| {
        Err(StoreCheckError::Store(StoreError::unavailable(
            "the store panicked",
        )))
    })
}

async fn look(records: &Records) -> Result<(), StoreCheckError> {
    let key = mark_record_key();
    let expect = match records.store().load(&key).await {
        Ok(Some(stored)) => Expect::Version(stored.version),
        Err(error) => return Err(sort(error)),
        Ok(None) => Expect::Absent,
    };
    // The mark may be younger than the records: made by a version that left none, or written anew since.
    let mut page = records.store().scan(None, PAGE).await.map_err(sort)?;
    page.retain(|listed| listed.key != key);
    let total = page.len();
    let unreadable = page.into_iter().filter_map(|listed| listed.stored.err());
    let mut unreadable: Vec<StoreError> = unreadable.collect();
    if unreadable.len() == total
        && let Some(error) = unreadable.pop()
    {
        return Err(sort(error));
    }
    leave(records, &key, expect).await
}

/// Written at every start, so that it is sealed by the key that is active now.
async fn leave(records: &Records, key: &RecordKey, expect: Expect) -> Result<(), StoreCheckError> {
    let payload = format::encode(&StoredRecord::Mark(Mark::default()));
    match records.store().save(key, &payload, None, expect).await {
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
