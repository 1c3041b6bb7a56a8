//! Apps and users, found by what requests name them with.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use url::Url;

use super::{App, ClientId, Config, User, UserId};

/// The apps and users of a platform. Two of the same id: the first one counts.
pub(crate) struct Registry {
    apps: HashMap<ClientId, Arc<App>>,
    users: HashMap<UserId, Arc<User>>,
    /// By login in lower case.
    logins: HashMap<String, UserId>,
    /// The origins of all redirect URIs.
    origins: HashSet<String>,
}

impl Registry {
    pub(crate) fn new(config: &Config) -> Self {
        let mut registry = Self {
            apps: HashMap::new(),
            users: HashMap::new(),
            logins: HashMap::new(),
            origins: HashSet::new(),
        };
        for app in &config.apps {
            let entry = registry.apps.entry(app.id().clone());
            entry.or_insert_with(|| Arc::new(app.clone()));
            let uris = app.redirect_uris.iter().flat_map(|uri| Url::parse(uri));
            let origins = uris
                .map(|uri| uri.origin())
                .filter(|origin| origin.is_tuple());
            registry
                .origins
                .extend(origins.map(|origin| origin.ascii_serialization()));
        }
        for user in &config.users {
            let login = user.login.to_ascii_lowercase();
            registry.logins.entry(login).or_insert_with(|| user.id());
            let entry = registry.users.entry(user.id());
            entry.or_insert_with(|| Arc::new(user.clone()));
        }
        registry
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&Arc<App>> {
        self.apps.get(client_id)
    }

    /// Whether an app has a redirect URI of this origin.
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }

    /// Enables or disables a user; returns whether there is one of this login.
    pub(crate) fn enable_user(&mut self, login: &str, enabled: bool) -> bool {
        let Some(id) = self.logins.get(&login.to_ascii_lowercase()) else {
            return false;
        };
        let user = self.users.get_mut(id);
        user.is_some_and(|user| {
            Arc::make_mut(user).enabled = enabled;
            true
        })
    }

    /// The users who are not as `config` has them.
    pub(crate) fn changed_users(&self, config: &Config) -> impl Iterator<Item = &Arc<User>> {
        config.users.iter().filter_map(|configured| {
            let user = self.users.get(&configured.id())?;
            (user.enabled != configured.enabled).then_some(user)
        })
    }

    pub(crate) fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// The user with this login, compared without case.
    pub(crate) fn login(&self, login: &str) -> Option<&Arc<User>> {
        let id = self.logins.get(&login.to_ascii_lowercase())?;
        self.users.get(id)
    }
}
