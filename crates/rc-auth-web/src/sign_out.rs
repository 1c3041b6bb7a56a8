//! The end of a session by its user.

use std::time::Duration;

use http::HeaderValue;
use rc_auth::{GrantError, SignedOut};

use crate::{Session, WebAuth};

/// How long a sign-out waits for anything that is not on this machine: half a second. It goes on after that.
const PATIENCE: Duration = Duration::from_millis(500);

/// What came of a sign-out. In every case the browser is signed out once it has the cookie.
#[derive(Debug)]
#[must_use = "the browser stays signed in without the `Set-Cookie` value"]
pub struct SignOut {
    /// How far the end of the grant has come.
    pub outcome: SignOutOutcome,
    /// The `Set-Cookie` value that removes the session.
    pub set_cookie: HeaderValue,
}

/// How far the end of a grant has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SignOutOutcome {
    /// It is over, here and at the platform.
    Ended,
    /// It is over here. The platform is still to be told, which is written down and tried again.
    RevocationPending,
    /// Not written down yet. It is tried on.
    Begun,
    /// The browser is signed out, and nothing else is: tell its user that the application may still have
    /// access, and that signing in and out again ends it.
    BrowserOnly(GrantError),
}

impl WebAuth {
    /// Signs out: ends the grant, so that every copy of the session's cookie is worth nothing. Whatever the
    /// platform or the stores say, this browser is signed out afterwards.
    ///
    /// For a POST of [`Paths::sign_out`](crate::Paths) whose form the session owns: a link alone must not
    /// sign anybody out. Where there is no session there is nothing to end, and no cookie to touch: a form of
    /// another site, which carries no `SameSite=Lax` cookie, must not remove the session of the browser that
    /// sent it.
    pub async fn sign_out(&self, session: &Session) -> SignOut {
        let (grant, value) = (session.grant.clone(), session.value.clone());
        let this = self.clone();
        // Goes on without its caller.
        let removal = self.spawn(async move {
            if let Err(error) = this.inner.sessions.remove(&value).await {
                tracing::warn!(%error, "a session that was signed out could not be removed");
            }
        });
        // Beside each other: a session store that hangs does not keep the grant alive.
        let (ended, _removed) = tokio::join!(
            self.within(PATIENCE, grant.sign_out()),
            self.within(PATIENCE, removal),
        );
        let outcome = match ended {
            Some(Ok(SignedOut::RevocationPending)) => SignOutOutcome::RevocationPending,
            None => SignOutOutcome::Begun,
            // Or over before.
            Some(Ok(_) | Err(GrantError::SignInAgain { .. })) => SignOutOutcome::Ended,
            Some(Err(error)) => {
                tracing::warn!(%error, "signed out in the browser only");
                SignOutOutcome::BrowserOnly(error)
            }
        };
        SignOut {
            outcome,
            set_cookie: self.inner.session_removal.clone(),
        }
    }
}
