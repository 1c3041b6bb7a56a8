//! A platform's configuration as TOML.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Account, AllowedGrant, App, Config, KeySetError, Role, User};
use crate::switches::SwitchError;

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is no TOML, or has a member or a value that nobody knows.
    #[error("the configuration is not understood: {0}")]
    Toml(#[from] toml::de::Error),
    /// A switch is not known, or has no such value.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// The keys of an app are none.
    #[error("key_set of the app {name:?}: {source}")]
    KeySet {
        /// The app's name.
        name: String,
        /// Why.
        source: KeySetError,
    },
    /// Two apps have one client id, or two users one login or extension id.
    #[error("{0} stands there twice")]
    Twice(String),
    /// An app has a secret and keys.
    #[error("the app {0:?} has both client_secret and key_set; leave one out")]
    TwoCredentials(String),
    /// An app has a redirect URI that no answer can name.
    #[error("redirect_uris of the app {name:?}: {uri:?} contains control characters")]
    RedirectUri {
        /// The app's name.
        name: String,
        /// The URI.
        uri: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    host_names: Option<Vec<String>>,
    account: Option<AccountTable>,
    apps: Option<Vec<AppTable>>,
    users: Option<Vec<UserTable>>,
    switches: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    id: Option<u64>,
    name: Option<String>,
    main_number: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppTable {
    name: String,
    client_id: String,
    client_secret: Option<String>,
    /// A JWK set, as JSON.
    key_set: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    issue_refresh_tokens: Option<bool>,
    permissions: Option<Vec<String>>,
    allowed_grants: Option<Vec<AllowedGrant>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    login: String,
    password: String,
    extension_id: u64,
    first_name: String,
    last_name: String,
    extension_number: Option<String>,
    phone_number: Option<String>,
    role: Option<Role>,
    enabled: Option<bool>,
}

impl Config {
    /// This configuration with what `text`, TOML, changes about it. `[[apps]]` and `[[users]]` take the place of
    /// those that are there; `[account]` and `[switches]` change only what they name. The seed is not among it.
    ///
    /// ```
    /// use rc_sim::Config;
    ///
    /// let config = Config::demo(1, "http://localhost:8080/oauth/callback").with_toml(
    ///     r#"
    ///     [[apps]]
    ///     name = "My application"
    ///     client_id = "my-client-id"
    ///     client_secret = "my-client-secret"
    ///     redirect_uris = ["http://localhost:3000/callback"]
    ///     issue_refresh_tokens = true
    ///
    ///     [switches.limits]
    ///     enabled = false
    ///     "#,
    /// )?;
    /// assert_eq!(config.apps[0].client_id(), "my-client-id");
    /// # Ok::<(), rc_sim::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no TOML, or has a member or a value that nobody knows; the error names it.
    pub fn with_toml(self, text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text)?;
        let mut config = self;
        if let Some(names) = file.host_names {
            config.host_names = names;
        }
        if let Some(account) = file.account {
            account.change(&mut config.account);
        }
        if let Some(apps) = file.apps {
            let apps = apps.into_iter().map(AppTable::app);
            config.apps = apps.collect::<Result<_, _>>()?;
        }
        if let Some(users) = file.users {
            config.users = users.into_iter().map(UserTable::user).collect();
        }
        config.refuse_twins()?;
        if let Some(switches) = file.switches {
            config.switches = config.switches.patched(switches)?;
        }
        Ok(config)
    }
}

impl Config {
    fn refuse_twins(&self) -> Result<(), ConfigError> {
        let apps = self.apps.iter();
        let apps = apps.map(|app| format!("client_id {:?}", app.client_id()));
        let users = self.users.iter();
        let users = users.flat_map(|user| {
            [
                format!("login {:?}", user.login.to_ascii_lowercase()),
                format!("extension_id {}", user.extension_id),
            ]
        });
        let mut seen = HashSet::new();
        for name in apps.chain(users) {
            if !seen.insert(name.clone()) {
                return Err(ConfigError::Twice(name));
            }
        }
        Ok(())
    }
}

impl AccountTable {
    fn change(self, account: &mut Account) {
        set(&mut account.id, self.id);
        set(&mut account.name, self.name);
        set(&mut account.main_number, self.main_number);
        set(&mut account.enabled, self.enabled);
    }
}

impl AppTable {
    fn app(self) -> Result<App, ConfigError> {
        let (name, client_id) = (self.name, self.client_id);
        let unsendable = |uri: &&String| uri.contains(char::is_control);
        if let Some(uri) = self.redirect_uris.iter().find(unsendable) {
            let uri = uri.clone();
            return Err(ConfigError::RedirectUri { name, uri });
        }
        let mut app = match (self.client_secret, self.key_set) {
            (Some(_), Some(_)) => return Err(ConfigError::TwoCredentials(name)),
            (Some(secret), None) => App::confidential(name, client_id, secret),
            (None, Some(keys)) => App::private_key_jwt(&name, client_id, &keys)
                .map_err(|source| ConfigError::KeySet { name, source })?,
            (None, None) => App::public(name, client_id),
        };
        app.redirect_uris = self.redirect_uris;
        set(&mut app.issue_refresh_tokens, self.issue_refresh_tokens);
        set(&mut app.permissions, self.permissions);
        set(&mut app.allowed_grants, self.allowed_grants);
        Ok(app)
    }
}

impl UserTable {
    fn user(self) -> User {
        let mut user = User::new(
            self.login,
            self.password,
            self.extension_id,
            self.first_name,
            self.last_name,
        );
        set(&mut user.extension_number, self.extension_number);
        set(&mut user.phone_number, self.phone_number);
        set(&mut user.role, self.role);
        set(&mut user.enabled, self.enabled);
        user
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_that_fits_no_header_is_refused_with_the_app_and_the_uri() {
        let text = r#"
            [[apps]]
            name = "Broken"
            client_id = "id"
            redirect_uris = ["http://localhost/\n"]
        "#;
        let refused = Config::new(1).with_toml(text).expect_err("a refusal");
        let told = refused.to_string();
        assert!(
            told.contains("Broken") && told.contains(r"http://localhost/\n"),
            "{told}"
        );
    }

    #[test]
    fn twins_are_refused_by_name() {
        let app = "[[apps]]\nname = \"A\"\nclient_id = \"same\"\n";
        let refused = Config::new(1).with_toml(&[app, app].concat());
        let refused = refused.expect_err("twice").to_string();
        assert!(refused.contains("client_id \"same\""), "{refused}");
    }
}
