//! What the sign-in and consent pages do. They keep nothing on the server and set no cookie: the query is
//! the authorization request, and the consent page carries a short-lived ticket that names the user.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    authorize::AuthorizationRequest,
    codes::CodeGrant,
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
        // Platform: consent is asked the first time only, unless `prompt=consent`.
        if authorization.ask_consent || !self.consents.contains(&(authorization.app, user)) {
            let ticket = self.ticket(user, query, now.plus(TICKET_LIFE));
            return pages::consent(&self.config, &authorization, query, user, &ticket);
        }
        self.hand_out_code(authorization, user, now)
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
            self.consents.insert((authorization.app, user));
            self.hand_out_code(authorization, user, now)
        } else {
            self.deny_access(&authorization)
        }
    }

    /// Platform: `code`, `state` verbatim, and `expires_in`, which is the life of the code.
    fn hand_out_code(
        &mut self,
        authorization: AuthorizationRequest,
        user: usize,
        now: Timestamp,
    ) -> Response<Bytes> {
        self.counters.codes += 1;
        let life = self.config.switches.code_life;
        let grant = CodeGrant {
            app: authorization.app,
            user,
            scope: authorization.scope,
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

    fn find_user(&self, login: &str, password: &str) -> Option<usize> {
        self.config
            .users
            .iter()
            .position(|user| user.login.eq_ignore_ascii_case(login) && user.password() == password)
    }

    fn ticket(&self, user: usize, query: &str, until: Timestamp) -> String {
        format!(
            "{user}.{}.{}",
            until.millis(),
            self.ticket_seal(user, query, until)
        )
    }

    fn open_ticket(&self, ticket: &str, query: &str, now: Timestamp) -> Option<usize> {
        let mut fields = ticket.splitn(3, '.');
        let user: usize = fields.next()?.parse().ok()?;
        let until = Timestamp::from_millis(fields.next()?.parse().ok()?);
        let genuine = fields.next()? == self.ticket_seal(user, query, until);
        (genuine && now < until && user < self.config.users.len()).then_some(user)
    }

    fn ticket_seal(&self, user: usize, query: &str, until: Timestamp) -> String {
        let user = (user as u64).to_be_bytes();
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
