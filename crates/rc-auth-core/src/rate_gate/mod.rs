//! When a request may be sent at all.

mod api;
mod auth;
mod budget;
mod route;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use self::{api::ApiGroups, auth::AuthLanes, route::Route};
pub use self::{
    api::{Closed, Owner},
    auth::{AuthLane, AuthRequest},
    budget::{AuthBudget, InvalidBudget, Rate},
};
use crate::error_body::retry_after;

/// A per-process gate in front of every request of an app.
///
/// The platform blocks a group for a penalty once its limit is passed, and every request during the
/// penalty starts it anew: so nothing is sent in a group before its penalty is over.
///
/// Calls of the API are counted as the platform counts them, by user, app and group: a 429 closes its
/// group for the [`Owner`] of the call and delays nobody else. Groups are named by the answers
/// (`X-Rate-Limit-Group`), not guessed, and remembered for a method and a path whose ids are left out:
/// `/message-store/123` and `/message-store/456` are one. A 429 that names no group closes the one the path
/// was last seen in, or everything of that owner where none is known.
///
/// Requests of the OAuth endpoints go in lanes: see [`AuthLane`].
///
/// Memory is bounded: 256 paths, of which the one learned first makes room for another; and penalties of
/// 10,000 owners at once. Beyond that a 429 closes its group for every owner, for 60 s at most: nothing is
/// sent that might start a penalty anew, and one odd answer does not stop everybody for a day.
#[derive(Debug)]
pub struct RateGate {
    auth: AuthLanes,
    api: ApiGroups,
}

impl RateGate {
    /// The wait after a 429 without `Retry-After`: the guide's least, 30 s.
    pub const DEFAULT_PENALTY: Duration = Duration::from_secs(30);
    /// How much later a lane opens after a penalty than the lane before it. Default: 1 s, so that those
    /// that wait get their turn in this order and a person who signs in hardly notices.
    pub const HEAD_START: Duration = AuthLanes::HEAD_START;

    /// A gate that has seen nothing yet.
    #[must_use]
    pub fn new(budget: AuthBudget) -> Self {
        Self {
            auth: AuthLanes::new(budget),
            api: ApiGroups::default(),
        }
    }

    /// Asks to send one request to an OAuth endpoint now, and counts it if it may be sent.
    ///
    /// # Errors
    ///
    /// The moment (monotonic) from which to ask again.
    pub fn take_token_request(
        &mut self,
        request: AuthRequest,
        now: Duration,
    ) -> Result<(), Duration> {
        self.auth.take(request, now)
    }

    /// Learns from the answer to a request in `lane`. Returns the moment (monotonic) the lane opens
    /// again if the answer is a 429.
    pub fn observe_auth(
        &mut self,
        lane: AuthLane,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Duration> {
        let until = penalty_end(status, headers, now)?;
        Some(self.auth.close(lane, until))
    }

    /// Whether a call of the API may be sent now, as far as the group of its path is known.
    ///
    /// # Errors
    ///
    /// What is closed, and until when.
    pub fn check_api(
        &self,
        owner: &Owner,
        method: &Method,
        path: &str,
        now: Duration,
    ) -> Result<(), Closed> {
        self.api.check(owner, Route::of(method, path).as_ref(), now)
    }

    /// Learns from the answer to a call of the API. Returns what is closed by it if it is a 429.
    ///
    /// `X-Rate-Limit-Remaining` is not looked at: on a 429 the platform has sent the full limit in it.
    pub fn observe_api(
        &mut self,
        owner: &Owner,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Closed> {
        let group = self.api.group(Route::of(method, path), headers);
        let until = penalty_end(status, headers, now)?;
        let closed = Closed { group, until };
        self.api.close(owner, closed.clone(), now);
        Some(closed)
    }
}

fn penalty_end(status: StatusCode, headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    limited.then(|| now + retry_after(headers).unwrap_or(RateGate::DEFAULT_PENALTY))
}
