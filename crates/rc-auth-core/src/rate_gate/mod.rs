//! When a request may be sent at all.

mod api;
mod auth;
mod budget;
mod route;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode};

use self::{api::ApiGroups, auth::AuthLanes};
pub use self::{
    api::{Closed, Owner},
    auth::{AuthLane, AuthRequest},
    budget::{AuthBudget, InvalidBudget, Rate},
    route::Route,
};
use crate::error_body::retry_after;

/// The wait after a 429 without `Retry-After`: the guide's least, 30 s.
pub const DEFAULT_PENALTY: Duration = Duration::from_secs(30);

/// A per-process gate in front of the OAuth endpoints of an app.
///
/// The platform blocks what an app sends there for a penalty once its limit is passed, and every request
/// during the penalty starts it anew: so nothing is sent before its penalty is over. Requests go in lanes: see
/// [`AuthLane`].
#[derive(Debug)]
pub struct AuthGate {
    lanes: AuthLanes,
}

impl AuthGate {
    /// How much later a lane opens after a penalty than the lane before it. Default: 1 s, so that those
    /// that wait get their turn in this order and a person who signs in hardly notices.
    pub const HEAD_START: Duration = AuthLanes::HEAD_START;

    /// A gate that has seen nothing yet.
    #[must_use]
    pub fn new(budget: AuthBudget) -> Self {
        Self {
            lanes: AuthLanes::new(budget),
        }
    }

    /// Asks to send one request to an OAuth endpoint now, and counts it if it may be sent.
    ///
    /// # Errors
    ///
    /// The moment (monotonic) from which to ask again.
    pub fn take(&mut self, request: AuthRequest, now: Duration) -> Result<(), Duration> {
        self.lanes.take(request, now)
    }

    /// Learns from the answer to a request in `lane`. Returns the moment (monotonic) the lane opens
    /// again if the answer is a 429.
    pub fn observe(
        &mut self,
        lane: AuthLane,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Duration> {
        let until = penalty_end(status, headers, now)?;
        Some(self.lanes.close(lane, until))
    }
}

/// A per-process gate in front of the API.
///
/// The platform blocks a group of calls for a penalty once its limit is passed, and every request during the
/// penalty starts it anew: so nothing is sent in a group before its penalty is over.
///
/// Calls are counted as the platform counts them, by user, app and group: a 429 closes its group for the
/// [`Owner`] of the call and delays nobody else. Groups are named by the answers (`X-Rate-Limit-Group`), not
/// guessed, and remembered by [`Route`]: a method and a path whose ids are left out. A 429 that names no group
/// closes the one the path was last seen in, or everything of that owner where none is known.
///
/// Memory is bounded: 256 routes, of which the one learned first makes room for another; and penalties of
/// 10,000 owners at once. Beyond that a 429 closes its group for every owner, for 60 s at most: nothing is
/// sent that might start a penalty anew, and one odd answer does not stop everybody for a day.
#[derive(Debug, Default)]
pub struct ApiGate {
    groups: ApiGroups,
}

impl ApiGate {
    /// Whether a call of the API may be sent now, as far as the group of its route is known.
    ///
    /// # Errors
    ///
    /// What is closed, and until when.
    pub fn check(
        &self,
        owner: &Owner,
        method: &Method,
        path: &str,
        now: Duration,
    ) -> Result<(), Closed> {
        self.groups.check(owner, Route::of(method, path), now)
    }

    /// Learns from the answer to a call of the API. Returns what is closed by it if it is a 429.
    ///
    /// `X-Rate-Limit-Remaining` is not looked at: on a 429 the platform has sent the full limit in it.
    pub fn observe(
        &mut self,
        owner: &Owner,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Closed> {
        let group = self.groups.group(Route::of(method, path), headers);
        let until = penalty_end(status, headers, now)?;
        let closed = Closed { group, until };
        self.groups.close(owner, closed.clone(), now);
        Some(closed)
    }

    /// The routes that are known, with the group each was last seen in.
    pub fn known(&self) -> impl Iterator<Item = (Route, &str)> {
        self.groups.known()
    }

    /// Until when (monotonic) anything is closed for whoever has nothing closed of their own.
    #[must_use]
    pub fn closed_for_all_until(&self) -> Duration {
        self.groups.closed_for_all_until()
    }
}

fn penalty_end(status: StatusCode, headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    limited.then(|| now + retry_after(headers).unwrap_or(DEFAULT_PENALTY))
}

/// The group that an answer names, as it is written there.
#[must_use]
pub fn rate_limit_group(headers: &HeaderMap) -> Option<&str> {
    const GROUP: HeaderName = HeaderName::from_static("x-rate-limit-group");
    headers.get(GROUP)?.to_str().ok()
}
