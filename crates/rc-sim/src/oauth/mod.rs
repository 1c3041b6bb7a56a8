//! The OAuth endpoints: authorization requests, codes, tokens, OAuth sessions, revocation.

pub(crate) mod authorization_codes;
pub(crate) mod authorize;
pub(crate) mod client_auth;
pub(crate) mod error;
pub(crate) mod grants;
pub(crate) mod pkce;
mod revoke;
pub(crate) mod sessions;
pub(crate) mod token;
pub(crate) mod token_format;
