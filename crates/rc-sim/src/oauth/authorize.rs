//! The authorization endpoint: reading the request, and the two ways of refusing it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    config::{AllowedGrant, App},
    form::{self, Duplicated, Params},
    oauth::{
        error::{OauthCode, OauthError},
        pkce::Challenge,
    },
    platform::{
        Platform,
        limits::{Group, LimitKey, Passage},
    },
    reply,
    resources::error::ResourceError,
    sign_in::{
        brands::{self, Brand},
        pages,
    },
    switches::{AuthLimitScope, ErrorStatuses, ScopeParameter},
    timestamp::Timestamp,
};

/// Scopes of OpenID Connect, which are no permissions of an app.
const OIDC_SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// An authorization request that may be shown to a user.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) app: Arc<App>,
    pub(crate) target: RedirectTarget,
    pub(crate) redirect_uri_sent: bool,
    pub(crate) scope: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) login_hint: Option<String>,
    pub(crate) prompt: Prompt,
    pub(crate) nonce: Option<String>,
    pub(crate) brand: &'static Brand,
    /// Whether the callback names the endpoints to go on with.
    pub(crate) discovery: bool,
    /// What else the callback is asked to say.
    pub(crate) response_hint: Vec<ResponseHint>,
}

/// How much the user is to be asked. Platform §2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Prompt {
    /// `none`: no page at all.
    pub(crate) none: bool,
    /// Ask for the password even where the browser is known.
    pub(crate) login: bool,
    /// Ask for consent even where it was given.
    pub(crate) consent: bool,
}

/// A value that the callback can bring. That it is the callback that does is assumed (Platform §2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ResponseHint {
    BrandId,
    ContractedCountryCode,
}

/// Where answers to the app go.
#[derive(Debug)]
pub(crate) struct RedirectTarget {
    pub(crate) uri: String,
    pub(crate) state: Option<String>,
}

/// Why an authorization request goes no further.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// The client or its redirect URI is in doubt: shown to the user, never redirected.
    Shown(OauthError),
    /// Sent to the app.
    Redirected(RedirectTarget, &'static str, String),
}

impl From<OauthError> for Rejection {
    fn from(error: OauthError) -> Self {
        Self::Shown(error)
    }
}

impl RedirectTarget {
    /// The app's URI with `pairs`, and `state` verbatim.
    pub(crate) fn with(&self, pairs: &[(&str, &str)]) -> String {
        let mut pairs = pairs.to_vec();
        if let Some(state) = &self.state {
            pairs.push(("state", state));
        }
        form::with_query(&self.uri, &pairs)
    }
}

impl Platform {
    /// `GET|POST /restapi/oauth/authorize`.
    pub(crate) fn authorize(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        self.counters.authorize += 1;
        // Platform §2: POST takes the same parameters as a form body.
        let query = if request.method() == Method::POST {
            String::from_utf8_lossy(request.body()).into_owned()
        } else {
            request.uri().query().unwrap_or_default().to_owned()
        };
        let authorization = match self.read_authorization(&query) {
            Ok(authorization) => authorization,
            Err(rejection) => return self.reject(rejection, request),
        };
        if let Some(limited) = self.limit_authorize(&authorization.app, now) {
            return limited;
        }
        if authorization.prompt.none {
            return self.sign_in_silently(authorization, request, now);
        }
        // Platform §2: the normal answer is a 302 to a hosted sign-in page.
        reply::redirect(&format!("{}?{}", pages::SIGN_IN_PATH, ascii_query(&query)))
    }

    fn limit_authorize(&mut self, app: &App, now: Timestamp) -> Option<Response<Bytes>> {
        let limits = &self.config.switches.limits;
        if !limits.count_authorize || limits.auth_per != AuthLimitScope::App {
            return None;
        }
        let key = LimitKey {
            app: app.id().clone(),
            user: None,
            group: Group::Auth,
        };
        match self.limiter.pass(key, limits, now) {
            Passage::Free | Passage::Accepted(_) => None,
            Passage::Refused(quota, retry_after) => {
                let mut response = ResourceError::rate_exceeded().respond();
                quota.write(response.headers_mut());
                retry_after.write(response.headers_mut());
                Some(response)
            }
        }
    }

