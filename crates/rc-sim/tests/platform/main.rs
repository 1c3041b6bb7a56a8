//! What the simulated platform promises, by name.

mod control;
mod determinism;
mod duplicates;
mod faults;
mod limits;
mod refresh_rules;
mod resources;
mod server;
mod sessions;
mod sign_in;
mod stage;
mod standing;
mod token;
