//! The switches of the platform's behaviour, each with the documented default.
//!
//! On the command line, in a file and over HTTP they go by the names they serialize to: durations are whole
//! numbers whose unit is part of the name. A member that nobody knows is refused, and the refusal names it.

mod duration;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the platform behaves where it is configurable, or where what is known about it conflicts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Switches {
    /// What happens to a refresh token that was spent. Default: RingCentral's grace, 60 min and 10 s.
    pub refresh_replay: RefreshReplay,
    /// Whether a spent refresh token that is presented after its grace ends the whole OAuth session, as
    /// [`RefreshReplay::Strict`] does at once. Default: no, it is only refused. That is assumed: nothing
    /// RingCentral publishes or anybody recorded speaks of a session that ended so.
    pub late_reuse_ends_session: bool,
    /// Whether revoking a spent token, access or refresh, ends its OAuth session, as revoking a current one does.
    /// Default: yes. That is assumed: RFC 7009 leaves it to the server, and RingCentral does not say.
    #[serde(default = "ends")]
    pub spent_token_ends_session: bool,
    /// What happens to a refresh while an earlier one with the same token is in the air. Default: it is
    /// carried out.
    pub concurrent_duplicates: ConcurrentDuplicates,
    /// How many OAuth sessions one extension may have with one app before the oldest ends. Default: 5.
    pub sessions_per_extension_and_app: usize,
    /// Whether a sign-in with the `endpoint_id` of a live OAuth session replaces that one. Default: yes.
    pub endpoint_replaces_session: bool,
    /// When an OAuth session ends whatever is refreshed. Default: never.
    pub session_limits: SessionLimits,
    /// How long an authorization code lives. Default: 60 s, the only number ever published.
    #[serde(rename = "code_life_seconds", with = "duration::seconds")]
    pub code_life: Duration,
    /// How long tokens live.
    pub token_life: TokenLife,
    /// Request rates.
    pub limits: Limits,
    /// Which statuses refusals carry. Default: the observed ones.
    pub error_statuses: ErrorStatuses,
    /// How the bodies of OAuth errors look. Default: with the `errors` array.
    pub error_shape: ErrorShape,
    /// What the `scope` parameter does. Default: narrows, as the newer source says.
    pub scope_parameter: ScopeParameter,
    /// Where an access token may stand in the query. Default: in the addresses of media only.
    pub access_token_in_query: AccessTokenInQuery,
    /// Whether `userinfo` asks for a token with the scope `openid`. Default: yes. That is assumed.
    pub userinfo_needs_openid: bool,
    /// On how many pages login and password are asked for. Default: one.
    pub sign_in_pages: SignInPages,
    /// What a browser that has signed in gets when it comes again. Default: the sign-in page.
    pub known_browser: KnownBrowser,
    /// For how long a browser stays signed in to the platform. Default: 8 hours. Zero: not at all. Assumed.
    #[serde(rename = "browser_session_seconds", with = "duration::seconds")]
    pub browser_session: Duration,
    /// Whether the sign-in page shows the demo users and is filled in for the first. Default: yes.
    pub prefill_sign_in: bool,
}

/// What states that were written before the switch existed mean.
const fn ends() -> bool {
    true
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            refresh_replay: RefreshReplay::default(),
            late_reuse_ends_session: false,
            spent_token_ends_session: true,
            concurrent_duplicates: ConcurrentDuplicates::Replay,
            sessions_per_extension_and_app: 5,
            endpoint_replaces_session: true,
            session_limits: SessionLimits::default(),
            code_life: Duration::from_secs(60),
            token_life: TokenLife::default(),
            limits: Limits::default(),
            error_statuses: ErrorStatuses::Observed,
            error_shape: ErrorShape::WithErrors,
            scope_parameter: ScopeParameter::Narrows,
            access_token_in_query: AccessTokenInQuery::Media,
            userinfo_needs_openid: true,
            sign_in_pages: SignInPages::One,
            known_browser: KnownBrowser::SignsInAgain,
            browser_session: Duration::from_secs(8 * 60 * 60),
            prefill_sign_in: true,
        }
    }
}

