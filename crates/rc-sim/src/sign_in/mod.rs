//! What the sign-in and consent pages do. They keep nothing on the server: the query is the authorization
//! request, and the consent page carries a short-lived ticket that names the user.

pub(crate) mod brands;
pub(crate) mod browser;
pub(crate) mod browser_session;
pub(crate) mod pages;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    config::{User, UserId},
    form::Params,
    oauth::{
        authorization_codes::CodeGrant,
        authorize::{AuthorizationRequest, ResponseHint},
    },
    openid::discovery,
    platform::Platform,
    reply,
    resources::base_url,
    sign_in::{browser_session::BrowserSession, pages::SignInNote},
    state::Record,
    switches::{KnownBrowser, SignInPages},
    timestamp::Timestamp,
};

/// How long a consent page may stay open.
const TICKET_LIFE: std::time::Duration = std::time::Duration::from_secs(600);

impl Platform {
    /// `GET|POST` [`pages::SIGN_IN_PATH`].
    pub(crate) fn sign_in_page(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let query = request.uri().query().unwrap_or_default();
        let authorization = match self.read_authorization(query) {
            Ok(authorization) => authorization,
            Err(rejection) => return self.reject(rejection, request),
        };
        if authorization.prompt.none {
            return self.sign_in_silently(authorization, request, now);
        }
        if request.method() == Method::GET {
            return match self.skips_sign_in(&authorization, request, now) {
                Some((user, session)) => self.proceed(authorization, &user, session, request, now),
                None => pages::sign_in(&self.config, &authorization, query, SignInNote::None),
            };
        }
        let form = Params::parse(request.body());
        if form.first("action") == Some("cancel") {
            return self.deny_access(&authorization);
        }
        let login = form.first("login").unwrap_or_default().trim();
        if self.config.switches.sign_in_pages == SignInPages::Two && !form.has("password") {
            let note = SignInNote::Password { login };
            return pages::sign_in(&self.config, &authorization, query, note);
        }
        let password = form.first("password").unwrap_or_default();
        let Some(user) = self.find_user(login, password) else {
            let note = SignInNote::WrongCredentials { login };
            return pages::sign_in(&self.config, &authorization, query, note);
        };
        if let Err(error) = self.admit(&user) {
            return self.reject(error.into(), request);
        }
        let session = BrowserSession {
            user: user.id(),
            at: now,
        };
        let mut response = self.proceed(authorization, &user, session, request, now);
        self.remember_browser(session, &mut response);
        response
    }

