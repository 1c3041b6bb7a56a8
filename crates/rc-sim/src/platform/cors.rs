//! Cross-origin requests of public apps in browsers (Fetch standard).
//!
//! That RingCentral answers browsers is documented, its SDK for JavaScript runs there; which origins it allows and
//! the exact headers are not (Platform §13). Assumed: the origins of the registered redirect URIs.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

use crate::{config::Registry, platform::route::Route, reply};

/// What scripts may read beside the headers that every script may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "retry-after, discovery-tag, discovery-required, rcrequestid, www-authenticate, \
     x-rate-limit-group, x-rate-limit-limit, x-rate-limit-remaining, x-rate-limit-window",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// How long a browser may remember the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Whether scripts of other origins may read what `route` answers. Pages are for people.
fn is_for_scripts(route: Route) -> bool {
    match route {
        Route::Token | Route::Revoke | Route::Resource | Route::Discovery | Route::UserInfo => true,
        Route::Authorize | Route::SignIn | Route::Consent | Route::Stylesheet | Route::Nothing => {
            false
        }
    }
}

/// The answer to a preflight; `None` for every other request.
pub(crate) fn preflight(registry: &Registry, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    let headers = request.headers();
    let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    if !is_for_scripts(Route::of(&method, request.uri().path())) {
        return None;
    }
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    if allow(registry, headers, response.headers_mut()) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
    Some(response)
}

/// Lets the script that asked read the answer.
pub(crate) fn expose(
    registry: &Registry,
    route: Route,
    request: &Request<Bytes>,
    response: &mut Response<Bytes>,
) {
    if is_for_scripts(route) && allow(registry, request.headers(), response.headers_mut()) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Whether the origin of a request is allowed; an official client asks with credentials, so it has to be named.
fn allow(registry: &Registry, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    // Also where there is none: a cache must not give that answer to a script.
    answer.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(ORIGIN) else {
        return false;
    };
    let named: Cow<'_, str> = String::from_utf8_lossy(origin.as_bytes());
    if !registry.is_origin(&named) {
        return false;
    }
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answer.insert(
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    true
}
