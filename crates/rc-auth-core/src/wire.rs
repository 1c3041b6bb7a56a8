//! The requests of the OAuth endpoints, built by the `oauth2` crate. Its types stop at this file.
//!
//! `oauth2` hands out no request, but builds it before it calls the HTTP client that is to send it: the
//! client here keeps the request and sends nothing.

use std::cell::RefCell;

use bytes::Bytes;
use http::{Request, header};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    SyncHttpClient, TokenUrl, basic::BasicClient,
};
use url::{Url, form_urlencoded};

use crate::{InvalidApp, OAuthApp, Secret};

/// The addresses of an app as `oauth2` takes them, parsed once for all its requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Addresses {
    authorize: AuthUrl,
    token: TokenUrl,
    // Asked by a token request of `oauth2` whose form is replaced.
    revoke: TokenUrl,
    redirect: RedirectUrl,
}

impl Addresses {
    pub(crate) fn new(server: &str, redirect_uri: &str) -> Result<Self, InvalidApp> {
        let token_url = |path| {
            TokenUrl::new(format!("{server}/restapi/oauth/{path}")).map_err(|_| InvalidApp::Server)
        };
        Ok(Self {
            authorize: AuthUrl::new(format!("{server}/restapi/oauth/authorize"))
                .map_err(|_| InvalidApp::Server)?,
            token: token_url("token")?,
            revoke: token_url("revoke")?,
            redirect: RedirectUrl::new(redirect_uri.to_owned())
                .map_err(|_| InvalidApp::RedirectUri)?,
        })
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        self.redirect.as_str()
    }
}

/// What the capturing client "fails" with, so that `oauth2` sends and parses nothing.
#[derive(Debug, thiserror::Error)]
#[error("captured")]
struct Captured;

/// A client that authenticates as `app`. Each request sets the addresses it needs.
fn client(app: &OAuthApp) -> BasicClient {
    let client = BasicClient::new(ClientId::new(app.client_id().to_owned()));
    match app.secret() {
        Some(secret) => client
            .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
            .set_auth_type(AuthType::BasicAuth),
        // A Basic header without a secret is refused by the platform ("invalid client id").
        None => client.set_auth_type(AuthType::RequestBody),
    }
}

