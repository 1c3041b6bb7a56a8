//! What a [`WebAuth`] is made of.

use std::{
    fmt,
    sync::{Arc, Once},
    time::Duration,
};

use rc_auth::{Client, Environment, SystemEnvironment, store::KeyRing};

use crate::{
    CallbackLimit, ClientAddress, Paths, SealedCookies, SessionStore, UnfitRedirectUri, WebAuth,
    code_exchanges::CodeExchanges, cookies::Cookies, pending::PendingSignIns,
    redirect_uri::RedirectUri, security_headers::security_headers, session::SessionTimes,
    web_auth::Inner,
};

/// Why a [`WebAuth`] could not be built.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// It was not said how the addresses of browsers are known. There is no safe default: behind a proxy
    /// all browsers would share one limit, and without one anybody could write themselves an address.
    #[error(
        "it is not said where browsers' addresses come from: call WebAuthBuilder::client_address, with \
         ClientAddress::Peer if browsers connect directly and ClientAddress::Forwarded behind a proxy"
    )]
    NoClientAddress,
    /// The redirect URI of the client's app is not for a web application.
    #[error("the redirect URI {0}")]
    RedirectUri(UnfitRedirectUri),
    /// The prefix cannot begin the name of a cookie.
    #[error("a cookie prefix has 1 to 32 of the characters A-Z a-z 0-9 _ -")]
    CookiePrefix,
    /// Sessions would end at once.
    #[error("the idle time-out and the lifetime of sessions are at least one second each")]
    SessionTimes,
    /// There is no tokio runtime here to run background tasks on.
    #[error("no tokio runtime: build inside one, or call WebAuthBuilder::environment")]
    NoRuntime,
}

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Not `#[from]`: the sentence has its cause in it, and a chain would print it twice.
impl From<UnfitRedirectUri> for BuildError {
    fn from(unfit: UnfitRedirectUri) -> Self {
        Self::RedirectUri(unfit)
    }
}

/// Collects what a [`WebAuth`] is made of.
#[derive(Debug)]
#[must_use]
pub struct WebAuthBuilder {
    client: Client,
    keys: KeyRing,
    client_address: Option<ClientAddress>,
    callback_limit: Option<CallbackLimit>,
    session_store: Option<Arc<dyn SessionStore>>,
    times: SessionTimes,
    cookie_prefix: String,
    paths: Paths,
    probe_paths: Vec<String>,
    environment: Option<Arc<dyn Environment>>,
}

impl WebAuthBuilder {
    /// How long a session lasts without a request, if nothing else is said: 14 days, which people who come
    /// once a week do not notice.
    pub const DEFAULT_SESSION_IDLE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
    /// How long a session lasts however active it is, if nothing else is said: 30 days from the sign-in.
    pub const DEFAULT_SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    pub(crate) fn new(client: Client, keys: KeyRing) -> Self {
        Self {
            client,
            keys,
            client_address: None,
            callback_limit: Some(CallbackLimit::default()),
            session_store: None,
            times: SessionTimes {
                idle: Self::DEFAULT_SESSION_IDLE,
                lifetime: Self::DEFAULT_SESSION_LIFETIME,
            },
            cookie_prefix: "rc".to_owned(),
            paths: Paths::default(),
            probe_paths: Vec::new(),
            environment: None,
        }
    }

    /// Where browsers' addresses come from. Required.
    pub fn client_address(mut self, from: ClientAddress) -> Self {
        self.client_address = Some(from);
        self
    }

    /// How many refused code exchanges one address may cause; `None`: any number. Default:
    /// [`CallbackLimit::default`].
    pub const fn callback_limit(mut self, limit: Option<CallbackLimit>) -> Self {
        self.callback_limit = limit;
        self
    }

    /// Where sessions are kept. Default: [`SealedCookies`] with the key ring, nothing on the server.
    pub fn session_store(mut self, store: impl SessionStore + 'static) -> Self {
        self.session_store = Some(Arc::new(store));
        self
    }

    /// How long a session lasts without a request. Default: [`Self::DEFAULT_SESSION_IDLE`].
    pub const fn session_idle(mut self, idle: Duration) -> Self {
        self.times.idle = idle;
        self
    }

    /// How long a session lasts from its sign-in on, however active it is. Default:
    /// [`Self::DEFAULT_SESSION_LIFETIME`].
    pub const fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.times.lifetime = lifetime;
        self
    }

    /// What the names of all cookies begin with, after `__Host-` on https. Default: `rc`. Applications on
    /// one host name, such as several on one developer's machine, need different ones.
    pub fn cookie_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.cookie_prefix = prefix.into();
        self
    }

    /// The application's paths. Default: [`Paths::default`].
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// Paths that load balancers ask for by IP address, or without a host name. Their answers must say
    /// nothing about anybody, so that a page that reached them by DNS rebinding would learn nothing.
    /// Default: none.
    pub fn probe_paths<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.probe_paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Clocks, randomness, and what runs tasks that must not end with a request. Default:
    /// [`SystemEnvironment::current`].
    pub fn environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Builds it. Sends nothing and reads nothing.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or cannot be.
    pub fn build(self) -> Result<WebAuth, BuildError> {
        let client_address = self.client_address.ok_or(BuildError::NoClientAddress)?;
        let second = Duration::from_secs(1);
        if self.times.idle < second || self.times.lifetime < second {
            return Err(BuildError::SessionTimes);
        }
        if !is_prefix(&self.cookie_prefix) {
            return Err(BuildError::CookiePrefix);
        }
        let redirect_uri = RedirectUri::parse(self.client.app().redirect_uri(), &self.paths)?;
        let https = redirect_uri.is_https();
        let cookies = Cookies::new(&self.cookie_prefix, https);
        let removal = cookies.remove(cookies.session_name());
        let environment = match self.environment {
            Some(environment) => environment,
            None => Arc::new(SystemEnvironment::current().ok_or(BuildError::NoRuntime)?),
        };
        let sealed = || SealedCookies::new(self.keys.clone(), cookies.session_name());
        let sessions = self.session_store.unwrap_or_else(|| Arc::new(sealed()));
        Ok(WebAuth::from(Inner {
            client: self.client,
            client_address,
            proxy_is_missing: Once::new(),
            exchanges: CodeExchanges::new(self.callback_limit),
            sessions,
            times: self.times,
            pending: PendingSignIns::new(self.keys, cookies.clone()),
            session_removal: removal.ok_or(BuildError::CookiePrefix)?,
            cookies,
            paths: self.paths,
            probe_paths: self.probe_paths,
            security_headers: security_headers(https),
            redirect_uri,
            environment,
        }))
    }
}

fn is_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}
