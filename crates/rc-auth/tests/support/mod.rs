//! A client, a simulated platform and a store in one process, on a clock that jumps.
//!
//! Run under `#[tokio::test(start_paused = true)]`: whenever everybody waits, tokio's clock jumps to the
//! next wake-up, so back-off and deadlines of hours take no time and no test sleeps.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::new_without_default,
    reason = "a module of tests"
)]

#[path = "altered.rs"]
mod altered;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rc_auth::{
    AuthBudget, Client, ClientBuilder, Environment, Grant, NoRandomness, Now, OAuthApp,
    RefreshReplay, Secret, SignInError, Timestamp,
    store::{ChangeStream, KeyRing, MemoryStore, Sealed, StoreError, TokenStore},
    transport::BoxFuture,
};
use rc_sim::{Callback, Config, Counters, Fault, Platform, SimClient, Target};
use tokio::time::Instant;

use self::altered::{Alteration, Altered};

pub const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";
pub const ME: &str = "/restapi/v1.0/account/~/extension/~";
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

/// Tokio's clock as both clocks, and its runtime.
#[derive(Clone, Debug)]
pub struct TokioClock(pub Instant);

impl Environment for TokioClock {
    fn now(&self) -> Now {
        let mono = self.0.elapsed();
        Now {
            wall: Timestamp::from_unix_millis(START).saturating_add(mono),
            mono,
        }
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(self.0 + mono))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

pub struct World {
    platform: Arc<Mutex<Platform>>,
    pub store: Arc<dyn TokenStore>,
    pub clock: TokioClock,
    pub app: OAuthApp,
    pub login: String,
    pub client: Client,
}

impl World {
    pub fn new() -> Self {
        Self::with(Config::demo(7, CALLBACK), |builder| builder)
    }

    /// A server that repeats no answer and takes re-use for theft.
    pub fn strict() -> Self {
        let mut config = Config::demo(7, CALLBACK);
        config.switches.refresh_replay = rc_sim::RefreshReplay::Strict;
        Self::with(config, |builder| {
            builder.refresh_replay(RefreshReplay::None)
        })
    }

    /// Its store tells nobody of changes.
    pub fn silent() -> Self {
        let config = Config::demo(7, CALLBACK);
        Self::on(
            Altered(Arc::new(Silent(MemoryStore::new()))),
            config,
            |builder| builder,
        )
    }

    pub fn with(config: Config, build: impl Fn(ClientBuilder) -> ClientBuilder) -> Self {
        Self::on(MemoryStore::new(), config, build)
    }

    pub fn on(
        store: impl TokenStore + 'static,
        mut config: Config,
        build: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        config.switches.limits.enabled = false;
        // Where limits are switched on, the tests are about the budget of token requests.
        config.switches.limits.count_authorize = false;
        let registered = config.confidential_app().unwrap();
        let secret = registered.client_secret().map(Secret::new);
        let app = OAuthApp::new(
            registered.client_id(),
            secret,
            CALLBACK,
            "https://platform.example.com",
        );
        let app = app.unwrap();
        let login = config.demo_user().unwrap().login.clone();
        let platform = Arc::new(Mutex::new(Platform::new(config)));
        let store = Arc::new(Sealed::new(store, KeyRing::generate("k1").unwrap()));
        let clock = TokioClock(Instant::now());
        let transport = transport(&platform, &clock);
        let client = build(builder(&app, store.clone(), &clock, transport))
            .build()
            .unwrap();
        Self {
            platform,
            store,
            clock,
            app,
            login,
            client,
        }
    }

    /// What sends requests to the platform.
    pub fn sim_transport(&self) -> Arc<SimClient> {
        transport(&self.platform, &self.clock)
    }

    /// Another process on the same store and platform.
    pub fn another_process(&self, build: impl Fn(ClientBuilder) -> ClientBuilder) -> Client {
        let transport = transport(&self.platform, &self.clock);
        build(builder(
            &self.app,
            self.store.clone(),
            &self.clock,
            transport,
        ))
        .build()
        .unwrap()
    }

    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sim_now(&self) -> rc_sim::Timestamp {
        sim_time(&self.clock)
    }

    pub fn counters(&self) -> Counters {
        let now = self.sim_now();
        self.platform().counters(now)
    }

    pub fn fault(&self, target: Target, fault: Fault, times: u32) {
        self.platform().queue_fault(target, fault, times);
    }

    pub fn browse(&self, url: &str) -> Callback {
        let now = self.sim_now();
        self.platform().sign_in(url, &self.login, now).unwrap()
    }

    pub async fn try_sign_in(&self, client: &Client) -> Result<Grant, SignInError> {
        let sign_in = client.begin_sign_in()?;
        let callback = self.browse(&sign_in.url);
        client
            .finish_sign_in(sign_in.pending, callback.query())
            .await
    }

    pub async fn sign_in(&self) -> Grant {
        self.try_sign_in(&self.client).await.unwrap()
    }

    /// Every access token of the platform is expired from now on.
    pub fn expire_access_tokens(&self) {
        let now = self.sim_now();
        self.platform().expire_access_tokens(now);
    }

    /// Lets time pass, and everything that happens meanwhile.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

fn sim_time(clock: &TokioClock) -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(clock.now().wall.unix_millis().unsigned_abs())
}

fn transport(platform: &Arc<Mutex<Platform>>, clock: &TokioClock) -> Arc<SimClient> {
    let clock = clock.clone();
    let sim = SimClient::new(platform.clone(), move || sim_time(&clock));
    Arc::new(sim.with_sleep(|time| Box::pin(tokio::time::sleep(time))))
}

fn builder(
    app: &OAuthApp,
    store: Arc<dyn TokenStore>,
    clock: &TokioClock,
    transport: Arc<SimClient>,
) -> ClientBuilder {
    Client::builder(app.clone())
        .clear_text_store(store)
        .without_keep_alive()
        .environment(Arc::new(clock.clone()))
        .transport(transport)
        .auth_budget(AuthBudget::Off)
}

/// A store that cannot tell of changes.
#[derive(Debug)]
pub struct Silent(pub MemoryStore);

impl Alteration for Silent {
    fn inner(&self) -> &dyn TokenStore {
        &self.0
    }

    fn changes(&self) -> Option<ChangeStream> {
        None
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::pending())
    }
}
