//! The world, the platform, its users and the processes of one scenario.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rc_auth::{
    AuthBudget, Client, ClientBuilder, Environment as _, Grant, GrantKey, OAuthApp, Secret,
    SimulatedProcess, SimulatedWorld,
};
use rc_sim::{Config, Platform, SimClient, User};

use crate::{
    dice::{Dice, lock},
    shelf::{FarShelf, Shelf},
    wire::{Weather, Wire},
};

const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";
const SERVER: &str = "https://platform.example.com";

/// Who signed in.
pub(crate) const ME: &str = "/restapi/v1.0/account/~/extension/~";

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Town {
    pub(crate) world: SimulatedWorld,
    pub(crate) dice: Dice,
    pub(crate) weather: Arc<Weather>,
    pub(crate) shelf: Arc<Shelf>,
    platform: Arc<Mutex<Platform>>,
    app: OAuthApp,
    /// Stands for network and store; nobody kills it.
    there: SimulatedProcess,
}

/// A process and its client.
pub(crate) struct Life {
    pub(crate) process: SimulatedProcess,
    pub(crate) client: Client,
}

/// The login and the grant's key of a user.
pub(crate) fn user(number: usize) -> String {
    format!("user-{number}@example.com")
}

fn key(number: usize) -> GrantKey {
    GrantKey::new(user(number))
}

impl Town {
    /// # Errors
    ///
    /// When the simulated platform has no app.
    pub(crate) fn new(
        seed: u64,
        users: usize,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, String> {
        let mut config = Config::demo(seed, CALLBACK);
        config.switches.limits.enabled = false;
        let person = |number| {
            let extension = 1_000_000 + number as u64;
            User::new(user(number), "password", extension, "Ada", "Example")
        };
        config.users = (0..users).map(person).collect();
        change(&mut config);
        let registered = config.confidential_app().ok_or("no app with a secret")?;
        let secret = registered.client_secret().map(Secret::new);
        let app = OAuthApp::new(registered.client_id(), secret, CALLBACK, SERVER);
        let world = SimulatedWorld::new(seed);
        Ok(Self {
            dice: Dice::new(seed),
            weather: Arc::new(Weather::new(seed)),
            shelf: Arc::new(Shelf::new(seed)),
            app: app.map_err(|error| error.to_string())?,
            there: world.process(),
            world,
            platform: Arc::new(Mutex::new(Platform::new(config))),
        })
    }

    /// Starts a process as an application does.
    ///
    /// # Errors
    ///
    /// When its client cannot be built.
    pub(crate) fn life(&self) -> Result<Life, String> {
        self.life_with(|builder| builder)
    }

    /// # Errors
    ///
    /// When its client cannot be built.
    pub(crate) fn life_with(
        &self,
        change: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Life, String> {
        let process = self.world.process();
        let (world, sleeper) = (self.world.clone(), self.there.clone());
        let sim = SimClient::new(self.platform.clone(), move || sim_time(&world));
        let sim = sim.with_sleep(move |time| sleeper.sleep_until(sleeper.now().mono + time));
        let wire = Wire {
            weather: self.weather.clone(),
            sim: Arc::new(sim),
            there: self.there.clone(),
        };
        let store = FarShelf {
            shelf: self.shelf.clone(),
            there: self.there.clone(),
        };
        let builder = Client::builder(self.app.clone())
            .clear_text_store(store)
            .environment(Arc::new(process.clone()))
            .transport(Arc::new(wire))
            .auth_budget(AuthBudget::Off);
        let client = change(builder).build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Life { process, client })
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.now().mono
    }

    /// Lets time pass until `moment`.
    pub(crate) fn pass_until(&self, moment: Duration) {
        self.world.pass(moment.saturating_sub(self.now()));
    }

    pub(crate) fn platform(&self) -> MutexGuard<'_, Platform> {
        lock(&self.platform)
    }

    pub(crate) fn sim_now(&self) -> rc_sim::Timestamp {
        sim_time(&self.world)
    }

    pub(crate) fn expire_access_tokens(&self) {
        let now = self.sim_now();
        self.platform().expire_access_tokens(now);
    }

    /// Refreshes that the platform has carried out for the first time.
    pub(crate) fn rotations(&self) -> u64 {
        let now = self.sim_now();
        self.platform().counters(now).token_refresh.issued
    }

    /// Signs a user in.
    ///
    /// # Errors
    ///
    /// When the platform or the client refuse it.
    pub(crate) fn sign_in(&self, life: &Life, number: usize) -> Result<Grant, String> {
        let sign_in = life.client.begin_sign_in();
        let sign_in = sign_in.map_err(|error| error.to_string())?;
        let now = self.sim_now();
        let callback = self.platform().sign_in(&sign_in.url, &user(number), now);
        let callback = callback.map_err(|error| error.to_string())?;
        let finish = life
            .client
            .finish_sign_in_as(key(number), sign_in.pending, callback.query());
        self.world.run(finish).map_err(|error| error.to_string())
    }
}

impl Life {
    pub(crate) fn grant(&self, number: usize) -> Grant {
        self.client.grant(&key(number))
    }
}

fn sim_time(world: &SimulatedWorld) -> rc_sim::Timestamp {
    rc_sim::Timestamp::from_millis(world.now().wall.unix_millis().unsigned_abs())
}
