//! What the platform has seen so far.

use serde::Serialize;

use crate::oauth::grants;

/// Counts of requests by kind since the platform was made.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Requests to the authorization endpoint.
    pub authorize: u64,
    /// Authorization codes handed out.
    pub codes: u64,
    /// Sign-ins that the user cancelled or denied.
    pub denials: u64,
    /// Token requests with `grant_type=authorization_code`.
    pub token_code: TokenCounters,
    /// Token requests with `grant_type=refresh_token`.
    pub token_refresh: TokenCounters,
    /// Token requests with a personal JWT.
    pub token_jwt: TokenCounters,
    /// Token requests with another grant type or none.
    pub token_other: TokenCounters,
    /// Calls to resources.
    pub api: ApiCounters,
    /// Revocation requests, whatever came of them.
    pub revocations: u64,
    /// OAuth sessions that ended by revocation, by a sixth sign-in, or by hand.
    pub sessions_ended: u64,
    /// OAuth sessions that still have a token that works.
    pub live_sessions: u64,
}

/// Token requests of one kind. Each request counts as `received` and as one of the outcomes.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TokenCounters {
    /// All of them.
    pub received: u64,
    /// A new pair was made.
    pub issued: u64,
    /// The pair of an earlier refresh was returned again.
    pub replayed: u64,
    /// An OAuth error was the answer.
    pub refused: u64,
    /// 429 was the answer, for a limit.
    pub limited: u64,
    /// 429 CMN-304 was the answer: an earlier refresh with the same token was in the air.
    pub busy: u64,
    /// A fault kept the platform from carrying the request out.
    pub not_carried_out: u64,
    /// A fault of any kind touched the request; counted beside the outcome.
    pub faults: u64,
}

/// Calls to resources. Each counts as `received` and as one of the outcomes.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ApiCounters {
    /// All of them.
    pub received: u64,
    /// Answered with a 2xx.
    pub succeeded: u64,
    /// Answered with 401.
    pub unauthorized: u64,
    /// Answered with 429.
    pub limited: u64,
    /// Answered with another error.
    pub refused: u64,
    /// A fault kept the platform from carrying the request out.
    pub not_carried_out: u64,
    /// A fault of any kind touched the request; counted beside the outcome.
    pub faults: u64,
}

/// What came of a token request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenOutcome {
    Issued,
    Replayed,
    Refused,
    Limited,
    Busy,
    NotCarriedOut,
}

impl Counters {
    pub(crate) fn token(&mut self, grant_type: Option<&str>) -> &mut TokenCounters {
        match grant_type {
            Some("authorization_code") => &mut self.token_code,
            Some("refresh_token") => &mut self.token_refresh,
            Some(grants::PERSONAL_JWT) => &mut self.token_jwt,
            Some(_) | None => &mut self.token_other,
        }
    }
}

impl TokenCounters {
    pub(crate) fn note(&mut self, outcome: TokenOutcome) {
        self.received += 1;
        let counter = match outcome {
            TokenOutcome::Issued => &mut self.issued,
            TokenOutcome::Replayed => &mut self.replayed,
            TokenOutcome::Refused => &mut self.refused,
            TokenOutcome::Limited => &mut self.limited,
            TokenOutcome::Busy => &mut self.busy,
            TokenOutcome::NotCarriedOut => &mut self.not_carried_out,
        };
        *counter += 1;
    }
}

impl ApiCounters {
    pub(crate) fn note(&mut self, status: http::StatusCode) {
        self.received += 1;
        let counter = match status.as_u16() {
            200..=299 => &mut self.succeeded,
            401 => &mut self.unauthorized,
            429 => &mut self.limited,
            _ => &mut self.refused,
        };
        *counter += 1;
    }
}
