#![doc = include_str!("../README.md")]

#[cfg(not(feature = "sqlite"))]
compile_error!("rc-store-sql needs a database: turn on the feature `sqlite`");

mod changes;
mod connect;
mod failure;
mod migration;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod session;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod write;

pub use connect::ConnectError;
pub use store::SqlStore;