    /// Answers a request that goes no further.
    pub(crate) fn reject(&self, rejection: Rejection, request: &Request<Bytes>) -> Response<Bytes> {
        match rejection {
            Rejection::Shown(error) => {
                // Platform §2: 400 in the guide, 403 in its error table and as observed.
                let status = match self.config.switches.error_statuses {
                    ErrorStatuses::Observed => StatusCode::FORBIDDEN,
                    ErrorStatuses::GuideTable => StatusCode::BAD_REQUEST,
                };
                if pages::wants_html(request) {
                    pages::refusal(status, &error)
                } else {
                    error.respond_with(status, &self.config.switches)
                }
            }
            Rejection::Redirected(target, error, description) => reply::redirect(
                &target.with(&[("error", error), ("error_description", &description)]),
            ),
        }
    }

    /// Reads the parameters. Pure: the pages read them again from their own query.
    pub(crate) fn read_authorization(
        &self,
        query: &str,
    ) -> Result<AuthorizationRequest, Rejection> {
        let params = Params::parse(query.as_bytes());
        let app = self.read_client(&params)?;
        let (uri, redirect_uri_sent) = read_redirect_uri(&app, &params)?;
        // A state that came twice is nobody's: neither is echoed.
        let state = params.get("state");
        let brand = read_brand(&params)?;
        let target = RedirectTarget {
            uri,
            state: state.as_ref().ok().and_then(|s| s.map(str::to_owned)),
        };
        match self.read_grant(&app, &params, state) {
            Ok(details) => Ok(AuthorizationRequest {
                app,
                target,
                redirect_uri_sent,
                scope: details.scope,
                challenge: details.challenge,
                login_hint: params.first("login_hint").map(str::to_owned),
                prompt: details.prompt,
                nonce: details.nonce,
                brand,
                discovery: params.first("discovery") == Some("true"),
                response_hint: read_response_hint(&params),
            }),
            Err((error, description)) => Err(Rejection::Redirected(target, error, description)),
        }
    }

    fn read_client(&self, params: &Params) -> Result<Arc<App>, Rejection> {
        let client_id = params
            .get("client_id")
            .map_err(OauthError::from)?
            .unwrap_or_default();
        let app = self.registry.app(client_id);
        app.cloned()
            .ok_or_else(|| OauthError::unknown_client(client_id).into())
    }

    /// Everything whose errors the app may hear.
    fn read_grant(
        &self,
        app: &App,
        params: &Params,
        state: Result<Option<&str>, Duplicated>,
    ) -> Result<Details, AppError> {
        state.map_err(duplicated)?;
        match params.get("response_type").map_err(duplicated)? {
            Some("code") => {}
            None => return Err(invalid_request("Parameter [response_type] is missing")),
            // Platform §2: the implicit flow (`token`) is gone.
            Some(_) => {
                return Err((
                    "unsupported_response_type",
                    "Response type is not supported".into(),
                ));
            }
        }
        if !app.allows(AllowedGrant::AuthorizationCode) {
            return Err((
                "unauthorized_client",
                "Authorization code is not allowed for the app".into(),
            ));
        }
        refuse_request_objects(params)?;
        read_display(params)?;
        Ok(Details {
            scope: self.read_scope(app, params.get("scope").map_err(duplicated)?)?,
            challenge: read_challenge(app, params)?,
            prompt: read_prompt(params)?,
            nonce: params.get("nonce").map_err(duplicated)?.map(str::to_owned),
        })
    }

    /// Platform §2: `scope` narrows the app's permissions (reference), or is ignored (older guide). The scopes of
    /// OpenID Connect are no permissions: they are granted to whoever asks, and alone they narrow nothing.
    fn read_scope(&self, app: &App, scope: Option<&str>) -> Result<String, AppError> {
        let words = scope.unwrap_or_default().split_ascii_whitespace();
        let (oidc, permissions): (Vec<&str>, Vec<&str>) =
            words.partition(|word| OIDC_SCOPES.contains(word));
        let ignored = self.config.switches.scope_parameter == ScopeParameter::Ignored;
        let may = |word: &&str| app.permissions.iter().any(|have| have == word);
        let mut granted: Vec<&str> = if ignored || permissions.is_empty() {
            app.permissions.iter().map(String::as_str).collect()
        } else if permissions.iter().all(may) {
            permissions
        } else {
            return Err(("invalid_scope", "Scope is not permitted for the app".into()));
        };
        for word in oidc {
            if !granted.contains(&word) {
                granted.push(word);
            }
        }
        Ok(granted.join(" "))
    }
}

