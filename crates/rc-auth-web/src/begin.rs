//! The start of a sign-in: to the platform.

use http::{
    HeaderValue, Response, StatusCode,
    header::{LOCATION, SET_COOKIE},
    request::Parts,
};
use rc_auth::{AuthorizationRequest, SignIn, SignInError, store::SealError};
use url::form_urlencoded;

use crate::{
    LocalPath, WebAuth,
    pending::PendingSignIn,
    request_check::{Named, is_from_another_site, named_host},
};

/// What came of a request that starts a sign-in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Begun {
    /// A 302 to the platform, with the cookie of this sign-in.
    ToPlatform(Response<()>),
    /// A 302 to this path under the name that the redirect URI has. Cookies belong to a host name: whoever
    /// opened `localhost` and comes back to `127.0.0.1` would find the sign-in's cookie missing.
    ToOwnName(Response<()>),
    /// Another site led here, and nothing was started: under single sign-on it would replace the sign-in
    /// that this browser has, without a click of its user. Show a page that links to the path.
    FromAnotherSite {
        /// The local path that starts the sign-in, for the link. Escape it for HTML.
        again: String,
    },
}

/// Why a sign-in could not be started. Answer 500; no cookie was touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The client could not begin.
    #[error(transparent)]
    SignIn(Box<SignInError>),
    /// The cookie could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An address cannot stand in a header.
    #[error("the address of the sign-in page cannot stand in a header")]
    Location(#[source] http::header::InvalidHeaderValue),
}

impl From<SignInError> for BeginError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(Box::new(error))
    }
}

impl WebAuth {
    /// Starts a sign-in in this browser. `?return_to=` names a local path to come back to.
    ///
    /// For a GET of [`Paths::sign_in`](crate::Paths).
    ///
    /// # Errors
    ///
    /// [`BeginError`], when the system has no randomness.
    pub fn begin_sign_in(&self, request: &Parts) -> Result<Begun, BeginError> {
        self.begin_sign_in_with(request, |authorization| authorization)
    }

    /// As [`begin_sign_in`](Self::begin_sign_in), with options of the authorization request, such as a login
    /// to suggest.
    ///
    /// # Errors
    ///
    /// As [`begin_sign_in`](Self::begin_sign_in).
    pub fn begin_sign_in_with<'a>(
        &'a self,
        request: &Parts,
        options: impl FnOnce(AuthorizationRequest<'a>) -> AuthorizationRequest<'a>,
    ) -> Result<Begun, BeginError> {
        let return_to = self.return_to(request);
        if is_from_another_site(&request.headers) {
            let again = self.to_sign_in(&return_to);
            return Ok(Begun::FromAnotherSite { again });
        }
        if let Some(origin) = self.origin_to_start_at(request) {
            let there = format!("{origin}{}", self.to_sign_in(&return_to));
            return Ok(Begun::ToOwnName(found(&there)?));
        }
        let client = self.client();
        let SignIn {
            url,
            pending: authorization,
        } = client.begin(options(client.authorization_request()))?;
        let pending = PendingSignIn {
            authorization,
            return_to,
        };
        let set_cookies = self
            .inner
            .pending
            .start(&pending, &request.headers, self.now())?;
        let mut response = found(&url)?;
        for set_cookie in set_cookies {
            response.headers_mut().append(SET_COOKIE, set_cookie);
        }
        Ok(Begun::ToPlatform(response))
    }

    /// The origin that this request should have gone to: that of the redirect URI, if browser and redirect
    /// URI have different names for this machine. `None` otherwise: elsewhere a proxy may have put another
    /// name in `Host`.
    ///
    /// An application asks on its start page too: from there on the button's request is one within the site.
    #[must_use]
    pub fn origin_to_start_at(&self, request: &Parts) -> Option<&str> {
        let redirect_uri = &self.inner.redirect_uri;
        let Named::Host(host) = named_host(request) else {
            return None;
        };
        let host = host.as_str();
        let (name, port) = port_of(host);
        let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
        let same_port = port_of(redirect_uri.authority()).1 == port;
        let moves =
            loopback && same_port && redirect_uri.is_loopback() && host != redirect_uri.authority();
        moves.then(|| redirect_uri.origin())
    }

    /// The path asked for, or home if it is not local or would start or end a sign-in.
    fn return_to(&self, request: &Parts) -> LocalPath {
        let paths = &self.inner.paths;
        let query = request.uri.query().unwrap_or_default();
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        let wanted = parameters.find(|(name, _)| name == "return_to");
        let own = [
            paths.sign_in.as_str(),
            paths.sign_out.as_str(),
            self.callback_path(),
        ];
        wanted
            .and_then(|(_, path)| LocalPath::parse(&path))
            .filter(|path| !own.iter().any(|own| path.leads_to(own)))
            .unwrap_or_else(|| paths.home.clone())
    }

    /// The local path that starts a sign-in and comes back to `return_to`: for links and buttons.
    #[must_use]
    pub fn to_sign_in(&self, return_to: &LocalPath) -> String {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", return_to.as_str())
            .finish();
        format!("{}?{query}", self.inner.paths.sign_in.as_str())
    }
}

/// Name and port of a host; no port is an empty one. The colons of a bare `[::1]` are none of a port.
fn port_of(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        Some(_) | None => (host, ""),
    }
}

fn found(there: &str) -> Result<Response<()>, BeginError> {
    let there = HeaderValue::try_from(there).map_err(BeginError::Location)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, there);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_what_follows_the_last_colon_outside_of_brackets() {
        assert_eq!(port_of("localhost:8080"), ("localhost", "8080"));
        assert_eq!(port_of("[::1]:8080"), ("[::1]", "8080"));
        assert_eq!(port_of("[::1]"), ("[::1]", ""));
        assert_eq!(port_of("127.0.0.1"), ("127.0.0.1", ""));
    }
}
