//! On servers that the tests start, kill and set up themselves.
#![cfg(feature = "server-tests")]

mod cluster;
mod failover;
mod failures;
mod server;
