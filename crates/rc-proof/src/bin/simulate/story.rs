//! The story of a run: processes work, are killed and replaced, and time passes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rc_auth::{
    AuthBudget, Client, Environment as _, RefreshPolicy, RefreshReplay, SignedOut,
    SimulatedProcess, store::MemoryStore,
};

use crate::{
    SECOND,
    call::{Call, Want},
    chance::{Chance, Op},
    ledger::{Expected, Ledger, grant_key},
    network::Network,
    plan::{self, Action, Reach, Step},
    store::FarStore,
    town::Town,
    trace::{Trace, Who},
};

const HOUR: Duration = Duration::from_secs(3600);

/// With short lives: two of them, and a grant that nobody uses is refreshed.
const LONG_PASS: Duration = Duration::from_secs(8 * 60);

/// What to run of a seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    /// These steps; `None`: all.
    pub(crate) steps: Option<BTreeSet<u64>>,
    /// These operations fail; `None`: all that the dice say.
    pub(crate) faults: Option<BTreeSet<Op>>,
    /// Whether its messages are kept for a reader.
    pub(crate) keeps: bool,
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) complaints: Vec<String>,
    pub(crate) trace: Arc<Trace>,
    /// The steps that were run.
    pub(crate) steps: BTreeSet<u64>,
    /// The operations that failed.
    pub(crate) faults: BTreeSet<Op>,
}

/// A run of one seed.
pub(crate) struct Story {
    pub(crate) town: Arc<Town>,
    pub(crate) store: Arc<MemoryStore>,
    /// The process that stands for the network; nobody kills it.
    there: SimulatedProcess,
    pub(crate) chance: Arc<Chance>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) trace: Arc<Trace>,
    /// Sessions that may be alive although nobody can know of them.
    pub(crate) excused: u64,
    /// How many refreshes there was a reason for at most; `None`: nobody can say.
    pub(crate) reasons: Option<u64>,
    /// Calls that were begun.
    calls: u64,
    /// Processes that were started.
    started: u64,
}

/// A process from its start until it is killed.
pub(crate) struct Life {
    /// Its number, never used again.
    pub(crate) number: u64,
    pub(crate) client: Client,
    process: SimulatedProcess,
    /// Until when it stands still.
    suspended: Option<Duration>,
}

impl Story {
    /// Runs a seed.
    ///
    /// # Errors
    ///
    /// When it cannot be set up.
    pub(crate) fn run(script: &Script) -> Result<Outcome, String> {
        let steps = plan::steps(script.seed, script.steps.as_ref());
        let mut story = Self::new(script)?;
        let mut lives = Vec::new();
        for _ in 0..story.chance.setting.processes {
            lives.push(story.life()?);
        }
        story.play(&mut lives, &steps)?;
        // Tasks hold the world, and the world its tasks.
        lives.iter().for_each(|life| life.process.kill());
        story.there.kill();
        Ok(Outcome {
            complaints: story.ledger.complaints(),
            trace: story.trace,
            steps: steps.into_iter().map(|(number, _)| number).collect(),
            faults: story.chance.struck(),
        })
    }

    fn new(script: &Script) -> Result<Self, String> {
        let chance = Arc::new(Chance::new(script.seed, script.faults.clone()));
        let setting = &chance.setting;
        let town = Arc::new(Town::new(script.seed, setting)?);
        let is_countable = setting.is_perfect() && !setting.has_short_lives;
        Ok(Self {
            store: Arc::new(MemoryStore::new()),
            there: town.world.process(),
            ledger: Arc::new(Ledger::new(town.world.clone(), setting.users)),
            trace: Arc::new(Trace::new(town.world.clone(), script.keeps)),
            town,
            chance,
            excused: 0,
            reasons: is_countable.then_some(0),
            calls: 0,
            started: 0,
        })
    }

    fn play(&mut self, lives: &mut Vec<Life>, steps: &[(u64, Step)]) -> Result<(), String> {
        let chance = &self.chance;
        self.trace.note(Who::World, Who::World, "is made", || {
            chance.setting.to_string()
        });
        for user in 0..self.ledger.users() {
            let life = &lives[user % lives.len()];
            self.sign_in(life, user);
        }
        self.town.world.pass(5 * SECOND);
        self.chance.begin();
        for (_, step) in steps {
            self.step(lives, step)?;
            self.town.world.pass(step.pause);
            self.go_on(lives, false);
            self.ledger.find_overdue();
        }
        self.chance.end(self.ledger.now());
        self.go_on(lives, true);
        for life in lives.iter() {
            life.process.set_wall_clock(0);
        }
        self.trace
            .note(Who::World, Who::World, "the weather is good", String::new);
        self.check_finished();
        lives.push(self.life()?);
        self.check_settled(lives);
        self.check_idle();
        Ok(())
    }

