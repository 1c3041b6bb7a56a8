//! One user's permission, as a handle.

use std::{fmt, sync::Arc, time::Duration};

use rc_auth_core::{
    About, Generation, Input, PairId, Person, Phase, RecordState, RecordVersion, SaveFailure,
    Timestamp, TokenPair, Trouble, View, Want,
};
use rc_store::Expect;

use crate::{
    error::GrantError,
    key::GrantKey,
    live::LiveGrant,
    owner_index::{
        everywhere::{self, SignedOutEverywhere},
        listing::{self, SignInEntry, This},
    },
    records::{Found, ReadFailure, StoredRecord},
    refresh::waiting::{self, WaitLimit},
    sign_out::{self, Ending, SignedOut},
    state::ClientState,
};

/// A grant: one user's permission for one app. Cheap to clone; any number of handles share one state.
#[derive(Clone)]
pub struct Grant {
    pub(crate) client: Arc<ClientState>,
    key: GrantKey,
    pub(crate) live: Arc<LiveGrant>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("record", &self.live.key)
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
    /// When the user signed in, if that was written down.
    pub made_at: Option<Timestamp>,
    /// When the grant was last used, as far as that was written down: see
    /// [`RefreshPolicy::max_idle`](crate::RefreshPolicy::max_idle).
    pub last_used_at: Option<Timestamp>,
    /// Who signed in, if the application has said so by [`Grant::remember`].
    pub person: Option<Person>,
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
    pub(crate) fn new(client: Arc<ClientState>, key: GrantKey) -> Self {
        let live = client.live(key.record_key(&client.platform.app));
        Self { client, key, live }
    }

    /// The key it is kept under.
    #[must_use]
    pub fn key(&self) -> &GrantKey {
        &self.key
    }

    /// What is known of the grant. Reads the store unless a refresh is going on, and never asks the platform: of an
    /// idle grant nothing but its access token is kept in memory.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let status = grant.status().await?;
    /// println!("{:?} until {}", status.owner_id, status.access_expires_at);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GrantError::SignInAgain`] when it is over, [`GrantError::Unavailable`] when the store does not
    /// answer.
    pub async fn status(&self) -> Result<GrantStatus, GrantError> {
        let deadline = self.client.deadline();
        self.look(deadline).await.map(|(_, status)| status)
    }

    async fn look(&self, deadline: Duration) -> Result<(PairId, GrantStatus), GrantError> {
        waiting::known(
            &self.client,
            &self.live,
            Want::Status,
            deadline,
            |view, now| {
                let (pair, id) = view.pair?;
                let about = view.about;
                let activity = match view.phase {
                    Phase::Over(_) => return None,
                    Phase::Unknown | Phase::Idle => Activity::Idle,
                    Phase::Busy => Activity::Refreshing,
                    Phase::Waiting { until, trouble } => Activity::Waiting {
                        retry_at: now.wall.saturating_add(until.saturating_sub(now.mono)),
                        trouble: trouble.to_string(),
                    },
                };
                Some((id, status(pair, id, about, activity)))
            },
        )
        .await
    }

    /// Refreshes now, or joins the refresh that is running.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let before = grant.status().await?.generation;
    /// assert!(grant.refresh().await?.generation > before);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GrantError::NotRefreshable`] when there is no refresh token; [`GrantError::SignInAgain`] when
    /// the grant is over; [`GrantError::Unavailable`] when the platform or the store cannot do it now,
    /// or the rate limit is used up: the grant is kept.
    pub async fn refresh(&self) -> Result<GrantStatus, GrantError> {
        let deadline = self.client.deadline();
        // What one look has read, the next one finds.
        let _awake = self.live.subscribe();
        let (pair, before) = self.look(deadline).await?;
        if !before.refreshable {
            return Err(GrantError::NotRefreshable);
        }
        let newer_than = Some(pair);
        let limit = WaitLimit {
            newer_than,
            deadline,
        };
        waiting::wait(&self.client, &self.live, limit, Want::NewerThan(pair)).await?;
        self.look(deadline).await.map(|(_, status)| status)
    }

    /// Counts as a use of the grant without a call of the API: the user opens a page of the session, for
    /// example. Waits for nothing. The use is written down where grants end without one
    /// ([`RefreshPolicy::max_idle`](crate::RefreshPolicy::max_idle)), and an access token that is about
    /// to end is refreshed in the background.
    pub fn note_use(&self) {
        waiting::note_use(&self.client, &self.live);
    }

    /// Writes down who signed in, so that pages can say it without asking the platform. Shown by
    /// [`status`](Self::status); kept as long as the grant.
    ///
    /// # Errors
    ///
    /// [`GrantError::SignInAgain`] when the grant is over, [`GrantError::Unavailable`] when the store does
    /// not answer or the record changes again and again.
    pub async fn remember(&self, person: Person) -> Result<(), GrantError> {
        let client = self.client.clone();
        let key = self.live.key;
        let work = async move { remember(&client, key, person).await };
        let done = self.client.tasks.run("remember", work).await;
        done.unwrap_or_else(|_| Err(store_trouble(Trouble::Store)))
    }

