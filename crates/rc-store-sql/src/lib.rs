#![doc = include_str!("../README.md")]

#[cfg(not(feature = "sqlite"))]
compile_error!("rc-store-sql needs a database: turn on the feature `sqlite`");

mod changes;
mod connect;
mod migration;
mod record;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

pub use connect::ConnectError;
pub use store::SqlStore;
