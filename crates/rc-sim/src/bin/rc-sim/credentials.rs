//! What somebody needs to start. Secrets included: they are simulated, and this is how they are told.

use base64::{Engine, engine::general_purpose::STANDARD};
use rc_sim::{Config, Platform};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

/// A platform's address, and what follows from its configuration.
pub(crate) struct Credentials {
    base: String,
    config: Config,
    /// Of the first user.
    jwt: Option<String>,
}

impl Credentials {
    pub(crate) fn of(platform: &Platform, base: String) -> Self {
        let config = platform.config().clone();
        let user = config.demo_user();
        let jwt = user.and_then(|user| platform.personal_jwt(&user.login));
        Self { base, config, jwt }
    }

    /// Lines that a shell reads: `KEY='value'`.
    pub(crate) fn environment(&self) -> String {
        let lines = self.variables().into_iter();
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("{name}={}", quoted(&value)))
            .collect();
        lines.join("\n")
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let mut variables = vec![("RC_SERVER_URL", self.base.clone())];
        let mut add = |name, value: Option<&str>| {
            variables.extend(value.map(|value| (name, value.to_owned())));
        };
        let app = config.confidential_app();
        let (id, secret) = (
            app.map(|app| app.client_id()),
            app.and_then(|app| app.client_secret()),
        );
        add("RC_CLIENT_ID", id);
        add("RC_CLIENT_SECRET", secret);
        add(
            "RC_PUBLIC_CLIENT_ID",
            config.public_app().map(|app| app.client_id()),
        );
        let redirect_uri = app.or(config.public_app());
        let redirect_uri = redirect_uri.and_then(|app| app.redirect_uris.first());
        add("RC_REDIRECT_URI", redirect_uri.map(String::as_str));
        add(
            "RC_USERNAME",
            config.demo_user().map(|user| user.login.as_str()),
        );
        add(
            "RC_PASSWORD",
            config.demo_user().map(|user| user.password()),
        );
        add("RC_JWT", self.jwt.as_deref());
        // The same app may also sign with its secret (client_secret_jwt).
        add("RC_CLIENT_SECRET_JWT_CLIENT_ID", id);
        add("RC_CLIENT_SECRET_JWT_CLIENT_SECRET", secret);
        if let Some(app) = config.key_app() {
            add("RC_PRIVATE_KEY_JWT_CLIENT_ID", Some(app.client_id()));
            let key = STANDARD.encode(Config::test_client_key());
            add("RC_PRIVATE_KEY_JWT_KEY", Some(&key));
        }
        variables
    }

    /// One line for a program.
    pub(crate) fn json(&self) -> String {
        let apps = self.config.apps.iter().map(|app| {
            json!({
                "name": app.name,
                "client_id": app.client_id(),
                "client_secret": app.client_secret(),
                "redirect_uris": app.redirect_uris,
            })
        });
        let users = self.config.users.iter().map(|user| {
            json!({
                "login": user.login,
                "password": user.password(),
                "role": user.role,
                "enabled": user.enabled,
            })
        });
        let (apps, users): (Vec<Value>, Vec<Value>) = (apps.collect(), users.collect());
        json!({
            "base_url": self.base,
            "apps": apps,
            "users": users,
            "personal_jwt": self.jwt,
        })
        .to_string()
    }

    /// Lines for a person.
    pub(crate) fn introduction(&self) -> String {
        let base = &self.base;
        let mut lines = vec![
            format!("Simulated RingCentral platform: {base}"),
            String::new(),
        ];
        for app in &self.config.apps {
            let (kind, secret) = match app.client_secret() {
                Some(secret) => ("App with a secret", format!("  client secret {secret}")),
                None if app.is_public() => ("Public app (PKCE)", String::new()),
                None => ("App with a key", String::new()),
            };
            lines.push(format!("{kind:<18} client id {}{secret}", app.client_id()));
        }
        for user in &self.config.users {
            let note = match user.role {
                _ if !user.enabled => "  (disabled)",
                rc_sim::Role::Administrator => "  (administrator)",
                rc_sim::Role::NoThirdPartyApps => "  (may not use apps)",
                _ => "",
            };
            let (name, login, password) = (user.name(), &user.login, user.password());
            lines.push(format!("{name:<18} {login}  password {password}{note}"));
        }
        lines.extend(self.first_steps());
        lines.join("\n")
    }

    fn first_steps(&self) -> Vec<String> {
        let base = &self.base;
        let Some(app) = self.config.confidential_app() else {
            return Vec::new();
        };
        let redirect_uri = app.redirect_uris.first().map_or("", String::as_str);
        let encoded: String = byte_serialize(redirect_uri.as_bytes()).collect();
        let (id, secret) = (app.client_id(), app.client_secret().unwrap_or_default());
        let mut lines = Vec::new();
        if let Some(jwt) = &self.jwt {
            lines.extend([
                String::new(),
                "Tokens at once, with a personal JWT:".into(),
                format!("  curl -u {id}:{secret} -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d assertion={jwt} {base}/restapi/oauth/token"),
            ]);
        }
        lines.extend([
            String::new(),
            "Or sign in, in a browser:".into(),
            format!("  {base}/restapi/oauth/authorize?response_type=code&client_id={id}&redirect_uri={encoded}&state=demo"),
            "then, within 60 s, with the code of the address it ends at:".into(),
            format!("  curl -u {id}:{secret} -d grant_type=authorization_code -d redirect_uri={encoded} -d code=CODE {base}/restapi/oauth/token"),
            "Counters, clock, faults and more; the description of it all:".into(),
            format!("  curl {base}/sim/counters"),
            format!("  curl {base}/sim/openapi.json"),
        ]);
        lines
    }
}

/// In single quotes, in which a shell takes everything as it is.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_quoted() {
        assert_eq!(quoted("a'b $c"), r"'a'\''b $c'");
    }
}
