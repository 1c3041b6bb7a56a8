//! Registered applications.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

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
}

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

    /// A "client-side web app": no secret, PKCE instead (RFC 6749 section 2.1, RFC 7636).
    #[must_use]
    pub fn public(name: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            client_id: client_id.into().into(),
            credentials: Credentials::Public,
            redirect_uris: Vec::new(),
            issue_refresh_tokens: false,
            permissions: ["ReadAccounts", "ReadCallLog", "ReadMessages", "SMS"]
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
            Credentials::Public => None,
        }
    }

    /// Whether the client id alone authenticates the app.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.credentials, Credentials::Public)
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
