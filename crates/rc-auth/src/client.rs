//! The client: one app at one platform, with a store.

use std::{fmt, sync::Arc, time::Duration};

use rc_auth_core::{
    App, AuthBudget, AuthorizationRequest, Entropy, PendingAuthorization, RefreshPolicy,
    RefreshReplay, Secret,
};
use rc_http::{HttpClient, ReqwestClient};
use rc_store::TokenStore;
use tokio::{runtime::Handle, sync::broadcast};

use crate::{
    BuildError, Environment, Event, Grant, GrantError, GrantKey, GrantPage, SignInError, SignedOut,
    StoreCheckError, SystemEnvironment, inventory, mark,
    shared::{Parts, Shared},
    sign_in, sign_out, sweep, token_request, watch,
};

/// Signs users of one app in and keeps their grants alive. Cheap to clone.
///
/// Its background tasks run on the runtime that it was built on (or was given), never on a caller's.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

/// Collects what a [`Client`] is made of.
#[derive(Debug)]
pub struct ClientBuilder {
    app: App,
    store: Option<Arc<dyn TokenStore>>,
    transport: Option<Arc<dyn HttpClient>>,
    oauth_transport: Option<Arc<dyn HttpClient>>,
    environment: Option<Arc<dyn Environment>>,
    policy: RefreshPolicy,
    call_timeout: Duration,
    max_body: usize,
    live_grants: usize,
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

impl ClientBuilder {
    /// How long a call may take, if nothing else is set: 30 s, one token request.
    pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
    /// How large an answer of the API may be, if nothing else is set: 16 MiB, more than the largest
    /// page of a call log.
    pub const DEFAULT_MAX_BODY: usize = 16 * 1024 * 1024;
    /// How many grants are kept in memory, if nothing else is set: 10,000, some 30 MB. More than that
    /// may exist; the others cost one read of the store.
    pub const DEFAULT_LIVE_GRANTS: usize = 10_000;

    fn new(app: App) -> Self {
        Self {
            app,
            store: None,
            transport: None,
            oauth_transport: None,
            environment: None,
            policy: RefreshPolicy::default(),
            call_timeout: Self::DEFAULT_CALL_TIMEOUT,
            max_body: Self::DEFAULT_MAX_BODY,
            live_grants: Self::DEFAULT_LIVE_GRANTS,
        }
    }

    /// Where grants are kept. Required. Wrap it in [`Sealed`](rc_store::Sealed): what comes here is
    /// written as it is.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// What sends requests. Default: two [`ReqwestClient`]s, one for the API and one for the OAuth
    /// endpoints.
    ///
    /// A transport given here serves both, unless [`oauth_transport`](Self::oauth_transport) names another.
    /// One that keeps connections open on the runtime of whoever opened them (reqwest does) should not
    /// serve both where callers run on runtimes of their own, such as the workers of actix.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn HttpClient>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What sends requests to the OAuth endpoints, from this client's tasks only. Default: as
    /// [`transport`](Self::transport) says.
    #[must_use]
    pub fn oauth_transport(mut self, transport: Arc<dyn HttpClient>) -> Self {
        self.oauth_transport = Some(transport);
        self
    }

    /// The runtime for background tasks and timers. It must outlive the client. Default: the one that
    /// [`build`](Self::build) is called in.
    #[must_use]
    pub fn runtime(self, runtime: Handle) -> Self {
        self.environment(Arc::new(SystemEnvironment::new(runtime)))
    }

    /// Tasks, clocks, sleep and randomness. Default: [`SystemEnvironment`].
    #[must_use]
    pub fn environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The numbers of the life of a grant. Default: [`RefreshPolicy::default`].
    #[must_use]
    pub fn refresh_policy(mut self, policy: RefreshPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What the server does with a spent refresh token. Default: RingCentral's documented grace.
    #[must_use]
    pub fn refresh_replay(mut self, replay: RefreshReplay) -> Self {
        self.policy.replay = replay;
        self
    }

    /// How many token requests may be made. Default: [`AuthBudget::PerGrant`].
    #[must_use]
    pub fn auth_budget(mut self, budget: AuthBudget) -> Self {
        self.policy.budget = budget;
        self
    }

    /// How long a call may take as a whole, with everything it waits for: a token, which it gives up with
    /// [`GrantError::Unavailable`](crate::GrantError::Unavailable) while the refresh goes on without it, and
    /// the API, which may be asked twice. Default: [`Self::DEFAULT_CALL_TIMEOUT`].
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How large an answer of the API may be, in bytes. Default: [`Self::DEFAULT_MAX_BODY`].
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many grants are kept in memory at most. Default: [`Self::DEFAULT_LIVE_GRANTS`].
    #[must_use]
    pub fn live_grants(mut self, grants: usize) -> Self {
        self.live_grants = grants.max(1);
        self
    }

    /// Builds the client. Sends nothing and reads nothing, but begins to listen to the store's changes.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or contradicts itself.
    pub fn build(self) -> Result<Client, BuildError> {
        let store = self.store.ok_or(BuildError::NoStore)?;
        self.policy.check()?;
        let environment = match self.environment {
            Some(environment) => environment,
            None => Arc::new(SystemEnvironment::current().ok_or(BuildError::NoRuntime)?),
        };
        let (http, oauth_http): (Arc<dyn HttpClient>, Arc<dyn HttpClient>) =
            match (self.transport, self.oauth_transport) {
                (Some(http), Some(oauth)) => (http, oauth),
                (Some(http), None) => (http.clone(), http),
                (None, Some(oauth)) => (Arc::new(ReqwestClient::new()?), oauth),
                (None, None) => (
                    Arc::new(ReqwestClient::new()?),
                    Arc::new(ReqwestClient::new()?),
                ),
            };
        let shared = Arc::new(Shared::new(Parts {
            app: self.app,
            policy: self.policy,
            store,
            http,
            oauth_http,
            environment,
            call_timeout: self.call_timeout,
            max_body: self.max_body,
            live_grants: self.live_grants,
        })?);
        let watcher = watch::run(Arc::downgrade(&shared), shared.tasks.closing.clone());
        shared.tasks.spawn("watch", watcher);
        Ok(Client { shared })
    }
}

impl Client {
    /// Begins to build a client for an app.
    #[must_use]
    pub fn builder(app: App) -> ClientBuilder {
        ClientBuilder::new(app)
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.shared.app
    }

