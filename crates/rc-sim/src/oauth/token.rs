//! The token endpoint. Platform §3.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use crate::{
    config::{App, UserId},
    form::Params,
    oauth::{
        client_auth::Authenticator,
        error::{OauthCode, OauthError},
        grants::{Granted, PERSONAL_JWT},
        sessions::Session,
    },
    platform::{
        Arrival, Platform,
        counters::TokenOutcome,
        limits::{Group, LimitKey, Passage},
    },
    reply,
    resources::{base_url, error::ResourceError},
    switches::AuthLimitScope,
    timestamp::Timestamp,
};

/// The success answer (RFC 6749 section 5.1), in the platform's order.
#[derive(Serialize)]
struct TokenInfo<'a> {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_in: Option<u64>,
    scope: &'a str,
    owner_id: String,
    endpoint_id: &'a str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expiration_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_idle_timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// Why there are no tokens.
pub(crate) enum TokenRefusal {
    Oauth(OauthError),
    /// An earlier refresh with the same token is in the air.
    Busy,
}

impl<E: Into<OauthError>> From<E> for TokenRefusal {
    fn from(error: E) -> Self {
        Self::Oauth(error.into())
    }
}

impl Platform {
    /// `POST /restapi/oauth/token`.
    pub(crate) fn token(
        &mut self,
        request: &Request<Bytes>,
        params: &Params,
        arrival: Arrival,
    ) -> Response<Bytes> {
        let (response, outcome) = self.answer_token(request, params, arrival);
        self.counters
            .token(params.first("grant_type"))
            .note(outcome);
        response
    }

    fn answer_token(
        &mut self,
        request: &Request<Bytes>,
        params: &Params,
        arrival: Arrival,
    ) -> (Response<Bytes>, TokenOutcome) {
        if let Err(response) = self.require_form(request) {
            return (*response, TokenOutcome::Refused);
        }
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        if let Err(differs) = params.agree_with(&query) {
            let error = OauthError::from(differs);
            return (error.respond(&self.config.switches), TokenOutcome::Refused);
        }
        let app = match self.authenticate(request, params, arrival.now) {
            Ok(app) => app,
            Err(error) => return (error.respond(&self.config.switches), TokenOutcome::Refused),
        };
        let user = self.presented_user(&app, params);
        let passage = self.pass_auth(&app, user, arrival.now);
        if let Passage::Refused(..) = passage {
            return (limited(&passage), TokenOutcome::Limited);
        }
        let (mut response, outcome) = match self.grant(&app, params, arrival) {
            Ok(granted) => {
                let outcome = granted.outcome;
                let base = base_url(request);
                (self.token_info(granted, &app, &base, arrival.now), outcome)
            }
            Err(TokenRefusal::Oauth(error)) => {
                (error.respond(&self.config.switches), TokenOutcome::Refused)
            }
            Err(TokenRefusal::Busy) => (
                ResourceError::duplicate_in_the_air().respond(),
                TokenOutcome::Busy,
            ),
        };
        write_quota(&passage, response.headers_mut());
        (response, outcome)
    }

    /// The app that sent a request to an OAuth endpoint.
    pub(crate) fn authenticate(
        &mut self,
        request: &Request<Bytes>,
        params: &Params,
        now: Timestamp,
    ) -> Result<Arc<App>, OauthError> {
        let base = base_url(request);
        let app = Authenticator {
            registry: &self.registry,
            used: &mut self.used_assertions,
            base: &base,
            now: self.clock.told(now),
            outbox: &mut self.outbox,
        }
        .authenticate(request.headers(), params)?;
        self.acting.client_id = Some(app.id().clone());
        Ok(app)
    }

