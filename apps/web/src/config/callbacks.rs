//! The variables about callbacks of browsers.

use rc_auth_web::{CallbackLimit, TrustedProxies};

use super::{ConfigError, Reader};

impl Reader<'_> {
    pub(super) fn callback_limit(&self) -> Result<Option<CallbackLimit>, ConfigError> {
        match self.text("RC_CALLBACK_LIMIT")?.as_deref() {
            None => Ok(Some(CallbackLimit::default())),
            Some("off") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|problem| {
                ConfigError::new("RC_CALLBACK_LIMIT", format!("is no limit: {problem}"))
            }),
        }
    }

    pub(super) fn trusted_proxies(&self) -> Result<TrustedProxies, ConfigError> {
        let Some(text) = self.text("RC_TRUSTED_PROXIES")? else {
            return Ok(TrustedProxies::default());
        };
        text.parse().map_err(|problem| {
            ConfigError::new("RC_TRUSTED_PROXIES", format!("is no such list: {problem}"))
        })
    }

    pub(super) fn require_iss(&self, demo: bool) -> Result<bool, ConfigError> {
        let problem = match self.text("RC_REQUIRE_ISS")?.as_deref() {
            None | Some("off") => return Ok(false),
            Some("on") if demo => {
                "would refuse every sign-in of the demo: the simulated platform sends no iss"
            }
            Some("on") => return Ok(true),
            Some(_) => "is neither on nor off",
        };
        Err(ConfigError::new("RC_REQUIRE_ISS", problem))
    }
}
