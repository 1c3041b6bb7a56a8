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

mod authorize;
mod brands;
mod browser;
mod browser_session;
#[cfg(feature = "client")]
mod client;
mod client_auth;
mod clock;
mod codes;
mod config;
pub mod control;
mod cors;
mod counters;
mod discovery;
mod fault;
mod form;
mod grants;
mod jose;
mod journal;
mod limits;
mod messages;
mod namespaces;
mod oauth_error;
mod openid;
mod pages;
mod pkce;
mod platform;
mod reply;
mod resource_error;
mod resources;
mod revoke;
mod route;
mod seed;
#[cfg(feature = "server")]
mod server;
mod sessions;
mod sign_in;
mod state;
mod steering;
mod switches;
mod timestamp;
mod token;
mod token_format;
mod world;

pub use browser::{Callback, SignInError};
#[cfg(feature = "client")]
pub use client::SimClient;
#[cfg(feature = "server")]
pub use config::ConfigError;
pub use config::{Account, AllowedGrant, App, Config, KeySetError, Role, User};
pub use counters::{ApiCounters, Counters, TokenCounters};
pub use fault::{Answer, Delivery, Fault, FaultRule, Preset, Replacement, Target};
pub use journal::{Event, EventFilter, EventKind};
pub use messages::SentMessage;
pub use namespaces::NamespaceError;
pub use platform::Platform;
#[cfg(feature = "server")]
pub use server::{Server, ServerError};
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
