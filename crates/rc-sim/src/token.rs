//! The token endpoint: authorization code and refresh.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use crate::{
    client_auth,
    codes::{CodeGrant, Presented},
    config::AllowedGrant,
    counters::TokenOutcome,
    form::Params,
    limits::{Group, LimitKey, Passage},
    oauth_error::{OauthCode, OauthError},
    platform::{Arrival, Platform},
    reply,
    resource_error::ResourceError,
    sessions::{NewSession, PairLife, Refresh, RefreshRefusal, Refreshed, Session},
    switches::{AuthLimitScope, TokenLife},
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
}

/// Why there are no tokens.
enum TokenRefusal {
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
    pub(crate) fn token(&mut self, request: &Request<Bytes>, arrival: Arrival) -> Response<Bytes> {
        let params = Params::parse(request.body());
        let (response, outcome) = self.answer_token(request, &params, arrival);
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
        let app = match client_auth::authenticate(&self.config.apps, request.headers(), params) {
            Ok(app) => app,
            Err(error) => return (error.respond(&self.config.switches), TokenOutcome::Refused),
        };
        let user = self.presented_user(app, params);
        let passage = self.pass_auth(app, user, arrival.now);
        if let Passage::Refused(..) = passage {
            return (limited(&passage), TokenOutcome::Limited);
        }
        let (mut response, outcome) = match self.grant(app, params, arrival) {
            Ok((number, outcome)) => (self.token_info(number, arrival.now), outcome),
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

    /// Platform: anything but a form is 415.
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

    /// Platform: the Auth group counts per app, or per user and app.
    pub(crate) fn pass_auth(&mut self, app: usize, user: Option<usize>, now: Timestamp) -> Passage {
        let limits = &self.config.switches.limits;
        let key = LimitKey {
            app,
            user: user.filter(|_| limits.auth_per == AuthLimitScope::User),
            group: Group::Auth,
        };
        self.limiter.pass(key, limits, now)
    }

    /// Whose code or refresh token this is; nobody's where neither is known.
    fn presented_user(&self, app: usize, params: &Params) -> Option<usize> {
        match params.first("grant_type")? {
            "authorization_code" => self.codes.user(params.first("code")?, app),
            "refresh_token" => self
                .sessions
                .refreshing_user(params.first("refresh_token")?, app),
            _ => None,
        }
    }

    fn grant(
        &mut self,
        app: usize,
        params: &Params,
        arrival: Arrival,
    ) -> Result<(u64, TokenOutcome), TokenRefusal> {
        match params.get("grant_type")? {
            Some("authorization_code") => {
                self.require_grant(app, AllowedGrant::AuthorizationCode)?;
                let number = self.exchange_code(app, params, arrival.now)?;
                Ok((number, TokenOutcome::Issued))
            }
            Some("refresh_token") => {
                // Platform rule 8: with refresh tokens off, the refresh grant is OAU-251.
                self.require_grant(app, AllowedGrant::RefreshToken)?;
                self.refresh(app, params, arrival)
            }
            // Grants that exist on the platform and that these apps may not use.
            Some(
                "password"
                | "client_credentials"
                | "partner_jwt"
                | "otp"
                | "ivr_pin"
                | "guest"
                | "urn:ietf:params:oauth:grant-type:jwt-bearer"
                | "urn:ietf:params:oauth:grant-type:device_code",
            ) => Err(OauthCode::Oau251.into()),
            Some(_) => Err(OauthCode::Oau250.into()),
            None => Err(OauthError::parameter("grant_type").into()),
        }
    }

    fn require_grant(&self, app: usize, grant: AllowedGrant) -> Result<(), OauthError> {
        let app = &self.config.apps[app];
        let switched_off = grant == AllowedGrant::RefreshToken && !app.issue_refresh_tokens;
        if app.allows(grant) && !switched_off {
            Ok(())
        } else {
            Err(OauthCode::Oau251.into())
        }
    }

    fn exchange_code(
        &mut self,
        app: usize,
        params: &Params,
        now: Timestamp,
    ) -> Result<u64, OauthError> {
        let presented = Presented {
            app,
            code: params
                .get("code")?
                .ok_or_else(|| OauthError::parameter("code"))?,
            redirect_uri: params.get("redirect_uri")?,
            verifier: params.get("code_verifier")?,
        };
        let endpoint_id = params.get("endpoint_id")?.map(str::to_owned);
        let life = self.pair_life(app, params)?;
        let grant = self.codes.redeem(&presented, now)?;
        Ok(self.start_session(grant, endpoint_id, life, now))
    }

    /// Platform: a code exchange starts a new OAuth session.
    fn start_session(
        &mut self,
        grant: CodeGrant,
        endpoint_id: Option<String>,
        life: PairLife,
        now: Timestamp,
    ) -> u64 {
        let CodeGrant {
            app, user, scope, ..
        } = grant;
        let switches = &self.config.switches;
        if let Some(endpoint_id) = endpoint_id
            .as_deref()
            .filter(|_| switches.endpoint_replaces_session)
        {
            self.sessions.end_endpoint(app, user, endpoint_id);
        }
        self.sessions
            .make_room(app, user, switches.sessions_per_extension_and_app, now);
        self.sessions.start(
            NewSession {
                app,
                user,
                scope,
                endpoint_id,
            },
            life,
            now,
        )
    }

    fn refresh(
        &mut self,
        app: usize,
        params: &Params,
        arrival: Arrival,
    ) -> Result<(u64, TokenOutcome), TokenRefusal> {
        let token = params
            .get("refresh_token")?
            .ok_or_else(|| OauthError::parameter("refresh_token"))?;
        let refresh = Refresh {
            token,
            app,
            life: self.pair_life(app, params)?,
            answer_delay: arrival.answer_delay,
        };
        match self.sessions.refresh(&refresh, arrival.now) {
            Ok((number, Refreshed::Minted)) => Ok((number, TokenOutcome::Issued)),
            Ok((number, Refreshed::Replayed)) => Ok((number, TokenOutcome::Replayed)),
            // Platform: an expired refresh token is OAU-210, every other dead one OAU-213.
            Err(RefreshRefusal::Expired) => Err(OauthCode::Oau210.into()),
            Err(RefreshRefusal::NotFound) => Err(OauthCode::Oau213.into()),
            Err(RefreshRefusal::Busy) => Err(TokenRefusal::Busy),
        }
    }

    fn pair_life(&self, app: usize, params: &Params) -> Result<PairLife, OauthError> {
        let life = &self.config.switches.token_life;
        let refresh = refresh_life(life, params.get("refresh_token_ttl")?);
        Ok(PairLife {
            access: access_life(life, params.get("access_token_ttl")?),
            // Platform rule 2: refresh tokens only when "Issue refresh tokens" is on.
            refresh: refresh.filter(|_| self.config.apps[app].issue_refresh_tokens),
        })
    }

    fn token_info(&self, number: u64, now: Timestamp) -> Response<Bytes> {
        let Some(session) = self.sessions.get(number) else {
            return OauthError::new(OauthCode::Oau213).respond(&self.config.switches);
        };
        reply::no_store(reply::json(StatusCode::OK, &self.describe(session, now)))
    }

    fn describe<'a>(&self, session: &'a Session, now: Timestamp) -> TokenInfo<'a> {
        let pair = self.sessions.issued(session, now);
        let (refresh_token, refresh_left) = pair.refresh.unzip();
        // Platform: values are what is left, a second or two below what was asked for. Rule 6: a replayed
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
            scope: &session.scope,
            owner_id: self.config.users[session.user].extension_id.to_string(),
            endpoint_id: &session.endpoint_id,
            session_id: &session.session_id,
        }
    }
}

/// Platform: 600 to 3600 s, clamped and never refused; official clients also send `-1` and `NaN`.
fn access_life(life: &TokenLife, asked: Option<&str>) -> Duration {
    let least = life.access_min.min(life.access);
    match asked.and_then(|asked| asked.parse::<i64>().ok()) {
        Some(seconds) => {
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(least, life.access)
        }
        None => life.access,
    }
}

/// Platform: 7 days unless asked otherwise, at most 30; 0 asks for no refresh token.
fn refresh_life(life: &TokenLife, asked: Option<&str>) -> Option<Duration> {
    match asked.and_then(|asked| asked.parse::<i64>().ok()) {
        Some(0) => None,
        Some(seconds) if seconds > 0 => {
            Some(Duration::from_secs(seconds.unsigned_abs()).min(life.refresh_max))
        }
        Some(_) | None => Some(life.refresh.min(life.refresh_max)),
    }
}

/// Platform: a 429 has the resources' body shape, CMN-301, and `Retry-After`.
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
