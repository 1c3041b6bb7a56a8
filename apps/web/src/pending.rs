//! Sign-ins that a browser has started and not finished: one sealed cookie each.
//!
//! The cookie binds the sign-in to the browser that started it: a callback that arrives in another
//! browser finds no cookie and goes nowhere. Each attempt has a cookie of its own, so two tabs do not
//! disturb each other.

use actix_web::http::header::HeaderMap;
use rc_auth::{AttemptName, PendingAuthorization, Timestamp, store::SealError};
use zeroize::Zeroizing;

use crate::{
    cookies::{Cookies, cookie, cookies},
    return_to::LocalPath,
};

const PREFIX: &str = "rc_web_sign_in_";
const PURPOSE: &str = "rc-web sign-in";
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

impl PendingSignIn {
    /// The sign-in that a callback belongs to, by the name derived from its `state`.
    pub(crate) fn of(
        headers: &HeaderMap,
        cookies: &Cookies,
        attempt: &AttemptName,
    ) -> Option<Self> {
        let name = full_name(cookies, attempt);
        let opened = cookies.open(PURPOSE, &name, cookie(headers, &name)?)?;
        Self::from_bytes(&opened)
    }

    /// The `Set-Cookie` values to send when this sign-in starts: its own, and removals of what no longer
    /// opens, is expired, or is too much.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub(crate) fn set_cookies(
        &self,
        headers: &HeaderMap,
        jar: &Cookies,
        now: Timestamp,
    ) -> Result<Vec<String>, SealError> {
        let name = full_name(jar, &self.authorization.name());
        let value = jar.seal(PURPOSE, &name, &self.to_bytes())?;
        let mut set = surplus(headers, jar, now);
        set.push(jar.set(&name, &value, PendingAuthorization::LIFETIME));
        Ok(set)
    }

    /// The `Set-Cookie` value that ends the attempt with this name.
    pub(crate) fn remove_cookie(cookies: &Cookies, attempt: &AttemptName) -> String {
        cookies.remove(&full_name(cookies, attempt))
    }

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

/// Removals that leave room for one more.
fn surplus(headers: &HeaderMap, jar: &Cookies, now: Timestamp) -> Vec<String> {
    let prefix = jar.full_name(PREFIX);
    let mut remove = Vec::new();
    let mut alive = Vec::new();
    for (name, value) in cookies(headers).filter(|(name, _)| name.starts_with(&prefix)) {
        let opened = jar.open(PURPOSE, name, value);
        match opened.and_then(|bytes| PendingSignIn::from_bytes(&bytes)) {
            Some(pending) if !pending.authorization.is_expired(now) => {
                alive.push((pending.authorization.started_at(), name));
            }
            Some(_) | None => remove.push(jar.remove(name)),
        }
    }
    alive.sort_unstable();
    let too_many = alive.len().saturating_sub(MAX_PENDING - 1);
    remove.extend(alive[..too_many].iter().map(|(_, name)| jar.remove(name)));
    // A request full of junk is answered with few headers; the next one removes more.
    remove.truncate(MAX_REMOVED);
    remove
}

fn full_name(cookies: &Cookies, attempt: &AttemptName) -> String {
    cookies.full_name(&format!("{PREFIX}{}", attempt.as_str()))
}
