//! What an error of the platform means for the caller.

use std::time::Duration;

use http::StatusCode;

use crate::Refusal;

/// Which kind of endpoint an answer came from: the same code can mean different things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `/restapi/oauth/token`.
    Token,
    /// `/restapi/oauth/revoke`.
    Revoke,
    /// Anything that is called with an access token.
    Resource,
}

/// What to do about an error.
///
/// ```
/// use rc_auth_core::Verdict;
///
/// assert_eq!(Verdict::SignInAgain.advice(), "Sign in again.");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The access token is not accepted (any more): use a newer one, or refresh, and try once more.
    RefreshAndRetry,
    /// Only a new sign-in helps.
    SignInAgain,
    /// The app's registration or configuration has to change; the same request will fail again.
    FixApp,
    /// The user or the app may not do this; a refresh changes nothing.
    Permission,
    /// A rate limit: send nothing in this group until the time is over. Without a time: at least 30 s.
    Wait {
        /// `Retry-After`, if the answer had one.
        retry_after: Option<Duration>,
    },
    /// The platform is in trouble: try again later.
    BackOff {
        /// `Retry-After`, if the answer had one.
        retry_after: Option<Duration>,
    },
    /// The request is wrong: repeating it is pointless.
    Bug,
}

impl Verdict {
    /// One sentence for the person who has to do something.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::RefreshAndRetry => {
                "The access token is no longer accepted; it will be refreshed."
            }
            Self::SignInAgain => "Sign in again.",
            Self::FixApp => {
                "Compare the app in RingCentral's developer console (client id, secret, redirect URI, \
                 auth flow) with this configuration."
            }
            Self::Permission => {
                "Ask an administrator for the permission, or add it to the app in the developer console \
                 and sign in again."
            }
            Self::Wait { .. } => "Too many requests: wait before trying again.",
            Self::BackOff { .. } => "The platform is out of order for now: try again later.",
            Self::Bug => "The request is wrong; trying again will not help.",
        }
    }
}

/// What a code calls for, before the endpoint and the status have their say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    /// A resource no longer takes the access token.
    Refresh,
    /// The token or code presented to the token endpoint is dead, and with it the grant.
    TokenDead,
    /// On a resource: refresh; at the token endpoint: the token is dead.
    RefreshOrTokenDead,
    /// Sign in again, but a refresh that is answered with it ends nothing.
    SignIn,
    /// At the token endpoint the grant is dead; on a resource it is the state of an account.
    AccountState,
    App,
    Permission,
    Wait,
    BackOff,
    /// The same request is being carried out already.
    Duplicate,
    Bug,
}

