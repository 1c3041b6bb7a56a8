use std::pin::Pin;

use futures_core::Stream;

use super::{RecordKey, Version};

/// One hint of a [`ChangeStream`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Change {
    /// This record was written.
    ///
    /// Whoever knows this version already need not load the record again.
    Key {
        /// The record.
        key: RecordKey,
        /// What the write left: its version, or `None` if it deleted the record.
        version: Option<Version>,
    },
    /// Something may have changed that is not named. Compare the versions of the records you know:
    /// [`TokenStore::versions`](crate::TokenStore::versions).
    Gap,
}

/// Hints of what anybody (perhaps this process) has changed, from
/// [`TokenStore::changes`](crate::TokenStore::changes).
///
/// It ends only when its store is closed or dropped. Read an end as [`Change::Gap`], and ask the store
/// again.
pub type ChangeStream = Pin<Box<dyn Stream<Item = Change> + Send>>;
