//! The OpenAPI description of everything the platform answers, kept in parts below `openapi/`.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Call, Refusal};
use crate::platform::Platform;

/// What is said of the whole, then the paths and components of each area.
const PARTS: [&str; 5] = [
    include_str!("../../openapi/frame.json"),
    include_str!("../../openapi/oauth.json"),
    include_str!("../../openapi/discovery.json"),
    include_str!("../../openapi/resources.json"),
    include_str!("../../openapi/control.json"),
];

pub(super) fn describe(_: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    document().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn document() -> Result<Value, serde_json::Error> {
    let mut whole = Map::new();
    for part in PARTS {
        unite(&mut whole, serde_json::from_str(part)?);
    }
    Ok(Value::Object(whole))
}

/// Adds the members of `part`; objects that both have are united in turn.
fn unite(whole: &mut Map<String, Value>, part: Map<String, Value>) {
    for (name, value) in part {
        match (whole.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => unite(old, new),
            (_, value) => {
                whole.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