    /// Who need not sign in again: the browser is known, and nobody asks for the sign-in page.
    fn skips_sign_in(
        &self,
        authorization: &AuthorizationRequest,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Option<(Arc<User>, BrowserSession)> {
        let skips = self.config.switches.known_browser == KnownBrowser::SkipsSignIn;
        if !skips || authorization.prompt.login {
            return None;
        }
        let session = self.known_browser(request.headers(), now)?;
        let user = self.registry.user(session.user)?;
        let admitted = self.admit(user).is_ok();
        admitted.then(|| (Arc::clone(user), session))
    }

    /// `prompt=none` (OpenID Connect Core section 3.1.2.1): a code, or an error for the app, and never a page.
    pub(crate) fn sign_in_silently(
        &mut self,
        authorization: AuthorizationRequest,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let refuse = |error: &str, description: &str| {
            let pairs = [("error", error), ("error_description", description)];
            reply::redirect(&authorization.target.with(&pairs))
        };
        let session = self.known_browser(request.headers(), now);
        let user = session.and_then(|session| self.registry.user(session.user).cloned());
        let (Some(session), Some(user)) = (session, user) else {
            return refuse("login_required", "The user is not signed in");
        };
        if self.admit(&user).is_err() {
            return refuse("access_denied", "The user may not sign in");
        }
        // Platform §2: `consent_required` is not among the errors that clients know.
        if !self.has_consent(&authorization, user.id()) {
            return refuse("interaction_required", "The user has not given consent");
        }
        self.hand_out_code(authorization, session, request, now)
    }

    /// Goes on once it is known who signs in. Platform §2: consent is asked the first time only, unless
    /// `prompt=consent`.
    fn proceed(
        &mut self,
        authorization: AuthorizationRequest,
        user: &User,
        session: BrowserSession,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let query = request.uri().query().unwrap_or_default();
        if authorization.prompt.consent || !self.has_consent(&authorization, user.id()) {
            let ticket = self.ticket(session, query, now.plus(TICKET_LIFE));
            return pages::consent(&authorization, query, user, &ticket);
        }
        self.hand_out_code(authorization, session, request, now)
    }

    pub(crate) fn has_consent(&self, authorization: &AuthorizationRequest, user: UserId) -> bool {
        let consent = (authorization.app.id().clone(), user);
        self.consents.contains(&consent)
    }

    /// `POST` [`pages::CONSENT_PATH`].
    pub(crate) fn consent_page(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let query = request.uri().query().unwrap_or_default();
        let authorization = match self.read_authorization(query) {
            Ok(authorization) => authorization,
            Err(rejection) => return self.reject(rejection, request),
        };
        let form = Params::parse(request.body());
        let session = form
            .first("ticket")
            .and_then(|ticket| self.open_ticket(ticket, query, now));
        let Some(session) = session else {
            return pages::sign_in(&self.config, &authorization, query, SignInNote::TooLate);
        };
        if form.first("action") == Some("allow") {
            let consent = (authorization.app.id().clone(), session.user);
            self.outbox.push(|| Record::Consent {
                client_id: consent.0.clone(),
                user: consent.1,
            });
            self.consents.insert(consent);
            self.hand_out_code(authorization, session, request, now)
        } else {
            self.deny_access(&authorization)
        }
    }

    /// Platform §2: `code`, `state` verbatim, and `expires_in`, which is the life of the code; with `discovery=true`
    /// also the endpoints to go on with.
    fn hand_out_code(
        &mut self,
        authorization: AuthorizationRequest,
        session: BrowserSession,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        self.counters.codes += 1;
        self.acting.user = Some(session.user);
        let life = self.config.switches.code_life;
        let base = base_url(request);
        let extras = callback_extras(&authorization, &base);
        let grant = CodeGrant {
            app: authorization.app.id().clone(),
            user: session.user,
            scope: authorization.scope,
            signed_in_at: session.at,
            nonce: authorization.nonce,
            redirect_uri: authorization.target.uri.clone(),
            redirect_uri_sent: authorization.redirect_uri_sent,
            challenge: authorization.challenge,
        };
        let code = self.codes.issue(&self.seed, grant, life, now);
        self.note_code(&code);
        let expires_in = life.as_secs().to_string();
        let mut pairs = vec![("code", code.as_str()), ("expires_in", expires_in.as_str())];
        pairs.extend(extras.iter().map(|(name, value)| (*name, value.as_str())));
        reply::redirect(&authorization.target.with(&pairs))
    }

    fn deny_access(&mut self, authorization: &AuthorizationRequest) -> Response<Bytes> {
        self.counters.denials += 1;
        reply::redirect(&authorization.target.with(&[
            ("error", "access_denied"),
            (
                "error_description",
                "The user denied access to your application",
            ),
        ]))
    }

    fn find_user(&self, login: &str, password: &str) -> Option<Arc<User>> {
        let user = self.registry.login(login)?;
        (user.password() == password).then(|| Arc::clone(user))
    }

    fn ticket(&self, session: BrowserSession, query: &str, until: Timestamp) -> String {
        format!(
            "{}.{}.{}.{}",
            session.user.0,
            session.at.millis(),
            until.millis(),
            self.ticket_seal(session, query, until)
        )
    }

    fn open_ticket(&self, ticket: &str, query: &str, now: Timestamp) -> Option<BrowserSession> {
        let mut fields = ticket.splitn(4, '.');
        let session = BrowserSession {
            user: UserId(fields.next()?.parse().ok()?),
            at: Timestamp::from_millis(fields.next()?.parse().ok()?),
        };
        let until = Timestamp::from_millis(fields.next()?.parse().ok()?);
        let genuine = fields.next()? == self.ticket_seal(session, query, until);
        let user = self.registry.user(session.user)?;
        (genuine && now < until && self.admit(user).is_ok()).then_some(session)
    }

    fn ticket_seal(&self, session: BrowserSession, query: &str, until: Timestamp) -> String {
        let parts: [&[u8]; 5] = [
            &self.times_changed(session.user).to_be_bytes(),
            &session.user.0.to_be_bytes(),
            &session.at.millis().to_be_bytes(),
            &until.millis().to_be_bytes(),
            query.as_bytes(),
        ];
        self.seed.text("ticket", &parts, 43)
    }

    /// The stylesheet of the pages.
    pub(crate) fn stylesheet() -> Response<Bytes> {
        reply::text(
            StatusCode::OK,
            "text/css;charset=utf-8",
            include_str!("../../templates/pages.css"),
        )
    }
}

/// What the callback says beside code and state.
fn callback_extras(
    authorization: &AuthorizationRequest,
    base: &str,
) -> Vec<(&'static str, String)> {
    let mut extras = Vec::new();
    if authorization.discovery {
        extras.push(("token_uri", discovery::token_uri(base)));
        extras.push(("discovery_uri", discovery::external_uri(base)));
    }
    for hint in &authorization.response_hint {
        extras.push(match hint {
            ResponseHint::BrandId => ("brand_id", authorization.brand.id.to_owned()),
            ResponseHint::ContractedCountryCode => (
                "contracted_country_code",
                authorization.brand.country.to_owned(),
            ),
        });
    }
    extras
}
