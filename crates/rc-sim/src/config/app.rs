//! Registered applications.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::jose::{
    jwk::{Jwk, JwkSet},
    jwt::VerifyingKey,
};

/// The id of an app, cheap to copy around.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct ClientId(Arc<str>);

impl ClientId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ClientId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A grant type an app may use (the "auth choice" of the developer console).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AllowedGrant {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 6.
    RefreshToken,
    /// A personal JWT (RFC 7523 section 2.1).
    PersonalJwt,
}

/// How an app proves who it is (RFC 6749 section 2.3). Platform §3.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// A "client-side web app": the client id alone.
    Public,
    /// `client_secret_basic` or `client_secret_jwt`.
    Secret(String),
    /// `private_key_jwt`, with one of these keys.
    Keys(Vec<Jwk>),
}

impl Credentials {
    /// What the signature of a client assertion is verified with; nothing for a public app.
    pub(crate) fn verifying_keys(&self) -> Vec<VerifyingKey<'_>> {
        match self {
            Self::Public => Vec::new(),
            Self::Secret(secret) => vec![VerifyingKey::Secret(secret.as_bytes())],
            Self::Keys(keys) => keys.iter().map(VerifyingKey::Public).collect(),
        }
    }
}

/// A key set that an app cannot be registered with.
#[derive(Debug, thiserror::Error)]
#[error(
    "no set of RSA public keys, such as {{\"keys\":[{{\"kty\":\"RSA\",\"n\":\"…\",\"e\":\"AQAB\"}}]}}: {0}"
)]
pub struct KeySetError(#[from] serde_json::Error);

/// A registered application.
#[derive(Clone)]
#[non_exhaustive]
pub struct App {
    /// The name shown on the consent page.
    pub name: String,
    pub(super) client_id: ClientId,
    pub(super) credentials: Credentials,
    /// The registered redirect URIs, compared byte for byte. Empty: sign-in fails with OAU-113.
    pub redirect_uris: Vec<String>,
    /// "Issue refresh tokens" of the developer console. Off by default there and here.
    pub issue_refresh_tokens: bool,
    /// The app's permissions, which are also the scope strings of its tokens.
    pub permissions: Vec<String>,
    /// The grants the app may use; the authorization code and refresh by default.
    pub allowed_grants: Vec<AllowedGrant>,
}

impl App {
    /// An app that authenticates with a secret: `client_secret_basic`, or `client_secret_jwt`.
    #[must_use]
    pub fn confidential(
        name: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        Self {
            credentials: Credentials::Secret(client_secret.into()),
            ..Self::public(name, client_id)
        }
    }

    /// An app that authenticates with a key of its own (`private_key_jwt`), RS256. `key_set` is the JWK set of
    /// its public keys (RFC 7517 section 5), as JSON.
    ///
    /// # Errors
    ///
    /// When `key_set` is no set of RSA public keys.
    pub fn private_key_jwt(
        name: impl Into<String>,
        client_id: impl Into<String>,
        key_set: &str,
    ) -> Result<Self, KeySetError> {
        let JwkSet { keys } = serde_json::from_str(key_set)?;
        Ok(Self {
            credentials: Credentials::Keys(keys),
            ..Self::public(name, client_id)
        })
    }

    /// An app with the test key that everybody has.
    pub(super) fn with_test_key(name: &str, client_id: String) -> Self {
        let key_set = include_str!("../../test-keys/test-client-key-set.json");
        Self::private_key_jwt(name, client_id, key_set).expect("the committed key set is one")
    }

    /// A "client-side web app": no secret, PKCE instead (RFC 6749 section 2.1, RFC 7636).
    #[must_use]
    pub fn public(name: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            client_id: client_id.into().into(),
            credentials: Credentials::Public,
            redirect_uris: Vec::new(),
            issue_refresh_tokens: false,
            permissions: [
                "ReadAccounts",
                "ReadCallLog",
                "ReadMessages",
                "EditMessages",
                "SMS",
            ]
            .map(String::from)
            .to_vec(),
            allowed_grants: vec![AllowedGrant::AuthorizationCode, AllowedGrant::RefreshToken],
        }
    }

    /// Registers one more redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Sets "Issue refresh tokens".
    #[must_use]
    pub fn issue_refresh_tokens(mut self, issue: bool) -> Self {
        self.issue_refresh_tokens = issue;
        self
    }

    /// Lets the app use one more grant.
    #[must_use]
    pub fn allow(mut self, grant: AllowedGrant) -> Self {
        if !self.allows(grant) {
            self.allowed_grants.push(grant);
        }
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.client_id.as_str()
    }

    /// The client secret; `None` for an app without one.
    #[must_use]
    pub fn client_secret(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Secret(secret) => Some(secret),
            Credentials::Public | Credentials::Keys(_) => None,
        }
    }

    /// Whether the client id alone authenticates the app.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.credentials, Credentials::Public)
    }

    /// The same app under another id, with another secret where it has one.
    pub(crate) fn rename(&mut self, client_id: String, client_secret: String) {
        self.client_id = client_id.into();
        if let Credentials::Secret(secret) = &mut self.credentials {
            *secret = client_secret;
        }
    }

    pub(crate) fn id(&self) -> &ClientId {
        &self.client_id
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn allows(&self, grant: AllowedGrant) -> bool {
        self.allowed_grants.contains(&grant)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("client_id", &self.client_id())
            .field("public", &self.is_public())
            .field("redirect_uris", &self.redirect_uris)
            .field("issue_refresh_tokens", &self.issue_refresh_tokens)
            .field("permissions", &self.permissions)
            .field("allowed_grants", &self.allowed_grants)
            .finish_non_exhaustive()
    }
}
