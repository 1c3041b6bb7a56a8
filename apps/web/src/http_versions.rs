//! Between version 0.2 of the `http` crate, which actix-web speaks, and version 1, which `rc-auth-web` speaks.

use std::rc::Rc;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    dev::{RequestHead, ServiceRequest},
    http::{
        StatusCode,
        header::{
            self as header02, HeaderMap as Headers02, HeaderName as Name02, HeaderValue as Value02,
        },
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{CONTENT_TYPE, COOKIE, FORWARDED, HOST, ORIGIN, USER_AGENT},
    request::Parts,
    uri::PathAndQuery,
};

/// The headers that `rc-auth-web` looks at, by their names in both versions. The others are not copied.
const LOOKED_AT: [(Name02, HeaderName); 8] = [
    (header02::COOKIE, COOKIE),
    (header02::HOST, HOST),
    (header02::ORIGIN, ORIGIN),
    (
        Name02::from_static("sec-fetch-site"),
        HeaderName::from_static("sec-fetch-site"),
    ),
    (header02::FORWARDED, FORWARDED),
    (
        header02::X_FORWARDED_FOR,
        HeaderName::from_static("x-forwarded-for"),
    ),
    (header02::CONTENT_TYPE, CONTENT_TYPE),
    (header02::USER_AGENT, USER_AGENT),
];

/// Converts a request, once, and keeps what came of it for [`parts_of`].
///
/// # Errors
///
/// What version 1 does not take for a request.
pub(crate) fn convert(request: &ServiceRequest) -> Result<Rc<Parts>, http::Error> {
    let parts = Rc::new(parts(request.head())?);
    request.extensions_mut().insert(Rc::clone(&parts));
    Ok(parts)
}

/// What [`convert`] made of a request.
pub(crate) fn parts_of(request: &HttpRequest) -> Rc<Parts> {
    match request.extensions().get::<Rc<Parts>>() {
        Some(parts) => Rc::clone(parts),
        None => unreachable!("the server converts every request before its route"),
    }
}

fn parts(head: &RequestHead) -> Result<Parts, http::Error> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(head.method.as_str().as_bytes())?;
    parts.uri = match (head.uri.authority(), head.uri.path_and_query()) {
        (None, Some(path)) => PathAndQuery::try_from(path.as_str())?.into(),
        _ => Uri::try_from(head.uri.to_string())?,
    };
    parts.headers = HeaderMap::with_capacity(LOOKED_AT.len());
    for (name02, name) in LOOKED_AT {
        for value in head.headers.get_all(name02) {
            let value = HeaderValue::from_bytes(value.as_bytes())?;
            parts.headers.append(name.clone(), value);
        }
    }
    Ok(parts)
}

/// An answer of `rc-auth-web`.
pub(crate) fn answer(answer: &Response<()>) -> HttpResponse {
    let mut response = HttpResponse::new(status(answer.status()));
    for (name, value) in answer.headers() {
        append(response.headers_mut(), name, value);
    }
    response
}

/// A status.
pub(crate) fn status(status: http::StatusCode) -> StatusCode {
    // Both have the same range.
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Adds a header. Whatever is one in version 1 is one in version 0.2.
pub(crate) fn append(headers: &mut Headers02, name: &HeaderName, value: &HeaderValue) {
    let name = Name02::from_bytes(name.as_str().as_bytes());
    let value = Value02::from_bytes(value.as_bytes());
    match (name, value) {
        (Ok(name), Ok(value)) => headers.append(name, value),
        (Err(_), _) | (_, Err(_)) => tracing::error!("a header could not be added to an answer"),
    }
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
            .append_header(("accept", "text/html"))
            .to_srv_request();
        let parts = parts(request.head()).unwrap();
        assert_eq!(
            (parts.method.as_str(), parts.uri.path()),
            ("POST", "/a%20b")
        );
        assert_eq!(parts.uri.query(), Some("c=d"));
        let cookies: Vec<_> = parts.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(parts.headers["sec-fetch-site"], "same-origin");
        assert!(!parts.headers.contains_key("accept"));
    }

    #[test]
    fn a_target_in_absolute_form_keeps_its_host() {
        let request = TestRequest::with_uri("http://evil.example/a").to_srv_request();
        let parts = parts(request.head()).unwrap();
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
        let response = answer(&response.unwrap());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let set: Vec<_> = response.headers().get_all("set-cookie").collect();
        assert_eq!(set, ["a=1", "b=2"]);
    }
}
