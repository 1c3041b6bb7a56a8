//! Bounds on code exchanges that browsers cause: how many at once, and how many refused per address.
//!
//! Anybody gets a valid `state` by starting a sign-in, and each callback with it costs one token request, of which
//! the platform allows few. So refused exchanges are counted per address, and an address beyond the limit
//! costs none. Limiters that count every request when it is made (GCRA, token buckets) do not fit: only
//! what was refused counts, so a place is taken before the exchange and given back after a good one.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rc_auth::AttemptName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::CallbackLimit;

/// How many callbacks may be finished at once, over all addresses; more are told to come back. Each holds some
/// kilobytes and a place in the store's write queue.
pub(crate) const MAX_AT_ONCE: usize = 64;

/// How many addresses are remembered. Beyond, the one whose last refusal is oldest is forgotten.
const MAX_ADDRESSES: usize = 10_000;

/// When to come back while the exchanges of others, or of the same address, are being made.
const BUSY: Duration = Duration::from_secs(2);

/// Why a callback may not cost a token request now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotNow {
    /// Too many callbacks are being finished.
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The platform refused too many codes that came from this address.
    TooManyRefused {
        /// When to come back.
        retry_after: Duration,
    },
}

/// Code exchanges of this process, bounded.
#[derive(Debug)]
pub(crate) struct CodeExchanges {
    limit: Option<CallbackLimit>,
    max_addresses: usize,
    at_once: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

/// What is known about one address.
#[derive(Debug, Default)]
struct Address {
    /// When codes were refused, oldest first, inside the window only.
    refused: VecDeque<Duration>,
    /// Attempts whose exchange is in the air. Duplicates of one join it and cost nothing.
    in_the_air: Vec<AttemptName>,
}

/// Leave for one exchange. Dropped without a word it gives its place back.
#[derive(Debug)]
pub(crate) struct Admission {
    exchanges: Arc<CodeExchanges>,
    /// `None` for a duplicate of an exchange in the air, or where nothing is counted.
    counted: Option<(IpAddr, AttemptName)>,
    _permit: OwnedSemaphorePermit,
}

impl CodeExchanges {
    /// Bounds by `limit`; `None` counts nothing and bounds the number at once only.
    pub(crate) fn new(limit: Option<CallbackLimit>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            max_addresses: MAX_ADDRESSES,
            at_once: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            addresses: Mutex::default(),
        })
    }

    /// Asks for leave to exchange the code of `attempt` for a browser at `from`. `now` is monotonic time.
    ///
    /// # Errors
    ///
    /// [`NotNow`] when there is no leave.
    pub(crate) fn admit(
        self: &Arc<Self>,
        from: IpAddr,
        attempt: &AttemptName,
        now: Duration,
    ) -> Result<Admission, NotNow> {
        let busy = NotNow::Busy { retry_after: BUSY };
        let permit = Arc::clone(&self.at_once).try_acquire_owned();
        let permit = permit.map_err(|_| busy)?;
        let counted = match self.limit {
            Some(limit) => self.take_place(limit, network_of(from), attempt, now)?,
            None => None,
        };
        Ok(Admission {
            exchanges: Arc::clone(self),
            counted,
            _permit: permit,
        })
    }

    fn take_place(
        &self,
        limit: CallbackLimit,
        from: IpAddr,
        attempt: &AttemptName,
        now: Duration,
    ) -> Result<Option<(IpAddr, AttemptName)>, NotNow> {
        let mut addresses = self.addresses();
        if !addresses.contains_key(&from) && addresses.len() >= self.max_addresses {
            make_room(&mut addresses, limit.window, now);
        }
        let address = addresses.entry(from).or_default();
        address.forget_before(limit.window, now);
        let allowed = usize::try_from(limit.refused.get()).unwrap_or(usize::MAX);
        if address.refused.len() >= allowed {
            let oldest = address.refused.front().copied().unwrap_or(now);
            let retry_after = (oldest + limit.window).saturating_sub(now);
            return Err(NotNow::TooManyRefused { retry_after });
        }
        if address.in_the_air.contains(attempt) {
            return Ok(None);
        }
        // Those in the air may all be refused: together they must not exceed the limit either.
        if address.refused.len() + address.in_the_air.len() >= allowed {
            return Err(NotNow::TooManyRefused { retry_after: BUSY });
        }
        address.in_the_air.push(attempt.clone());
        Ok(Some((from, attempt.clone())))
    }

    fn give_back(&self, from: IpAddr, attempt: &AttemptName, refused_at: Option<Duration>) {
        let mut addresses = self.addresses();
        let Some(address) = addresses.get_mut(&from) else {
            return;
        };
        address.in_the_air.retain(|other| other != attempt);
        address.refused.extend(refused_at);
        if address.is_idle() {
            addresses.remove(&from);
        }
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Address>> {
        // Every change is made in one step, so a panic elsewhere leaves nothing half done.
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    fn forget_before(&mut self, window: Duration, now: Duration) {
        while self
            .refused
            .front()
            .is_some_and(|refused| *refused + window <= now)
        {
            self.refused.pop_front();
        }
    }

    fn is_idle(&self) -> bool {
        self.refused.is_empty() && self.in_the_air.is_empty()
    }
}

impl Admission {
    /// Counts the exchange as refused.
    pub(crate) fn refused(mut self, now: Duration) {
        if let Some((from, attempt)) = self.counted.take() {
            self.exchanges.give_back(from, &attempt, Some(now));
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some((from, attempt)) = self.counted.take() {
            self.exchanges.give_back(from, &attempt, None);
        }
    }
}

/// Drops what is over, or else the address whose last refusal is oldest. Addresses with an exchange in the
/// air stay; there are at most [`MAX_AT_ONCE`] of them.
fn make_room(addresses: &mut HashMap<IpAddr, Address>, window: Duration, now: Duration) {
    let before = addresses.len();
    addresses.retain(|_, address| {
        address.forget_before(window, now);
        !address.is_idle()
    });
    if addresses.len() < before {
        return;
    }
    let oldest = addresses
        .iter()
        .filter(|(_, address)| address.in_the_air.is_empty())
        .min_by_key(|(_, address)| address.refused.back().copied());
    if let Some(oldest) = oldest.map(|(address, _)| *address) {
        addresses.remove(&oldest);
    }
}

/// The address that is counted: of IPv6 the first 64 bits, which is what one customer gets at least.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
