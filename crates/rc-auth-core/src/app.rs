//! The registered application and the server it is registered with.

use std::fmt;

use url::{Host, Url};

use crate::{Secret, wire::Addresses};

/// An application registered in RingCentral's developer console.
///
/// With a secret it is confidential and authenticates by HTTP Basic (`client_secret_basic`); without one
/// it is public and sends its `client_id` in the body and no `Authorization` header, which is what the
/// platform demands of "client-side web apps".
///
/// ```
/// use rc_auth_core::{InvalidApp, OAuthApp};
///
/// let redirect_uri = "https://app.example.com/oauth/callback";
/// let app = OAuthApp::new("example-client", None, redirect_uri, OAuthApp::DEFAULT_SERVER)?;
/// assert!(app.is_public());
///
/// let relative = OAuthApp::new("example-client", None, "/oauth/callback", OAuthApp::DEFAULT_SERVER);
/// assert_eq!(relative.err(), Some(InvalidApp::RedirectUri));
/// # Ok::<(), InvalidApp>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OAuthApp {
    client_id: String,
    secret: Option<Secret>,
    addresses: Addresses,
    server: String,
    issuer: String,
    iss_required: bool,
    media_server: String,
}

/// A value that cannot describe an app.
#[derive(Clone, Copy, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidApp {
    /// The client id is empty or holds characters that never stand in one.
    #[error(
        "the client id must be printable ASCII without spaces; copy it from the app's page in the developer console"
    )]
    ClientId,
    /// The secret is empty or holds control characters.
    #[error(
        "the client secret is empty or holds spaces or control characters; leave it out for a public app"
    )]
    Secret,
    /// The redirect URI is not absolute, has a fragment, or is plain http to another host.
    #[error(
        "the redirect URI must be an absolute URI without a fragment, https unless its host is a loopback address, \
         for example https://app.example.com/oauth/callback"
    )]
    RedirectUri,
    /// The server is not an origin, or is plain http to another host.
    #[error(
        "the server must be an origin without path, query or user, https unless its host is a loopback address, \
         for example https://platform.ringcentral.com"
    )]
    Server,
    /// The issuer is empty.
    #[error("the issuer must not be empty; leave it out to use the server's origin")]
    Issuer,
}

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for InvalidApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl OAuthApp {
    /// The production platform. RingCentral's sandbox is gone.
    pub const DEFAULT_SERVER: &'static str = "https://platform.ringcentral.com";

    /// An app registered with `server`. `secret: None` is a public app.
    ///
    /// `redirect_uri` is kept byte for byte: the platform compares it exactly, a trailing slash included
    /// (RFC 9700 section 2.1).
    ///
    /// # Errors
    ///
    /// [`InvalidApp`] names the value that cannot be used and shows an example.
    pub fn new(
        client_id: &str,
        secret: Option<Secret>,
        redirect_uri: &str,
        server: &str,
    ) -> Result<Self, InvalidApp> {
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidApp::ClientId);
        }
        if secret
            .as_ref()
            .is_some_and(|secret| !is_usable_secret(secret))
        {
            return Err(InvalidApp::Secret);
        }
        check_redirect_uri(redirect_uri)?;
        let server = origin_of(server)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            secret,
            addresses: Addresses::new(&server, redirect_uri)?,
            issuer: server.clone(),
            media_server: media_server_of(&server),
            server,
            iss_required: false,
        })
    }

    /// Sets the issuer that a callback's `iss` has to equal byte for byte (RFC 9207). Default: the
    /// server's origin, which is what RingCentral's `openid-configuration` says.
    ///
    /// # Errors
    ///
    /// [`InvalidApp::Issuer`] when it is empty.
    pub fn with_issuer(mut self, issuer: &str) -> Result<Self, InvalidApp> {
        if issuer.is_empty() {
            return Err(InvalidApp::Issuer);
        }
        issuer.clone_into(&mut self.issuer);
        Ok(self)
    }

    /// Sets the origin that recordings and message attachments are fetched from. Default: the server's, with
    /// `media.` in place of a leading `platform.`, as RingCentral and its partners have it
    /// (`https://media.ringcentral.com`).
    ///
    /// ```
    /// # use rc_auth_core::{InvalidApp, OAuthApp};
    /// let app = OAuthApp::new("example-client", None, "https://app.example.com/cb", "https://sim.example.com")?
    ///     .with_media_server("https://media.example.com")?;
    /// assert_eq!(app.media_server(), "https://media.example.com");
    /// # Ok::<(), InvalidApp>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidApp::Server`] when it is not an origin, or plain http to another host.
    pub fn with_media_server(mut self, server: &str) -> Result<Self, InvalidApp> {
        self.media_server = origin_of(server)?;
        Ok(self)
    }

    /// Sets whether a callback without `iss` is refused (RFC 9207 section 2.4). Default: no, because
    /// RingCentral sends none. An `iss` that is there is compared in either case.
    ///
    /// It holds for sign-ins that begin after it was set.
    #[must_use]
    pub const fn require_iss(mut self, required: bool) -> Self {
        self.iss_required = required;
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether the app has no secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secret.is_none()
    }

    /// The redirect URI, as registered.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.addresses.redirect_uri()
    }

    /// The origin of the server, without a trailing slash.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The origin of the server of recordings and attachments, without a trailing slash.
    #[must_use]
    pub fn media_server(&self) -> &str {
        &self.media_server
    }

    /// The issuer callbacks have to name if they name one.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether a callback has to name its issuer.
    #[must_use]
    pub const fn iss_required(&self) -> bool {
        self.iss_required
    }

    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    pub(crate) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }
}

