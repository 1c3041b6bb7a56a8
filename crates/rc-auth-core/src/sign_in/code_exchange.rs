//! The exchange of a code for tokens.

use bytes::Bytes;
use http::{Request, Response};

use super::PendingAuthorization;
use crate::{OAuthApp, Secret, Timestamp, TokenError, TokenSet, wire};

/// A code whose callback passed every check, ready to be exchanged (RFC 6749 section 4.1.3).
#[derive(Clone, Debug)]
pub struct CodeExchange {
    pending: PendingAuthorization,
    code: Secret,
}

impl CodeExchange {
    pub(super) const fn new(pending: PendingAuthorization, code: Secret) -> Self {
        Self { pending, code }
    }

    /// The token request, with the verifier that belongs to the challenge.
    ///
    /// # Errors
    ///
    /// [`AppChanged`] when `app` is not the one that the sign-in was started with: its redirect URI or
    /// client id would not match, and the code would be spent on a refusal.
    pub fn request(&self, app: &OAuthApp) -> Result<Request<Bytes>, AppChanged> {
        if app.client_id() != self.pending.client_id
            || app.redirect_uri() != self.pending.redirect_uri
            || app.issuer() != self.pending.issuer
        {
            return Err(AppChanged);
        }
        Ok(wire::code_request(app, &self.code, &self.pending.verifier))
    }

    /// Reads the answer; `arrived` dates the tokens.
    ///
    /// # Errors
    ///
    /// [`TokenError`] when the platform refused the code or answered something else than tokens.
    pub fn response(
        &self,
        response: &Response<Bytes>,
        arrived: Timestamp,
    ) -> Result<TokenSet, TokenError> {
        TokenSet::from_response(response, arrived)
    }

    /// The digest that names this attempt in a store.
    #[must_use]
    pub fn state_digest(&self) -> [u8; 32] {
        self.pending.state_digest()
    }

    /// A digest of the code, by which a duplicate of this callback is told from another one with the same
    /// state.
    #[must_use]
    pub fn code_digest(&self) -> [u8; 32] {
        crate::digest::sha256(self.code.expose().as_bytes())
    }

    /// When the attempt stops to be of use to anybody.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.pending
            .started_at()
            .saturating_add(PendingAuthorization::LIFETIME)
    }
}

/// The app's client id, redirect URI or server changed while the user was signing in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the app's configuration changed during this sign-in; start the sign-in again")]
pub struct AppChanged;
