//! Where sessions are kept.

use std::{error::Error, fmt};

use rc_auth::{Timestamp, transport::BoxFuture};
use zeroize::Zeroizing;

/// Turns sessions into cookie values and back.
///
/// [`SealedCookies`](crate::SealedCookies) puts the whole session into the cookie and keeps nothing;
/// [`MemorySessions`](crate::MemorySessions) keeps it here and gives the browser a number. Others may keep it
/// in a database.
///
/// # Rules
///
/// - Nobody can guess a value or make one: at least 128 random bits, or a seal.
/// - A value has only characters of `A–Z a–z 0–9 - _ . ~`, at most 2,000 of them. It is a password: it goes
///   into no log and no error, and a database keeps its digest only.
/// - The bytes are opaque, some hundred, and hold a secret: sealed where others can read them.
/// - Whether a session is over is decided by the times in its bytes. A store may forget it from
///   `expires_at` on, and need not.
/// - What `load`, `renew` and `remove` get from a browser may be anything, up to 4,096 bytes. Unknown, edited
///   and removed values are no error.
pub trait SessionStore: fmt::Debug + Send + Sync {
    /// Keeps a new session. Its value is a new one, never one that a browser had before.
    ///
    /// # Errors
    ///
    /// [`SessionStoreError`]: it is not kept.
    fn create<'a>(
        &'a self,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<String, SessionStoreError>>;

    /// The session behind `value`, if there is one.
    ///
    /// # Errors
    ///
    /// [`SessionStoreError`]: it is not known whether there is one.
    fn load<'a>(
        &'a self,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SessionStoreError>>;

    /// Writes `session` over the one behind `value`. Gives the value it has from now on, which may be the
    /// same; `None` if there is none any more: it must not come back.
    ///
    /// # Errors
    ///
    /// [`SessionStoreError`]: the old one may still stand.
    fn renew<'a>(
        &'a self,
        value: &'a str,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, SessionStoreError>>;

    /// Forgets the session behind `value`, if there is one.
    ///
    /// # Errors
    ///
    /// [`SessionStoreError`]: it may still stand.
    fn remove<'a>(&'a self, value: &'a str) -> BoxFuture<'a, Result<(), SessionStoreError>>;
}

/// A session store did not do what it was asked. Whether a browser is signed in is not known: answer 503,
/// touch no cookie, and try again later.
#[derive(Debug, thiserror::Error)]
// The sentence has its cause in it, which is not a source as well: a chain would print it twice.
#[error("the session store failed, try again later: {0}")]
pub struct SessionStoreError(Box<dyn Error + Send + Sync>);

impl SessionStoreError {
    /// Because of `source`, which names no session and no value of a cookie.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
