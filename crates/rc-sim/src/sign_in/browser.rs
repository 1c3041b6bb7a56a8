//! A browser for tests: walks the real pages without a socket.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use url::form_urlencoded;

use crate::{platform::Platform, sign_in::pages, timestamp::Timestamp};

/// Where the platform sent the browser in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Callback {
    location: String,
}

impl Callback {
    /// The whole address.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// What stands behind its question mark.
    #[must_use]
    pub fn query(&self) -> &str {
        self.location.split_once('?').map_or("", |(_, query)| query)
    }

    /// The value of one parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query().as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A sign-in did not come back to the app.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The address is no URL of an authorization request.
    #[error("the authorization URL cannot be requested: {0}")]
    Url(#[from] http::Error),
    /// The configuration has no such user.
    #[error("no user has the login {0:?}; see Config::users")]
    UnknownUser(String),
    /// The platform showed an error page.
    #[error("the platform refused the sign-in with status {status}: {body}")]
    Refused {
        /// The status of the page.
        status: StatusCode,
        /// The page.
        body: String,
    },
}

/// What the user clicks when asked for consent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Consent {
    Allow,
    Deny,
}

impl Platform {
    /// Plays a browser whose user `login` opens `authorize_url`, signs in, and allows what is asked.
    ///
    /// # Errors
    ///
    /// [`SignInError`] when the platform shows an error instead of sending the browser back.
    pub fn sign_in(
        &mut self,
        authorize_url: &str,
        login: &str,
        now: Timestamp,
    ) -> Result<Callback, SignInError> {
        self.browse(authorize_url, login, Consent::Allow, now)
    }

    /// Like [`sign_in`](Self::sign_in), but the user denies access or, when not asked, cancels.
    ///
    /// # Errors
    ///
    /// [`SignInError`] when the platform shows an error instead of sending the browser back.
    pub fn deny(
        &mut self,
        authorize_url: &str,
        login: &str,
        now: Timestamp,
    ) -> Result<Callback, SignInError> {
        self.browse(authorize_url, login, Consent::Deny, now)
    }

    fn browse(
        &mut self,
        authorize_url: &str,
        login: &str,
        consent: Consent,
        now: Timestamp,
    ) -> Result<Callback, SignInError> {
        let user = self.registry.login(login);
        let user = user.ok_or_else(|| SignInError::UnknownUser(login.to_owned()))?;
        let mut sign_in = form(&[("login", &user.login), ("password", user.password())]);
        if consent == Consent::Deny && self.has_consented(authorize_url, login) {
            sign_in = form(&[("action", "cancel")]);
        }

        let first = self.respond(&page_request(Method::GET, authorize_url, "")?, now);
        let at = location(&first).ok_or_else(|| refused(&first))?;
        if !at.starts_with(pages::SIGN_IN_PATH) {
            return Ok(Callback { location: at });
        }
        let second = self.respond(&page_request(Method::POST, &at, &sign_in)?, now);
        if let Some(location) = location(&second) {
            return Ok(Callback { location });
        }
        let ticket = ticket(&second).ok_or_else(|| refused(&second))?;
        let action = match consent {
            Consent::Allow => "allow",
            Consent::Deny => "deny",
        };
        let at = at.replacen(pages::SIGN_IN_PATH, pages::CONSENT_PATH, 1);
        let body = form(&[("ticket", &ticket), ("action", action)]);
        let third = self.respond(&page_request(Method::POST, &at, &body)?, now);
        location(&third)
            .map(|location| Callback { location })
            .ok_or_else(|| refused(&third))
    }

    /// Whether the consent page would be left out.
    fn has_consented(&self, authorize_url: &str, login: &str) -> bool {
        let query = authorize_url.split_once('?').map_or("", |(_, query)| query);
        let user = self.registry.login(login);
        match (self.read_authorization(query), user) {
            (Ok(authorization), Some(user)) => {
                !authorization.prompt.consent && self.has_consent(&authorization, user.id())
            }
            (Err(_), _) | (_, None) => false,
        }
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn page_request(method: Method, uri: &str, body: &str) -> Result<Request<Bytes>, http::Error> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::copy_from_slice(body.as_bytes()))
}

fn location(response: &Response<Bytes>) -> Option<String> {
    let value = response.headers().get(header::LOCATION)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn ticket(response: &Response<Bytes>) -> Option<String> {
    let page = std::str::from_utf8(response.body()).ok()?;
    let (_, rest) = page.split_once(r#"name="ticket" value=""#)?;
    rest.split_once('"').map(|(ticket, _)| ticket.to_owned())
}

fn refused(response: &Response<Bytes>) -> SignInError {
    SignInError::Refused {
        status: response.status(),
        body: String::from_utf8_lossy(response.body()).into_owned(),
    }
}