impl Switches {
    /// These switches with the members of `patch` changed. Members of members are changed one by one, so
    /// `{"limits": {"enabled": false}}` leaves the other limits as they are.
    ///
    /// # Errors
    ///
    /// When a member has no such name or value; the error names it.
    pub fn patched(&self, patch: Value) -> Result<Self, SwitchError> {
        let mut all = serde_json::to_value(self)?;
        merge(&mut all, patch);
        Ok(serde_json::from_value(all)?)
    }
}

impl Switches {
    /// What makes these switches of `others`, by [`patched`](Self::patched); `None` when nothing has to.
    pub(crate) fn difference(&self, others: &Self) -> Option<Value> {
        let (mine, theirs) = (serde_json::to_value(self), serde_json::to_value(others));
        difference(&mine.ok()?, &theirs.ok()?)
    }
}

fn difference(new: &Value, old: &Value) -> Option<Value> {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let members = new.iter().filter_map(|(name, value)| {
                let changed = difference(value, old.get(name).unwrap_or(&Value::Null))?;
                Some((name.clone(), changed))
            });
            let changed: serde_json::Map<String, Value> = members.collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        (new, old) => (new != old).then(|| new.clone()),
    }
}

/// A switch was given a name or a value that it does not have.
#[derive(Debug, thiserror::Error)]
#[error("a switch is not understood: {0}")]
pub struct SwitchError(#[from] serde_json::Error);

fn merge(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                merge(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new,
    }
}

/// When an OAuth session ends although its tokens would live on. Platform §4, facts 17 and 18.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionLimits {
    /// So long after the sign-in. Reported as `session_expires_in` and `session_expiration_time`. A session that
    /// exists keeps the limit it started with.
    #[serde(rename = "absolute_seconds", with = "duration::optional_seconds")]
    pub absolute: Option<Duration>,
    /// So long after the last call or refresh. Reported as `session_idle_timeout`. That both count is assumed.
    #[serde(rename = "idle_seconds", with = "duration::optional_seconds")]
    pub idle: Option<Duration>,
}

/// Where an access token may stand in the query instead of the header (RFC 6750 section 2.3). Platform §7.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessTokenInQuery {
    /// In the addresses of recordings and attachments, which is what RingCentral documents.
    Media,
    /// In every address.
    Everywhere,
    /// Nowhere.
    Nowhere,
}

/// On how many pages login and password are asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInPages {
    /// Both on one.
    One,
    /// The login on the first, the password on the second.
    Two,
}

/// What a browser that is signed in to the platform gets when an app sends it there again. With
/// `prompt=none` it never gets a page, and with `prompt=login` alone or `force=true` always the sign-in page.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBrowser {
    /// The sign-in page: `prompt` is `login sso` when left out.
    SignsInAgain,
    /// No sign-in page. Assumed: `force=true`, which first-party apps send, would be of no use otherwise.
    SkipsSignIn,
}

/// What happens when a spent refresh token is presented again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RefreshReplay {
    /// RingCentral: the last spent refresh token returns the same new pair again, for a while.
    Grace {
        /// For how long while the new access token was not used. Default: 60 min. Zero: not at all.
        #[serde(rename = "unused_seconds", with = "duration::seconds")]
        unused: Duration,
        /// For how long after the new access token was first used. Default: 10 s. Zero: not at all.
        #[serde(rename = "used_seconds", with = "duration::seconds")]
        used: Duration,
    },
    /// Other providers (RFC 9700 section 4.14.2): no grace; a spent refresh token counts as stolen, and
    /// presenting one ends the whole OAuth session.
    Strict,
}

impl Default for RefreshReplay {
    fn default() -> Self {
        Self::Grace {
            unused: Duration::from_secs(60 * 60),
            used: Duration::from_secs(10),
        }
    }
}

/// What happens to a refresh that arrives while an earlier one with the same token is in the air.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConcurrentDuplicates {
    /// It is carried out as if it came later: [`RefreshReplay`] says what comes of it.
    Replay,
    /// It is answered with 429 CMN-304 and not carried out. RingCentral's error table has that code; that
    /// the token endpoint answers with it is assumed. It counts as a request of the Auth group, carries
    /// no `Retry-After`, and does not keep the earlier one in the air for longer.
    RefusedBusy {
        /// How long after its arrival a refresh is in the air at least. Where a [`Fault::Delay`] keeps its
        /// answer for longer, it is in the air until that is sent. Zero: only then.
        ///
        /// [`Fault::Delay`]: crate::Fault::Delay
        #[serde(rename = "within_milliseconds", with = "duration::milliseconds")]
        within: Duration,
    },
}

