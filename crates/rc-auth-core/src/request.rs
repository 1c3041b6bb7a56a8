//! Requests that stand alone.

use bytes::Bytes;
use http::Request;

use crate::{OAuthApp, Secret, wire};

/// The request that revokes the whole OAuth session of an access or refresh token (RFC 7009).
///
/// Answered with 200 and an empty body, also for tokens that are unknown or dead already.
#[must_use]
pub fn revocation_request(app: &OAuthApp, token: &Secret) -> Request<Bytes> {
    wire::revocation_request(app, token)
}

/// The token request that presents a refresh token (RFC 6749 section 6), for a chain that no
/// [`GrantMachine`](crate::GrantMachine) cares for any more.
#[must_use]
pub fn refresh_request(app: &OAuthApp, refresh_token: &Secret) -> Request<Bytes> {
    wire::refresh_request(app, refresh_token)
}

/// The token request for a personal JWT, made in the developer console and bound to a user (RFC 7523
/// section 2.1). The answer is read by [`TokenSet::from_response`](crate::TokenSet::from_response).
#[must_use]
pub fn jwt_request(app: &OAuthApp, personal_jwt: &Secret) -> Request<Bytes> {
    wire::jwt_request(app, personal_jwt)
}
