//! What a client is made of.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{AuthBudget, OAuthApp, RefreshPolicy, RefreshReplay};
use rc_http::{HttpClient, ReqwestClient};
use rc_store::{KeyRing, Sealed, TokenStore};
use tokio::runtime::Handle;

use crate::{
    client::Client,
    environment::{Environment, SystemEnvironment},
    error::BuildError,
    keep_alive,
    live::{LiveGrants, Rules, Server},
    platform::Platform,
    records::Records,
    refresh::watch,
    state::{ClientState, Parts},
};

/// Collects what a [`Client`] is made of.
///
/// ```no_run
/// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use rc_auth::{Client, OAuthApp, store::{KeyRing, MemoryStore}};
///
/// let app = OAuthApp::new("example-client", None, "https://app.example.com/cb", OAuthApp::DEFAULT_SERVER)?;
/// let client = Client::builder(app)
///     .store(MemoryStore::new(), KeyRing::generate("2026a")?)
///     .auth_budget("2/60s".parse()?)
///     .call_timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClientBuilder {
    app: OAuthApp,
    store: Option<Arc<dyn TokenStore>>,
    transport: Option<Arc<dyn HttpClient>>,
    oauth_transport: Option<Arc<dyn HttpClient>>,
    environment: Option<Arc<dyn Environment>>,
    policy: RefreshPolicy,
    call_timeout: Duration,
    max_body: usize,
    live_grants: usize,
    keep_alive: bool,
}

impl Client {
    /// Begins to build a client for an app.
    #[must_use]
    pub fn builder(app: OAuthApp) -> ClientBuilder {
        ClientBuilder::new(app)
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

    fn new(app: OAuthApp) -> Self {
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
            keep_alive: true,
        }
    }

    /// Where grants are kept, and the keys that every record is sealed with before it gets there. Required,
    /// or [`clear_text_store`](Self::clear_text_store).
    ///
    /// A store that is shared with other parts of the program is given as an `Arc` of it. One that is
    /// [`Sealed`] already goes to [`sealed_store`](Self::sealed_store).
    #[must_use]
    pub fn store(self, store: impl TokenStore + 'static, keys: KeyRing) -> Self {
        self.sealed_store(Arc::new(Sealed::new(store, keys)))
    }

    /// Where grants are kept, sealed by the caller.
    #[must_use]
    pub fn sealed_store<S: TokenStore + 'static>(mut self, store: Arc<Sealed<S>>) -> Self {
        self.store = Some(store);
        self
    }

    /// Where grants are kept, **without encryption**: whoever can read the store can use the tokens in it. For
    /// stores that seal by themselves, and for tests that look at what is written.
    #[must_use]
    pub fn clear_text_store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// What sends requests. Default: two [`ReqwestClient`]s, one for the API and one for the OAuth
    /// endpoints.
    ///
    /// A transport given here serves both, unless [`oauth_transport`](Self::oauth_transport) names another.
    /// One that keeps connections open on the runtime that opened them (reqwest does) should not
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

    /// Does not look after grants that are not in use: another process does, or this one calls
    /// [`Client::keep_alive`] when it is ready to. Default: [`build`](Self::build) starts that.
    #[must_use]
    pub fn without_keep_alive(mut self) -> Self {
        self.keep_alive = false;
        self
    }

    /// How many grants are kept in memory at most. Default: [`Self::DEFAULT_LIVE_GRANTS`].
    ///
    /// An idle one takes about half a kilobyte beside its access token: the rest is in its record, and read again when
    /// it is refreshed.
    #[must_use]
    pub fn live_grants(mut self, grants: usize) -> Self {
        self.live_grants = grants.max(1);
        self
    }

    /// Builds the client, and starts its background tasks: one listens to the store's changes, one looks after
    /// grants that are not in use ([`Client::keep_alive`]).
    ///
    /// Waits for nothing. Whether the store answers, and its records open with the keys that were given, is
    /// told by [`Client::check_store`].
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or contradicts itself.
    pub fn build(self) -> Result<Client, BuildError> {
        let keep_alive = self.keep_alive;
        let state = Arc::new(self.into_state()?);
        let watcher = watch::run(Arc::downgrade(&state), state.tasks.closing.clone());
        state.tasks.spawn("watch", watcher);
        if keep_alive {
            let sweeper = keep_alive::run(Arc::downgrade(&state), state.tasks.closing.clone());
            state.tasks.spawn("keep-alive", sweeper);
        }
        Ok(Client { state })
    }

    fn into_state(self) -> Result<ClientState, BuildError> {
        let store = self.store.ok_or(BuildError::NoStore)?;
        self.policy.check()?;
        let environment = match self.environment {
            Some(environment) => environment,
            None => Arc::new(SystemEnvironment::current().ok_or(BuildError::NoRuntime)?),
        };
        let (http, oauth_http) = transports(self.transport, self.oauth_transport)?;
        let mut seed = [0; 8];
        environment.fill(&mut seed)?;
        let (app, policy) = (Arc::new(self.app), Arc::new(self.policy));
        let rules = Rules {
            server: Server::at(app.server()),
            app: app.clone(),
            policy: policy.clone(),
            seed: u64::from_le_bytes(seed),
        };
        Ok(ClientState::new(Parts {
            records: Records::new(store, environment.clone()),
            platform: Platform::new(app, policy.budget, http, oauth_http, environment.clone()),
            live: LiveGrants::new(self.live_grants, rules),
            policy,
            environment,
            call_timeout: self.call_timeout,
            max_body: self.max_body,
        }))
    }
}

type Transport = Arc<dyn HttpClient>;

/// The way to the API, and the way to the OAuth endpoints.
fn transports(
    api: Option<Transport>,
    oauth: Option<Transport>,
) -> Result<(Transport, Transport), BuildError> {
    Ok(match (api, oauth) {
        (Some(api), Some(oauth)) => (api, oauth),
        (Some(api), None) => (api.clone(), api),
        (None, Some(oauth)) => (Arc::new(ReqwestClient::new()?), oauth),
        (None, None) => {
            let api = ReqwestClient::new()?;
            let oauth = api.apart()?;
            (Arc::new(api), Arc::new(oauth))
        }
    })
}
