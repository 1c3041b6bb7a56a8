//! The life of a grant, driven by hand against a store and a server that live in memory.

mod asleep;
mod ends;
mod invariants;
mod lease;
mod outcomes;
mod random;
#[cfg(feature = "fingerprint")]
mod search;
mod server;
mod sign_out;
mod store;
mod strict;
mod troubles;
mod watching;
mod windows;
mod world;
