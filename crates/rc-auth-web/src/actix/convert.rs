//! Between version 0.2 of the `http` crate, which actix-web speaks, and version 1, which this crate speaks.

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    body::BoxBody,
    dev::RequestHead,
    http::{
        StatusCode,
        header::{HeaderMap as Headers02, HeaderName as Name02, HeaderValue as Value02},
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, request::Parts,
    uri::PathAndQuery,
};

use crate::mount::{Answer, LOOKED_AT};

/// Headers as actix has them.
pub(super) type Headers = Vec<(Name02, Value02)>;

/// The headers that are copied, by their names in both versions.
static NAMES: LazyLock<Vec<(Name02, HeaderName)>> = LazyLock::new(|| {
    let names = LOOKED_AT.into_iter().filter_map(|name| {
        let name02 = Name02::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name02, name))
    });
    names.collect()
});

/// A request as this crate reads it, for an application with handlers of its own: its method and target, and a copy
/// of the headers that matter here.
///
/// Convert once per request, in a middleware: what each handler needs can be kept among the request's extensions.
///
/// # Errors
///
/// The request has something that version 1 of `http` does not take. Answer it with 400.
pub fn request_parts(head: &RequestHead) -> Result<Parts, http::Error> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(head.method.as_str().as_bytes())?;
    parts.uri = match (head.uri.authority(), head.uri.path_and_query()) {
        (None, Some(path)) => PathAndQuery::try_from(path.as_str())?.into(),
        _ => Uri::try_from(head.uri.to_string())?,
    };
    parts.headers = HeaderMap::with_capacity(NAMES.len());
    // A request has fewer headers than there are names: this way round nothing is hashed.
    for (name02, value) in &head.headers {
        if let Some((_, name)) = NAMES.iter().find(|(known, _)| known == name02) {
            let value = HeaderValue::from_bytes(value.as_bytes())?;
            parts.headers.append(name.clone(), value);
        }
    }
    Ok(parts)
}

/// An answer of [`WebAuth`](crate::WebAuth) as actix sends it, for an application with handlers of its own.
#[must_use]
pub fn response(answer: &Response<()>) -> HttpResponse {
    let mut response = HttpResponse::new(status(answer.status()));
    for (name, value) in answer.headers() {
        append_header(response.headers_mut(), name, value);
    }
    response
}

/// Adds a header, such as the cookie that [`WebAuth`](crate::WebAuth) gives, to an answer of actix.
pub fn append_header(headers: &mut Headers02, name: &HeaderName, value: &HeaderValue) {
    match header(name, value) {
        Some((name, value)) => headers.append(name, value),
        None => tracing::error!(%name, "a header could not be added to an answer"),
    }
}

/// A status, by its number.
#[must_use]
pub fn status(status: http::StatusCode) -> StatusCode {
    // Both versions have the same range.
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A header that stood the checks of one version stands those of the other.
fn header(name: &HeaderName, value: &HeaderValue) -> Option<(Name02, Value02)> {
    let name = Name02::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, Value02::from_bytes(value.as_bytes()).ok()?))
}

pub(super) fn headers(headers: &[(HeaderName, HeaderValue)]) -> Headers {
    let converted = headers
        .iter()
        .filter_map(|(name, value)| header(name, value));
    converted.collect()
}

/// An answer with its page.
pub(super) fn page(answer: Answer) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    response(&Response::from_parts(parts, ())).set_body(BoxBody::new(body))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_request_keeps_what_is_looked_at_and_its_order() {
        let request = TestRequest::post()
            .uri("/a%20b?c=d")
            .append_header(("cookie", "a=1"))
            .append_header(("cookie", "b=2"))
            .append_header(("sec-fetch-site", "same-origin"))
            .append_header(("accept-language", "de"))
            .to_srv_request();
        let parts = request_parts(request.head()).unwrap();
        assert_eq!(
            (parts.method.as_str(), parts.uri.path()),
            ("POST", "/a%20b")
        );
        assert_eq!(parts.uri.query(), Some("c=d"));
        let cookies: Vec<_> = parts.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(parts.headers["sec-fetch-site"], "same-origin");
        assert!(!parts.headers.contains_key("accept-language"));
    }

    #[test]
    fn a_target_in_absolute_form_keeps_its_host() {
        let request = TestRequest::with_uri("http://evil.example/a").to_srv_request();
        let parts = request_parts(request.head()).unwrap();
        assert_eq!(parts.uri.host(), Some("evil.example"));
        assert_eq!(parts.uri.path(), "/a");
    }

    #[test]
    fn an_answer_keeps_every_cookie() {
        let cookie = |value| Response::builder().header("set-cookie", value);
        let response = cookie("a=1")
            .header("set-cookie", "b=2")
            .status(303)
            .body(());
        let response = super::response(&response.unwrap());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let set: Vec<_> = response.headers().get_all("set-cookie").collect();
        assert_eq!(set, ["a=1", "b=2"]);
    }
}
