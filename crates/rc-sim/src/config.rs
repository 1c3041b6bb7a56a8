//! What a platform is made of: its account, apps and users, and the switches of its behaviour.

use std::fmt;

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

    /// The platform of the demo: an app with a secret, a public app, and two users.
    ///
    /// Both apps accept exactly `redirect_uri` and get refresh tokens. Ids and secrets follow from `seed`;
    /// read them with [`confidential_app`](Self::confidential_app), [`public_app`](Self::public_app) and
    /// [`demo_user`](Self::demo_user).
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
                    .issue_refresh_tokens(true),
                App::public("Demo public application", id("public"))
                    .redirect_uri(&redirect_uri)
                    .issue_refresh_tokens(true),
            ],
            users: vec![User::ada(), User::grace()],
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
        self.apps.iter().find(|app| app.client_secret().is_none())
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
}

impl Account {
    fn demo() -> Self {
        Self {
            id: 12_133_895_004,
            name: "Acme Robotics (fictional)".into(),
            main_number: "+16505550100".into(),
        }
    }
}

/// A grant type an app may use (the "auth choice" of the developer console).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AllowedGrant {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 6.
    RefreshToken,
}

/// A registered application.
#[derive(Clone)]
#[non_exhaustive]
pub struct App {
    /// The name shown on the consent page.
    pub name: String,
    client_id: String,
    client_secret: Option<String>,
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
    /// An app that authenticates with a secret (`client_secret_basic`).
    #[must_use]
    pub fn confidential(
        name: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        Self {
            client_secret: Some(client_secret.into()),
            ..Self::public(name, client_id)
        }
    }

    /// A "client-side web app": no secret, PKCE instead (RFC 6749 section 2.1, RFC 7636).
    #[must_use]
    pub fn public(name: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            client_id: client_id.into(),
            client_secret: None,
            redirect_uris: Vec::new(),
            issue_refresh_tokens: false,
            permissions: ["ReadAccounts", "ReadMessages", "SMS"]
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

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client secret; `None` for a public app.
    #[must_use]
    pub fn client_secret(&self) -> Option<&str> {
        self.client_secret.as_deref()
    }

    pub(crate) fn allows(&self, grant: AllowedGrant) -> bool {
        self.allowed_grants.contains(&grant)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("client_id", &self.client_id)
            .field("public", &self.client_secret.is_none())
            .field("redirect_uris", &self.redirect_uris)
            .field("issue_refresh_tokens", &self.issue_refresh_tokens)
            .field("permissions", &self.permissions)
            .field("allowed_grants", &self.allowed_grants)
            .finish_non_exhaustive()
    }
}

/// A fictional user.
#[derive(Clone)]
#[non_exhaustive]
pub struct User {
    /// What the user types into the sign-in page, compared without case.
    pub login: String,
    password: String,
    /// The extension's id; a number in v1.0 resources, a string in `owner_id`.
    pub extension_id: u64,
    /// The short number inside the company.
    pub extension_number: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The user's direct number, E.164.
    pub phone_number: String,
    /// Whether the user administers the account.
    pub admin: bool,
}

impl User {
    /// A user with an extension.
    #[must_use]
    pub fn new(
        login: impl Into<String>,
        password: impl Into<String>,
        extension_id: u64,
        first_name: impl Into<String>,
        last_name: impl Into<String>,
    ) -> Self {
        Self {
            login: login.into(),
            password: password.into(),
            extension_id,
            extension_number: (extension_id % 1000).to_string(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            phone_number: format!("+1650555{:04}", 100 + extension_id % 100),
            admin: false,
        }
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// First and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    fn ada() -> Self {
        let user = Self::new(
            "ada@acme.example",
            "Engine-1843",
            12_133_895_101,
            "Ada",
            "Example",
        );
        Self {
            admin: true,
            ..user
        }
    }

    fn grace() -> Self {
        Self::new(
            "grace@acme.example",
            "Compiler-1952",
            12_133_895_102,
            "Grace",
            "Sample",
        )
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("login", &self.login)
            .field("extension_id", &self.extension_id)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}
