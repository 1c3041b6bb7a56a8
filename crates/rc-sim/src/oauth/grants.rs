//! The grants: what a code, a refresh token or a personal JWT is exchanged for.

use std::time::Duration;

use crate::{
    config::{AllowedGrant, App, Role, User, UserId},
    form::Params,
    oauth::{
        authorization_codes::{CodeGrant, Presented},
        error::{OauthCode, OauthError},
        sessions::{
            NewSession, PairLife, PresentedToken, Refresh, RefreshRefusal, Refreshed, Rules,
        },
        token::TokenRefusal,
    },
    platform::{Arrival, Platform, counters::TokenOutcome},
    switches::{ScopeParameter, TokenLife},
    timestamp::Timestamp,
};

/// RFC 7523 section 2.1.
pub(crate) const PERSONAL_JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a grant came to.
pub(crate) struct Granted {
    /// The OAuth session.
    pub(crate) session: u64,
    pub(crate) outcome: TokenOutcome,
    /// The sign-in that an ID token would tell of.
    pub(crate) sign_in: Option<SignIn>,
}

/// A sign-in, as an ID token tells of it.
pub(crate) struct SignIn {
    pub(crate) at: Timestamp,
    pub(crate) nonce: Option<String>,
}

impl Platform {
    /// Carries out a token request of `app`.
    pub(crate) fn grant(
        &mut self,
        app: &App,
        params: &Params,
        arrival: Arrival,
    ) -> Result<Granted, TokenRefusal> {
        match params.get("grant_type")? {
            Some("authorization_code") => {
                require_grant(app, AllowedGrant::AuthorizationCode)?;
                Ok(self.exchange_code(app, params, arrival.now)?)
            }
            Some("refresh_token") => {
                // Platform §4, rule 8: with refresh tokens off, the refresh grant is OAU-251.
                require_grant(app, AllowedGrant::RefreshToken)?;
                self.refresh(app, params, arrival)
            }
            Some(PERSONAL_JWT) => {
                require_grant(app, AllowedGrant::PersonalJwt)?;
                Ok(self.exchange_jwt(app, params, arrival.now)?)
            }
            // Platform §3: grants that exist on the platform and that these apps may not use.
            Some(
                "password"
                | "client_credentials"
                | "partner_jwt"
                | "otp"
                | "ivr_pin"
                | "guest"
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
    ) -> Result<Granted, OauthError> {
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
        self.note_code(presented.code);
        if let Some(scope) = self.narrowed(&grant.scope, asked)? {
            grant.scope = scope;
        }
        let CodeGrant {
            app,
            user,
            scope,
            signed_in_at,
            nonce,
            ..
        } = grant;
        let new = NewSession {
            app,
            user,
            scope,
            endpoint_id,
        };
        Ok(Granted {
            session: self.start_session(new, life, now),
            outcome: TokenOutcome::Issued,
            sign_in: Some(SignIn {
                at: signed_in_at,
                nonce,
            }),
        })
    }

    /// Platform §3: a personal JWT belongs to a user; the app that exchanges it authenticates like any other.
    fn exchange_jwt(
        &mut self,
        app: &App,
        params: &Params,
        now: Timestamp,
    ) -> Result<Granted, OauthError> {
        let assertion = params
            .get("assertion")?
            .ok_or_else(|| OauthError::parameter("assertion"))?;
        let verified = self
            .jwts
            .verify(assertion, app.client_id(), &self.keys, now);
        let jwt = verified.map_err(OauthCode::of_personal_jwt)?;
        let user = UserId(jwt.extension_id);
        self.admitted(user)?;
        let life = self.pair_life(app, params)?;
        let all = app.permissions.join(" ");
        let narrowed = self.narrowed(&all, params.get("scope")?)?;
        let new = NewSession {
            app: app.id().clone(),
            user,
            scope: narrowed.unwrap_or(all),
            endpoint_id: params.get("endpoint_id")?.map(str::to_owned),
        };
        Ok(Granted {
            session: self.start_session(new, life, now),
            outcome: TokenOutcome::Issued,
            sign_in: None,
        })
    }

    /// The user of a personal JWT, as far as the platform has made it.
    pub(crate) fn jwt_user(&self, assertion: &str) -> Option<UserId> {
        let jwt = self.jwts.find(assertion, &self.keys)?;
        Some(UserId(jwt.extension_id))
    }

    /// Platform §4, fact 13: a code or JWT exchange starts a new OAuth session.
    fn start_session(&mut self, new: NewSession, life: PairLife, now: Timestamp) -> u64 {
        let switches = &self.config.switches;
        let owner = (new.app.clone(), new.user);
        if let Some(endpoint_id) = new
            .endpoint_id
            .as_deref()
            .filter(|_| switches.endpoint_replaces_session)
        {
            self.sessions.end_endpoint(&owner, endpoint_id);
        }
        let limits = switches.session_limits;
        let most = switches.sessions_per_extension_and_app;
        self.sessions.make_room(&owner, most, limits, now);
        self.sessions.start(new, life, limits, now)
    }

    fn refresh(
        &mut self,
        app: &App,
        params: &Params,
        arrival: Arrival,
    ) -> Result<Granted, TokenRefusal> {
        let token = params
            .get("refresh_token")?
            .ok_or_else(|| OauthError::parameter("refresh_token"))?;
        let presented = self.sessions.presented(token, app.id());
        let PresentedToken {
            session,
            generation,
        } = presented.map_err(refuse_refresh)?;
        self.admitted(session.user)?;
        let refresh = Refresh {
            session: session.number(),
            generation,
            life: self.pair_life(app, params)?,
            // RFC 6749 section 6: a part of the whole that the user granted, not of what an earlier refresh left.
            scope: self.narrowed(&session.granted, params.get("scope")?)?,
            answer_delay: arrival.answer_delay,
        };
        let rules = Rules::of(&self.config.switches);
        match self.sessions.refresh(&refresh, rules, arrival.now) {
            Ok((session, refreshed)) => Ok(Granted {
                session,
                outcome: match refreshed {
                    Refreshed::Minted => TokenOutcome::Issued,
                    Refreshed::Replayed => TokenOutcome::Replayed,
                },
                sign_in: None,
            }),
            Err(refusal) => Err(refuse_refresh(refusal)),
        }
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
            // Platform §4, fact 2: refresh tokens only when "Issue refresh tokens" is on.
            refresh: refresh.filter(|_| app.issue_refresh_tokens),
        })
    }
}

