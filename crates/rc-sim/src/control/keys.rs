//! Personal JWTs, and the key that signs ID tokens.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal, not_found};
use crate::platform::Platform;

/// The most personal JWTs that are made by hand.
const MOST_JWTS: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    login: String,
    client_ids: Option<Vec<String>>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    jwt: String,
}

pub(super) fn create_jwt(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let create: Create = call.read()?;
    let now = platform.clock(call.now);
    let expires_at = create
        .expires_in
        .map(|seconds| now.plus(Duration::from_secs(seconds)));
    if platform.made_jwts.len() >= MOST_JWTS {
        let message = "there are 10,000 personal JWTs already; POST /sim/reset forgets them";
        return Err((StatusCode::CONFLICT, message.to_owned()));
    }
    let jwt = platform.create_personal_jwt(&create.login, create.client_ids, expires_at);
    match jwt {
        Some(jwt) => Ok(json!({ "jwt": jwt })),
        None => Err(not_found(format!(
            "no user has the login {:?}",
            create.login
        ))),
    }
}

pub(super) fn revoke_jwt(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let Revoke { jwt } = call.read()?;
    Ok(json!({ "revoked": platform.revoke_personal_jwt(&jwt) }))
}

pub(super) fn rotate(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    platform.rotate_signing_key();
    Ok(json!({ "rotations": platform.keys.rotations() }))
}