    /// Signs the user out: writes down that the grant is over, revokes its tokens at the platform, and
    /// deletes it. Runs in a task of its own.
    ///
    /// From the moment of the call this process gives no token of the grant to any caller. Everywhere, the user is
    /// signed out as soon as it is written down. A revocation that fails does not change that; it is tried
    /// again by [`Client::keep_alive`](crate::Client::keep_alive).
    ///
    /// # Errors
    ///
    /// [`GrantError::Unavailable`] when the store has not answered in time: the grant may still stand. It is
    /// tried on for a day, as long as this process lives.
    pub async fn sign_out(&self) -> Result<SignedOut, GrantError> {
        sign_out::sign_out(&self.client, self.live.key, Ending::default()).await
    }

    /// Where the owner of this grant is signed in with this app, the latest last: at most 32 places, and
    /// this one. Where the platform has not said who signed in, this one only.
    ///
    /// Reads one record for the owner and one for each place.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status); [`GrantError::Unavailable`] also when the list cannot be opened.
    pub async fn sign_ins(&self) -> Result<Vec<SignInEntry>, GrantError> {
        let this = self.as_listed().await?;
        listing::list_beside(&self.client, this).await
    }

    /// Signs the owner of this grant out wherever [`sign_ins`](Self::sign_ins) finds them, here too, each as
    /// [`sign_out`](Self::sign_out) does. Runs in a task of its own. A sign-in that is finished meanwhile
    /// may stay.
    ///
    /// # Errors
    ///
    /// As [`sign_ins`](Self::sign_ins): then nothing was ended. What could not be ended otherwise is in
    /// [`SignedOutEverywhere::failed`].
    pub async fn sign_out_everywhere(&self) -> Result<SignedOutEverywhere, GrantError> {
        let grant = self.clone();
        // From its beginning: whoever asked for it may leave.
        let work = async move {
            let this = grant.as_listed().await?;
            everywhere::sign_out_beside(&grant.client, this).await
        };
        let done = self.client.tasks.run("sign-out", work).await;
        done.unwrap_or_else(|_| Err(store_trouble(Trouble::Store)))
    }

    async fn as_listed(&self) -> Result<This, GrantError> {
        let (pair, status) = self.look(self.client.deadline()).await?;
        Ok(This {
            key: self.key.clone(),
            record: self.live.key,
            chain: pair.chain,
            owner_id: status.owner_id,
            made_at: status.made_at,
            last_used_at: status.last_used_at,
            person: status.person,
        })
    }
}

/// Replaces an idle record by the same one with `person` in it. A refresh in the air is waited for.
async fn remember(
    client: &Arc<ClientState>,
    key: rc_store::RecordKey,
    person: Person,
) -> Result<(), GrantError> {
    let deadline = client.deadline();
    while client.now().mono < deadline {
        let (mut record, version) = match client.records.read(&key).await {
            Ok(Some(Found {
                record: StoredRecord::Grant(record),
                version,
            })) => (record, version),
            Ok(_) => return Err(over(rc_auth_core::EndReason::Absent)),
            Err(ReadFailure::Unreadable) => return Err(store_trouble(Trouble::Record)),
            Err(ReadFailure::Unavailable) => return Err(store_trouble(Trouble::Store)),
        };
        let due = match &record.state {
            RecordState::Idle { pair, .. } => client.policy.due_at(pair, &record.about),
            RecordState::Refreshing { .. } => {
                client.sleep(client.policy.poll_max).await;
                continue;
            }
            RecordState::SignedOut { .. } => return Err(over(rc_auth_core::EndReason::SignedOut)),
            RecordState::Ended { reason } => return Err(over(*reason)),
        };
        record.about.person = Some(person.clone());
        let record = StoredRecord::Grant(record);
        match client
            .records
            .write(&key, &record, due, Expect::Version(version))
            .await
        {
            Ok(version) => {
                let version = RecordVersion::new(*version.as_bytes());
                let live = client.live(key);
                waiting::input(client, &live, Input::ChangedTo(Some(version)));
                // Whoever asks from now on is told.
                let read_again = |view: View<'_>, _| {
                    (!matches!(view.phase, Phase::Unknown | Phase::Busy)).then_some(())
                };
                return waiting::known(client, &live, Want::Status, deadline, read_again).await;
            }
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => client.sleep(client.policy.retry_first).await,
        }
    }
    Err(GrantError::Unavailable {
        retry_at: None,
        trouble: None,
    })
}

const fn over(reason: rc_auth_core::EndReason) -> GrantError {
    GrantError::SignInAgain { reason }
}

fn store_trouble(trouble: Trouble) -> GrantError {
    GrantError::Unavailable {
        retry_at: None,
        trouble: Some(Box::new(trouble)),
    }
}

fn status(pair: &TokenPair, id: PairId, about: Option<&About>, activity: Activity) -> GrantStatus {
    GrantStatus {
        generation: id.generation,
        access_expires_at: pair.access_expires_at(),
        refreshable: pair.refresh_token().is_some(),
        refresh_expires_at: pair.refresh_expires_at(),
        session_expires_at: pair.session_expires_at(),
        scopes: pair.scope().to_vec(),
        owner_id: pair.owner_id().map(str::to_owned),
        made_at: about.and_then(|about| about.made_at),
        last_used_at: about.and_then(|about| about.last_used_at),
        person: about.and_then(|about| about.person.clone()),
        activity,
    }
}
