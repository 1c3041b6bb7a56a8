#![doc = include_str!("../README.md")]

mod connect;
mod migration;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use connect::ConnectError;
pub use store::SqlStore;
