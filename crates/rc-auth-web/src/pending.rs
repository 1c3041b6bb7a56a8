//! Sign-ins that a browser has started and not finished: one sealed cookie each.
//!
//! The cookie binds the sign-in to the browser that started it: a callback that arrives in another
//! browser finds no cookie and goes nowhere. Each attempt has a cookie of its own, so two tabs do not
//! disturb each other.

use http::{HeaderMap, HeaderValue};
use rc_auth::{
    AttemptName, PendingAuthorization, Timestamp,
    store::{KeyRing, SealError},
};
use zeroize::Zeroizing;

use crate::{
    LocalPath,
    cookies::{Cookies, cookie, cookies, open, seal},
};

const PURPOSE: &[u8] = b"rc-auth-web sign-in";
const FORMAT: u8 = 1;

/// How many unfinished sign-ins a browser may have at once. Each takes about half a kilobyte of every
/// request's header; nobody fills in more sign-in pages than this at a time.
const MAX_PENDING: usize = 5;
/// How many cookies one answer removes at most.
const MAX_REMOVED: usize = 20;

/// One unfinished sign-in, and where its browser wanted to go.
#[derive(Debug)]
pub(crate) struct PendingSignIn {
    /// The half of the sign-in that stays here.
    pub authorization: PendingAuthorization,
    /// Where to go when it is finished.
    pub return_to: LocalPath,
}

/// Seals and opens the cookies of unfinished sign-ins.
#[derive(Clone, Debug)]
pub(crate) struct PendingSignIns {
    ring: KeyRing,
    cookies: Cookies,
}

impl PendingSignIns {
    pub(crate) const fn new(ring: KeyRing, cookies: Cookies) -> Self {
        Self { ring, cookies }
    }

    /// The sign-in that a callback belongs to, by the name derived from its `state`.
    pub(crate) fn find(&self, headers: &HeaderMap, attempt: &AttemptName) -> Option<PendingSignIn> {
        let name = self.full_name(attempt);
        self.open(&name, cookie(headers, &name)?)
    }

    /// The `Set-Cookie` values to send when a sign-in starts: its own, and removals of what no longer
    /// opens, is expired, or is too much.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub(crate) fn start(
        &self,
        pending: &PendingSignIn,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Vec<HeaderValue>, SealError> {
        let name = self.full_name(&pending.authorization.name());
        let value = seal(&self.ring, &[PURPOSE, name.as_bytes()], &pending.to_bytes())?;
        let mut set = self.surplus(headers, now);
        let lifetime = PendingAuthorization::LIFETIME;
        set.extend(self.cookies.set(&name, &value, lifetime));
        Ok(set)
    }

    /// The `Set-Cookie` value that ends the attempt with this name.
    pub(crate) fn remove(&self, attempt: &AttemptName) -> Option<HeaderValue> {
        self.cookies.remove(&self.full_name(attempt))
    }

    /// Removals that leave room for one more.
    fn surplus(&self, headers: &HeaderMap, now: Timestamp) -> Vec<HeaderValue> {
        let mut remove = Vec::new();
        let mut alive = Vec::new();
        let prefix = self.cookies.pending_prefix();
        for (name, value) in cookies(headers).filter(|(name, _)| name.starts_with(prefix)) {
            match self.open(name, value) {
                Some(pending) if !pending.authorization.is_expired(now) => {
                    alive.push((pending.authorization.started_at(), name));
                }
                Some(_) | None => remove.push(name),
            }
        }
        alive.sort_unstable();
        let too_many = alive.len().saturating_sub(MAX_PENDING - 1);
        remove.extend(alive[..too_many].iter().map(|(_, name)| name));
        // A request full of junk is answered with few headers; the next one removes more.
        remove.truncate(MAX_REMOVED);
        let removals = remove.iter().filter_map(|name| self.cookies.remove(name));
        removals.collect()
    }

    fn open(&self, name: &str, value: &str) -> Option<PendingSignIn> {
        let opened = open(&self.ring, &[PURPOSE, name.as_bytes()], value)?;
        PendingSignIn::from_bytes(&opened)
    }

    fn full_name(&self, attempt: &AttemptName) -> String {
        [self.cookies.pending_prefix(), attempt.as_str()].concat()
    }
}

impl PendingSignIn {
    /// State and verifier are in it: wiped when dropped, and never moved while it grows.
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let path = self.return_to.as_str().as_bytes();
        let length = u16::try_from(path.len()).unwrap_or(0); // at most LocalPath::MAX_LEN
        let authorization = self.authorization.to_bytes();
        let size = 1 + size_of_val(&length) + path.len() + authorization.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(path);
        bytes.extend_from_slice(&authorization);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[format], rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if format != FORMAT {
            return None;
        }
        Some(Self {
            authorization: PendingAuthorization::from_bytes(rest).ok()?,
            return_to: LocalPath::parse(std::str::from_utf8(path).ok()?)?,
        })
    }
}
