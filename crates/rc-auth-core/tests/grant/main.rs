//! The life of a grant, driven by hand against a store and a server that live in memory.

mod invariants;
mod outcomes;
mod server;
mod sign_out;
mod store;
mod strict;
mod troubles;
mod world;
