//! Building answers.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, PRAGMA},
};
use serde::Serialize;

pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

pub(crate) fn text(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Fields keep the order of the struct, so the bytes do not depend on features of `serde_json`.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    match serde_json::to_vec(body) {
        Ok(bytes) => text(status, "application/json;charset=utf-8", bytes),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain;charset=utf-8",
            error.to_string(),
        ),
    }
}

/// 302, whose target comes with any method as GET.
pub(crate) fn redirect(location: &str) -> Response<Bytes> {
    let Ok(location) = HeaderValue::from_bytes(location.as_bytes()) else {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain;charset=utf-8",
            "The registered redirect URI contains control characters. Register it without them.",
        );
    };
    let mut response = no_store(empty(StatusCode::FOUND));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// Keeps secrets out of caches (RFC 6749 section 5.1).
pub(crate) fn no_store(mut response: Response<Bytes>) -> Response<Bytes> {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Adds a header whose value is known to be valid or, failing that, leaves it out.
pub(crate) fn header(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