/// Platform §6.2: an expired refresh token is OAU-210, a revoked one OAU-211, every other dead one OAU-213.
fn refuse_refresh(refusal: RefreshRefusal) -> TokenRefusal {
    match refusal {
        RefreshRefusal::Expired => OauthCode::Oau210.into(),
        RefreshRefusal::Revoked => OauthCode::Oau211.into(),
        RefreshRefusal::NotFound => OauthCode::Oau213.into(),
        RefreshRefusal::Busy => TokenRefusal::Busy,
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

/// Platform §3: 600 to 3600 s, clamped and never refused; official clients also send `-1` and `NaN`.
fn access_life(life: &TokenLife, asked: Option<&str>) -> Duration {
    let least = life.access_min.min(life.access);
    match asked.and_then(|asked| asked.parse::<i64>().ok()) {
        Some(seconds) => {
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(least, life.access)
        }
        None => life.access,
    }
}

/// Platform §3: 7 days unless asked otherwise, at most 30; 0 asks for no refresh token.
fn refresh_life(life: &TokenLife, asked: Option<&str>) -> Option<Duration> {
    match asked.and_then(|asked| asked.parse::<i64>().ok()) {
        Some(0) => None,
        Some(seconds) if seconds > 0 => {
            Some(Duration::from_secs(seconds.unsigned_abs()).min(life.refresh_max))
        }
        Some(_) | None => Some(life.refresh.min(life.refresh_max)),
    }
}
