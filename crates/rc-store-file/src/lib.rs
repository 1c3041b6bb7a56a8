#![doc = include_str!("../README.md")]

mod changes;
mod error;
mod files;
mod folder;
mod format;
mod lock;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use store::FileStore;