fn media_server_of(server: &str) -> String {
    match server.strip_prefix("https://platform.") {
        Some(domain) => format!("https://media.{domain}"),
        None => server.to_owned(),
    }
}

fn is_usable_secret(secret: &Secret) -> bool {
    !secret.expose().is_empty() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_redirect_uri(text: &str) -> Result<(), InvalidApp> {
    let url = Url::parse(text).map_err(|_| InvalidApp::RedirectUri)?;
    // RFC 6749 section 3.1.2: absolute, no fragment.
    if url.fragment().is_some() || text.contains(char::is_whitespace) {
        return Err(InvalidApp::RedirectUri);
    }
    match url.scheme() {
        "http" if !is_loopback(&url) => Err(InvalidApp::RedirectUri),
        "javascript" | "data" | "file" | "about" | "blob" => Err(InvalidApp::RedirectUri),
        // Custom schemes are for native apps (RFC 8252 section 7.1).
        _ => Ok(()),
    }
}

fn origin_of(text: &str) -> Result<String, InvalidApp> {
    let url = Url::parse(text).map_err(|_| InvalidApp::Server)?;
    let scheme_is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let is_origin = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if scheme_is_safe && is_origin && url.has_host() {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(InvalidApp::Server)
    }
}

/// Whether the host is a loopback address or `localhost` (RFC 8252 section 8.3): the only place where
/// plain http keeps a secret.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(redirect_uri: &str, server: &str) -> Result<OAuthApp, InvalidApp> {
        OAuthApp::new("client", None, redirect_uri, server)
    }

    #[test]
    fn redirect_uri_is_kept_byte_for_byte() {
        let text = "https://APP.example.com/cb?x=%7e";
        let app = app(text, OAuthApp::DEFAULT_SERVER).unwrap();
        assert_eq!(app.redirect_uri(), text);
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for server in [
            "http://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
            "https://a.example",
        ] {
            assert!(app("http://127.0.0.1:9/cb", server).is_ok(), "{server}");
        }
        for server in [
            "http://a.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "ftp://127.0.0.1",
        ] {
            assert_eq!(
                app("https://a.example/cb", server),
                Err(InvalidApp::Server),
                "{server}"
            );
        }
        assert_eq!(
            app("http://a.example/cb", OAuthApp::DEFAULT_SERVER),
            Err(InvalidApp::RedirectUri)
        );
    }

    #[test]
    fn server_is_an_origin() {
        for server in [
            "https://a.example/x",
            "https://a.example/?q",
            "https://u@a.example",
            "https://a.example/#f",
            "a.example",
        ] {
            assert_eq!(
                app("https://a.example/cb", server),
                Err(InvalidApp::Server),
                "{server}"
            );
        }
        assert_eq!(
            app("https://a.example/cb", "https://a.example/")
                .unwrap()
                .server(),
            "https://a.example"
        );
    }

    #[test]
    fn the_media_server_stands_beside_the_platform() {
        for (server, media) in [
            (OAuthApp::DEFAULT_SERVER, "https://media.ringcentral.com"),
            (
                "https://platform.devtest.example",
                "https://media.devtest.example",
            ),
            // A stand-in serves both.
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ] {
            let app = app("https://a.example/cb", server).unwrap();
            assert_eq!(app.media_server(), media);
        }
    }

    #[test]
    fn redirect_uri_is_absolute_without_fragment() {
        for uri in [
            "/cb",
            "https://a.example/cb#f",
            "",
            "javascript:alert(1)",
            "https://a.example/c b",
        ] {
            assert_eq!(
                app(uri, OAuthApp::DEFAULT_SERVER),
                Err(InvalidApp::RedirectUri),
                "{uri}"
            );
        }
        assert!(app("com.example.app:/cb", OAuthApp::DEFAULT_SERVER).is_ok());
    }

    #[test]
    fn ids_and_secrets_are_printable() {
        let new = |id, secret| {
            OAuthApp::new(id, secret, "https://a.example/cb", OAuthApp::DEFAULT_SERVER)
        };
        assert_eq!(new("", None), Err(InvalidApp::ClientId));
        assert_eq!(new("a b", None), Err(InvalidApp::ClientId));
        assert_eq!(new("a", Some(Secret::new(""))), Err(InvalidApp::Secret));
        assert_eq!(new("a", Some(Secret::new("x\n"))), Err(InvalidApp::Secret));
        assert!(!format!("{:?}", new("a", Some(Secret::new("s3cr3t")))).contains("s3cr3t"));
    }
}
