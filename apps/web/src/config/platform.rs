//! Which platform: the simulated one, or the one of a registered app.

use rc_auth::{OAuthApp, RefreshReplay, Secret};
use url::Url;

use super::{ConfigError, Platform, Reader, RedirectUri, Registration, address};

/// Variables that only a registered app needs. Any of them without `RC_CLIENT_ID` is half a configuration.
const OF_AN_APP: &[&str] = &[
    "RC_CLIENT_SECRET",
    "RC_REDIRECT_URI",
    "RC_SERVER_URL",
    "RC_ENCRYPTION_KEYS",
    "RC_ENCRYPTION_KEYS_FILE",
];

/// What a registered app cannot do without.
const REQUIRED: &[&str] = &["RC_CLIENT_ID", "RC_REDIRECT_URI", "RC_ENCRYPTION_KEYS"];

impl Reader<'_> {
    pub(super) fn platform(&self) -> Result<Platform, ConfigError> {
        let demo = self.switch("RC_DEMO")?;
        let limits = self.switch("RC_SIM_LIMITS")?;
        let client_id = self.credential("RC_CLIENT_ID")?;
        match (demo, client_id) {
            (Some(true), Some(_)) => {
                let problem = "is on, but RC_CLIENT_ID names a registered app. Unset one of them";
                Err(ConfigError::new("RC_DEMO", problem))
            }
            (Some(true), None) => self.demo("RC_DEMO", limits),
            (None, None) => self.demo("RC_CLIENT_ID", limits),
            (Some(false), None) => Err(self.app_is_missing()),
            (Some(false) | None, Some(_)) if limits.is_some() => {
                let problem = "only works in demo mode, but RC_CLIENT_ID is set";
                Err(ConfigError::new("RC_SIM_LIMITS", problem))
            }
            (Some(false) | None, Some(client_id)) => {
                self.registration(client_id).map(Platform::Registered)
            }
        }
    }

    /// The demo, unless something says that a registered app was meant. `asked_by` is the variable to blame:
    /// `RC_DEMO=on` excuses keys of one's own, and nothing else.
    fn demo(&self, asked_by: &'static str, limits: Option<bool>) -> Result<Platform, ConfigError> {
        for name in OF_AN_APP {
            if self.text(name)?.is_none() {
                continue;
            }
            let problem = match (asked_by, *name) {
                ("RC_DEMO", "RC_ENCRYPTION_KEYS" | "RC_ENCRYPTION_KEYS_FILE") => continue,
                ("RC_DEMO", _) => {
                    format!("is on, but {name} belongs to a registered app. Unset one of them")
                }
                (_, "RC_ENCRYPTION_KEYS" | "RC_ENCRYPTION_KEYS_FILE") => format!(
                    "is missing although {name} is set. Set it too; for the demo unset {name}, \
                     or set RC_DEMO=on"
                ),
                _ => format!(
                    "is missing although {name} is set. Set it too, or unset {name} for the demo"
                ),
            };
            return Err(ConfigError::new(asked_by, problem));
        }
        Ok(Platform::Simulated {
            limits: limits.unwrap_or(false),
        })
    }

    /// `RC_DEMO=off` without an app: everything that is missing, at once.
    fn app_is_missing(&self) -> ConfigError {
        let missing = REQUIRED
            .iter()
            .filter(|name| !matches!(self.text(name), Ok(Some(_))));
        let missing: Vec<_> = missing.copied().collect();
        let problem = format!(
            "is missing, and RC_DEMO=off never starts the simulated platform. \
             To be set: {}",
            missing.join(", ")
        );
        ConfigError::new("RC_CLIENT_ID", problem)
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
        let server = server.unwrap_or_else(|| OAuthApp::DEFAULT_SERVER.to_owned());
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

    /// Without `RC_REFRESH_REPLAY` only RingCentral itself, and its simulation, are trusted to answer a used
    /// refresh token with the same pair: presented again elsewhere, it may end the sign-in.
    pub(super) fn refresh_replay(&self, platform: &Platform) -> Result<RefreshReplay, ConfigError> {
        match self.text("RC_REFRESH_REPLAY")?.as_deref() {
            None => Ok(match platform {
                Platform::Simulated { .. } => RefreshReplay::RINGCENTRAL,
                Platform::Registered(app) if is_ringcentral(&app.server) => {
                    RefreshReplay::RINGCENTRAL
                }
                Platform::Registered(_) => RefreshReplay::None,
            }),
            Some("grace") => Ok(RefreshReplay::RINGCENTRAL),
            Some("none") => Ok(RefreshReplay::None),
            Some(_) => Err(ConfigError::new(
                "RC_REFRESH_REPLAY",
                "is neither grace nor none",
            )),
        }
    }
}

/// Whether `server` is a host below ringcentral.com, reached over https.
fn is_ringcentral(server: &str) -> bool {
    Url::parse(server).is_ok_and(|url| {
        url.scheme() == "https"
            && url
                .host_str()
                .is_some_and(|host| host.ends_with(".ringcentral.com"))
    })
}
