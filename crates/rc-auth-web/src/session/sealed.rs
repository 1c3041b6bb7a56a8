//! Sessions that browsers keep.

use rc_auth::{Timestamp, store::KeyRing, transport::BoxFuture};
use zeroize::Zeroizing;

use crate::{
    SessionStore, SessionStoreError,
    cookies::{open, seal},
};

const PURPOSE: &[u8] = b"rc-auth-web session";

/// Seals each session into its cookie, unreadable and unchangeable to the browser; the default.
///
/// Nothing is kept on the server, so any number of processes that share a key ring serve the same browser,
/// and none of them can forget it. What follows from that: a value cannot be taken back, only run out. A
/// sign-out ends the grant instead, after which a copied cookie is worth nothing.
#[derive(Clone, Debug)]
pub struct SealedCookies {
    keys: KeyRing,
    context: Box<[u8]>,
}

impl SealedCookies {
    /// Sessions sealed with the first key of `keys`, and bound to `context`: values of another context do
    /// not open, though the keys are the same. The default store's context is the name of the cookie.
    #[must_use]
    pub fn new(keys: KeyRing, context: &str) -> Self {
        Self {
            keys,
            context: context.as_bytes().into(),
        }
    }

    fn seal(&self, session: &[u8]) -> Result<String, SessionStoreError> {
        seal(&self.keys, &[PURPOSE, &self.context], session).map_err(SessionStoreError::new)
    }

    fn open(&self, value: &str) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.keys, &[PURPOSE, &self.context], value)
    }
}

impl SessionStore for SealedCookies {
    fn create<'a>(
        &'a self,
        session: &'a [u8],
        _expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<String, SessionStoreError>> {
        Box::pin(async move { self.seal(session) })
    }

    fn load<'a>(
        &'a self,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SessionStoreError>> {
        Box::pin(async move { Ok(self.open(value)) })
    }

    /// Seals anew; that there was one is known to whoever opened it.
    fn renew<'a>(
        &'a self,
        _value: &'a str,
        session: &'a [u8],
        _expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, SessionStoreError>> {
        Box::pin(async move { self.seal(session).map(Some) })
    }

    fn remove<'a>(&'a self, _value: &'a str) -> BoxFuture<'a, Result<(), SessionStoreError>> {
        Box::pin(async { Ok(()) })
    }
}
