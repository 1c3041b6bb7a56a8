//! The gate in front of the API, as all grants use it at once.
//!
//! A call that meets no limit, which is nearly every call, takes no lock: it reads one number that is written
//! only when a limit is met, and its answer is compared with a list that is replaced only when something new is
//! learned.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderMap, Method, StatusCode};
use rc_auth_core::{ApiGate, Closed, Owner, Route, rate_limit_group};

use crate::tasks::lock;

/// How many owners share one mark "something is closed": with a limit on one of 100,000 users, 400 others take
/// the lock meanwhile.
const MARKS: usize = 256;

/// How many paths are remembered as compared. Groups hardly ever change; more paths than these cost a comparison
/// of each answer, and a path is compared again after a minute.
const COMPARED: usize = 64;

#[derive(Debug)]
pub(crate) struct SharedApiGate {
    gate: Mutex<ApiGate>,
    /// Until when (monotonic, in milliseconds) something is closed for an owner with this mark.
    closed_until: [AtomicU64; MARKS],
    /// The groups of the routes that are known, ordered by route.
    known: ArcSwap<Vec<(Route, String)>>,
    /// Paths whose answers were compared with `known` within the minute.
    compared: [AtomicU64; COMPARED],
}

impl Default for SharedApiGate {
    fn default() -> Self {
        Self {
            gate: Mutex::default(),
            closed_until: [const { AtomicU64::new(0) }; MARKS],
            known: ArcSwap::default(),
            compared: [const { AtomicU64::new(0) }; COMPARED],
        }
    }
}

impl SharedApiGate {
    /// Whether all calls of this owner may be sent now, as far as is known.
    pub(crate) fn is_open(&self, owner: &Owner, now: Duration) -> bool {
        let closed_until = self.mark(owner).load(Ordering::Acquire);
        closed_until == 0 || closed_until <= millis(now)
    }

    /// Whether a call may be sent now, as far as is known.
    pub(crate) fn check(
        &self,
        owner: &Owner,
        method: &Method,
        path: &str,
        now: Duration,
    ) -> Result<(), Closed> {
        if self.is_open(owner, now) {
            return Ok(());
        }
        lock(&self.gate).check(owner, method, path, now)
    }

