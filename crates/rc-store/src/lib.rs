//! Keeps opaque secret records under compare-and-swap.

mod contract;

pub use contract::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored,
    TokenStore, Version, MAX_PAYLOAD,
};
