//! Isolated platforms behind one address.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal, bad_request};
use crate::platform::{Platform, namespaces::NamespaceError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
}

pub(super) fn list(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let names: Vec<&str> = platform.namespaces().collect();
    Ok(json!({ "namespaces": names }))
}

pub(super) fn add(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let Add { name } = call.read()?;
    match platform.add_namespace(&name) {
        Ok(namespace) => Ok(namespace.credentials()),
        Err(error @ (NamespaceError::Taken(_) | NamespaceError::TooMany)) => {
            Err((StatusCode::CONFLICT, error.to_string()))
        }
        Err(error @ NamespaceError::Name) => Err(bad_request(error.to_string())),
    }
}

pub(super) fn remove(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(json!({ "removed": platform.remove_namespace(call.named) }))
}
