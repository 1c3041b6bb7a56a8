//! The RingCentral platform, simulated: sign-in pages, tokens, and a few resources to call with them.
//!
//! [`Platform`] is a pure value. Requests and the time come in, answers come out; nothing in it opens a
//! socket, reads a clock, draws a random number or awaits. The same [`Config`] and the same calls give the
//! same bytes.
//!
//! ```
//! use bytes::Bytes;
//! use rc_sim::{Config, Platform, Timestamp};
//!
//! let mut platform = Platform::new(Config::demo(1, "http://localhost:8080/oauth/callback"));
//! let now = Timestamp::from_millis(1_700_000_000_000);
//! let request = http::Request::get("/restapi/v1.0/account/~").body(Bytes::new())?;
//! assert_eq!(platform.respond(&request, now).status(), 401);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! Around it, each a feature: `server` (the default) puts a platform on a port, with a control API, and
//! builds the `rc-sim` binary; `client` puts one behind `rc_http::HttpClient` without a socket.
//!
//! Everything here is fictional: users, numbers, secrets. Nothing is ever sent to RingCentral.
//!
//! A comment `Platform §4` names section 4 of `docs/simulator.md`, which says for each behaviour of the platform
//! whether it is documented, observed or assumed.

#[cfg(feature = "client")]
mod client;
mod config;
pub mod control;
mod fault;
mod form;
mod jose;
mod oauth;
mod openid;
mod platform;
mod reply;
mod resources;
mod seed;
#[cfg(feature = "server")]
mod server;
mod sign_in;
mod state;
mod switches;
mod timestamp;
mod world;

#[cfg(feature = "client")]
pub use client::SimClient;
#[cfg(feature = "server")]
pub use config::ConfigError;
pub use config::{Account, AllowedGrant, App, Config, KeySetError, Role, User};
pub use fault::{Answer, Delivery, Fault, FaultRule, Preset, Replacement, Target};
pub use platform::{
    Platform,
    counters::{ApiCounters, Counters, TokenCounters},
    journal::{Event, EventFilter, EventKind},
    namespaces::NamespaceError,
};
pub use resources::messages::SentMessage;
#[cfg(feature = "server")]
pub use server::{Server, ServerError};
pub use sign_in::browser::{Callback, SignInError};
#[cfg(feature = "server")]
pub use state::file::{StateError, state_seed};
pub use state::{RestoreError, Snapshot};
pub use switches::{
    AccessTokenInQuery, AuthLimitScope, ConcurrentDuplicates, ErrorShape, ErrorStatuses,
    KnownBrowser, Limits, RefreshReplay, RemainingOn429, ScopeParameter, SessionLimits,
    SignInPages, SwitchError, Switches, TokenLife,
};
pub use timestamp::Timestamp;

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The guide's tests, run. It is of the repository: this crate is not published.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;
