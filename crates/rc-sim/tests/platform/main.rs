//! What the simulated platform promises, by name.

mod call_log;
mod control;
mod described;
mod determinism;
mod duplicates;
mod endpoints;
mod extensions;
mod faults;
mod limits;
mod message_store;
mod openapi;
mod openapi_control;
mod refresh_rules;
mod resources;
mod schema;
mod server;
mod sessions;
mod sign_in;
mod simulator_page;
mod sms;
mod stage;
mod standing;
mod token;
