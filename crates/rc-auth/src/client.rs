//! The client: one app at one platform, with a store.

use std::{fmt, sync::Arc, time::Duration};

use rc_auth_core::{AuthorizationRequest, Entropy, OAuthApp, PendingAuthorization, Secret};
use tokio::sync::broadcast;

use crate::{
    error::{GrantError, SignInError},
    event::Event,
    grant::Grant,
    keep_alive,
    key::GrantKey,
    owner_index::{
        everywhere::{self, SignedOutEverywhere},
        listing::{self, SignInEntry},
    },
    records::{
        inventory::{self, GrantPage},
        mark::{self, StoreCheckError},
    },
    sign_in::{self, options::SignInOptions},
    sign_out::{self, Ending, SignedOut},
    state::ClientState,
};

/// Signs users of one app in and keeps their grants alive. Cheap to clone.
///
/// Its background tasks run on the runtime that it was built on (or was given), never on a caller's.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) state: Arc<ClientState>,
}

/// A sign-in that has begun: where to send the browser, and what to keep for its return.
pub struct SignIn {
    /// The platform's sign-in page. Holds a state, so it belongs to one browser; not for logs.
    pub url: String,
    /// What [`Client::finish_sign_in`] needs back. Seal it into a cookie of that browser.
    pub pending: PendingAuthorization,
}

