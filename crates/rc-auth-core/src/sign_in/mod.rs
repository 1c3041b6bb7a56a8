//! One trip of a browser to the authorization endpoint and back, value in, value out.
//!
//! [`AuthorizationRequest::start`] gives a URL and a [`PendingAuthorization`]; the callback turns that
//! into a [`CodeExchange`], which builds the token request and reads its answer. There is no other way
//! to a `CodeExchange`, so no token request is made before every check of the callback has passed.

mod authorization;
mod callback;
mod code_exchange;
mod pending;

pub use authorization::AuthorizationRequest;
pub use callback::{AuthorizationError, CallbackError, MAX_CALLBACK_QUERY, callback_attempt};
pub use code_exchange::{AppChanged, CodeExchange};
pub use pending::{AttemptName, InvalidPending, PendingAuthorization};
