//! The lanes of the Auth group: refreshes first, then sign-ins, revocations last.

use std::{collections::VecDeque, time::Duration};

use super::{AuthBudget, Rate};

/// What a request of the Auth group is for. Each lane goes before the ones after it: none uses up what
/// those before it need.
///
/// An app-wide budget ([`AuthBudget::PerApp`]) of N requests in a time W is shared out so:
///
/// | Lane | may use | for example N = 5 |
/// |---|---|---|
/// | refreshes | all N | 5 |
/// | sign-ins and revocations together | N less a third, rounded up | 3 |
/// | revocations | a third of N, rounded down | 1 |
///
/// Where a share comes to nothing (N below 3), it is one request in twice the time of the share around
/// it: with N = 1 refreshes have one request in W, sign-ins and revocations together one in 2 W, revocations
/// one in 4 W. So in every such time something is left that only the lanes before may use.
///
/// A 429 closes lanes for its `Retry-After`:
///
/// | answer to | refreshes, access token dead | refreshes, access token lives | sign-ins | revocations |
/// |---|---|---|---|---|
/// | a refresh | closed | closed | closed | closed |
/// | a sign-in | open | closed | closed | closed |
/// | a revocation | open | open | open | closed |
///
/// A stranger can cause the second row, with codes that are worth nothing. A refresh whose access token
/// is dead may then go although it may start the penalty anew: its user cannot work without it, and the
/// platform may count each user alone. Its own 429 closes all lanes.
///
/// Only time opens a lane again, never an answer; and where a penalty closes several lanes, each opens
/// [`AuthGate::HEAD_START`](super::AuthGate::HEAD_START) after the one before it, so that sign-ins that
/// wait do not use up the first requests after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthLane {
    /// Refreshes.
    Refresh,
    /// Exchanges of an authorization code or a personal JWT.
    SignIn,
    /// Revocations.
    Revoke,
}

/// A request of the Auth group that somebody wants to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthRequest {
    /// A refresh.
    Refresh {
        /// Whether the grant's access token can still be used: it has not expired and no resource has
        /// refused it. Such a refresh can wait.
        access_token_lives: bool,
    },
    /// The exchange of an authorization code or a personal JWT.
    SignIn,
    /// A revocation.
    Revoke,
}

impl AuthRequest {
    /// The lane it goes in.
    #[must_use]
    pub const fn lane(self) -> AuthLane {
        match self {
            Self::Refresh { .. } => AuthLane::Refresh,
            Self::SignIn => AuthLane::SignIn,
            Self::Revoke => AuthLane::Revoke,
        }
    }
}

#[derive(Debug)]
pub(super) struct AuthLanes {
    shares: Option<Shares>,
    /// Refreshes.
    refresh: Duration,
    /// Refreshes that can wait.
    patient_refresh: Duration,
    sign_in: Duration,
    revoke: Duration,
}

/// An app-wide budget, each share inside the one before it.
#[derive(Debug)]
struct Shares {
    all: Share,
    without_refreshes: Share,
    revocations: Share,
}

#[derive(Debug)]
struct Share {
    rate: Rate,
    sent: VecDeque<Duration>,
}

impl AuthLanes {
    pub(super) const HEAD_START: Duration = Duration::from_secs(1);

    pub(super) fn new(budget: AuthBudget) -> Self {
        let shares = match budget {
            AuthBudget::PerApp(rate) => Some(Shares {
                all: Share::new(rate),
                without_refreshes: Share::new(rate.without_refreshes()),
                revocations: Share::new(rate.of_revocations()),
            }),
            AuthBudget::PerGrant | AuthBudget::Off => None,
        };
        Self {
            shares,
            refresh: Duration::ZERO,
            patient_refresh: Duration::ZERO,
            sign_in: Duration::ZERO,
            revoke: Duration::ZERO,
        }
    }

    pub(super) fn take(&mut self, request: AuthRequest, now: Duration) -> Result<(), Duration> {
        let closed_until = match request {
            AuthRequest::Refresh {
                access_token_lives: false,
            } => self.refresh,
            AuthRequest::Refresh {
                access_token_lives: true,
            } => self.patient_refresh,
            AuthRequest::SignIn => self.sign_in,
            AuthRequest::Revoke => self.revoke,
        };
        if closed_until > now {
            return Err(closed_until);
        }
        match &mut self.shares {
            Some(shares) => shares.take(request.lane(), now),
            None => Ok(()),
        }
    }

    /// Closes what a 429 in `lane` closes, and says when that lane opens again.
    pub(super) fn close(&mut self, lane: AuthLane, until: Duration) -> Duration {
        let extend = |closed: &mut Duration, until: Duration| *closed = until.max(*closed);
        match lane {
            AuthLane::Refresh | AuthLane::SignIn => {
                if lane == AuthLane::Refresh {
                    extend(&mut self.refresh, until);
                }
                extend(&mut self.patient_refresh, until);
                extend(&mut self.sign_in, until + Self::HEAD_START);
                extend(&mut self.revoke, until + 2 * Self::HEAD_START);
            }
            AuthLane::Revoke => extend(&mut self.revoke, until),
        }
        match lane {
            AuthLane::Refresh => self.refresh,
            AuthLane::SignIn => self.sign_in,
            AuthLane::Revoke => self.revoke,
        }
    }
}

impl Shares {
    fn take(&mut self, lane: AuthLane, now: Duration) -> Result<(), Duration> {
        let Self {
            all,
            without_refreshes,
            revocations,
        } = self;
        match lane {
            AuthLane::Refresh => take_all([all], now),
            AuthLane::SignIn => take_all([all, without_refreshes], now),
            AuthLane::Revoke => take_all([all, without_refreshes, revocations], now),
        }
    }
}

fn take_all<const N: usize>(mut shares: [&mut Share; N], now: Duration) -> Result<(), Duration> {
    let next = shares
        .iter_mut()
        .filter_map(|share| share.rate.next_slot(&mut share.sent, now))
        .max();
    if let Some(slot) = next {
        return Err(slot);
    }
    for share in shares {
        share.sent.push_back(now);
    }
    Ok(())
}

impl Share {
    const fn new(rate: Rate) -> Self {
        Self {
            rate,
            sent: VecDeque::new(),
        }
    }
}
