//! RingCentral's OAuth 2.0 without input or output: the sign-in, the answers, and the life of a grant.
//!
//! Nothing in this crate opens a socket, reads a clock, draws a random number or awaits. Callers pass in
//! the present ([`Now`]), randomness ([`Entropy`]) and HTTP responses, and carry out the requests and
//! [`Output`]s they get back. Every test of a week in the life of a grant takes microseconds, and any
//! transport, store and runtime will do.
//!
//! * [`OAuthApp`]: who asks, and whom.
//! * [`AuthorizationRequest`] → [`PendingAuthorization`] → [`CodeExchange`]: one sign-in, value in, value
//!   out, with every check of the callback on the only way to a token request.
//! * [`TokenSet`], [`Refusal`], [`Verdict`]: what the platform answers, and what to do about it.
//! * [`GrantMachine`]: keeps the tokens of one sign-in alive for months, and never loses them.
//! * [`AuthGate`], [`ApiGate`]: when a request may be sent at all.
//!
//! The crate `rc-auth` drives all this over a transport and a store, and is what applications depend on.

mod app;
mod digest;
mod error_body;
mod grant;
mod members;
mod rate_gate;
mod request;
mod secret;
mod sign_in;
mod time;
mod token_answer;
mod verdict;
mod wire;

pub use app::{InvalidApp, OAuthApp};
pub use error_body::{ErrorCode, Refusal};
pub use grant::{
    About, Asleep, AttemptId, ChainId, EndReason, Gate, Generation, GrantMachine, GrantRecord,
    Held, Input, Intent, InvalidPolicy, KnownVersion, LoadFailure, Loaded, Output, PairId, Pause,
    Person, Phase, RecordState, RecordVersion, RefreshPolicy, RefreshReplay, Reply, Report,
    SaveFailure, TokenPair, Trouble, UnexpectedInput, Unfinished, UnknownMembers, Urgency, View,
    Want,
};
#[doc(hidden)]
#[cfg(feature = "fingerprint")]
pub use grant::{Lens, Met, met};
pub use rate_gate::{
    ApiGate, AuthBudget, AuthGate, AuthLane, AuthRequest, Closed, DEFAULT_PENALTY, InvalidBudget,
    Owner, Rate, Route, rate_limit_group,
};
pub use request::{jwt_request, refresh_request, revocation_request};
pub use secret::Secret;
pub use sign_in::{
    AppChanged, AttemptName, AuthorizationError, AuthorizationRequest, CallbackError, CodeExchange,
    InvalidPending, MAX_CALLBACK_QUERY, PendingAuthorization, callback_attempt,
};
pub use time::{Entropy, Now, Timestamp};
pub use token_answer::{TokenError, TokenSet};
pub use verdict::{Endpoint, Verdict};
/// What secret bytes are wrapped in.
pub use zeroize::Zeroizing;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
