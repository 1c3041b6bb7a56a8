//! Several processes on one store and one platform, in virtual time; any of them can be killed.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::new_without_default,
    reason = "a module of tests"
)]

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use rc_auth::{
    AuthBudget, Client, ClientBuilder, Environment as _, Grant, GrantKey, OAuthApp, Secret,
    SimulatedProcess, SimulatedWorld,
    store::{MemoryStore, TokenStore},
    transport::{BoxFuture, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::{Config, Counters, Platform, SimClient};

pub const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";
pub const ME: &str = "/restapi/v1.0/account/~/extension/~";
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);

/// The world that all processes of a test live in.
pub struct Town {
    pub world: SimulatedWorld,
    pub store: Arc<dyn TokenStore>,
    platform: Arc<Mutex<Platform>>,
    app: OAuthApp,
    login: String,
    /// How long requests take on their way to the OAuth endpoints, in milliseconds.
    pub way_to_oauth: Arc<AtomicU64>,
    /// How long the OAuth endpoints take to answer, in milliseconds.
    pub oauth_takes: Arc<AtomicU64>,
}

/// A process and its client.
pub struct Process {
    pub process: SimulatedProcess,
    pub client: Client,
}

impl Town {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Arc::new(MemoryStore::new()), |_| {})
    }

    pub fn with(seed: u64, store: Arc<dyn TokenStore>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::demo(seed, CALLBACK);
        config.switches.limits.enabled = false;
        // Where limits are switched on, the tests are about the budget of token requests.
        config.switches.limits.count_authorize = false;
        config.switches.sessions_per_extension_and_app = 100_000;
        change(&mut config);
        let registered = config.confidential_app().unwrap();
        let secret = registered.client_secret().map(Secret::new);
        let server = "https://platform.example.com";
        let app = OAuthApp::new(registered.client_id(), secret, CALLBACK, server).unwrap();
        let login = config.demo_user().unwrap().login.clone();
        Self {
            world: SimulatedWorld::new(seed),
            store,
            platform: Arc::new(Mutex::new(Platform::new(config))),
            app,
            login,
            way_to_oauth: Arc::default(),
            oauth_takes: Arc::default(),
        }
    }

    pub fn process(&self) -> Process {
        self.process_with(|builder| builder)
    }

    pub fn process_with(&self, build: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Process {
        let process = self.world.process();
        let builder = Client::builder(self.app.clone())
            .clear_text_store(self.store.clone())
            .without_keep_alive()
            .environment(Arc::new(process.clone()))
            .transport(self.transport(&process))
            .auth_budget(AuthBudget::Off);
        let client = build(builder).build().unwrap();
        Process { process, client }
    }

    /// What a process sends its requests with.
    pub fn transport(&self, process: &SimulatedProcess) -> Arc<dyn HttpClient> {
        let world = self.world.clone();
        let sleeper = process.clone();
        let sim = SimClient::new(self.platform.clone(), move || sim_time(&world));
        let sim = sim.with_sleep(move |time| sleeper.sleep_until(sleeper.now().mono + time));
        Arc::new(Slow {
            sim,
            process: process.clone(),
            way_to_oauth: self.way_to_oauth.clone(),
            oauth_takes: self.oauth_takes.clone(),
        })
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.world.run(future)
    }

    pub fn pass(&self, time: Duration) {
        self.world.pass(time);
    }

    pub fn now(&self) -> Duration {
        self.world.now().mono
    }

    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sim_now(&self) -> rc_sim::Timestamp {
        sim_time(&self.world)
    }

    pub fn counters(&self) -> Counters {
        let now = self.sim_now();
        self.platform().counters(now)
    }

    pub fn expire_access_tokens(&self) {
        let now = self.sim_now();
        self.platform().expire_access_tokens(now);
    }

    pub fn browse(&self, url: &str) -> rc_sim::Callback {
        let now = self.sim_now();
        self.platform().sign_in(url, &self.login, now).unwrap()
    }

    /// Signs a user in under a key of the application's.
    pub fn sign_in(&self, client: &Client, key: &str) -> Grant {
        let sign_in = client.begin_sign_in().unwrap();
        let callback = self.browse(&sign_in.url);
        let key = GrantKey::new(key);
        self.run(client.finish_sign_in_as(key, sign_in.pending, callback.query()))
            .unwrap()
    }

    /// The grant of `user` is usable, and this many sign-ins live on the platform: nobody has to sign in again.
    pub fn is_well(&self, client: &Client, sign_ins: u64) {
        let grant = client.grant(&GrantKey::new("user"));
        self.until(5 * MINUTE, || self.run(grant.get(ME).send()).is_ok());
        assert_eq!(self.counters().live_sessions, sign_ins);
    }

    /// Runs until `done`, at most for `limit`; how long it took.
    pub fn until(&self, limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
        let began = self.now();
        while !done() {
            let took = self.now() - began;
            assert!(took < limit, "not done within {limit:?}");
            self.pass(SECOND / 4);
        }
        self.now() - began
    }
}

impl Process {
    /// Looks after grants that nobody uses.
    pub fn sweeps(self) -> Self {
        let client = self.client.clone();
        self.process
            .spawn(Box::pin(async move { client.keep_alive().await }));
        self
    }

    /// Begins a call in a task of the process; whether it succeeded shows in the result.
    pub fn call(&self, key: &str) -> Arc<Mutex<Option<Result<(), String>>>> {
        let grant = self.client.grant(&GrantKey::new(key));
        let result = Arc::new(Mutex::new(None));
        let told = result.clone();
        self.process.spawn(Box::pin(async move {
            let answer = grant.get(ME).await;
            *told.lock().unwrap() = Some(answer.map(|_| ()).map_err(|error| error.to_string()));
        }));
        result
    }
}

fn sim_time(world: &SimulatedWorld) -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(world.now().wall.unix_millis().unsigned_abs())
}

/// A transport whose OAuth endpoints carry a request out at once and answer late.
#[derive(Debug)]
struct Slow {
    sim: SimClient,
    process: SimulatedProcess,
    way_to_oauth: Arc<AtomicU64>,
    oauth_takes: Arc<AtomicU64>,
}

impl Slow {
    async fn pass(&self, millis: &AtomicU64) {
        let time = Duration::from_millis(millis.load(Ordering::Relaxed));
        if !time.is_zero() {
            let until = self.process.now().mono + time;
            self.process.sleep_until(until).await;
        }
    }
}

impl HttpClient for Slow {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let is_oauth = outgoing.request.method() == Method::POST
                && outgoing.request.uri().path().contains("/oauth/");
            if is_oauth {
                self.pass(&self.way_to_oauth).await;
            }
            let answer = self.sim.send(outgoing).await;
            if is_oauth {
                self.pass(&self.oauth_takes).await;
            }
            answer
        })
    }
}
