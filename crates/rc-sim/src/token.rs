//! The token endpoint: authorization code and refresh.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use crate::{
    client_auth,
    codes::{CodeGrant, Presented},
    config::{AllowedGrant, App, Role, User, UserId},
    counters::TokenOutcome,
    form::Params,
    limits::{Group, LimitKey, Passage},
    oauth_error::{OauthCode, OauthError},
    platform::{Arrival, Platform},
    reply,
    resource_error::ResourceError,
    sessions::{NewSession, PairLife, Refresh, RefreshRefusal, Refreshed, Rules, Session},
    switches::{AuthLimitScope, ScopeParameter, TokenLife},
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
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        if let Err(differs) = params.agree_with(&query) {
            let error = OauthError::from(differs);
            return (error.respond(&self.config.switches), TokenOutcome::Refused);
        }
        let app = match client_auth::authenticate(&self.registry, request.headers(), params) {
            Ok(app) => app,
            Err(error) => return (error.respond(&self.config.switches), TokenOutcome::Refused),
        };
        let user = self.presented_user(&app, params);
        let passage = self.pass_auth(&app, user, arrival.now);
        if let Passage::Refused(..) = passage {
            return (limited(&passage), TokenOutcome::Limited);
        }
        let (mut response, outcome) = match self.grant(&app, params, arrival) {
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
    pub(crate) fn pass_auth(&mut self, app: &App, user: Option<UserId>, now: Timestamp) -> Passage {
        let limits = &self.config.switches.limits;
        let key = LimitKey {
            app: app.id().clone(),
            user: user.filter(|_| limits.auth_per == AuthLimitScope::User),
            group: Group::Auth,
        };
        self.limiter.pass(key, limits, now)
    }

    /// Whose code or refresh token this is; nobody's where neither is known.
    fn presented_user(&self, app: &App, params: &Params) -> Option<UserId> {
        match params.first("grant_type")? {
            "authorization_code" => self.codes.user(params.first("code")?, app.id()),
            "refresh_token" => self
                .sessions
                .refreshing_user(params.first("refresh_token")?, app.id()),
            _ => None,
        }
    }

    fn grant(
        &mut self,
        app: &App,
        params: &Params,
        arrival: Arrival,
    ) -> Result<(u64, TokenOutcome), TokenRefusal> {
        match params.get("grant_type")? {
            Some("authorization_code") => {
                require_grant(app, AllowedGrant::AuthorizationCode)?;
                let number = self.exchange_code(app, params, arrival.now)?;
                Ok((number, TokenOutcome::Issued))
            }
            Some("refresh_token") => {
                // Platform rule 8: with refresh tokens off, the refresh grant is OAU-251.
                require_grant(app, AllowedGrant::RefreshToken)?;
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

    /// Whether `user` may sign in to an app, or stay signed in. Platform §6.2.
    pub(crate) fn admit(&self, user: &User) -> Result<(), OauthError> {
        if !self.config.account.enabled {
            return Err(OauthCode::Oau142.into());
        }
        if !user.enabled {
            return Err(OauthCode::Oau141.into());
        }
        if user.role == Role::NoThirdPartyApps {
            return Err(OauthError::user_permission("ThirdPartyAppAccess"));
        }
        Ok(())
    }

    fn admitted(&self, user: UserId) -> Result<(), OauthError> {
        let user = self.registry.user(user).ok_or(OauthCode::Oau141)?;
        self.admit(user)
    }

    fn exchange_code(
        &mut self,
        app: &App,
        params: &Params,
        now: Timestamp,
    ) -> Result<u64, OauthError> {
        let presented = Presented {
            app: app.id(),
            code: params
                .get("code")?
                .ok_or_else(|| OauthError::parameter("code"))?,
            redirect_uri: params.get("redirect_uri")?,
            verifier: params.get("code_verifier")?,
        };
        let endpoint_id = params.get("endpoint_id")?.map(str::to_owned);
        let life = self.pair_life(app, params)?;
        if let Some(user) = self.codes.user(presented.code, app.id()) {
            self.admitted(user)?;
        }
        let asked = params.get("scope")?;
        if let Some(granted) = self.codes.scope(presented.code) {
            self.narrowed(granted, asked)?;
        }
        let mut grant = self.codes.redeem(&presented, now)?;
        if let Some(scope) = self.narrowed(&grant.scope, asked)? {
            grant.scope = scope;
        }
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
        let owner = (app.clone(), user);
        if let Some(endpoint_id) = endpoint_id
            .as_deref()
            .filter(|_| switches.endpoint_replaces_session)
        {
            self.sessions.end_endpoint(&owner, endpoint_id);
        }
        let limits = switches.session_limits;
        let most = switches.sessions_per_extension_and_app;
        self.sessions.make_room(&owner, most, limits, now);
        self.sessions.start(
            NewSession {
                app,
                user,
                scope,
                endpoint_id,
            },
            life,
            limits,
            now,
        )
    }

    fn refresh(
        &mut self,
        app: &App,
        params: &Params,
        arrival: Arrival,
    ) -> Result<(u64, TokenOutcome), TokenRefusal> {
        let token = params
            .get("refresh_token")?
            .ok_or_else(|| OauthError::parameter("refresh_token"))?;
        let refresh = Refresh {
            token,
            app: app.id(),
            life: self.pair_life(app, params)?,
            scope: self.refreshed_scope(token, params.get("scope")?)?,
            answer_delay: arrival.answer_delay,
        };
        if let Some(user) = self.sessions.refreshing_user(token, app.id()) {
            self.admitted(user)?;
        }
        let rules = Rules::of(&self.config.switches);
        match self.sessions.refresh(&refresh, rules, arrival.now) {
            Ok((number, Refreshed::Minted)) => Ok((number, TokenOutcome::Issued)),
            Ok((number, Refreshed::Replayed)) => Ok((number, TokenOutcome::Replayed)),
            // Platform §6.2: an expired refresh token is OAU-210, a revoked one OAU-211, every other dead one
            // OAU-213.
            Err(RefreshRefusal::Expired) => Err(OauthCode::Oau210.into()),
            Err(RefreshRefusal::Revoked) => Err(OauthCode::Oau211.into()),
            Err(RefreshRefusal::NotFound) => Err(OauthCode::Oau213.into()),
            Err(RefreshRefusal::Busy) => Err(TokenRefusal::Busy),
        }
    }

    /// What a refresh leaves of the scope: of the whole that the user granted, not of what an earlier refresh left
    /// (RFC 6749 section 6).
    fn refreshed_scope(
        &self,
        token: &str,
        asked: Option<&str>,
    ) -> Result<Option<String>, OauthError> {
        let session = self.sessions.owner_of(token);
        session.map_or(Ok(None), |session| self.narrowed(&session.granted, asked))
    }

    /// Platform §3: every grant takes `scope`, the permissions asked for; all that there are when left out. `None`
    /// when nothing is left out, or when scopes are not listened to.
    fn narrowed(&self, granted: &str, asked: Option<&str>) -> Result<Option<String>, OauthError> {
        let Some(asked) = asked else { return Ok(None) };
        if self.config.switches.scope_parameter == ScopeParameter::Ignored {
            return Ok(None);
        }
        let asked: Vec<&str> = asked.split_ascii_whitespace().collect();
        let has = |word: &&str| granted.split(' ').any(|have| have == *word);
        if asked.is_empty() {
            return Ok(None);
        }
        if asked.iter().all(has) {
            Ok(Some(asked.join(" ")))
        } else {
            Err(OauthError::scope())
        }
    }

    fn pair_life(&self, app: &App, params: &Params) -> Result<PairLife, OauthError> {
        let life = &self.config.switches.token_life;
        let refresh = refresh_life(life, params.get("refresh_token_ttl")?);
        Ok(PairLife {
            access: access_life(life, params.get("access_token_ttl")?),
            // Platform rule 2: refresh tokens only when "Issue refresh tokens" is on.
            refresh: refresh.filter(|_| app.issue_refresh_tokens),
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
            scope: session.scope(),
            owner_id: session.user.0.to_string(),
            endpoint_id: &session.endpoint_id,
            session_id: &session.session_id,
            // Platform §4, facts 17 and 18: told only where there is a limit.
            session_expires_in: session.ends_at.map(|at| reported(at.since(now))),
            session_expiration_time: session.ends_at.map(|at| at.to_string()),
            session_idle_timeout: self
                .config
                .switches
                .session_limits
                .idle
                .map(|idle| idle.as_secs()),
        }
    }
}

fn require_grant(app: &App, grant: AllowedGrant) -> Result<(), OauthError> {
    let switched_off = grant == AllowedGrant::RefreshToken && !app.issue_refresh_tokens;
    if app.allows(grant) && !switched_off {
        Ok(())
    } else {
        Err(OauthCode::Oau251.into())
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
