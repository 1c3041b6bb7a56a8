//! Sign RingCentral users in, keep their tokens alive for months, and call the API with them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use rc_auth::{
//!     OAuthApp, Client, Secret,
//!     store::{KeyRing, MemoryStore},
//! };
//!
//! let app = OAuthApp::new(
//!     "my-client-id",
//!     Some(Secret::new("my-client-secret")),
//!     "https://app.example.com/oauth/callback",
//!     OAuthApp::DEFAULT_SERVER,
//! )?;
//! // For real use: a durable store, such as `rc_store_sql::SqlStore`, and keys from a vault.
//! let client = Client::builder(app)
//!     .store(MemoryStore::new(), KeyRing::generate("k1")?)
//!     .build()?;
//! client.check_store().await?;
//!
//! // GET /login: redirect to `sign_in.url`, keep `sign_in.pending.to_bytes()` sealed in a cookie.
//! let sign_in = client.begin_sign_in()?;
//!
//! // GET /oauth/callback?…: the raw query, and what was kept.
//! let grant = client.finish_sign_in(sign_in.pending, "code=…&state=…").await?;
//!
//! // Any time in the next months:
//! let me = client.grant(grant.key()).get("/restapi/v1.0/account/~/extension/~").await?;
//! println!("{}", me.json::<serde_json::Value>()?);
//!
//! grant.sign_out().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cancel safety
//!
//! Every future of this crate may be dropped at any time. What must not stop half-way (a refresh, a code
//! exchange, a sign-out with its revocation) runs in tasks of the client's [`Environment`]: by default on the
//! runtime in which [`ClientBuilder::build`] was called, never on the caller's. They go on when the caller or
//! its runtime ends. That runtime has to outlive the client. [`Client::shutdown`] waits for these tasks.
//!
//! # What is never lost
//!
//! A new access token is used only after its pair is in the store, and a refresh is written down before its
//! request is sent. RingCentral repeats the answer to a refresh until its access token is first used, for an
//! hour at most. So a lost answer or a crash costs one more request and no sign-in, as long as one process
//! runs [`Client::keep_alive`] within that hour and the rate limit lets its requests through. Servers that
//! repeat no answers leave two windows open: see [`RefreshReplay::None`] and `docs/architecture.md`. The
//! rules are listed at [`rc_auth_core::GrantMachine`].
//!
//! While the store cannot be reached, a cached access token is served until it ends. Otherwise a token that
//! another process has replaced or signed out is no longer served after 1 s.
//!
//! # Metrics
//!
//! By the `metrics` crate, if the application installs a recorder. Labels never name users or tokens.
//!
//! | Name | Kind | Labels |
//! |---|---|---|
//! | `oauth.client.token.requests` | counter | `grant_type`; `outcome` = `ok`, `refused`, `no_answer`, `not_sent` |
//! | `oauth.client.token.request.duration` | histogram, seconds | `grant_type` |
//! | `oauth.client.token.wait.duration` | histogram, seconds | none; how long a call waited for a token |
//! | `oauth.client.refresh.conflicts` | counter | none; another writer came first |
//! | `oauth.client.refresh.recovered` | counter | none; refreshes that succeeded after a failure or a take-over |
//! | `oauth.client.grants.ended` | counter | `reason` = `token_dead`, `signed_out`, `not_refreshable`, `indeterminate`, `other` (unused or too old) |
//! | `oauth.client.revocations` | counter, tries | `outcome` = `ok`, `failed` |

mod authorize;
mod builder;
mod call;
mod client;
mod environment;
mod error;
mod event;
mod grant;
#[cfg(all(test, shuttle))]
mod interleavings;
mod keep_alive;
mod key;
mod live;
mod owner_index;
mod platform;
mod records;
mod refresh;
mod revocation;
mod sign_in;
mod sign_out;
mod state;
mod sync;
mod tasks;
mod telemetry;

pub use rc_auth_core::{
    AttemptName, AuthBudget, AuthorizationError, AuthorizationRequest, CallbackError, EndReason,
    ErrorCode, Generation, InvalidApp, InvalidBudget, InvalidPending, Now, OAuthApp,
    PendingAuthorization, Person, RefreshPolicy, RefreshReplay, Refusal, Secret, Timestamp,
    Trouble, Verdict, callback_attempt,
};
pub use rc_http as transport;
pub use rc_store as store;

pub use authorize::AccessToken;
#[cfg(feature = "reqwest-middleware")]
pub use authorize::AuthorizeMiddleware;
#[cfg(feature = "tower")]
pub use authorize::{Authorize, AuthorizeLayer};
pub use builder::ClientBuilder;
pub use call::{ApiDownload, ApiRequest, ApiResponse, Page, Pages};
pub use client::{Client, SignIn};
pub use environment::{Environment, NoRandomness, SystemEnvironment};
#[cfg(feature = "simulated-environment")]
pub use environment::{SimulatedProcess, SimulatedWorld};
pub use error::{BuildError, CallError, GrantError, SignInError};
pub use event::{Event, EventKind};
pub use grant::{Activity, Grant, GrantStatus};
pub use key::GrantKey;
pub use owner_index::{everywhere::SignedOutEverywhere, listing::SignInEntry};
pub use records::inventory::{GrantPage, ListedGrant, ListedState};
pub use records::mark::StoreCheckError;
pub use sign_in::options::SignInOptions;
pub use sign_out::SignedOut;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