    /// A request to sign a user in, to which options can be added before [`Client::begin`].
    #[must_use]
    pub fn authorization_request(&self) -> AuthorizationRequest<'_> {
        AuthorizationRequest::new(&self.shared.app)
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
        let entropy = Entropy::new(self.shared.draw().map_err(|_| SignInError::Entropy)?);
        let (url, pending) = request.start(&entropy, self.shared.now());
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
        let key = GrantKey::random(&*self.shared.environment);
        let key = key.map_err(|_| SignInError::Entropy)?;
        self.finish_sign_in_as(key, pending, query).await
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
        let exchange = pending.finish(query, self.shared.now())?;
        let request = exchange.request(&self.shared.app)?;
        let key = sign_in::finish(&self.shared, key, exchange, request).await?;
        Ok(self.grant(&key))
    }

    /// Signs in with a personal JWT, made in the developer console, under a key of the caller's. Each
    /// call starts a new OAuth session at the platform, which allows five of a user and app.
    ///
    /// # Errors
    ///
    /// [`SignInError`], by who has to do something about it.
    pub async fn sign_in_with_jwt(
        &self,
        key: GrantKey,
        personal_jwt: Secret,
    ) -> Result<Grant, SignInError> {
        let key = token_request::with_jwt(&self.shared, key, personal_jwt).await?;
        Ok(self.grant(&key))
    }

    /// The grant under a key. Reads nothing yet; whether there is one shows at first use.
    #[must_use]
    pub fn grant(&self, key: &GrantKey) -> Grant {
        Grant::new(self.shared.clone(), key.clone())
    }

    /// What happens to grants from now on. A listener that falls more than 1,024 events behind misses
    /// the oldest and is told so.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Looks after grants that nobody uses: refreshes them before their refresh tokens end, goes on with
    /// refreshes and sign-outs that were left unfinished, ends what is unused for too long or too old, and
    /// clears away what is over.
    ///
    /// Runs until [`shutdown`](Self::shutdown), in a task of the client's, also when this future is dropped.
    /// Start it once in each process; any number may run beside each other.
    pub async fn keep_alive(&self) {
        let shared = self.shared.clone();
        let work = async move { sweep::run(&shared).await };
        // Over when the client is; a panic was logged.
        let _ = self.shared.tasks.run("keep-alive", work).await;
    }

    /// Says that no other process uses the store at this moment: refreshes that stand unfinished in it
    /// belong to processes that exist no longer, and whoever looks takes them over at once. Returns how many
    /// there were. To be called once, at start, before [`keep_alive`](Self::keep_alive), under a lock that
    /// other processes respect until this one can be seen to be alive.
    ///
    /// # Errors
    ///
    /// [`StoreError`](rc_store::StoreError) when the store cannot be read.
    pub async fn take_over_abandoned(&self) -> Result<usize, rc_store::StoreError> {
        sweep::take_over_abandoned(&self.shared).await
    }

    /// Checks that the store answers, and that its records can be opened: a mark is left in it that the
    /// key ring must be able to read. To be called once, at start.
    ///
    /// # Errors
    ///
    /// [`StoreCheckError::WrongKeys`] when what stands in the store was sealed with a key that is not in
    /// the key ring; [`StoreCheckError::Store`] when the store does not answer.
    pub async fn check_store(&self) -> Result<(), StoreCheckError> {
        mark::check(&self.shared).await
    }

    /// Lists grants as they stand in the store, some hundred records at a time, in the order of their records:
    /// for operators. Begin with `after` `None`, and go on with [`GrantPage::next`] until that is `None`.
    ///
    /// Lists every grant of the store, also of other apps that share it.
    ///
    /// # Errors
    ///
    /// [`StoreError`](rc_store::StoreError) when the store cannot be read.
    pub async fn list_grants(
        &self,
        after: Option<rc_store::RecordKey>,
    ) -> Result<GrantPage, rc_store::StoreError> {
        inventory::list(&self.shared, after).await
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
        sign_out::sign_out(&self.shared, record).await
    }

    /// Ends the client: starts nothing new in the background, and waits until everything in the air
    /// (refreshes, code exchanges, sign-outs) is saved, at most for `limit`. `true`: nothing is left.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        let shared = &self.shared;
        shared.tasks.closing.cancel();
        let deadline = shared.now().mono + limit;
        tokio::select! {
            biased;
            () = shared.tasks.all_done() => true,
            () = shared.environment.sleep_until(deadline) => false,
        }
    }
}