struct Details {
    scope: String,
    challenge: Option<Challenge>,
    prompt: Prompt,
    nonce: Option<String>,
}

/// `error` and `error_description` for the app.
type AppError = (&'static str, String);

fn invalid_request(description: impl Into<String>) -> AppError {
    ("invalid_request", description.into())
}

fn duplicated(Duplicated(name): Duplicated) -> AppError {
    invalid_request(format!("Parameter [{name}] is duplicated"))
}

/// Platform §2: equal to a registered URI byte for byte; required only when several are registered.
fn read_redirect_uri(app: &App, params: &Params) -> Result<(String, bool), Rejection> {
    let sent = params.get("redirect_uri").map_err(OauthError::from)?;
    let registered = &app.redirect_uris;
    match (sent, registered.as_slice()) {
        (_, []) => Err(OauthError::new(OauthCode::Oau113).into()),
        (Some(sent), _) if registered.iter().any(|uri| uri == sent) => Ok((sent.to_owned(), true)),
        (None, [only]) => Ok((only.clone(), false)),
        (Some(_) | None, _) => Err(OauthError::new(OauthCode::Oau109).into()),
    }
}

/// Platform §2: `prompt` is a list of `login`, `sso`, `consent`, or `none` alone; `login sso` when left out. `force`
/// asks for the sign-in page whatever the browser is known as (assumed).
fn read_prompt(params: &Params) -> Result<Prompt, AppError> {
    let prompt = params.get("prompt").map_err(duplicated)?;
    let words: Vec<&str> = prompt
        .unwrap_or("login sso")
        .split_ascii_whitespace()
        .collect();
    let known = ["login", "sso", "consent", "none"];
    if words.iter().any(|word| !known.contains(word)) {
        return Err(invalid_request("Parameter [prompt] is invalid"));
    }
    let none = words.contains(&"none");
    if none && words.len() > 1 {
        return Err(invalid_request("Value [none] of [prompt] stands alone"));
    }
    Ok(Prompt {
        none,
        login: words == ["login"] || params.first("force") == Some("true"),
        consent: words.contains(&"consent"),
    })
}

/// Platform §2: `brand_id` in the reference, `brandId` in the guide. Platform §6.2: another one is OAU-101.
fn read_brand(params: &Params) -> Result<&'static Brand, Rejection> {
    match params.first("brand_id").or(params.first("brandId")) {
        None => Ok(brands::default_brand()),
        Some(id) => brands::find(id).ok_or_else(|| OauthError::new(OauthCode::Oau101).into()),
    }
}

/// Platform §2: `page`, `popup`, `touch` or `mobile`. Assumed: others are refused.
fn read_display(params: &Params) -> Result<(), AppError> {
    match params.get("display").map_err(duplicated)? {
        None | Some("page" | "popup" | "touch" | "mobile") => Ok(()),
        Some(_) => Err(invalid_request("Parameter [display] is invalid")),
    }
}

/// Platform §1: neither is supported (OpenID Connect Core section 3.1.2.6).
fn refuse_request_objects(params: &Params) -> Result<(), AppError> {
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
    ] {
        if params.first(name).is_some() {
            return Err((error, format!("Parameter [{name}] is not supported")));
        }
    }
    Ok(())
}

/// Hints that nobody knows ask for nothing.
fn read_response_hint(params: &Params) -> Vec<ResponseHint> {
    let hints = params.first("response_hint").unwrap_or_default();
    let hints = hints
        .split_ascii_whitespace()
        .filter_map(|hint| match hint {
            "brand_id" => Some(ResponseHint::BrandId),
            "contracted_country_code" => Some(ResponseHint::ContractedCountryCode),
            _ => None,
        });
    hints.collect()
}

fn read_challenge(app: &App, params: &Params) -> Result<Option<Challenge>, AppError> {
    let challenge = Challenge::parse(
        params.get("code_challenge").map_err(duplicated)?,
        params.get("code_challenge_method").map_err(duplicated)?,
    )
    .map_err(invalid_request)?;
    // Assumed: a client-side web app cannot do without PKCE, having no secret.
    if challenge.is_none() && app.is_public() {
        return Err(invalid_request("Parameter [code_challenge] is missing"));
    }
    Ok(challenge)
}

/// The query with everything encoded that may not stand in a header.
fn ascii_query(query: &str) -> String {
    query
        .bytes()
        .map(|b| match b {
            b'!'..=b'~' if b != b'#' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
