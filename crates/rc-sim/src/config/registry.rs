//! Apps and users, found by what requests name them with.

use std::{collections::HashMap, sync::Arc};

use super::{App, ClientId, Config, User, UserId};

/// The apps and users of a platform. Two of the same id: the first one counts.
pub(crate) struct Registry {
    apps: HashMap<ClientId, Arc<App>>,
    users: HashMap<UserId, Arc<User>>,
    /// By login in lower case.
    logins: HashMap<String, UserId>,
}

impl Registry {
    pub(crate) fn new(config: &Config) -> Self {
        let mut registry = Self {
            apps: HashMap::new(),
            users: HashMap::new(),
            logins: HashMap::new(),
        };
        for app in &config.apps {
            let entry = registry.apps.entry(app.id().clone());
            entry.or_insert_with(|| Arc::new(app.clone()));
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

    pub(crate) fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// The user with this login, compared without case.
    pub(crate) fn login(&self, login: &str) -> Option<&Arc<User>> {
        let id = self.logins.get(&login.to_ascii_lowercase())?;
        self.users.get(id)
    }
}