    /// Platform §3: anything but a form is 415.
    pub(crate) fn require_form(
        &self,
        request: &Request<Bytes>,
    ) -> Result<(), Box<Response<Bytes>>> {
        let media_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = media_type
            .and_then(|value| value.split(';').next())
            .unwrap_or_default();
        if essence
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            return Ok(());
        }
        let error = OauthError::new(OauthCode::Cmn104);
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Err(Box::new(error.respond_with(status, &self.config.switches)))
    }

    /// Platform §7: the Auth group counts per app, or per user and app.
    pub(crate) fn pass_auth(&mut self, app: &App, user: Option<UserId>, now: Timestamp) -> Passage {
        let limits = &self.config.switches.limits;
        let key = LimitKey {
            app: app.id().clone(),
            user: user.filter(|_| limits.auth_per == AuthLimitScope::User),
            group: Group::Auth,
        };
        self.limiter.pass(key, limits, now)
    }

    /// Whose code or refresh token this is, where limits are each user's; nobody's where neither is known.
    fn presented_user(&self, app: &App, params: &Params) -> Option<UserId> {
        if self.config.switches.limits.auth_per != AuthLimitScope::User {
            return None;
        }
        match params.first("grant_type")? {
            "authorization_code" => self.codes.user(params.first("code")?, app.id()),
            "refresh_token" => self
                .sessions
                .refreshing_user(params.first("refresh_token")?, app.id()),
            PERSONAL_JWT => self.jwt_user(params.first("assertion")?),
            _ => None,
        }
    }

    fn token_info(
        &mut self,
        granted: Granted,
        app: &App,
        base: &str,
        now: Timestamp,
    ) -> Response<Bytes> {
        let signed_in = granted.sign_in;
        let id_token =
            signed_in.and_then(|sign_in| self.id_token(granted.session, app, &sign_in, base, now));
        let Some(session) = self.sessions.get(granted.session) else {
            return OauthError::new(OauthCode::Oau213).respond(&self.config.switches);
        };
        self.acting.user = Some(session.user);
        let info = TokenInfo {
            id_token,
            ..self.describe(session, now)
        };
        reply::no_store(reply::json(StatusCode::OK, &info))
    }

    fn describe<'a>(&self, session: &'a Session, now: Timestamp) -> TokenInfo<'a> {
        let pair = self.sessions.issued(session, now);
        let (refresh_token, refresh_left) = pair.refresh.unzip();
        // Platform §3: values are what is left, a second or two below what was asked for. Platform §4, rule 6: a replayed
        // answer counts down instead of starting again.
        let less = self.config.switches.token_life.reported_less;
        let reported = |left: Duration| {
            let seconds = left.as_secs();
            seconds.saturating_sub(less).max(seconds.min(1))
        };
        TokenInfo {
            access_token: pair.access_token,
            token_type: "bearer",
            expires_in: reported(pair.access_left),
            refresh_token,
            refresh_token_expires_in: refresh_left.map(reported),
            scope: session.scope(),
            owner_id: session.user.0.to_string(),
            endpoint_id: &session.endpoint_id,
            session_id: &session.session_id,
            // Platform §4, facts 17 and 18: told only where there is a limit.
            session_expires_in: session.ends_at.map(|at| reported(at.since(now))),
            session_expiration_time: session.ends_at.map(|at| self.clock.told(at).to_string()),
            session_idle_timeout: self
                .config
                .switches
                .session_limits
                .idle
                .map(|idle| idle.as_secs()),
            id_token: None,
        }
    }
}

/// Platform §7: a 429 has the resources' body shape, CMN-301, and `Retry-After`.
pub(crate) fn limited(passage: &Passage) -> Response<Bytes> {
    let mut response = ResourceError::rate_exceeded().respond();
    write_quota(passage, response.headers_mut());
    response
}

pub(crate) fn write_quota(passage: &Passage, headers: &mut HeaderMap) {
    match passage {
        Passage::Free => {}
        Passage::Accepted(quota) => quota.write(headers),
        Passage::Refused(quota, retry_after) => {
            quota.write(headers);
            retry_after.write(headers);
        }
    }
}
