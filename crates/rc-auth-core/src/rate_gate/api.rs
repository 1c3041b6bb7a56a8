//! The groups of the API, as the platform counts them: for each user.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use http::HeaderMap;

use super::{rate_limit_group, route::Route};

/// Whose calls are counted together: a user, or the grant where the user is not known. Opaque: a digest
/// that the caller makes, so that no user id is kept here.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Owner([u8; 32]);

impl Owner {
    /// An owner from a digest, such as that of the user's id or of the grant's key.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// A number that many owners share: the first byte of the digest.
    #[must_use]
    pub const fn mark(&self) -> u8 {
        self.0[0]
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(…)")
    }
}

/// A group of calls in which nothing may be sent now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closed {
    /// The platform's name of the group, in lower case. `None`: all calls, because the platform has not
    /// said which.
    pub group: Option<String>,
    /// The moment (monotonic) it opens again.
    pub until: Duration,
}

/// What is known of the API's groups. Everything in it is bounded.
#[derive(Debug, Default)]
pub(super) struct ApiGroups {
    /// Which group a route was last seen in.
    groups: BTreeMap<Route, String>,
    /// The routes in `groups`, the one learned first in front.
    learned: VecDeque<Route>,
    /// What is closed for whom.
    closed: BTreeMap<Owner, Vec<Closed>>,
    /// What is closed for everybody, once `closed` is full.
    closed_for_all: Vec<Closed>,
    /// Looks for what has ended when there are so many owners.
    sweep_at: usize,
    swept: Option<Duration>,
}

impl ApiGroups {
    /// How many routes are remembered with their group. An application calls some dozens; the one
    /// learned first makes room.
    pub(super) const MAX_ROUTES: usize = 256;
    /// How many owners can have something closed at once.
    pub(super) const MAX_OWNERS: usize = 10_000;
    /// How many groups of one owner are kept apart. The platform has five.
    pub(super) const MAX_GROUPS: usize = 8;
    const SWEEP_FROM: usize = 64;
    /// A table that is full is swept at most so often.
    const SWEEP_EVERY: Duration = Duration::from_secs(1);
    /// How long a penalty that no longer fits into the table holds for everybody, at most: the guide's
    /// penalty.
    pub(super) const MAX_FOR_ALL: Duration = Duration::from_secs(60);

    pub(super) fn check(&self, owner: &Owner, route: Route, now: Duration) -> Result<(), Closed> {
        let group = self.groups.get(&route);
        let own = self.closed.get(owner).map_or(&[][..], Vec::as_slice);
        own.iter()
            .chain(&self.closed_for_all)
            .filter(|closed| closed.until > now)
            .filter(|closed| closed.group.is_none() || closed.group.as_ref() == group)
            .max_by_key(|closed| closed.until)
            .map_or(Ok(()), |closed| Err(closed.clone()))
    }

    /// The group that an answer belongs to, which is learned if the answer names it.
    pub(super) fn group(&mut self, route: Route, headers: &HeaderMap) -> Option<String> {
        let known = self.groups.get(&route);
        let Some(named) = group_name(headers) else {
            return known.cloned();
        };
        if known.is_none() {
            if self.learned.len() >= Self::MAX_ROUTES
                && let Some(first) = self.learned.pop_front()
            {
                self.groups.remove(&first);
            }
            self.learned.push_back(route);
        }
        self.groups.insert(route, named.clone());
        Some(named)
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (Route, &str)> {
        self.groups
            .iter()
            .map(|(route, group)| (*route, group.as_str()))
    }

    pub(super) fn closed_for_all_until(&self) -> Duration {
        let ends = self.closed_for_all.iter().map(|closed| closed.until);
        ends.max().unwrap_or_default()
    }

    pub(super) fn close(&mut self, owner: &Owner, closed: Closed, now: Duration) {
        if let Some(own) = self.closed.get_mut(owner) {
            add(own, closed, now);
            return;
        }
        self.sweep(now);
        if self.closed.len() < Self::MAX_OWNERS {
            self.closed.insert(*owner, vec![closed]);
        } else {
            let until = closed.until.min(now + Self::MAX_FOR_ALL);
            add(&mut self.closed_for_all, Closed { until, ..closed }, now);
        }
    }

    /// Forgets what has ended, each time the table has doubled, so that an entry costs constant time on
    /// average.
    fn sweep(&mut self, now: Duration) {
        let len = self.closed.len();
        let lately = self.swept.is_some_and(|at| now < at + Self::SWEEP_EVERY);
        if len < self.sweep_at.max(Self::SWEEP_FROM) || (len >= Self::MAX_OWNERS && lately) {
            return;
        }
        self.closed
            .retain(|_, own| own.iter().any(|closed| closed.until > now));
        self.sweep_at = (2 * self.closed.len()).min(Self::MAX_OWNERS);
        self.swept = Some(now);
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        assert_eq!(self.groups.len(), self.learned.len());
        (self.groups.len(), self.closed.len())
    }
}

/// Nothing opens earlier than was said before. Too many groups are taken together.
fn add(list: &mut Vec<Closed>, new: Closed, now: Duration) {
    list.retain(|closed| closed.until > now);
    if let Some(same) = list.iter_mut().find(|closed| closed.group == new.group) {
        same.until = same.until.max(new.until);
    } else if list.len() < ApiGroups::MAX_GROUPS {
        list.push(new);
    } else {
        let until = list.iter().map(|closed| closed.until).max();
        *list = vec![Closed {
            group: None,
            until: until.map_or(new.until, |until| until.max(new.until)),
        }];
    }
}

/// Lower case, because the guide writes `Light` and the wire `light`.
fn group_name(headers: &HeaderMap) -> Option<String> {
    let name = rate_limit_group(headers)?.trim().to_ascii_lowercase();
    (1..=32).contains(&name.len()).then_some(name)
}
