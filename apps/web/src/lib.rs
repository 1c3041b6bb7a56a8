//! The web application that people run first: sign in, call the API, refresh, sign out.
//!
//! Without configuration it starts the simulated platform beside itself; with a registered app it talks to
//! RingCentral. [`config`] lists the environment variables, [`Running`] is the application in a value.
//!
//! Handlers are thin. None names a token: sign-ins, refreshes and calls are `rc-auth`'s, cookies and checks of
//! requests are `rc-auth-web`'s, and one module turns what can go wrong into words.

pub mod config;

mod admission;
mod assets;
mod chunked;
mod command;
mod converted;
mod demo;
mod keys;
mod lock;
mod metrics_server;
mod moment;
mod operator;
mod output;
mod pages;
mod permissions;
mod problem;
mod request_log;
mod routes;
mod server;
mod session;
mod start;
mod state;
mod store;
mod telemetry;

pub use command::run;
pub use lock::LockError;
pub use start::{Running, StartError, Summary};
pub use store::OpenStoreError;