/// Without the address, which holds the state.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The app.
    #[must_use]
    pub fn app(&self) -> &OAuthApp {
        &self.state.platform.app
    }

    /// A request to sign a user in, to which options can be added before [`Client::begin`].
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let sign_in = client.begin(client.authorization_request().login_hint("ada@example.com"))?;
    /// println!("redirect to {}", sign_in.url);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn authorization_request(&self) -> AuthorizationRequest<'_> {
        AuthorizationRequest::new(&self.state.platform.app)
    }

    /// Begins a sign-in without options.
    ///
    /// # Errors
    ///
    /// [`SignInError::Entropy`] when the operating system gives no randomness.
    pub fn begin_sign_in(&self) -> Result<SignIn, SignInError> {
        self.begin(self.authorization_request())
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    ///
    /// [`SignInError::Entropy`] when the operating system gives no randomness.
    pub fn begin(&self, request: AuthorizationRequest<'_>) -> Result<SignIn, SignInError> {
        let entropy = Entropy::new(self.state.draw().map_err(|_| SignInError::Entropy)?);
        let (url, pending) = request.start(&entropy, self.state.now());
        Ok(SignIn { url, pending })
    }

    /// Finishes a sign-in under a fresh random key: checks the callback's raw query, exchanges the code,
    /// saves the tokens.
    ///
    /// Exchange and saving belong to a task of their own: a caller that goes away loses nothing. A
    /// second call with the same callback, from a double click say, makes no second token request and
    /// gets the same grant.
    ///
    /// # Errors
    ///
    /// [`SignInError`], by who has to do something about it. After [`SignInError::Callback`] the sign-in
    /// that `pending` stands for can still come back.
    pub async fn finish_sign_in(
        &self,
        pending: PendingAuthorization,
        query: &str,
    ) -> Result<Grant, SignInError> {
        let options = SignInOptions::new();
        self.finish_sign_in_with(pending, query, options).await
    }

    /// As [`finish_sign_in`](Self::finish_sign_in), under a key of the caller's. A grant that is there
    /// already is replaced, and its chain revoked.
    ///
    /// # Errors
    ///
    /// As [`finish_sign_in`](Self::finish_sign_in).
    pub async fn finish_sign_in_as(
        &self,
        key: GrantKey,
        pending: PendingAuthorization,
        query: &str,
    ) -> Result<Grant, SignInError> {
        let options = SignInOptions::new().key(key);
        self.finish_sign_in_with(pending, query, options).await
    }

    /// As [`finish_sign_in`](Self::finish_sign_in), with a key or a label of the caller's. A duplicate call
    /// changes neither.
    ///
    /// # Errors
    ///
    /// As [`finish_sign_in`](Self::finish_sign_in).
    pub async fn finish_sign_in_with(
        &self,
        pending: PendingAuthorization,
        query: &str,
        options: SignInOptions,
    ) -> Result<Grant, SignInError> {
        let key = match options.key {
            Some(key) => key,
            None => GrantKey::random(&*self.state.environment).map_err(|_| SignInError::Entropy)?,
        };
        let exchange = pending.finish(query, self.state.now())?;
        let request = exchange.request(&self.state.platform.app)?;
        let key = sign_in::finish(&self.state, key, options.label, exchange, request).await?;
        Ok(self.grant(&key))
    }

    /// Signs in with a personal JWT, made in the developer console, under a key of the caller's. Each
    /// call starts a new OAuth session at the platform, which allows five of a user and app.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// use rc_auth::{GrantKey, Secret};
    ///
    /// let jwt = Secret::new(std::env::var("RC_PERSONAL_JWT")?);
    /// let grant = client.sign_in_with_jwt(GrantKey::new("nightly-job"), jwt).await?;
    /// println!("until {}", grant.status().await?.access_expires_at);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignInError`], by who has to do something about it.
    pub async fn sign_in_with_jwt(
        &self,
        key: GrantKey,
        personal_jwt: Secret,
    ) -> Result<Grant, SignInError> {
        let key = sign_in::with_jwt(&self.state, key, personal_jwt).await?;
        Ok(self.grant(&key))
    }

    /// The grant under a key. Reads nothing yet; whether there is one shows at first use.
    #[must_use]
    pub fn grant(&self, key: &GrantKey) -> Grant {
        Grant::new(self.state.clone(), key.clone())
    }

    /// What happens to grants from now on. A listener that falls more than 1,024 events behind misses
    /// the oldest and is told so.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut events = client.events();
    /// while let Ok(event) = events.recv().await {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.state.events()
    }

    /// Looks after grants that are not in use: refreshes them before their refresh tokens end, goes on with
    /// refreshes and sign-outs that were left unfinished, ends what is unused for too long or too old, and
    /// clears away what is over.
    ///
    /// Runs until [`shutdown`](Self::shutdown), in a task of the client's, also when this future is dropped. A
    /// client starts it by itself, unless it was built
    /// [without](crate::ClientBuilder::without_keep_alive); any number of processes may run it beside each
    /// other.
    pub async fn keep_alive(&self) {
        let state = &self.state;
        let work = keep_alive::run(Arc::downgrade(state), state.tasks.closing.clone());
        // Over when the client is; a panic was logged.
        let _ = state.tasks.run("keep-alive", work).await;
    }

    /// Says that no other process uses the store at this moment: refreshes that stand unfinished in it
    /// belong to processes that exist no longer, and are taken over at once when they are next looked at. Returns how many
    /// there were. To be called once, at start, before [`keep_alive`](Self::keep_alive), under a lock that
    /// other processes respect until this one can be seen to be alive.
    ///
    /// # Errors
    ///
    /// [`StoreError`](rc_store::StoreError) when the store cannot be read.
    pub async fn take_over_abandoned(&self) -> Result<usize, rc_store::StoreError> {
        keep_alive::take_over_abandoned(&self.state).await
    }

    /// Checks that the store answers, and that its records can be opened: a mark is left in it that the
    /// key ring must be able to read. To be called once, at start.
    ///
    /// # Errors
    ///
    /// [`StoreCheckError::WrongKeys`] when what stands in the store was sealed with a key that is not in
    /// the key ring; [`StoreCheckError::Store`] when the store does not answer.
    pub async fn check_store(&self) -> Result<(), StoreCheckError> {
        mark::check(&self.state.records).await
    }

    /// Lists grants as they stand in the store, some hundred records at a time, in the order of their records:
    /// for operators. Begin with `after` `None`, and go on with [`GrantPage::next`] until that is `None`.
    ///
    /// Lists every grant of the store, also of other apps that share it.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut after = None;
    /// loop {
    ///     let page = client.list_grants(after).await?;
    ///     println!("{page:?}");
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StoreError`](rc_store::StoreError) when the store cannot be read.
    pub async fn list_grants(
        &self,
        after: Option<rc_store::RecordKey>,
    ) -> Result<GrantPage, rc_store::StoreError> {
        inventory::list(&self.state.records, after).await
    }

    /// Signs out the grant that a record keeps, as [`Grant::sign_out`] does: for operators, who know the
    /// record of a [`ListedGrant`](crate::ListedGrant) and not the key. The record has to be this app's.
    ///
    /// # Errors
    ///
    /// As [`Grant::sign_out`].
    pub async fn sign_out_record(
        &self,
        record: rc_store::RecordKey,
    ) -> Result<SignedOut, GrantError> {
        sign_out::sign_out(&self.state, record, Ending::default()).await
    }

    /// Where an owner is signed in with this app, the latest last: at most 32 places. `owner_id` is the
    /// extension's id, as [`GrantStatus::owner_id`](crate::GrantStatus::owner_id) says it. The application has to
    /// check that its caller may see this owner's sign-ins; [`Grant::sign_ins`] lists those of the grant's own user.
    ///
    /// Reads one record for the owner and one for each place. Sign-ins of versions that kept no list are
    /// in it once [`Grant::sign_ins`] has been called with them.
    ///
    /// # Errors
    ///
    /// [`GrantError::Unavailable`] when the store does not answer, or the list cannot be opened.
    pub async fn sign_ins_of(&self, owner_id: &str) -> Result<Vec<SignInEntry>, GrantError> {
        listing::list(&self.state, owner_id).await
    }

    /// Signs an owner out wherever [`sign_ins_of`](Self::sign_ins_of) finds them, each as
    /// [`Grant::sign_out`] does. Runs in a task of its own. A sign-in that is finished meanwhile may stay.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let out = client.sign_out_everywhere("100200300").await?;
    /// println!("{} ended", out.ended);
    /// for (_, error) in out.failed {
    ///     println!("not ended: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GrantError::Unavailable`] when the list cannot be read: then nothing was ended. What could not be
    /// ended otherwise is in [`SignedOutEverywhere::failed`].
    pub async fn sign_out_everywhere(
        &self,
        owner_id: &str,
    ) -> Result<SignedOutEverywhere, GrantError> {
        everywhere::sign_out(&self.state, owner_id).await
    }

    /// Ends the client: starts nothing new in the background, and waits until everything in the air
    /// (refreshes, code exchanges, sign-outs) is saved, at most for `limit`. `true`: nothing is left.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// if !client.shutdown(Duration::from_secs(45)).await {
    ///     eprintln!("not everything was saved");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, limit: Duration) -> bool {
        let state = &self.state;
        state.tasks.closing.cancel();
        let deadline = state.now().mono + limit;
        tokio::select! {
            biased;
            () = state.tasks.all_done() => true,
            () = state.environment.sleep_until(deadline) => false,
        }
    }
}
