//! Between the versions of the `http` crate that actix and this crate use.

use actix_web::{
    Error, HttpResponse,
    dev::ServiceRequest,
    error::{ErrorBadRequest, ErrorInternalServerError},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use http::request::Parts;

use crate::mount::{Answer, LOOKED_AT};

/// Headers as actix has them.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// A copy of what this crate looks at.
///
/// # Errors
///
/// 400 for a request whose target or method cannot be read.
pub(super) fn looked_at(request: &ServiceRequest) -> Result<Parts, Error> {
    let (mut copy, ()) = http::Request::new(()).into_parts();
    copy.method = request.method().as_str().parse().map_err(ErrorBadRequest)?;
    copy.uri = request.uri().to_string().parse().map_err(ErrorBadRequest)?;
    for name in LOOKED_AT {
        for value in request.headers().get_all(name.as_str()) {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).map_err(ErrorBadRequest)?;
            copy.headers.append(name.clone(), value);
        }
    }
    Ok(copy)
}

/// A header that stood the checks of one version stands those of the other.
pub(super) fn headers(headers: &[(http::HeaderName, http::HeaderValue)]) -> Headers {
    let converted = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    converted.collect()
}

pub(super) fn header_value(value: &http::HeaderValue) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(ErrorInternalServerError)
}

/// The answer; what cannot be converted would make it a 500.
pub(super) fn response(answer: Answer) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16());
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &parts.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(body)
}