    /// Learns from the answer to a call. Returns what is closed by it if it is a 429.
    pub(crate) fn observe(
        &self,
        owner: &Owner,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Closed> {
        if status != StatusCode::TOO_MANY_REQUESTS
            && (!self.is_due(method, path, now) || self.knows(method, path, headers))
        {
            return None;
        }
        let mut gate = lock(&self.gate);
        let closed = gate.observe(owner, method, path, status, headers, now);
        let known = gate.known();
        let known = known.map(|(route, group)| (route, group.to_owned()));
        self.known.store(std::sync::Arc::new(known.collect()));
        if let Some(closed) = &closed {
            // Rounded up: never open before the penalty is over.
            let until = millis(closed.until) + 1;
            self.mark(owner).fetch_max(until, Ordering::AcqRel);
            let for_all = millis(gate.closed_for_all_until());
            if for_all > 0 {
                for mark in &self.closed_until {
                    mark.fetch_max(for_all + 1, Ordering::AcqRel);
                }
            }
        }
        closed
    }

    /// Whether the answer to this path has to be compared with what is known; not again within the minute.
    fn is_due(&self, method: &Method, path: &str, now: Duration) -> bool {
        let path = Route::exact(method, path);
        let slot = &self.compared[(path % COMPARED as u64) as usize];
        let minute = now.as_secs() / 60;
        // The number of the slot is no part of what is kept in it.
        let compared = path - path % COMPARED as u64 + minute % COMPARED as u64;
        let due = slot.load(Ordering::Relaxed) != compared;
        if due {
            slot.store(compared, Ordering::Relaxed);
        }
        due
    }

    /// Whether the answer names the group that its route is known to be in, or none.
    fn knows(&self, method: &Method, path: &str, headers: &HeaderMap) -> bool {
        let Some(named) = rate_limit_group(headers) else {
            return true;
        };
        let known = self.known.load();
        let route = Route::of(method, path);
        known
            .binary_search_by_key(&route, |(route, _)| *route)
            .is_ok_and(|at| known[at].1.eq_ignore_ascii_case(named.trim()))
    }

    fn mark(&self, owner: &Owner) -> &AtomicU64 {
        &self.closed_until[usize::from(owner.mark())]
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const ADA: Owner = Owner::new([1; 32]);
    const GRACE: Owner = Owner::new([2; 32]);
    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_limit_holds_back_its_owner_until_it_is_over_and_nobody_else() {
        let gate = SharedApiGate::default();
        let limit = headers(&[("x-rate-limit-group", "Light"), ("retry-after", "7")]);
        let closed = gate
            .observe(&ADA, &Method::GET, "/a", LIMITED, &limit, NOW)
            .unwrap();
        assert_eq!(closed.until, NOW + Duration::from_secs(7));
        let at = |owner, seconds| {
            gate.check(
                owner,
                &Method::GET,
                "/a",
                NOW + Duration::from_secs(seconds),
            )
        };
        assert_eq!(at(&ADA, 0), Err(closed.clone()));
        assert_eq!(at(&ADA, 6), Err(closed));
        assert_eq!(at(&ADA, 7), Ok(()));
        assert_eq!(at(&GRACE, 0), Ok(()));
    }

    #[test]
    fn another_group_of_a_path_is_learned_at_once_and_a_changed_one_within_a_minute() {
        let gate = SharedApiGate::default();
        let see = |path, group: &'static str, seconds| {
            let headers = headers(&[("x-rate-limit-group", group)]);
            let now = NOW + Duration::from_secs(seconds);
            gate.observe(&ADA, &Method::GET, path, StatusCode::OK, &headers, now);
            let known = gate.known.load();
            let known: Vec<_> = known.iter().map(|(_, group)| group.clone()).collect();
            known.join(" ")
        };
        assert_eq!(see("/a/1", "light", 0), "light");
        // Another path of the same route.
        assert_eq!(see("/a/2", "medium", 0), "medium");
        assert_eq!(see("/a/2", "heavy", 10), "medium");
        assert_eq!(see("/a/2", "heavy", 61), "heavy");
    }

    #[test]
    fn an_answer_is_compared_whatever_the_case_and_one_without_a_group_never() {
        let gate = SharedApiGate::default();
        let light = headers(&[("x-rate-limit-group", "Light")]);
        assert!(!gate.knows(&Method::GET, "/a/1", &light));
        gate.observe(&ADA, &Method::GET, "/a/2", StatusCode::OK, &light, NOW);
        let lower = headers(&[("x-rate-limit-group", "light")]);
        assert!(gate.knows(&Method::GET, "/a/1", &lower));
        assert!(gate.knows(&Method::GET, "/b", &HeaderMap::new()));
    }

    fn owner(n: u32) -> Owner {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&n.to_le_bytes());
        Owner::new(digest)
    }

    /// So many owners met a limit of 50 s that it holds for everybody.
    fn closed_at(now: Duration) -> SharedApiGate {
        let gate = SharedApiGate::default();
        let limit = headers(&[("retry-after", "50")]);
        for n in 0..=10_000 {
            gate.observe(&owner(n), &Method::GET, "/a", LIMITED, &limit, now);
        }
        gate
    }

    #[test]
    fn a_limit_that_holds_for_everybody_is_seen_by_owners_with_any_mark() {
        let gate = closed_at(NOW);
        let stranger = Owner::new([255; 32]);
        assert!(!gate.is_open(&stranger, NOW));
        assert!(gate.is_open(&stranger, NOW + Duration::from_secs(51)));
        assert!(SharedApiGate::default().is_open(&stranger, NOW));
        assert!(gate.check(&stranger, &Method::GET, "/a", NOW).is_err());
    }

    #[test]
    fn it_opens_for_nobody_before_the_penalty_is_over_by_a_fraction_of_a_millisecond() {
        let fraction = |micros| Duration::from_micros(micros);
        let began = NOW + fraction(500);
        let gate = closed_at(began);
        let over = began + Duration::from_secs(50);
        for owner in [owner(0), Owner::new([255; 32])] {
            let check = |now| gate.check(&owner, &Method::GET, "/a", now);
            assert!(check(over - fraction(200)).is_err());
            assert!(check(over).is_ok());
        }
    }

    #[test]
    fn a_moment_beyond_all_time_can_be_rounded_up() {
        assert!(millis(Duration::MAX).checked_add(1).is_some());
    }
}
