//! Many isolated platforms behind one address, so that parallel tests do not disturb each other.
//!
//! A namespace has the users and the switches of the platform it is made on, and apps with ids and secrets of
//! its own. A request belongs to the namespace of its client id, of its access token, or of its header
//! `X-Sim-Namespace`.

use bytes::Bytes;
use http::Request;

use crate::{
    config::Config,
    oauth::token_format,
    platform::{
        Platform,
        route::{Claims, Route, bearer_token},
    },
    seed::Seed,
    state::Record,
};

/// Names the namespace of a request, for clients that can send headers of their own.
pub(crate) const HEADER: &str = "x-sim-namespace";
/// The most namespaces at once.
const MOST: usize = 1_000;
/// The longest name.
const LONGEST: usize = 40;

/// Why there is no such namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The name cannot be part of a token.
    #[error("a namespace is named with 1 to 40 lower-case letters, digits and hyphens")]
    Name,
    /// There is one of this name.
    #[error("the namespace {0:?} exists already")]
    Taken(String),
    /// There are too many.
    #[error("there are 1,000 namespaces already; remove those that are no longer used")]
    TooMany,
}

/// Whose a request is.
pub(crate) enum Chosen {
    Own,
    Named(String),
}

impl Platform {
    /// Makes an isolated platform beside this one, with the same users and switches, and with client ids and
    /// secrets that follow from the seed and `name`. Read those from its [`config`](Self::config).
    ///
    /// # Errors
    ///
    /// When the name is taken or cannot be one, or when there are 1,000 namespaces already.
    pub fn add_namespace(&mut self, name: &str) -> Result<&Self, NamespaceError> {
        let ordinary = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(ordinary) {
            return Err(NamespaceError::Name);
        }
        if self.namespaces.contains_key(name) {
            return Err(NamespaceError::Taken(name.to_owned()));
        }
        if self.namespaces.len() >= MOST {
            return Err(NamespaceError::TooMany);
        }
        let mut namespace = Self::named(name, self.namespace_config(name));
        namespace.keys = self.keys.clone();
        if self.outbox.is_open() {
            namespace.keep_changes();
        }
        self.outbox.push(|| Record::Namespace {
            name: name.to_owned(),
        });
        Ok(self.namespaces.entry(name.to_owned()).or_insert(namespace))
    }

    fn namespace_config(&self, name: &str) -> Config {
        let mut config = self.initial.clone();
        config.switches = self.config.switches.clone();
        let key = Seed::new(config.seed);
        for app in &mut config.apps {
            let parts: [&[u8]; 2] = [name.as_bytes(), app.client_id().as_bytes()];
            let id = key.alphanumeric("namespace client id", &parts, 22);
            let secret = key.alphanumeric("namespace client secret", &parts, 32);
            app.rename(id, secret);
        }
        config
    }

    /// The namespace of this name.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Self> {
        self.namespaces.get(name)
    }

    /// The namespace of this name, to be changed.
    #[must_use]
    pub fn namespace_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.namespaces.get_mut(name)
    }

    /// The names of all namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().map(String::as_str)
    }

    /// Forgets a namespace and everything in it; returns whether it was there.
    pub fn remove_namespace(&mut self, name: &str) -> bool {
        self.outbox.push(|| Record::NamespaceRemoved {
            name: name.to_owned(),
        });
        self.namespaces.remove(name).is_some()
    }

    /// Whose `request` is: the header decides, then the client id, then the access token.
    pub(crate) fn namespace_of(&self, request: &Request<Bytes>) -> Chosen {
        if let Some(name) = request.headers().get(HEADER) {
            return Chosen::Named(String::from_utf8_lossy(name.as_bytes()).into_owned());
        }
        if self.namespaces.is_empty() {
            return Chosen::Own;
        }
        let route = Route::of(request.method(), request.uri().path());
        let of_client = Claims::of(route, request).client_id.and_then(|client_id| {
            let has = |namespace: &&Self| namespace.registry.app(&client_id).is_some();
            let namespace = self.namespaces.values().find(has)?;
            Some(namespace.name.clone())
        });
        let of_token = || {
            let token = bearer_token(request.headers())?;
            let name = token_format::decode(token)?.namespace;
            self.namespaces.contains_key(&name).then_some(name)
        };
        match of_client.or_else(of_token) {
            Some(name) => Chosen::Named(name),
            None => Chosen::Own,
        }
    }
}
