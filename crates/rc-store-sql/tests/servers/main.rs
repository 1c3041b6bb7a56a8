//! On servers that the tests start, kill and set up themselves.

mod killed;
mod launch;
mod locked;
mod processes;
mod read_only;
mod refused;
mod restarted;
#[cfg(feature = "tls")]
mod tls;

use rc_store::{RecordKey, StoreError};
use rc_store_sql::SqlStore;

use launch::{Engine, Server};

fn key(number: usize) -> RecordKey {
    RecordKey::derive(&[b"grant", &number.to_be_bytes()])
}

async fn connect(server: &Server) -> SqlStore {
    let store = SqlStore::connect(&server.url("tokens")).await;
    store.expect("a store")
}

/// Whether an error is one that a server which is away may cause.
fn is_away(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable(_) | StoreError::NotWritten(_)
    )
}
