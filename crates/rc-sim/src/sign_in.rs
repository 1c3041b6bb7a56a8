//! What the sign-in and consent pages do. They keep nothing on the server and set no cookie: the query is
//! the authorization request, and the consent page carries a short-lived ticket that names the user.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    authorize::AuthorizationRequest,
    codes::CodeGrant,
    config::{User, UserId},
    form::Params,
    pages::{self, SignInNote},
    platform::Platform,
    reply,
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
        if request.method() == Method::GET {
            return pages::sign_in(&self.config, &authorization, query, SignInNote::None);
        }
        let form = Params::parse(request.body());
        if form.first("action") == Some("cancel") {
            return self.deny_access(&authorization);
        }
        let login = form.first("login").unwrap_or_default().trim();
        let password = form.first("password").unwrap_or_default();
        let Some(user) = self.find_user(login, password) else {
            let note = SignInNote::WrongCredentials { login };
            return pages::sign_in(&self.config, &authorization, query, note);
        };
        if let Err(error) = self.admit(&user) {
            return self.reject(error.into(), request);
        }
        // Platform §2: consent is asked the first time only, unless `prompt=consent`.
        let consent = (authorization.app.id().clone(), user.id());
        if authorization.ask_consent || !self.consents.contains(&consent) {
            let ticket = self.ticket(user.id(), query, now.plus(TICKET_LIFE));
            return pages::consent(&authorization, query, &user, &ticket);
        }
        self.hand_out_code(authorization, user.id(), now)
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
        let user = form
            .first("ticket")
            .and_then(|ticket| self.open_ticket(ticket, query, now));
        let Some(user) = user else {
            return pages::sign_in(&self.config, &authorization, query, SignInNote::TooLate);
        };
        if form.first("action") == Some("allow") {
            let consent = (authorization.app.id().clone(), user);
            self.consents.insert(consent);
            self.hand_out_code(authorization, user, now)
        } else {
            self.deny_access(&authorization)
        }
    }

    /// Platform: `code`, `state` verbatim, and `expires_in`, which is the life of the code.
    fn hand_out_code(
        &mut self,
        authorization: AuthorizationRequest,
        user: UserId,
        now: Timestamp,
    ) -> Response<Bytes> {
        self.counters.codes += 1;
        let life = self.config.switches.code_life;
        let grant = CodeGrant {
            app: authorization.app.id().clone(),
            user,
            scope: authorization.scope,
            signed_in_at: now,
            nonce: None,
            redirect_uri: authorization.target.uri.clone(),
            redirect_uri_sent: authorization.redirect_uri_sent,
            challenge: authorization.challenge,
        };
        let code = self.codes.issue(&self.seed, grant, life, now);
        let expires_in = life.as_secs().to_string();
        let pairs = [("code", code.as_str()), ("expires_in", expires_in.as_str())];
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

    fn ticket(&self, user: UserId, query: &str, until: Timestamp) -> String {
        format!(
            "{}.{}.{}",
            user.0,
            until.millis(),
            self.ticket_seal(user, query, until)
        )
    }

    fn open_ticket(&self, ticket: &str, query: &str, now: Timestamp) -> Option<UserId> {
        let mut fields = ticket.splitn(3, '.');
        let user = UserId(fields.next()?.parse().ok()?);
        let until = Timestamp::from_millis(fields.next()?.parse().ok()?);
        let genuine = fields.next()? == self.ticket_seal(user, query, until);
        (genuine && now < until && self.registry.user(user).is_some()).then_some(user)
    }

    fn ticket_seal(&self, user: UserId, query: &str, until: Timestamp) -> String {
        let user = user.0.to_be_bytes();
        self.seed.text(
            "ticket",
            &[&user, &until.millis().to_be_bytes(), query.as_bytes()],
            43,
        )
    }

    /// The stylesheet of the pages.
    pub(crate) fn stylesheet() -> Response<Bytes> {
        reply::text(
            StatusCode::OK,
            "text/css;charset=utf-8",
            include_str!("../templates/pages.css"),
        )
    }
}
