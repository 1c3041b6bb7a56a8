//! Configuration from environment variables, checked before anything starts.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf};

use rc_auth::{App, AuthBudget, InvalidApp, RefreshReplay, Secret, store::KeyRing};
use tracing_subscriber::EnvFilter;

mod address;
mod callback_limit;
mod callbacks;
mod database;
mod trusted_proxies;
mod variables;

pub use address::{RedirectUri, origin_on_this_machine};
pub use callback_limit::{CallbackLimit, InvalidCallbackLimit};
pub use database::DatabaseUrl;
pub use trusted_proxies::{InvalidTrustedProxies, TrustedProxies};
pub use variables::{VARIABLES, Variable, help};

/// Everything the application is told from outside.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Whom to sign in with.
    pub platform: Platform,
    /// Where sign-ins are kept.
    pub database: DatabaseUrl,
    /// What encrypts the database and the cookies.
    pub keys: Keys,
    /// The app's own limit on token requests; `None` leaves it to the platform's headers.
    pub auth_budget: Option<AuthBudget>,
    /// What the platform does with a refresh token that was used before.
    pub refresh_replay: RefreshReplay,
    /// `RUST_LOG`, checked.
    pub log: String,
    /// How many refused code exchanges one browser address may cause; `None` counts none.
    pub callback_limit: Option<CallbackLimit>,
    /// Whose word about the browser's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether a callback without `iss` is refused (RFC 9207 §2.4).
    pub require_iss: bool,
}

/// The platform the application signs in with.
#[derive(Debug)]
pub enum Platform {
    /// Demo mode: the simulated platform, in this process.
    Simulated {
        /// Whether it enforces its rate limits.
        limits: bool,
    },
    /// A registered app on RingCentral, or on a server that behaves alike.
    Registered(Registration),
}

/// What the developer console knows about the app.
#[derive(Debug)]
pub struct Registration {
    /// `RC_CLIENT_ID`
    pub client_id: String,
    /// `RC_CLIENT_SECRET`; `None` is a public app.
    pub client_secret: Option<Secret>,
    /// `RC_REDIRECT_URI`
    pub redirect_uri: RedirectUri,
    /// `RC_SERVER_URL`
    pub server: String,
}

impl Registration {
    /// The app as `rc-auth` wants it.
    ///
    /// # Errors
    ///
    /// When `rc-auth` finds something wrong with a value.
    pub fn app(&self) -> Result<App, InvalidApp> {
        App::new(
            &self.client_id,
            self.client_secret.clone(),
            self.redirect_uri.as_str(),
            &self.server,
        )
    }
}

/// Where the encryption keys come from.
#[derive(Debug)]
pub enum Keys {
    /// `RC_ENCRYPTION_KEYS`
    Given(KeyRing),
    /// Demo mode: a file that only its owner may read, made on first start.
    File(PathBuf),
}

/// A variable that cannot be used. Prints the name, the problem and an example, never the value.
#[derive(Debug)]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self {
            variable,
            problem: problem.into(),
        }
    }

    /// The variable's name.
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, problem } = self;
        let example = variables::example_of(variable);
        write!(f, "{variable} {problem}.\nExample: {variable}={example}")
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the variables through `lookup`, so that tests need no real environment.
    ///
    /// # Errors
    ///
    /// On the first variable that is wrong, missing, or useless beside the others.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let read = Reader(&lookup);
        let platform = read.platform()?;
        let demo = matches!(platform, Platform::Simulated { .. });
        let database = read.database(demo)?;
        Ok(Self {
            bind: read.bind(demo)?,
            platform,
            keys: read.keys(demo, &database)?,
            database,
            auth_budget: read.auth_budget()?,
            refresh_replay: read.refresh_replay()?,
            log: read.log()?,
            callback_limit: read.callback_limit()?,
            trusted_proxies: read.trusted_proxies()?,
            require_iss: read.require_iss(demo)?,
        })
    }
}

