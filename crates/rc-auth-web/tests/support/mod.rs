//! A browser, an application of this crate, and the simulated platform in one process, on a clock that jumps.
//!
//! Run under `#[tokio::test(start_paused = true)]`: whenever everybody waits, tokio's clock jumps to the
//! next wake-up, so that weeks take no time.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

mod browser;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use browser::Browser;
use http::{Response, header::LOCATION};
use rc_auth::{
    AuthBudget, Client, Environment, NoRandomness, Now, OAuthApp, Secret, Timestamp,
    store::{KeyRing, MemoryStore, Sealed},
    transport::BoxFuture,
};
use rc_auth_web::{
    Begun, ClientAddress, FinishError, Finished, MemorySessions, Session, WebAuth, WebAuthBuilder,
};
use rc_sim::{Config, Counters, Platform, SimClient};
use tokio::time::Instant;

pub const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";
/// Where the tests' browsers are.
pub const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5));
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

/// Tokio's clock as both clocks, and its runtime.
#[derive(Clone, Debug)]
pub struct TokioClock(Instant);

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

/// Which session store a scenario runs over.
#[derive(Clone, Copy, Debug)]
pub enum Sessions {
    Sealed,
    Memory,
}

impl Sessions {
    pub const ALL: [Self; 2] = [Self::Sealed, Self::Memory];
}

pub struct World {
    platform: Arc<Mutex<Platform>>,
    clock: TokioClock,
    login: String,
    pub auth: WebAuth,
}

impl World {
    pub fn new(sessions: Sessions) -> Self {
        Self::with(|builder| match sessions {
            Sessions::Sealed => builder,
            Sessions::Memory => builder.session_store(MemorySessions::default()),
        })
    }

    pub fn with(build: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder) -> Self {
        let mut config = Config::demo(7, CALLBACK);
        config.switches.limits.enabled = false;
        let registered = config.confidential_app().unwrap();
        let app = OAuthApp::new(
            registered.client_id(),
            registered.client_secret().map(Secret::new),
            CALLBACK,
            "https://platform.example.com",
        )
        .unwrap();
        let login = config.demo_user().unwrap().login.clone();
        let platform = Arc::new(Mutex::new(Platform::new(config)));
        let clock = TokioClock(Instant::now());
        let client = client(app, &platform, &clock);
        let builder = WebAuth::builder(client, KeyRing::generate("k1").unwrap())
            .client_address(ClientAddress::Peer)
            .environment(Arc::new(clock.clone()));
        Self {
            platform,
            clock,
            login,
            auth: build(builder).build().unwrap(),
        }
    }

    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn counters(&self) -> Counters {
        let now = sim_time(&self.clock);
        self.platform().counters(now)
    }

    /// Starts a sign-in and gives the platform's address.
    pub fn begin(&self, browser: &mut Browser, path: &str) -> String {
        let begun = self.auth.begin_sign_in(&browser.get(path)).unwrap();
        let Begun::ToPlatform(response) = begun else {
            panic!("{begun:?}");
        };
        browser.keep(response.headers());
        location(&response)
    }

    /// The platform's page: gives the path and query of the callback.
    pub fn sign_in_at_platform(&self, url: &str) -> String {
        let now = sim_time(&self.clock);
        let callback = self.platform().sign_in(url, &self.login, now).unwrap();
        format!("/oauth/callback?{}", callback.query())
    }

    pub async fn call_back(
        &self,
        browser: &Browser,
        callback: &str,
    ) -> Result<Finished, FinishError> {
        self.auth.finish_sign_in(&browser.get(callback), FROM).await
    }

    /// A whole sign-in; gives where the browser lands.
    pub async fn sign_in(&self, browser: &mut Browser) -> String {
        let url = self.begin(browser, "/login");
        let callback = self.sign_in_at_platform(&url);
        let finished = self.call_back(browser, &callback).await.unwrap();
        let response = finished.into_response();
        browser.keep(response.headers());
        location(&response)
    }

    pub async fn session(&self, browser: &Browser) -> Option<Session> {
        let request = browser.get("/");
        self.auth.session(&request.headers).await.unwrap()
    }

    /// Lets time pass, and everything that happens meanwhile.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

pub fn location(response: &Response<()>) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

fn client(app: OAuthApp, platform: &Arc<Mutex<Platform>>, clock: &TokioClock) -> Client {
    let store = Sealed::new(MemoryStore::new(), KeyRing::generate("k1").unwrap());
    let sim_clock = clock.clone();
    let sim = SimClient::new(platform.clone(), move || sim_time(&sim_clock));
    let sim = sim.with_sleep(|time| Box::pin(tokio::time::sleep(time)));
    Client::builder(app)
        .clear_text_store(store)
        .without_keep_alive()
        .environment(Arc::new(clock.clone()))
        .transport(Arc::new(sim))
        .auth_budget(AuthBudget::Off)
        .build()
        .unwrap()
}

fn sim_time(clock: &TokioClock) -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(clock.now().wall.unix_millis().unsigned_abs())
}
