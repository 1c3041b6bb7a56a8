//! What the tests play on: platform, application, browsers.

#![allow(unreachable_pub, reason = "a module of tests")]

mod browser;
mod clock;
mod process;
mod tap;
mod wire;

use std::{
    collections::HashMap,
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    sync::{Arc, MutexGuard},
};

use rc_sim::{Counters, Platform, Server};
use rc_web::{Running, config::Config};
use tempfile::TempDir;

pub use browser::{Browser, allow, deny};
pub use clock::TestClock;
pub use process::{Process, output, program};
pub use tap::Tap;
pub use wire::{Answer, exchange, exchange_raw, send};

/// The redirect URI all tests register. Nothing listens there: tests carry callbacks to the application.
pub const REDIRECT_URI: &str = "http://127.0.0.1:1/oauth/callback";

const KEYS: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A platform and an application that knows it.
pub struct Stage {
    pub app: Running,
    pub sim: Server,
    pub clock: Arc<TestClock>,
    folder: TempDir,
    variables: Variables,
}

pub type Variables = HashMap<&'static str, String>;

impl Stage {
    /// Both with their defaults, rate limits off.
    pub async fn start() -> Self {
        Self::start_with(|_| {}, |_| {}).await
    }

    /// Both, changed.
    pub async fn start_with(
        platform: impl FnOnce(&mut rc_sim::Config),
        application: impl FnOnce(&mut Variables),
    ) -> Self {
        Self::start_configured(platform, application, |_| {}).await
    }

    /// Both, changed, also where no variable reaches.
    pub async fn start_configured(
        platform: impl FnOnce(&mut rc_sim::Config),
        application: impl FnOnce(&mut Variables),
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let sim = platform_with(platform).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut variables = variables_for(&sim, folder.path());
        application(&mut variables);
        let clock = Arc::new(TestClock::default());
        let app = start_app(&variables, &clock, change).await;
        Self {
            app,
            sim,
            clock,
            folder,
            variables,
        }
    }

    /// Ends the application and starts it again on the same database.
    pub async fn restart(self) -> Self {
        let Self {
            app,
            sim,
            clock,
            folder,
            variables,
        } = self;
        assert!(app.stop().await, "something was left unsaved");
        let app = start_app(&variables, &clock, |_| {}).await;
        Self {
            app,
            sim,
            clock,
            folder,
            variables,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.app.summary().address
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.address())
    }

    /// A browser that has signed in.
    pub async fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let callback = browser.sign_in_at(&self.sim).await;
        let answer = browser.get(&callback).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        self.sim.platform()
    }

    pub fn counters(&self) -> Counters {
        self.platform().counters(self.sim.now())
    }

    /// Token requests of any kind that the platform has received.
    pub fn token_requests(&self) -> u64 {
        let counters = self.counters();
        counters.token_code.received + counters.token_refresh.received
    }

    pub fn expire_access_tokens(&self) {
        let now = self.sim.now();
        self.platform().expire_access_tokens(now);
    }
}

/// A platform on a free port.
pub async fn platform_with(change: impl FnOnce(&mut rc_sim::Config)) -> Server {
    let mut config = rc_sim::Config::demo(7, REDIRECT_URI);
    config.switches.limits.enabled = false;
    // Where limits are switched on, the tests are about the budget of token requests.
    config.switches.limits.count_authorize = false;
    change(&mut config);
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(any_port, config).await.expect("a free port")
}

/// The environment of an application that knows `sim` and keeps its files in `folder`.
pub fn variables_for(sim: &Server, folder: &Path) -> Variables {
    let platform = sim.platform();
    let app = platform
        .config()
        .confidential_app()
        .expect("the demo has one");
    let secret = app.client_secret().expect("it has a secret").to_owned();
    HashMap::from([
        ("BIND", "127.0.0.1:0".to_owned()),
        (
            "DATABASE_URL",
            format!("sqlite://{}?mode=rwc", folder.join("web.db").display()),
        ),
        ("RC_AUTH_BUDGET", "off".to_owned()),
        ("RC_CLIENT_ID", app.client_id().to_owned()),
        ("RC_CLIENT_SECRET", secret),
        ("RC_ENCRYPTION_KEYS", KEYS.to_owned()),
        ("RC_REFRESH_REPLAY", "grace".to_owned()),
        ("RC_REDIRECT_URI", app.redirect_uris[0].clone()),
        ("RC_SERVER_URL", sim.base_url()),
    ])
}

async fn start_app(
    variables: &Variables,
    clock: &Arc<TestClock>,
    change: impl FnOnce(&mut Config),
) -> Running {
    let config = Config::from_lookup(|name| variables.get(name).map(OsString::from));
    let mut config = config.expect("usable variables");
    change(&mut config);
    let clock = Arc::clone(clock);
    Running::start_in(config, clock).await.expect("a start")
}

/// Waits for something that happens in the background, at most ten seconds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {what}");
}
