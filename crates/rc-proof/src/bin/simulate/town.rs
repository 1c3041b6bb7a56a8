//! The world, the platform and the registered app of one run.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rc_auth::{
    Environment as _, OAuthApp, Secret, SimulatedProcess, SimulatedWorld, transport::HttpClient,
};
use rc_sim::{Config, Counters, Platform, SimClient};

use crate::{chance::lock, setting::Setting};

const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";
const SERVER: &str = "https://platform.example.com";

pub(crate) struct Town {
    pub(crate) world: SimulatedWorld,
    pub(crate) app: OAuthApp,
    platform: Arc<Mutex<Platform>>,
    login: String,
}

impl Town {
    /// With short lives, a refresh token lives for 24 minutes and an access token for 8.
    ///
    /// # Errors
    ///
    /// When the simulated platform has no app or no user.
    pub(crate) fn new(seed: u64, setting: &Setting) -> Result<Self, String> {
        let mut config = Config::demo(seed, CALLBACK);
        config.switches.limits.enabled = false;
        config.switches.sessions_per_extension_and_app = 100_000;
        config.switches.spent_token_ends_session = setting.spent_revokes;
        if setting.is_strict {
            config.switches.refresh_replay = rc_sim::RefreshReplay::Strict;
        }
        if setting.has_short_lives {
            config.switches.token_life.access = Duration::from_secs(8 * 60);
            config.switches.token_life.refresh = Duration::from_secs(24 * 60);
        }
        let registered = config.confidential_app().ok_or("no app with a secret")?;
        let secret = registered.client_secret().map(Secret::new);
        let app = OAuthApp::new(registered.client_id(), secret, CALLBACK, SERVER);
        let login = config.demo_user().ok_or("no user")?.login.clone();
        Ok(Self {
            world: SimulatedWorld::new(seed),
            app: app.map_err(|error| error.to_string())?,
            login,
            platform: Arc::new(Mutex::new(Platform::new(config))),
        })
    }

    /// What a process sends its requests with.
    pub(crate) fn transport(&self, process: &SimulatedProcess) -> Arc<dyn HttpClient> {
        let world = self.world.clone();
        let sleeper = process.clone();
        let sim = SimClient::new(self.platform.clone(), move || sim_time(&world));
        Arc::new(sim.with_sleep(move |time| sleeper.sleep_until(sleeper.now().mono + time)))
    }

    pub(crate) fn platform(&self) -> MutexGuard<'_, Platform> {
        lock(&self.platform)
    }

    pub(crate) fn counters(&self) -> Counters {
        let now = sim_time(&self.world);
        self.platform().counters(now)
    }

    pub(crate) fn expire_access_tokens(&self) {
        let now = sim_time(&self.world);
        self.platform().expire_access_tokens(now);
    }

    /// Whether the session that an access token is of has not ended, whatever became of the token.
    pub(crate) fn has_session(&self, token: &Secret) -> bool {
        self.platform().has_session(token.expose())
    }

    /// A person signs in at this address. `None`: the platform does not take it.
    pub(crate) fn browse(&self, url: &str) -> Option<rc_sim::Callback> {
        let now = sim_time(&self.world);
        self.platform().sign_in(url, &self.login, now).ok()
    }
}

fn sim_time(world: &SimulatedWorld) -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(world.now().wall.unix_millis().unsigned_abs())
}
