//! What a platform is made of: its account, apps and users, and the switches of its behaviour.

mod app;
#[cfg(feature = "server")]
mod file;
mod registry;
mod user;

#[cfg(feature = "server")]
pub use self::file::ConfigError;
pub use self::{
    app::{AllowedGrant, App, KeySetError},
    user::{Role, User},
};
pub(crate) use self::{
    app::{ClientId, Credentials},
    registry::Registry,
    user::UserId,
};
use crate::{seed::Seed, switches::Switches};

/// Everything a [`Platform`](crate::Platform) is made of.
///
/// Plain data. Start from [`Config::demo`] or [`Config::new`] and change the fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Every token, code and generated secret follows from it: same seed and same requests, same bytes.
    pub seed: u64,
    /// The company all users belong to.
    pub account: Account,
    /// The registered applications.
    pub apps: Vec<App>,
    /// The users who can sign in.
    pub users: Vec<User>,
    /// Host names a server answers to beside loopback ones and the address it listens on, without a port.
    /// Default: none. A request for any other name gets 421, so that no web page can reach the platform by
    /// a name of its own that it points here. Only the `server` feature looks at it.
    pub host_names: Vec<String>,
    /// How the platform behaves where it is configurable or where sources disagree.
    pub switches: Switches,
}

impl Config {
    /// A platform without apps and users, with the default switches.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            account: Account::demo(),
            apps: Vec::new(),
            users: Vec::new(),
            host_names: Vec::new(),
            switches: Switches::default(),
        }
    }

    /// The platform of the demo: an app with a secret, a public app, one with a key of its own, and four users: an
    /// administrator, an ordinary one, one whose role forbids third-party apps, and one who is disabled.
    ///
    /// The apps accept exactly `redirect_uri` and get refresh tokens; those that are not public also take
    /// personal JWTs. Ids and secrets follow from `seed`; read them with
    /// [`confidential_app`](Self::confidential_app), [`public_app`](Self::public_app),
    /// [`key_app`](Self::key_app) and [`demo_user`](Self::demo_user).
    ///
    /// ```
    /// let config = rc_sim::Config::demo(1, "http://localhost:8080/oauth/callback");
    /// assert!(config.confidential_app().and_then(|app| app.client_secret()).is_some());
    /// assert!(config.public_app().is_some_and(|app| app.is_public()));
    /// ```
    #[must_use]
    pub fn demo(seed: u64, redirect_uri: impl Into<String>) -> Self {
        let redirect_uri = redirect_uri.into();
        let key = Seed::new(seed);
        let id = |app: &str| key.alphanumeric("client id", &[app.as_bytes()], 22);
        let secret = key.alphanumeric("client secret", &[], 32);
        Self {
            apps: vec![
                App::confidential("Demo application", id("confidential"), secret)
                    .redirect_uri(&redirect_uri)
                    .issue_refresh_tokens(true)
                    .allow(AllowedGrant::PersonalJwt),
                App::public("Demo public application", id("public"))
                    .redirect_uri(&redirect_uri)
                    .issue_refresh_tokens(true),
                App::with_test_key("Demo key application", id("key"))
                    .redirect_uri(&redirect_uri)
                    .issue_refresh_tokens(true)
                    .allow(AllowedGrant::PersonalJwt),
            ],
            users: User::demo(),
            ..Self::new(seed)
        }
    }

    /// The first app that has a secret.
    #[must_use]
    pub fn confidential_app(&self) -> Option<&App> {
        self.apps.iter().find(|app| app.client_secret().is_some())
    }

    /// The first public app.
    #[must_use]
    pub fn public_app(&self) -> Option<&App> {
        self.apps.iter().find(|app| app.is_public())
    }

    /// The first app that authenticates with a key of its own (`private_key_jwt`).
    #[must_use]
    pub fn key_app(&self) -> Option<&App> {
        let has_key = |app: &&App| !app.is_public() && app.client_secret().is_none();
        self.apps.iter().find(has_key)
    }

    /// The private key of the demo's app with a key, PKCS#8 in DER. Public, and for tests only.
    #[must_use]
    pub fn test_client_key() -> &'static [u8] {
        include_bytes!("../../test-keys/test-rsa-2048-client.der")
    }

    /// The user the sign-in page is filled in for: the first one.
    #[must_use]
    pub fn demo_user(&self) -> Option<&User> {
        self.users.first()
    }
}

/// A company.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// RingCentral's ids exceed 32 bits, and so does the demo's.
    pub id: u64,
    /// The company's name.
    pub name: String,
    /// The company's number, E.164.
    pub main_number: String,
    /// Whether the account is in good standing. In a disabled one nobody can sign in or refresh (OAU-142).
    /// Default: yes.
    pub enabled: bool,
}

impl Account {
    fn demo() -> Self {
        Self {
            id: 12_133_895_004,
            name: "Acme Robotics (fictional)".into(),
            main_number: "+16505550100".into(),
            enabled: true,
        }
    }
}
