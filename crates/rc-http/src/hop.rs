//! The requests of one exchange: the caller's, and what redirects make of it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION, TRANSFER_ENCODING},
    request::Parts,
};
use url::Url;

use crate::{Redirects, address::Address, failure::Failure, progress::Progress, redirect};

/// Headers that are secrets whatever they hold: HTTP/2 does not index them, `Debug` does not print them.
const SECRET_HEADERS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Sends `hop` and, as far as `redirects` allows, where its answers point to. Returns the last head.
pub(crate) async fn follow(
    client: &reqwest::Client,
    mut hop: Hop<Bytes>,
    redirects: Redirects,
    progress: &mut Progress,
) -> Result<reqwest::Response, Failure> {
    loop {
        let follow = redirects == Redirects::SameOrigin && progress.hops < Redirects::MAX_HOPS;
        // Kept only where another hop may need it: a clone of the headers is not free.
        let next = follow.then(|| hop.clone());
        let response = client
            .execute(hop.into_reqwest())
            .await
            .map_err(Failure::before_head)?;
        progress.status = Some(response.status());
        let next = next.and_then(|hop| hop.redirected(response.status(), response.headers()));
        let Some(next) = next else {
            return Ok(response);
        };
        progress.hops += 1;
        hop = next;
    }
}

fn mark_secrets(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if SECRET_HEADERS.contains(name) {
            value.set_sensitive(true);
        }
    }
}

/// One request of an exchange: the caller's, or what a redirect made of it.
#[derive(Clone)]
pub(crate) struct Hop<B> {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: B,
}

impl<B> Hop<B> {
    pub(crate) fn new(parts: Parts, address: &Address, body: B) -> Self {
        let mut headers = parts.headers;
        mark_secrets(&mut headers);
        Self {
            method: parts.method,
            url: address.url.clone(),
            headers,
            body,
        }
    }

    /// Removes the caller's word on the body's length: two that differ would let a server see the end of the
    /// request elsewhere.
    pub(crate) fn leave_framing_to_the_body(&mut self) {
        self.headers.remove(CONTENT_LENGTH);
        self.headers.remove(TRANSFER_ENCODING);
    }

    /// The request to send, with `body` in place of its own.
    pub(crate) fn with_body(self, body: reqwest::Body) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        *request.body_mut() = Some(body);
        request
    }
}

impl Hop<Bytes> {
    fn into_reqwest(mut self) -> reqwest::Request {
        let body = std::mem::take(&mut self.body);
        self.with_body(body.into())
    }

    /// The next hop, if the answer to this one is a redirect that may be followed.
    fn redirected(mut self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        self.url = redirect::same_origin_target(&self.url, status, headers)?;
        if redirect::becomes_get(status, &self.method) {
            self.method = Method::GET;
            self.body = Bytes::new();
            redirect::remove_content_headers(&mut self.headers);
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_marked_sensitive_and_nothing_else_is() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("sample");
        for name in ["authorization", "proxy-authorization", "cookie", "accept"] {
            headers.append(name, value.clone());
        }
        headers.append("cookie", value);
        mark_secrets(&mut headers);
        let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
        let sensitive: Vec<_> = sensitive.map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            sensitive,
            ["authorization", "proxy-authorization", "cookie", "cookie"]
        );
    }
}