    /// Starts a process.
    fn life(&mut self) -> Result<Life, String> {
        self.started += 1;
        let number = self.started;
        let process = self.town.world.process();
        let (there, chance) = (self.there.clone(), self.chance.clone());
        let network = Network {
            process: number,
            town: self.town.clone(),
            there: there.clone(),
            chance: chance.clone(),
            trace: self.trace.clone(),
        };
        let store = FarStore {
            process: number,
            store: self.store.clone(),
            there,
            chance,
            trace: self.trace.clone(),
        };
        let mut policy = RefreshPolicy::default();
        // No clock that is wrong makes so long a time pass; uses are noted all the same.
        let max_idle = if self.chance.setting.has_short_lives {
            RefreshPolicy::MIN_LIFE
        } else {
            8 * HOUR
        };
        policy.max_idle = self.chance.setting.ends_idle.then_some(max_idle);
        let mut builder = Client::builder(self.town.app.clone())
            .clear_text_store(store)
            .refresh_policy(policy)
            .environment(Arc::new(process.clone()))
            .transport(Arc::new(network));
        if !self.chance.setting.has_budget {
            builder = builder.auth_budget(AuthBudget::Off);
        }
        if self.chance.setting.is_strict {
            builder = builder.refresh_replay(RefreshReplay::None);
        }
        let this = Who::Process(number);
        self.trace.note(this, Who::World, "starts", String::new);
        Ok(Life {
            number,
            client: builder.build().map_err(|error| error.to_string())?,
            process,
            suspended: None,
        })
    }

    fn step(&mut self, lives: &mut [Life], step: &Step) -> Result<(), String> {
        let which = step.process % lives.len();
        let user = step.user % self.ledger.users();
        let reasons = self.reasons_of(step.action);
        self.reasons = self.reasons.zip(reasons).map(|(all, more)| all + more);
        match step.action {
            Action::Call => self.call(&lives[which], user, Want::Call),
            Action::Calls => (0..5).for_each(|_| self.call(&lives[which], user, Want::Call)),
            Action::Token => self.call(&lives[which], user, Want::Token),
            Action::Refresh => self.call(&lives[which], user, Want::Refresh),
            Action::ExpireAccessTokens => {
                let (from, to) = (Who::Platform, Who::World);
                let kind = "ends all access tokens";
                self.trace.note(from, to, kind, String::new);
                self.town.expire_access_tokens();
            }
            Action::SignIn => self.sign_in(&lives[which], user),
            Action::SignOut => self.sign_out(&lives[which], user),
            Action::SignOutAndIn => {
                self.sign_out(&lives[which], user);
                self.town.world.pass(SECOND / 3);
                let next = (which + step.user % 2) % lives.len();
                self.sign_in(&lives[next], user);
            }
            Action::Kill => {
                let fresh = self.life()?;
                let dead = std::mem::replace(&mut lives[which], fresh);
                self.kill(&dead);
            }
            // Who stands still with an answer unread counts the life of its tokens from when it goes on.
            Action::Suspend(_) if self.chance.setting.has_short_lives => {}
            Action::Suspend(time) => self.suspend(&mut lives[which], time),
            // Where all clocks are behind, nobody would keep a grant alive in time.
            Action::SetClock(_) if self.chance.setting.has_short_lives => {
                self.town.world.pass(LONG_PASS);
            }
            Action::SetClock(seconds) => self.set_clock(&lives[which], seconds),
            Action::Pass(_) if self.chance.setting.has_short_lives => {
                self.town.world.pass(LONG_PASS);
            }
            Action::Pass(time) => self.town.world.pass(time),
            Action::LoseStore(time, Reach::One) => self.lose_store(&lives[which], time),
            Action::LoseStore(time, Reach::Everybody) => {
                lives.iter().for_each(|life| self.lose_store(life, time));
            }
            Action::LosePlatform(time) => {
                self.trace
                    .note(Who::Platform, Who::World, "is out of reach", String::new);
                self.chance.lose_platform(self.ledger.now() + time);
            }
        }
        Ok(())
    }

    /// How many refreshes a step is a reason for, at most; `None`: nobody can say.
    fn reasons_of(&self, action: Action) -> Option<u64> {
        match action {
            Action::Call | Action::Calls | Action::Token | Action::Pass(_) => Some(0),
            // A refresh that was under way may be asked for once more.
            Action::Refresh | Action::SignIn | Action::SignOut => Some(1),
            Action::SignOutAndIn => Some(2),
            Action::ExpireAccessTokens | Action::Kill | Action::Suspend(_) => {
                Some(self.ledger.users() as u64)
            }
            Action::SetClock(_) | Action::LoseStore(..) | Action::LosePlatform(_) => None,
        }
    }

