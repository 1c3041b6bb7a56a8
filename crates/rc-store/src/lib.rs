#![doc = include_str!("../README.md")]

mod contract;
pub mod copy;
mod keyring;
mod memory;
mod rotation;
mod sealed;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use contract::{
    BoxFuture, Change, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey,
    StoreError, Stored, TokenStore, Version,
};
pub use keyring::{
    EnvironmentKeys, InvalidKeyRing, KeyFile, KeyProvider, KeyProviderError, KeyRing, OpenError,
    SealError,
};
pub use memory::MemoryStore;
pub use rotation::{KeyUsage, Rotation};
pub use sealed::Sealed;

// They stand in public signatures.
pub use futures_core::Stream;
pub use zeroize::Zeroizing;
