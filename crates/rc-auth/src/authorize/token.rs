//! An access token in the hands of the application.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use rc_auth_core::{Input, PairId, Secret, Timestamp};

use crate::{error::GrantError, grant::Grant, live::UsableToken, refresh::waiting};

/// An access token, for a client that is not this crate's.
///
/// It is in the store already, so using it is safe; keep it for one request and ask again for the next, which costs
/// no more than reading a pointer.
#[derive(Clone)]
pub struct AccessToken(Arc<UsableToken>);

impl AccessToken {
    /// The value of `Authorization`: `Bearer …`, marked sensitive.
    #[must_use]
    pub fn header(&self) -> &HeaderValue {
        &self.0.header
    }

    /// The token itself. It opens the user's account to whoever has it: never into a log, an address or an error.
    #[must_use]
    pub fn secret(&self) -> Secret {
        Secret::new(self.0.token())
    }

    /// Until when it may be used: a margin before the platform ends it, so that a request that is sent before this
    /// moment arrives in time. See [`RefreshPolicy`](crate::RefreshPolicy).
    #[must_use]
    pub fn use_until(&self) -> Timestamp {
        self.0.mandatory_at
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("use_until", &self.use_until())
            .finish_non_exhaustive()
    }
}

/// For clients of the application's own.
impl Grant {
    /// An access token that may be used now. At once where there is one; otherwise it waits for the refresh, as a
    /// call does.
    ///
    /// ```no_run
    /// # async fn example(grant: rc_auth::Grant) -> Result<(), rc_auth::GrantError> {
    /// let token = grant.access_token().await?;
    /// let request = http::Request::get("https://platform.ringcentral.com/restapi/v1.0/account/~")
    ///     .header("authorization", token.header());
    /// // If the platform answers 401 to it:
    /// let newer = grant.newer_access_token(&token).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GrantError`], by who has to do something about it.
    pub async fn access_token(&self) -> Result<AccessToken, GrantError> {
        Ok(AccessToken(self.usable_token(None).await?))
    }

    /// An access token newer than one that the platform has refused (401). However many callers bring the same
    /// one, it is refreshed once; where that has happened already, the newer one is given at once.
    ///
    /// # Errors
    ///
    /// [`GrantError`], by who has to do something about it.
    pub async fn newer_access_token(
        &self,
        refused: &AccessToken,
    ) -> Result<AccessToken, GrantError> {
        let pair = refused.0.pair;
        waiting::input(&self.client, &self.live, Input::Refused(pair));
        Ok(AccessToken(self.usable_token(Some(pair)).await?))
    }

    pub(crate) async fn usable_token(
        &self,
        newer_than: Option<PairId>,
    ) -> Result<Arc<UsableToken>, GrantError> {
        let (client, live) = (&self.client, &self.live);
        if let Some(token) = waiting::fresh(client, live, newer_than, client.environment.wall()) {
            return Ok(token);
        }
        let deadline = client.now().mono + client.call_timeout;
        // Boxed: it would make the future of every other caller larger.
        Box::pin(waiting::token(client, live, newer_than, deadline)).await
    }
}
