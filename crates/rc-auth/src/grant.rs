//! One user's permission, as a handle.

use std::{fmt, sync::Arc};

use rc_auth_core::{Generation, Phase, Timestamp, TokenPair, Want};

use crate::{
    GrantError, GrantKey, SignedOut,
    shared::Shared,
    sign_out,
    slot::{Slot, Wanted},
};

/// A grant: one user's permission for one app. Cheap to clone; any number of handles share one state.
#[derive(Clone)]
pub struct Grant {
    pub(crate) shared: Arc<Shared>,
    key: GrantKey,
    pub(crate) slot: Arc<Slot>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("record", &self.slot.key)
            .finish_non_exhaustive()
    }
}

/// What is known of a grant. Never a token.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GrantStatus {
    /// Which pair of tokens this is: 1 at sign-in, one more at each refresh.
    pub generation: Generation,
    /// When the access token ends.
    pub access_expires_at: Timestamp,
    /// Whether there is a refresh token. If not, the sign-in ends with the access token.
    pub refreshable: bool,
    /// When the refresh token ends, if the platform said so.
    pub refresh_expires_at: Option<Timestamp>,
    /// When the OAuth session ends whatever is done, if the account has such a limit.
    pub session_expires_at: Option<Timestamp>,
    /// The permissions granted, if the platform said so.
    pub scopes: Vec<String>,
    /// The extension that signed in, if the platform said so.
    pub owner_id: Option<String>,
    /// What is going on.
    pub activity: Activity,
}

/// What is going on with a grant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Activity {
    /// Nothing.
    Idle,
    /// It is being refreshed.
    Refreshing,
    /// A refresh failed; the next try is not before this moment.
    Waiting {
        /// When.
        retry_at: Timestamp,
        /// What went wrong, in a sentence.
        trouble: String,
    },
}

impl Grant {
    pub(crate) fn new(shared: Arc<Shared>, key: GrantKey) -> Self {
        let slot = shared.slot(key.record_key(&shared.app));
        Self { shared, key, slot }
    }

    /// The key it is kept under.
    #[must_use]
    pub fn key(&self) -> &GrantKey {
        &self.key
    }

    /// What is known of the grant. Reads the store if it was not read yet, and never the platform.
    ///
    /// # Errors
    ///
    /// [`GrantError::SignInAgain`] when it is over, [`GrantError::Unavailable`] when the store does not
    /// answer.
    pub async fn status(&self) -> Result<GrantStatus, GrantError> {
        self.slot
            .known(&self.shared, Want::Status, |view, now| {
                let (pair, generation) = view.pair?;
                let activity = match view.phase {
                    Phase::Over(_) => return None,
                    Phase::Unknown | Phase::Idle => Activity::Idle,
                    Phase::Busy => Activity::Refreshing,
                    Phase::Waiting { until, trouble } => Activity::Waiting {
                        retry_at: now.wall.saturating_add(until.saturating_sub(now.mono)),
                        trouble: trouble.to_string(),
                    },
                };
                Some(status(pair, generation, activity))
            })
            .await
    }

    /// Refreshes now, or joins the refresh that is running.
    ///
    /// # Errors
    ///
    /// [`GrantError::NotRefreshable`] when there is no refresh token; [`GrantError::SignInAgain`] when
    /// the grant is over; [`GrantError::Unavailable`] when the platform or the store cannot do it now,
    /// or the rate limit is used up: the grant is kept.
    pub async fn refresh(&self) -> Result<GrantStatus, GrantError> {
        let before = self.status().await?;
        if !before.refreshable {
            return Err(GrantError::NotRefreshable);
        }
        let newer_than = Some(before.generation);
        let deadline = self.shared.now().mono + self.shared.call_timeout;
        let wanted = Wanted {
            newer_than,
            deadline,
        };
        self.slot
            .wait(&self.shared, wanted, Want::NewerThan(before.generation))
            .await?;
        self.status().await
    }

    /// Signs the user out: writes down that the grant is over, revokes its tokens at the platform, and
    /// deletes it. Runs in a task of its own.
    ///
    /// The user is signed out as soon as it is written down. A revocation that fails does not change
    /// that; it is tried again by [`Client::keep_alive`](crate::Client::keep_alive).
    ///
    /// # Errors
    ///
    /// [`GrantError::Unavailable`] when the store does not answer: the grant may still stand.
    pub async fn sign_out(&self) -> Result<SignedOut, GrantError> {
        sign_out::sign_out(&self.shared, self.slot.key).await
    }
}

fn status(pair: &TokenPair, generation: Generation, activity: Activity) -> GrantStatus {
    GrantStatus {
        generation,
        access_expires_at: pair.access_expires_at(),
        refreshable: pair.refresh_token().is_some(),
        refresh_expires_at: pair.refresh_expires_at(),
        session_expires_at: pair.session_expires_at(),
        scopes: pair.scope().to_vec(),
        owner_id: pair.owner_id().map(str::to_owned),
        activity,
    }
}
