//! The story of a run: processes work, are killed and replaced, and time passes.

use std::{sync::Arc, time::Duration};

use rc_auth::{Environment as _, SignedOut, SimulatedProcess, store::MemoryStore};

use crate::{
    call::Call,
    ledger::{Expected, KEYS, Ledger, grant_key, name},
    processes::{MINUTE, Process, SECOND, Town},
    store::FarStore,
    weather::Weather,
    wire::Wire,
};

/// How many processes work at a time.
const PROCESSES: usize = 3;
/// How many random steps a run takes in bad weather.
const STEPS: usize = 250;

/// A run of one seed.
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) town: Arc<Town>,
    /// The process that stands for the network; nobody kills it.
    there: SimulatedProcess,
    pub(crate) weather: Arc<Weather>,
    pub(crate) ledger: Arc<Ledger>,
    /// Chains that may be alive although nobody can know of them.
    pub(crate) excused: u64,
    /// Calls that were begun.
    pub(crate) calls: u64,
    /// Processes that were started.
    started: u64,
}

/// A process from its start until it is killed.
pub(crate) struct Life {
    /// Its number, never used again.
    pub(crate) name: u64,
    pub(crate) process: Process,
}

impl Story {
    /// The story of a seed, before its beginning.
    pub(crate) fn new(seed: u64) -> Self {
        let weather = Arc::new(Weather::new(seed));
        // The store needs a process of the world, which the town makes, so it comes after the town.
        let mut town = Town::with(seed, Arc::new(MemoryStore::new()), |_| {});
        let there = town.world.process();
        town.store = Arc::new(FarStore::new(there.clone(), weather.clone()));
        Self {
            seed,
            ledger: Arc::new(Ledger::new(town.world.clone())),
            town: Arc::new(town),
            there,
            weather,
            excused: 0,
            calls: 0,
            started: 0,
        }
    }

    /// Runs to the end; what was wrong.
    pub(crate) fn run(mut self) -> Vec<String> {
        let mut lives: Vec<Life> = (0..PROCESSES).map(|_| self.life()).collect();
        for key in 0..KEYS {
            self.sign_in(&lives[key % PROCESSES], key);
        }
        self.town.pass(5 * SECOND);
        self.weather.turn(true);
        for _ in 0..STEPS {
            self.step(&mut lives);
        }
        self.weather.turn(false);
        self.town.pass(5 * MINUTE);
        self.ledger.find_overdue();
        self.check_finished();
        lives.push(self.life());
        self.check_settled(&lives);
        self.check_idle_hours();
        self.ledger.complaints()
    }

    /// Starts a process.
    fn life(&mut self) -> Life {
        self.started += 1;
        let wire = Arc::new(Wire {
            town: self.town.clone(),
            there: self.there.clone(),
            weather: self.weather.clone(),
        });
        let process = self.town.process_with(|builder| builder.transport(wire));
        Life {
            name: self.started,
            process: process.sweeps(),
        }
    }

    /// One random thing happens, then time passes.
    fn step(&mut self, lives: &mut [Life]) {
        let which = self.roll(lives.len());
        let key = self.roll(KEYS);
        match self.roll(100) {
            0..50 => self.call(&lives[which], key, false),
            50..60 => self.call(&lives[which], key, true),
            60..72 => self.town.expire_access_tokens(),
            72..82 => self.sign_in(&lives[which], key),
            82..88 => self.sign_out(&lives[which], key),
            88..95 => {
                let fresh = self.life();
                let dead = std::mem::replace(&mut lives[which], fresh);
                self.kill(&dead);
            }
            _ => self.pass_up_to(90 * SECOND),
        }
        let is_long = self.roll(4) == 0;
        self.pass_up_to(if is_long { 10 * SECOND } else { SECOND / 2 });
        self.ledger.find_overdue();
    }

    fn roll(&self, sides: usize) -> usize {
        self.weather.dice.roll(sides as u64) as usize
    }

    fn pass_up_to(&self, most: Duration) {
        self.town.pass(self.weather.dice.up_to(most));
    }

    fn call(&mut self, life: &Life, key: usize, refreshes: bool) {
        self.calls += 1;
        let id = self.calls;
        let what = format!(
            "call {id} of {} in process {} (refresh: {refreshes})",
            name(key),
            life.name
        );
        self.ledger.open(id, life.name, &what);
        let call = Call {
            id,
            what,
            key,
            grant: life.process.client.grant(&grant_key(key)),
            refreshes,
            ledger: self.ledger.clone(),
            weather: self.weather.clone(),
        };
        life.process.process.spawn(Box::pin(call.run()));
    }

    fn sign_in(&self, life: &Life, key: usize) {
        if !self.ledger.begin(life.name, key, true) {
            return;
        }
        let client = life.process.client.clone();
        let sign_in = client.begin_sign_in().unwrap();
        let callback = self.town.browse(&sign_in.url);
        let ledger = self.ledger.clone();
        life.process.process.spawn(Box::pin(async move {
            let result = client
                .finish_sign_in_as(grant_key(key), sign_in.pending, callback.query())
                .await;
            ledger.settle(key, Expected::after(&result, Expected::In));
        }));
    }

    fn sign_out(&self, life: &Life, key: usize) {
        if !self.ledger.begin(life.name, key, false) {
            return;
        }
        let grant = life.process.client.grant(&grant_key(key));
        let ledger = self.ledger.clone();
        let before = ledger.known(key).expected;
        life.process.process.spawn(Box::pin(async move {
            let result = grant.sign_out().await;
            if before == Expected::In && matches!(result, Ok(SignedOut::AlreadyOver)) {
                ledger.complain(&format!("{}: ALREADY OVER at sign-out", name(key)));
            }
            ledger.settle(key, Expected::after(&result, Expected::Out));
        }));
    }

    fn kill(&mut self, life: &Life) {
        life.process.process.kill();
        self.ledger
            .trace(|| format!("process {} is killed", life.name));
        self.excused += self.ledger.forget(life.name);
    }
}