/// The platform's codes: code, meaning, act. In the order of the platform's families and numbers.
const CODES: &[(&str, &str, Act)] = &[
    ("OAU-101", "invalid brand id", Act::App),
    ("OAU-102", "no code can be issued", Act::Permission),
    (
        "OAU-105",
        "this type of extension may not sign in",
        Act::Permission,
    ),
    ("OAU-106", "invalid authorization code", Act::SignIn),
    ("OAU-108", "expired authorization code", Act::SignIn),
    ("OAU-109", "redirect URIs do not match", Act::App),
    ("OAU-110", "authorization code of another app", Act::SignIn),
    ("OAU-111", "duplicated parameter", Act::Bug),
    ("OAU-112", "grant type not allowed for the app", Act::App),
    ("OAU-113", "no redirect URI is registered", Act::App),
    ("OAU-116", "wrong authentication method", Act::App),
    ("OAU-117", "scope too narrow", Act::App),
    ("OAU-119", "virtual number", Act::Permission),
    ("OAU-120", "wrong application", Act::App),
    ("OAU-121", "wrong application", Act::App),
    ("OAU-123", "client authentication is required", Act::Bug),
    ("OAU-125", "grant type not allowed for the app", Act::App),
    ("OAU-127", "wrong application release", Act::App),
    ("OAU-128", "access token expired", Act::Refresh),
    (
        "OAU-129",
        "access token corrupted or replaced",
        Act::Refresh,
    ),
    ("OAU-134", "authentication method unsupported", Act::Bug),
    ("OAU-136", "extension not found", Act::TokenDead),
    ("OAU-140", "wrong user credentials", Act::SignIn),
    (
        "OAU-141",
        "state of the extension forbids sign-in",
        Act::AccountState,
    ),
    (
        "OAU-142",
        "state of the account forbids sign-in",
        Act::AccountState,
    ),
    ("OAU-146", "invalid client credentials", Act::App),
    ("OAU-147", "account locked out", Act::Permission),
    (
        "OAU-148",
        "account locked out, use single sign-on",
        Act::Permission,
    ),
    ("OAU-149", "invalid access token", Act::Refresh),
    ("OAU-150", "query and body differ", Act::Bug),
    ("OAU-151", "invalid Authorization header", Act::Bug),
    ("OAU-152", "response type disabled", Act::App),
    ("OAU-153", "unknown client id", Act::App),
    ("OAU-156", "Basic header missing or malformed", Act::App),
    ("OAU-163", "call queues may not sign in", Act::Permission),
    ("OAU-164", "invalid client on revocation", Act::App),
    ("OAU-165", "client id of the former sandbox", Act::App),
    (
        "OAU-167",
        "access to the account is restricted",
        Act::Permission,
    ),
    (
        "OAU-168",
        "password grant blocked by multi-factor authentication",
        Act::App,
    ),
    ("OAU-210", "token expired", Act::TokenDead),
    ("OAU-211", "token revoked", Act::TokenDead),
    ("OAU-213", "token not found", Act::RefreshOrTokenDead),
    ("OAU-222", "account is gone", Act::TokenDead),
    ("OAU-232", "extension not found", Act::TokenDead),
    ("OAU-236", "extension disabled", Act::TokenDead),
    ("OAU-250", "unsupported grant type", Act::App),
    (
        "OAU-251",
        "app not authorised for this grant type",
        Act::App,
    ),
    ("OAU-270", "grant type for partners only", Act::App),
    ("OAU-331", "the assertion is no JWT", Act::App),
    ("OAU-347", "wrong algorithm of the assertion", Act::App),
    ("OAU-473", "personal JWT not allowed for this app", Act::App),
    ("AGW-401", "no Authorization header", Act::Bug),
    ("AGW-402", "invalid Authorization header", Act::Refresh),
    ("AGW-404", "no such resource", Act::Bug),
    ("CMN-101", "invalid parameter", Act::Bug),
    ("CMN-102", "resource not found", Act::Bug),
    ("CMN-103", "invalid JSON", Act::Bug),
    ("CMN-104", "unreadable request", Act::Bug),
    ("CMN-120", "invalid URI", Act::Bug),
    ("CMN-201", "service temporarily unavailable", Act::BackOff),
    ("CMN-202", "not supported", Act::Bug),
    ("CMN-203", "internal error", Act::BackOff),
    ("CMN-211", "platform in limited mode", Act::BackOff),
    ("CMN-301", "request rate exceeded", Act::Wait),
    ("CMN-302", "request rate exceeded", Act::Wait),
    ("CMN-303", "no rate plan", Act::Wait),
    ("CMN-304", "duplicate concurrent request", Act::Duplicate),
    ("CMN-310", "global request rate exceeded", Act::Wait),
    ("CMN-401", "the app lacks a permission", Act::App),
    ("CMN-402", "administrators only", Act::Permission),
    ("CMN-403", "not for this type of extension", Act::Permission),
    ("CMN-404", "not for another extension", Act::Permission),
    ("CMN-405", "sign-in to the extension required", Act::SignIn),
    ("CMN-408", "the user lacks a permission", Act::Permission),
    ("CMN-419", "not for another extension", Act::Permission),
];

/// What a code means, in a few words.
pub(crate) fn meaning(code: &str) -> Option<&'static str> {
    CODES
        .iter()
        .find(|(known, ..)| *known == code)
        .map(|(_, meaning, _)| *meaning)
}

fn act(refusal: &Refusal) -> Option<Act> {
    let known = |code: &str| {
        CODES
            .iter()
            .find(|(other, ..)| *other == code)
            .map(|(.., act)| *act)
    };
    let category =
        |code: &str| (code == "TokenInvalid" || code == "TokenExpired").then_some(Act::Refresh);
    let codes = refusal.codes();
    codes
        .iter()
        .find_map(|code| known(code.as_str()))
        .or_else(|| codes.iter().find_map(|code| category(code.as_str())))
}

/// Whether a status can mean that a token is dead. A server in trouble, a rate limit or a page of
/// something in between never can, whatever else they say.
fn status_speaks_of_tokens(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
}

pub(crate) fn ends_grant(refusal: &Refusal) -> bool {
    status_speaks_of_tokens(refusal.status())
        && match act(refusal) {
            Some(Act::TokenDead | Act::RefreshOrTokenDead | Act::AccountState) => true,
            Some(
                Act::Refresh
                | Act::SignIn
                | Act::App
                | Act::Permission
                | Act::Wait
                | Act::BackOff
                | Act::Duplicate
                | Act::Bug,
            ) => false,
            None => refusal.is_json() && refusal.error() == Some("invalid_grant"),
        }
}