/// How long tokens live, and what the answers say about it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenLife {
    /// The life of an access token, and the most a request can ask for. Default: 3600 s.
    #[serde(rename = "access_seconds", with = "duration::seconds")]
    pub access: Duration,
    /// The least a request can ask for; a shorter request is raised. Default: 600 s.
    #[serde(rename = "access_min_seconds", with = "duration::seconds")]
    pub access_min: Duration,
    /// The life of a refresh token when the request does not say. Default: 7 days.
    #[serde(rename = "refresh_seconds", with = "duration::seconds")]
    pub refresh: Duration,
    /// The most a request can ask for. Default: 30 days (7 days before 2025).
    #[serde(rename = "refresh_max_seconds", with = "duration::seconds")]
    pub refresh_max: Duration,
    /// How many seconds fewer an answer reports than are left, but never 0 while a whole second is left.
    /// Default: 1, as live answers do.
    #[serde(rename = "reported_less_seconds")]
    pub reported_less: u64,
}

impl Default for TokenLife {
    fn default() -> Self {
        Self {
            access: Duration::from_secs(3600),
            access_min: Duration::from_secs(600),
            refresh: Duration::from_secs(604_800),
            refresh_max: Duration::from_secs(2_592_000),
            reported_less: 1,
        }
    }
}

/// Request rates.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Whether any limit holds. Default: on.
    pub enabled: bool,
    /// Extension and account info. Default: 50 per user and app.
    pub light: u32,
    /// SMS. Default: 40 per user and app.
    pub medium: u32,
    /// Call log. Default: 10 per user and app.
    pub heavy: u32,
    /// Token and revocation requests. Default: 5, for whom [`auth_per`](Self::auth_per) says.
    pub auth: u32,
    /// Whom the Auth figure is for. Default: the app, as the newer announcement says.
    pub auth_per: AuthLimitScope,
    /// Whether authorization requests count into the app's Auth budget too. Default: yes, as the reference puts
    /// them into that group. Their user is not known yet, so they count only where
    /// [`auth_per`](Self::auth_per) is the app.
    pub count_authorize: bool,
    /// The sliding window the figures are for. Default: 60 s.
    #[serde(rename = "window_seconds", with = "duration::seconds")]
    pub window: Duration,
    /// How long a group stays closed after one request too many; each request meanwhile restarts it.
    /// Default: 60 s.
    #[serde(rename = "penalty_seconds", with = "duration::seconds")]
    pub penalty: Duration,
    /// What `X-Rate-Limit-Remaining` says on a 429. Default: the full limit, as observed.
    pub remaining_on_429: RemainingOn429,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enabled: true,
            light: 50,
            medium: 40,
            heavy: 10,
            auth: 5,
            auth_per: AuthLimitScope::App,
            count_authorize: true,
            window: Duration::from_secs(60),
            penalty: Duration::from_secs(60),
            remaining_on_429: RemainingOn429::FullLimit,
        }
    }
}

/// Whom the figure of the Auth group is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthLimitScope {
    /// The app, all its users together: RingCentral's announcement of the limit.
    App,
    /// Each user of the app: the guide. Whose a request is follows from its code or token, spent ones
    /// included. Requests that name nobody, such as those with an unknown code, share a window of the app's
    /// own and use up no user's.
    User,
}

/// What `X-Rate-Limit-Remaining` says on a 429.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemainingOn429 {
    /// The full limit: observed, and the reason not to trust the header.
    FullLimit,
    /// Zero.
    Zero,
}

/// Which statuses refusals of the OAuth endpoints carry.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorStatuses {
    /// As recorded: 400 at the token endpoint, 403 at the authorization endpoint.
    Observed,
    /// As the guide's table has it: mostly 401 and 403 at the token endpoint, 400 at the authorization
    /// endpoint.
    GuideTable,
}

/// How the bodies of OAuth errors look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorShape {
    /// `error`, `error_description` and an `errors` array with the OAU code.
    WithErrors,
    /// `error` and `error_description` only, as in 2017.
    Bare,
}

/// What the `scope` parameter does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeParameter {
    /// Narrows the app's permissions; an unknown one is `invalid_scope`.
    Narrows,
    /// Nothing: the app's permissions apply.
    Ignored,
}
