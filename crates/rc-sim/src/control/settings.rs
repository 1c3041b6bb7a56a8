//! How the platform behaves, what it has seen, and who can sign in.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal, bad_request, not_found};
use crate::{config::App, platform::Platform};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnableLimits {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnableUser {
    login: String,
    enabled: bool,
}

pub(super) fn counters(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(json!(platform.counters(call.now)))
}

pub(super) fn credentials(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(platform.credentials())
}

pub(super) fn switches(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(json!(platform.switches()))
}

pub(super) fn patch_switches(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let patch: serde_json::Map<String, Value> = call.read()?;
    platform
        .patch_switches(Value::Object(patch))
        .map_err(|error| bad_request(error.to_string()))?;
    Ok(json!(platform.switches()))
}

pub(super) fn limits(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let EnableLimits { enabled } = call.read()?;
    platform.enable_limits(enabled);
    Ok(json!({ "enabled": enabled }))
}

pub(super) fn user(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let EnableUser { login, enabled } = call.read()?;
    if platform.enable_user(&login, enabled) {
        Ok(json!({ "login": login, "enabled": enabled }))
    } else {
        Err(not_found(format!("no user has the login {login:?}")))
    }
}

pub(super) fn reset(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    platform.reset();
    Ok(json!({ "reset": true }))
}

impl Platform {
    /// What somebody needs to start. Secrets included: they are simulated, and this is how they are told.
    pub(super) fn credentials(&self) -> Value {
        let app = |app: &App| {
            json!({
                "name": app.name,
                "client_id": app.client_id(),
                "client_secret": app.client_secret(),
                "redirect_uris": app.redirect_uris,
            })
        };
        let apps: Vec<Value> = self.config.apps.iter().map(app).collect();
        let users: Vec<Value> = self
            .config
            .users
            .iter()
            .map(|user| json!({ "login": user.login, "password": user.password(), "role": user.role }))
            .collect();
        json!({ "namespace": self.name, "apps": apps, "users": users })
    }
}
