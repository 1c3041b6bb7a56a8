//! A session store that does not answer.

mod support;

use rc_auth::{Timestamp, store::KeyRing, transport::BoxFuture};
use rc_auth_web::{SealedCookies, SessionStore, SessionStoreError, SignOutOutcome};
use support::{Browser, World};

/// Keeps sessions and never answers when one is to be removed.
#[derive(Debug)]
struct Hanging(SealedCookies);

impl SessionStore for Hanging {
    fn create<'a>(
        &'a self,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<String, SessionStoreError>> {
        self.0.create(session, expires_at)
    }

    fn load<'a>(
        &'a self,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Option<zeroize::Zeroizing<Vec<u8>>>, SessionStoreError>> {
        self.0.load(value)
    }

    fn renew<'a>(
        &'a self,
        value: &'a str,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, SessionStoreError>> {
        self.0.renew(value, session, expires_at)
    }

    fn remove<'a>(&'a self, _value: &'a str) -> BoxFuture<'a, Result<(), SessionStoreError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_store_that_hangs_keeps_no_grant_alive() {
    let keys = KeyRing::generate("k1").unwrap();
    let store = Hanging(SealedCookies::new(keys, "rc_session"));
    let world = World::with(|builder| builder.session_store(store));
    let mut browser = Browser::default();
    world.sign_in(&mut browser).await;
    let session = world.session(&browser).await.unwrap();
    let signed_out = world.auth.sign_out(&session).await;
    assert!(
        matches!(signed_out.outcome, SignOutOutcome::Ended),
        "{signed_out:?}"
    );
    assert!(session.grant().status().await.is_err());
}
