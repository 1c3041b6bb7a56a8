#![doc = include_str!("../README.md")]

mod changes;
mod connect;
mod durability;
mod fault;
mod listing;
mod names;
mod node;
mod record;
mod routes;
mod script;
mod servers;
mod store;
mod url;

pub use connect::ConnectError;
pub use durability::Durability;
pub use store::RedisStore;