/// Status 429 and 5xx first, because they speak of the server and not of the request; then the code,
/// then the OAuth error, then the status.
pub(crate) fn judge(refusal: &Refusal, endpoint: Endpoint) -> Verdict {
    let status = refusal.status();
    let retry_after = refusal.retry_after();
    if status == StatusCode::TOO_MANY_REQUESTS {
        // A duplicate of what is being carried out is no limit that is used up.
        return match act(refusal) {
            Some(Act::Duplicate) => Verdict::BackOff { retry_after },
            _ => Verdict::Wait { retry_after },
        };
    }
    match act(refusal) {
        Some(act) if status_speaks_of_tokens(status) => by_act(act, endpoint, retry_after),
        Some(Act::Bug) => Verdict::Bug,
        Some(_) | None if status.is_server_error() => by_status(status, endpoint, retry_after),
        Some(act) => by_act(act, endpoint, retry_after),
        None => {
            by_error(refusal, endpoint).unwrap_or_else(|| by_status(status, endpoint, retry_after))
        }
    }
}

fn by_act(act: Act, endpoint: Endpoint, retry_after: Option<Duration>) -> Verdict {
    match (act, endpoint) {
        (Act::Refresh | Act::RefreshOrTokenDead, Endpoint::Resource) => Verdict::RefreshAndRetry,
        (Act::AccountState, Endpoint::Resource) => Verdict::Permission,
        (
            Act::TokenDead | Act::RefreshOrTokenDead | Act::AccountState | Act::SignIn,
            Endpoint::Token | Endpoint::Revoke | Endpoint::Resource,
        ) => Verdict::SignInAgain,
        // A code about access tokens cannot be the answer to a token request.
        (Act::Refresh, Endpoint::Token | Endpoint::Revoke) => Verdict::Bug,
        (Act::App, _) => Verdict::FixApp,
        (Act::Permission, _) => Verdict::Permission,
        (Act::Wait, _) => Verdict::Wait { retry_after },
        (Act::BackOff | Act::Duplicate, _) => Verdict::BackOff { retry_after },
        (Act::Bug, _) => Verdict::Bug,
    }
}

fn by_error(refusal: &Refusal, endpoint: Endpoint) -> Option<Verdict> {
    let retry_after = refusal.retry_after();
    match (refusal.error()?, endpoint) {
        ("invalid_grant", Endpoint::Token | Endpoint::Revoke) if refusal.is_json() => {
            Some(Verdict::SignInAgain)
        }
        ("invalid_token", Endpoint::Resource) => Some(Verdict::RefreshAndRetry),
        // RFC 6750 section 3.1: the token is fine and too weak.
        ("insufficient_scope", _) | ("access_denied", _) => Some(Verdict::Permission),
        (
            "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "invalid_scope"
            | "unsupported_response_type",
            _,
        ) => Some(Verdict::FixApp),
        ("invalid_request", _) => Some(Verdict::Bug),
        ("slow_down", _) => Some(Verdict::Wait { retry_after }),
        ("temporarily_unavailable" | "server_error" | "service_unavailable", _) => {
            Some(Verdict::BackOff { retry_after })
        }
        _ => None,
    }
}

fn by_status(status: StatusCode, endpoint: Endpoint, retry_after: Option<Duration>) -> Verdict {
    match (status, endpoint) {
        (StatusCode::UNAUTHORIZED, Endpoint::Resource) => Verdict::RefreshAndRetry,
        (StatusCode::UNAUTHORIZED, Endpoint::Token | Endpoint::Revoke) => Verdict::FixApp,
        (StatusCode::FORBIDDEN, _) => Verdict::Permission,
        (StatusCode::REQUEST_TIMEOUT, _) => Verdict::BackOff { retry_after },
        (StatusCode::NOT_IMPLEMENTED, Endpoint::Resource) => Verdict::Bug,
        (status, _) if status.is_client_error() => Verdict::Bug,
        _ => Verdict::BackOff { retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_code_and_its_meaning_stand_in_the_documentation() {
        let page = include_str!("../../../docs/errors.md");
        for (code, meaning, _) in CODES {
            let row = format!("| {code} | {meaning} |");
            assert!(page.contains(&row), "docs/errors.md lacks the row {row}");
        }
    }
}
