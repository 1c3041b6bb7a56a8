//! The way to the authorization endpoint.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::PendingAuthorization;
use crate::{Entropy, Now, OAuthApp, Secret, wire};

/// A request to sign a user in (RFC 6749 section 4.1.1), to be carried by the user's browser.
///
/// PKCE with S256 is always part of it (RFC 7636, RFC 9700 section 2.1.1).
#[derive(Clone, Debug)]
pub struct AuthorizationRequest<'a> {
    app: &'a OAuthApp,
    scope: Option<String>,
    extra: Vec<(&'static str, String)>,
}

impl<'a> AuthorizationRequest<'a> {
    /// A request with nothing but what is required.
    #[must_use]
    pub const fn new(app: &'a OAuthApp) -> Self {
        Self {
            app,
            scope: None,
            extra: Vec::new(),
        }
    }

    /// Asks for some of the app's permissions, separated by spaces. Default: all that the app has.
    /// RingCentral's guide says it ignores the parameter, its newer specification says it does not.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Which interaction to show: a list of `login`, `sso`, `consent`, or `none` alone. Default, by the
    /// platform: `login sso`.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with("prompt", prompt.into())
    }

    /// Fills in the login field.
    #[must_use]
    pub fn login_hint(self, login: impl Into<String>) -> Self {
        self.with("login_hint", login.into())
    }

    /// The languages of the sign-in pages, as an RFC 5646 list. Default: the browser's.
    #[must_use]
    pub fn ui_locales(self, locales: impl Into<String>) -> Self {
        self.with("ui_locales", locales.into())
    }

    /// The brand whose sign-in page to show, for example `1210` for RingCentral US. Default: the app's
    /// own, which is what private apps of other brands need.
    #[must_use]
    pub fn brand_id(self, brand: impl Into<String>) -> Self {
        self.with("brand_id", brand.into())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.extra.retain(|(other, _)| *other != name);
        self.extra.push((name, value));
        self
    }

    /// The URL to send the browser to, and what has to be kept for its return, bound to that browser.
    ///
    /// The first half of `entropy` becomes the state, the second the code verifier: 256 bits each.
    #[must_use]
    pub fn start(self, entropy: &Entropy<64>, now: Now) -> (String, PendingAuthorization) {
        let (state, verifier) = entropy.bytes().split_at(32);
        let state = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(state));
        // 32 bytes make 43 characters, the least that RFC 7636 section 4.1 allows.
        let verifier = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(verifier));
        let url = wire::authorization_url(
            self.app,
            &state,
            &verifier,
            self.scope.as_deref(),
            &self.extra,
        );
        (
            url.into(),
            PendingAuthorization::new(self.app, state, verifier, now.wall),
        )
    }
}
