//! JSON Web Tokens: what the platform signs, and what clients sign for it.

pub(crate) mod client_assertion;
pub(crate) mod id_token;
pub(crate) mod jti_cache;
pub(crate) mod jwk;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod numeric_date;
pub(crate) mod personal_jwt;
