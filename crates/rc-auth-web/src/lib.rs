#![doc = include_str!("../README.md")]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
mod begin;
mod builder;
mod callback_limit;
mod client_address;
mod code_exchanges;
mod cookies;
mod device;
mod finish;
mod form;
mod local_path;
#[cfg(any(feature = "actix", feature = "axum"))]
mod mount;
mod paths;
mod pending;
mod redirect_uri;
mod request_check;
mod security_headers;
mod session;
mod sign_out;
mod trusted_proxies;
mod web_auth;

pub use begin::{BeginError, Begun};
pub use builder::{BuildError, WebAuthBuilder};
pub use callback_limit::{CallbackLimit, InvalidCallbackLimit};
pub use client_address::{ClientAddress, NoClientAddress};
pub use device::device_name;
pub use finish::{FinishError, Finished};
pub use form::{FORM_TOKEN_FIELD, ForeignForm, FormToken, MAX_FORM, form_token_of};
pub use local_path::LocalPath;
#[cfg(any(feature = "actix", feature = "axum"))]
pub use mount::{MaybeSignedIn, Problem, SignedIn};
pub use paths::Paths;
pub use redirect_uri::UnfitRedirectUri;
pub use request_check::Rejection;
pub use session::{MemorySessions, SealedCookies, Session, SessionStore, SessionStoreError};
pub use sign_out::{SignOut, SignOutOutcome};
pub use trusted_proxies::{InvalidTrustedProxies, TrustedProxies};
pub use web_auth::WebAuth;

/// The page that leads an application from nothing to a signed-in user, compiled.
#[cfg(all(doctest, feature = "actix", feature = "axum"))]
#[doc = include_str!("../../../docs/getting-started.md")]
struct GettingStarted;
