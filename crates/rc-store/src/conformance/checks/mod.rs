//! The checks. Each gets a place of its own, empty at first.
#![allow(missing_docs, reason = "the names say it")]

pub mod changes;
pub mod crash;
pub mod due;
pub mod health;
pub mod hooks;
pub mod interrupted;
pub mod kinds;
pub mod many;
pub mod paging;
pub mod payloads;
pub mod races;
pub mod reopened;
pub mod runtime;
pub mod scan;
pub mod secrecy;
pub mod sharing;
pub mod together;
pub mod version_queries;
pub mod versions;
