//! Everything that a platform keeps, to be put back later.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, Refusal, bad_request};
use crate::{platform::Platform, state::Snapshot};

pub(super) fn take(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    serde_json::to_value(platform.snapshot(call.now))
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

pub(super) fn restore(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let snapshot: Snapshot = call.read()?;
    platform
        .restore(snapshot)
        .map_err(|error| bad_request(error.to_string()))?;
    Ok(json!({ "restored": true }))
}
