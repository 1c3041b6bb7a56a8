//! The application on a real port, against the simulated platform, with SQLite on disk.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod callback;
mod command;
mod crash;
mod elsewhere;
mod forms;
mod headers;
mod hosts;
mod me;
mod metrics;
mod operator;
mod pages;
mod secrets;
mod sign_in;
mod stage;
mod strangers;
mod token_endpoint;