/// Reads variables one by one. An empty value counts as absent.
struct Reader<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Reader<'_> {
    fn text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = (self.0)(variable).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let text = value.into_string();
        text.map(Some)
            .map_err(|_| ConfigError::new(variable, "is not UTF-8"))
    }

    /// A value that ends up in a request: stray blanks from copying are refused, not sent.
    fn credential(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let value = self.text(variable)?;
        match &value {
            Some(text) if text.chars().any(|c| c.is_whitespace() || c.is_control()) => Err(
                ConfigError::new(variable, "contains white space or control characters"),
            ),
            Some(_) | None => Ok(value),
        }
    }

    fn platform(&self) -> Result<Platform, ConfigError> {
        let limits = self.sim_limits()?;
        let Some(client_id) = self.credential("RC_CLIENT_ID")? else {
            for name in ["RC_CLIENT_SECRET", "RC_REDIRECT_URI", "RC_SERVER_URL"] {
                if self.text(name)?.is_some() {
                    let problem = format!(
                        "is missing although {name} is set. Set it too, or unset {name} for the demo"
                    );
                    return Err(ConfigError::new("RC_CLIENT_ID", problem));
                }
            }
            return Ok(Platform::Simulated {
                limits: limits.unwrap_or(false),
            });
        };
        if limits.is_some() {
            let problem = "only works in demo mode, but RC_CLIENT_ID is set";
            return Err(ConfigError::new("RC_SIM_LIMITS", problem));
        }
        self.registration(client_id).map(Platform::Registered)
    }

    fn registration(&self, client_id: String) -> Result<Registration, ConfigError> {
        let client_secret = self.credential("RC_CLIENT_SECRET")?.map(Secret::new);
        let Some(redirect_uri) = self.text("RC_REDIRECT_URI")? else {
            let problem = "is missing although RC_CLIENT_ID is set. \
                Give it byte for byte as registered in the developer console";
            return Err(ConfigError::new("RC_REDIRECT_URI", problem));
        };
        let redirect_uri = RedirectUri::parse(&redirect_uri)
            .map_err(|problem| ConfigError::new("RC_REDIRECT_URI", problem))?;
        let server = self.text("RC_SERVER_URL")?;
        let server = server.unwrap_or_else(|| App::DEFAULT_SERVER.to_owned());
        address::server_url(&server)
            .map_err(|problem| ConfigError::new("RC_SERVER_URL", problem))?;
        let registration = Registration {
            client_id,
            client_secret,
            redirect_uri,
            server,
        };
        if let Err(problem) = registration.app() {
            return Err(ConfigError::new(
                "RC_CLIENT_ID",
                format!("or what belongs to it: {problem}"),
            ));
        }
        Ok(registration)
    }

    fn sim_limits(&self) -> Result<Option<bool>, ConfigError> {
        match self.text("RC_SIM_LIMITS")?.as_deref() {
            None => Ok(None),
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            Some(_) => Err(ConfigError::new("RC_SIM_LIMITS", "is neither on nor off")),
        }
    }

    fn bind(&self, demo: bool) -> Result<SocketAddr, ConfigError> {
        let text = self
            .text("BIND")?
            .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let bind = address::bind(&text).map_err(|problem| ConfigError::new("BIND", problem))?;
        let reaches_demo = bind.ip().is_loopback() || bind.ip().is_unspecified();
        if demo && !reaches_demo {
            let problem = "is not a loopback address, and in demo mode the simulated platform \
                can be reached from this machine only";
            return Err(ConfigError::new("BIND", problem));
        }
        Ok(bind)
    }

    fn database(&self, demo: bool) -> Result<DatabaseUrl, ConfigError> {
        const DEMO: &str = "sqlite://rc-demo/rc-demo.db?mode=rwc";
        const REGISTERED: &str = "sqlite://rc-web.db?mode=rwc";
        let default = if demo { DEMO } else { REGISTERED };
        let text = self
            .text("DATABASE_URL")?
            .unwrap_or_else(|| default.to_owned());
        DatabaseUrl::parse(&text).map_err(|problem| ConfigError::new("DATABASE_URL", problem))
    }

    fn keys(&self, demo: bool, database: &DatabaseUrl) -> Result<Keys, ConfigError> {
        match self.text("RC_ENCRYPTION_KEYS")? {
            Some(text) => text.parse().map(Keys::Given).map_err(|problem| {
                ConfigError::new("RC_ENCRYPTION_KEYS", format!("is unusable: {problem}"))
            }),
            None if demo => Ok(Keys::File(database.beside("keys"))),
            None => {
                let problem = "is missing although RC_CLIENT_ID is set. \
                    It encrypts what is stored; keep it apart from the database and its backups";
                Err(ConfigError::new("RC_ENCRYPTION_KEYS", problem))
            }
        }
    }

    fn auth_budget(&self) -> Result<Option<AuthBudget>, ConfigError> {
        let parse = |text: String| {
            text.parse()
                .map_err(|_| ConfigError::new("RC_AUTH_BUDGET", "is not a limit"))
        };
        self.text("RC_AUTH_BUDGET")?.map(parse).transpose()
    }

    fn refresh_replay(&self) -> Result<RefreshReplay, ConfigError> {
        match self.text("RC_REFRESH_REPLAY")?.as_deref() {
            None | Some("grace") => Ok(RefreshReplay::RINGCENTRAL),
            Some("none") => Ok(RefreshReplay::None),
            Some(_) => Err(ConfigError::new(
                "RC_REFRESH_REPLAY",
                "is neither grace nor none",
            )),
        }
    }

    fn log(&self) -> Result<String, ConfigError> {
        let text = self.text("RUST_LOG")?.unwrap_or_else(|| "info".to_owned());
        match EnvFilter::builder().parse(&text) {
            Ok(_) => Ok(text),
            Err(_) => Err(ConfigError::new(
                "RUST_LOG",
                "is not a list of filter directives",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
