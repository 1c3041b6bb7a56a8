//! What needs no token: the API's versions and whether it is alive.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::reply;

/// Platform §9: `/restapi` needs no token.
pub(super) fn all(base: &str) -> Response<Bytes> {
    let body = json!({
        "uri": format!("{base}/restapi/"),
        "apiVersions": [version(base)],
        "serverVersion": "26.3.1",
        "serverRevision": "simulated",
    });
    reply::json(StatusCode::OK, &body)
}

pub(super) fn first(base: &str) -> Response<Bytes> {
    reply::json(StatusCode::OK, &version(base))
}

/// Platform §7: liveness, empty.
pub(super) fn status(_base: &str) -> Response<Bytes> {
    reply::empty(StatusCode::OK)
}

fn version(base: &str) -> Value {
    json!({
        "uri": format!("{base}/restapi/v1.0"),
        "versionString": "1.0.60",
        "releaseDate": "2026-08-01T00:00:00.000Z",
        "uriString": "v1.0",
    })
}
