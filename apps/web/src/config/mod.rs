//! Configuration from environment variables, checked before anything starts.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use rc_auth::{AuthBudget, InvalidApp, OAuthApp, RefreshReplay, Secret, store::KeyRing};
use rc_auth_web::{CallbackLimit, TrustedProxies};
use tracing_subscriber::EnvFilter;

mod address;
mod callbacks;
mod database;
mod platform;
mod variables;

pub use address::{RedirectUri, origin_on_this_machine};
pub use database::{DatabaseUrl, Engine};
pub use variables::{VARIABLES, Variable, help};

/// Longer than any browser needs for a form of ours, short enough that nobody holds connections by it.
const FORM_LIMIT: Duration = Duration::from_secs(10);

/// Where the demo's keys are if a server keeps its records.
const DEMO_KEYS: &str = "rc-demo/rc-demo.keys";

/// Everything the application is told from outside.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Where to give out measurements; `None` gives out none. Port 0 takes a free one.
    pub metrics_bind: Option<SocketAddr>,
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
    /// How long the body of a form may take to arrive: 10 seconds, ample for 40 bytes on any line. No
    /// variable sets it; tests do.
    pub form_limit: Duration,
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
    pub fn app(&self) -> Result<OAuthApp, InvalidApp> {
        OAuthApp::new(
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
    /// `RC_ENCRYPTION_KEYS_FILE`, read at start.
    KeyFile(PathBuf),
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
        let refresh_replay = read.refresh_replay(&platform)?;
        let demo = matches!(platform, Platform::Simulated { .. });
        let database = read.database(demo)?;
        Ok(Self {
            bind: read.bind(demo)?,
            platform,
            keys: read.keys(demo, &database)?,
            database,
            auth_budget: read.auth_budget()?,
            refresh_replay,
            metrics_bind: read.metrics_bind()?,
            log: read.log()?,
            form_limit: FORM_LIMIT,
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

    fn switch(&self, variable: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.text(variable)?.as_deref() {
            None => Ok(None),
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            Some(_) => Err(ConfigError::new(variable, "is neither on nor off")),
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

    fn metrics_bind(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let parse = |text: String| {
            address::bind(&text).map_err(|problem| ConfigError::new("RC_METRICS_BIND", problem))
        };
        self.text("RC_METRICS_BIND")?.map(parse).transpose()
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
        let file = self.text("RC_ENCRYPTION_KEYS_FILE")?;
        match self.text("RC_ENCRYPTION_KEYS")? {
            Some(_) if file.is_some() => {
                let problem = "is set beside RC_ENCRYPTION_KEYS. Unset one of them";
                Err(ConfigError::new("RC_ENCRYPTION_KEYS_FILE", problem))
            }
            None if file.is_some() => Ok(Keys::KeyFile(file.unwrap_or_default().into())),
            Some(text) => text.parse().map(Keys::Given).map_err(|problem| {
                ConfigError::new("RC_ENCRYPTION_KEYS", format!("is unusable: {problem}"))
            }),
            None if demo => {
                let beside = database.beside("keys");
                Ok(Keys::File(beside.unwrap_or_else(|| DEMO_KEYS.into())))
            }
            None => {
                let problem = "is missing although RC_CLIENT_ID is set, and so is RC_ENCRYPTION_KEYS_FILE. \
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