    fn call(&mut self, life: &Life, user: usize, want: Want) {
        self.calls += 1;
        let call = Call {
            id: self.calls,
            process: life.number,
            user,
            grant: life.client.grant(&grant_key(user)),
            want,
            town: self.town.clone(),
            ledger: self.ledger.clone(),
            chance: self.chance.clone(),
            trace: self.trace.clone(),
        };
        self.ledger.open(call.id, call.process, &call.what());
        let (user, process) = (Who::User(user), Who::Process(life.number));
        let id = call.id;
        self.trace
            .note(user, process, want.verb(), || format!("call {id}"));
        life.process.spawn(Box::pin(call.run()));
    }

    fn sign_in(&self, life: &Life, user: usize) {
        let Ok(sign_in) = life.client.begin_sign_in() else {
            return;
        };
        if !self.ledger.begin(life.number, user, true) {
            return;
        }
        let Some(callback) = self.town.browse(&sign_in.url) else {
            self.ledger
                .complain("NO SIGN-IN: the platform refused the address");
            return;
        };
        let (who, process) = (Who::User(user), Who::Process(life.number));
        let (ledger, trace) = (self.ledger.clone(), self.trace.clone());
        trace.note(who, process, "signs in", String::new);
        let client = life.client.clone();
        life.process.spawn(Box::pin(async move {
            let key = grant_key(user);
            let result = client
                .finish_sign_in_as(key, sign_in.pending, callback.query())
                .await;
            trace.note(process, who, "signed in", || format!("{}", result.is_ok()));
            ledger.settle(user, Expected::after(&result, Expected::In));
        }));
    }

    fn sign_out(&self, life: &Life, user: usize) {
        if !self.ledger.begin(life.number, user, false) {
            return;
        }
        let grant = life.client.grant(&grant_key(user));
        let before = self.ledger.known(user);
        let stands = before.expected == Expected::In
            && before.looked_after_until < self.ledger.now()
            && !self.chance.setting.is_strict;
        let (who, process) = (Who::User(user), Who::Process(life.number));
        let (ledger, trace) = (self.ledger.clone(), self.trace.clone());
        trace.note(who, process, "signs out", String::new);
        life.process.spawn(Box::pin(async move {
            let result = grant.sign_out().await;
            let was_over = matches!(result, Ok(SignedOut::AlreadyOver));
            if stands && was_over {
                ledger.complain(&format!("ALREADY OVER: sign-out of user {user}"));
            }
            trace.note(process, who, "signed out", || format!("{}", result.is_ok()));
            ledger.settle(user, Expected::after(&result, Expected::Out));
        }));
    }

    fn kill(&mut self, life: &Life) {
        let this = Who::Process(life.number);
        self.trace.note(this, Who::World, "is killed", String::new);
        life.process.kill();
        self.excused += self.ledger.forget(life.number);
        let setting = &self.chance.setting;
        if setting.is_strict && !setting.spent_revokes {
            // What a refresh of it has brought cannot be had again, nor revoked by the token before it.
            self.excused += setting.users as u64;
        }
    }

    fn suspend(&self, life: &mut Life, time: Duration) {
        let this = Who::Process(life.number);
        self.trace
            .note(this, Who::World, "stands still", String::new);
        life.process.suspend(true);
        life.suspended = Some(self.ledger.now() + time);
        self.ledger.suspend(life.number, Duration::MAX);
    }

    /// Lets those go on whose time has come, or everybody.
    fn go_on(&self, lives: &mut [Life], everybody: bool) {
        let now = self.ledger.now();
        for life in lives {
            if life
                .suspended
                .is_some_and(|until| everybody || until <= now)
            {
                life.suspended = None;
                let this = Who::Process(life.number);
                self.trace.note(this, Who::World, "goes on", String::new);
                life.process.suspend(false);
                self.ledger.suspend(life.number, now);
            }
        }
    }

    fn lose_store(&self, life: &Life, time: Duration) {
        let this = Who::Process(life.number);
        let kind = "has lost the store";
        self.trace
            .note(this, Who::World, kind, || format!("for {time:?}"));
        self.chance
            .lose_store(life.number, self.ledger.now() + time);
    }

    fn set_clock(&self, life: &Life, seconds: i64) {
        let this = Who::Process(life.number);
        self.trace.note(this, Who::World, "has its clock set", || {
            format!("{seconds} s off")
        });
        self.ledger.note_wrong_clock();
        life.process.set_wall_clock(seconds * 1000);
    }
}