/// The authorization URL (RFC 6749 section 4.1.1, RFC 7636 section 4.3). The challenge is always S256.
pub(crate) fn authorization_url(
    app: &OAuthApp,
    state: &Secret,
    verifier: &Secret,
    scope: Option<&str>,
    extra: &[(&'static str, String)],
) -> Url {
    // The browser carries it, so the client does not authenticate.
    let addresses = app.addresses();
    let client = BasicClient::new(ClientId::new(app.client_id().to_owned()))
        .set_auth_uri(addresses.authorize.clone())
        .set_redirect_uri(addresses.redirect.clone());
    let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
    let mut request = client
        .authorize_url(|| CsrfToken::new(state.expose().to_owned()))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(scope.map(|scope| Scope::new(scope.to_owned())));
    for (name, value) in extra {
        request = request.add_extra_param(*name, value.clone());
    }
    request.url().0
}

/// The token request for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
pub(crate) fn code_request(app: &OAuthApp, code: &Secret, verifier: &Secret) -> Request<Bytes> {
    capture(|keep| {
        let addresses = app.addresses();
        let client = client(app)
            .set_token_uri(addresses.token.clone())
            .set_redirect_uri(addresses.redirect.clone());
        let _captured = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .request(keep);
    })
}

/// The token request for a refresh (RFC 6749 section 6). TTL parameters are left out: sending the last
/// `expires_in` back, as some clients do, lets lifetimes creep down.
pub(crate) fn refresh_request(app: &OAuthApp, refresh_token: &Secret) -> Request<Bytes> {
    capture(|keep| {
        let client = client(app).set_token_uri(app.addresses().token.clone());
        let _captured = client
            .exchange_refresh_token(&RefreshToken::new(refresh_token.expose().to_owned()))
            .request(keep);
    })
}

/// The token request for a personal JWT (RFC 7523 section 2.1).
pub(crate) fn jwt_request(app: &OAuthApp, assertion: &Secret) -> Request<Bytes> {
    authenticated_form(
        app,
        &app.addresses().token,
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ],
    )
}

/// The revocation request (RFC 7009 section 2.1).
pub(crate) fn revocation_request(app: &OAuthApp, token: &Secret) -> Request<Bytes> {
    authenticated_form(app, &app.addresses().revoke, &[("token", token.expose())])
}

/// A form for requests that `oauth2` cannot build here: JWT bearer, and revocation on a loopback
/// platform. Client authentication is still `oauth2`'s: its client-credentials request, whose
/// `grant_type` is replaced by `pairs`.
fn authenticated_form(app: &OAuthApp, url: &TokenUrl, pairs: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = capture(|keep| {
        let client = client(app).set_token_uri(url.clone());
        let _captured = client.exchange_client_credentials().request(keep);
    });
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.extend_pairs(
        form_urlencoded::parse(request.body()).filter(|(name, _)| name != "grant_type"),
    );
    *request.body_mut() = form.finish().into_bytes().into();
    request
}

/// A client that keeps the request and sends nothing.
#[derive(Default)]
struct Capture(RefCell<Option<HttpRequest>>);

impl SyncHttpClient for Capture {
    type Error = Captured;

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, Captured> {
        self.0.replace(Some(request));
        Err(Captured)
    }
}

fn capture(build: impl FnOnce(&Capture)) -> Request<Bytes> {
    let capture = Capture::default();
    build(&capture);
    let request = capture
        .0
        .into_inner()
        .expect("oauth2 builds the request before it sends it");
    let mut request = request.map(Bytes::from);
    if let Some(authorization) = request.headers_mut().get_mut(header::AUTHORIZATION) {
        authorization.set_sensitive(true);
    }
    request
}

#[cfg(test)]
mod tests {
    use oauth2::{RevocationUrl, StandardRevocableToken};

    use super::*;

    fn apps() -> [OAuthApp; 2] {
        let app = |secret| {
            OAuthApp::new(
                "cl%ient",
                secret,
                "https://a.example/cb",
                "https://s.example",
            )
            .unwrap()
        };
        [
            app(Some(Secret::new("s:ec ret".replace(' ', "+")))),
            app(None),
        ]
    }

    #[test]
    fn revocation_equals_oauth2s_own_byte_for_byte() {
        for app in apps() {
            let own = capture(|keep| {
                let url = app.addresses().revoke.to_string();
                let client = client(&app).set_revocation_url(RevocationUrl::new(url).unwrap());
                let token = RefreshToken::new("t&k".to_owned());
                let _captured = client
                    .revoke_token(StandardRevocableToken::RefreshToken(token))
                    .unwrap()
                    .request(keep);
            });
            let ours = revocation_request(&app, &Secret::new("t&k"));
            assert_eq!(ours.uri(), own.uri());
            assert_eq!(ours.headers(), own.headers());
            let without_hint = |body: &Bytes| {
                form_urlencoded::parse(body)
                    .into_owned()
                    .filter(|(name, _)| name != "token_type_hint")
                    .collect::<Vec<_>>()
            };
            assert_eq!(without_hint(ours.body()), without_hint(own.body()));
        }
    }

    #[test]
    fn authenticated_form_equals_oauth2s_own_refresh_byte_for_byte() {
        for app in apps() {
            let own = refresh_request(&app, &Secret::new("r/1"));
            let ours = authenticated_form(
                &app,
                &app.addresses().token,
                &[("grant_type", "refresh_token"), ("refresh_token", "r/1")],
            );
            assert_eq!(ours.headers(), own.headers());
            assert_eq!(ours.body(), own.body());
        }
    }

    #[test]
    fn authorization_header_is_marked_sensitive() {
        let [confidential, public] = apps();
        let request = refresh_request(&confidential, &Secret::new("r"));
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert!(
            !refresh_request(&public, &Secret::new("r"))
                .headers()
                .contains_key(header::AUTHORIZATION)
        );
    }

    // RFC 7636 appendix B.
    #[test]
    fn challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let [app, _] = apps();
        let url = authorization_url(&app, &Secret::new("s"), &verifier, None, &[]);
        let value = |name: &str| {
            url.query_pairs()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.into_owned())
        };
        assert_eq!(
            value("code_challenge").as_deref(),
            Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        );
        assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
    }
}
