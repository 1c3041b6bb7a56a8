//! Processes, one store, one server, and a clock that only tests move.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{
    AttemptId, ChainId, EndReason, Entropy, Gate, Generation, GrantMachine, GrantRecord, Input,
    Now, OAuthApp, Output, PairId, Phase, RecordState, RefreshPolicy, Report, Secret, Timestamp,
    Trouble, Want,
};

use crate::{server::Server, store::Store};

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) store: Store,
    pub(crate) server: Server,
    pub(crate) policy: Arc<RefreshPolicy>,
    /// Tokens that were revoked because nobody will ever use their pair.
    pub(crate) revoked: Vec<String>,
    processes: u8,
}

/// One process with one machine for the grant.
pub(crate) struct Process {
    pub(crate) machine: GrantMachine,
    pub(crate) reports: Vec<Report>,
    name: u8,
    attempts: u8,
    sending: bool,
}

pub(crate) fn secret(token: Option<&Secret>) -> Option<&str> {
    token.map(Secret::expose)
}

impl World {
    /// A world with a fresh sign-in in the store: pair 1.
    pub(crate) fn new(policy: RefreshPolicy) -> Self {
        policy.check().expect("a policy that fits together");
        let now = Now {
            wall: Timestamp::from_unix_millis(1_800_000_000_000),
            mono: Duration::from_secs(1000),
        };
        let server = Server::new(policy.replay, now.wall);
        let mut store = Store::default();
        store.put(GrantRecord::signed_in(
            ChainId::new([1; 16]),
            server.pair(now.wall),
            now.wall,
        ));
        Self {
            now,
            store,
            server,
            policy: Arc::new(policy),
            revoked: Vec::new(),
            processes: 0,
        }
    }

    pub(crate) fn process(&mut self) -> Process {
        self.processes += 1;
        let seed = Entropy::new([self.processes; 8]);
        Process {
            machine: GrantMachine::new(app(), self.policy.clone(), &seed),
            reports: Vec::new(),
            name: self.processes,
            attempts: 0,
            sending: false,
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now.mono += by;
        self.now.wall = self.now.wall.saturating_add(by);
    }

    /// To where every access token issued so far has ended.
    pub(crate) fn expire(&mut self) {
        self.advance(Duration::from_secs(3600));
    }

    /// Signs out as the facade does: first the record, then the chain, then the machine hears of it.
    pub(crate) fn sign_out(&mut self) {
        let record = self.store.record.clone().expect("somebody is signed in");
        if let Some(record) = record.signed_out(None) {
            self.store.put(record);
        }
        self.server.revoke_all();
    }

    /// Another sign-in under the same key.
    pub(crate) fn sign_in_again(&mut self, chain: u8) {
        let pair = self.server.sign_in_again(self.now.wall);
        self.store.put(GrantRecord::signed_in(
            ChainId::new([chain; 16]),
            pair,
            self.now.wall,
        ));
    }
}

fn app() -> Arc<OAuthApp> {
    let app = OAuthApp::new(
        "example-client",
        Some(Secret::new("example-secret")),
        "https://app.example.com/cb",
        OAuthApp::DEFAULT_SERVER,
    );
    Arc::new(app.expect("a good app"))
}

impl Process {
    /// Drops the machine and wakes another in its place, if it can. Whether it could.
    pub(crate) fn fall_asleep(&mut self, world: &World) -> bool {
        let Some((asleep, pair)) = self.machine.fall_asleep() else {
            return false;
        };
        let seed = Entropy::new([self.name; 8]);
        self.machine = GrantMachine::wake(app(), world.policy.clone(), &seed, asleep, pair);
        true
    }

    pub(crate) fn input(&mut self, world: &World, input: Input) {
        self.machine
            .handle_input(input, world.now)
            .expect("an input that was asked for");
        // Invariant 1, looked at after every input of every test.
        let view = self.machine.view(world.now);
        if let Some((pair, _)) = view.pair {
            let token = secret(pair.access_token());
            assert!(world.store.has_held(token), "an unsaved pair is shown");
        }
    }

    /// Carries out one output and gives what came of it, undelivered.
    pub(crate) fn perform(&mut self, world: &mut World, output: Output) -> Option<Input> {
        match output {
            Output::Load => Some(Input::Loaded(world.store.load())),
            Output::Save {
                record,
                due,
                expect,
            } => Some(Input::Saved(world.store.save(*record, due, expect))),
            Output::AskGate { .. } => Some(Input::Gate(Gate::Open(self.next_attempt()))),
            Output::Send { request, .. } => {
                self.check_intent(world);
                self.sending = true;
                Some(Input::Answered(
                    world.server.receive(&request, world.now.wall),
                ))
            }
            Output::Revoke { token } => {
                world.revoked.push(token.expose().to_owned());
                None
            }
            Output::Report(report) => {
                self.reports.push(report);
                None
            }
        }
    }

    pub(crate) fn deliver(&mut self, world: &World, input: Input) {
        if matches!(input, Input::Answered(_)) {
            self.sending = false;
        }
        self.input(world, input);
    }

    /// Carries out everything there is to do.
    pub(crate) fn run(&mut self, world: &mut World) {
        for _ in 0..200 {
            let Some(output) = self.machine.poll_output() else {
                return;
            };
            if let Some(input) = self.perform(world, output) {
                self.deliver(world, input);
            }
        }
        panic!("the machine works without a pause: {:?}", self.machine);
    }

    /// Carries out everything up to the first output that `stop` is true for, which it gives back.
    pub(crate) fn run_to(&mut self, world: &mut World, stop: fn(&Output) -> bool) -> Output {
        for _ in 0..200 {
            let output = self.machine.poll_output().expect("more to do");
            if stop(&output) {
                return output;
            }
            if let Some(input) = self.perform(world, output) {
                self.deliver(world, input);
            }
        }
        panic!("the machine works without a pause");
    }

    pub(crate) fn want(&mut self, world: &mut World, want: Want) {
        self.input(world, Input::Want(want));
        self.run(world);
    }

    /// Lets time pass up to the next timeout, and tells the machine.
    pub(crate) fn sleep(&mut self, world: &mut World) {
        let at = self.machine.next_timeout().expect("a timeout");
        world.advance(at.saturating_sub(world.now.mono));
        self.input(world, Input::Timeout);
        self.run(world);
    }

    pub(crate) fn generation(&self, world: &World) -> Option<Generation> {
        let view = self.machine.view(world.now);
        view.pair.map(|(_, id)| id.generation)
    }

    /// The pair that can be seen.
    pub(crate) fn shown(&self, world: &World) -> Option<PairId> {
        self.machine.view(world.now).pair.map(|(_, id)| id)
    }

    pub(crate) fn access_token(&self, world: &World) -> Option<String> {
        let view = self.machine.view(world.now);
        let token = view.pair.and_then(|(pair, _)| pair.access_token());
        token.map(|token| token.expose().to_owned())
    }

    pub(crate) fn end(&self, world: &World) -> Option<EndReason> {
        match self.machine.view(world.now).phase {
            Phase::Over(reason) => Some(reason),
            Phase::Unknown | Phase::Idle | Phase::Busy | Phase::Waiting { .. } => None,
        }
    }

    /// How long the machine waits from now on, and why.
    pub(crate) fn waits(&self, world: &World) -> Option<(Duration, Trouble)> {
        match self.machine.view(world.now).phase {
            Phase::Waiting { until, trouble } => {
                Some((until.saturating_sub(world.now.mono), trouble.clone()))
            }
            Phase::Unknown | Phase::Idle | Phase::Busy | Phase::Over(_) => None,
        }
    }

    fn next_attempt(&mut self) -> Entropy<16> {
        self.attempts += 1;
        Entropy::new(self.attempt_bytes())
    }

    const fn attempt_bytes(&self) -> [u8; 16] {
        let mut bytes = [self.name; 16];
        bytes[15] = self.attempts;
        bytes
    }

    /// Invariants 2 and 7, looked at before every send of every test.
    fn check_intent(&self, world: &World) {
        assert!(!self.sending, "two requests at once");
        let own = AttemptId::new(self.attempt_bytes());
        let saved = world.store.log.iter().any(|record| {
            matches!(&record.state, RecordState::Refreshing { intent, .. } if intent.attempt == own)
        });
        assert!(saved, "sent without a saved intent");
    }
}

pub(crate) fn is_send(output: &Output) -> bool {
    matches!(output, Output::Send { .. })
}

pub(crate) fn is_save(output: &Output) -> bool {
    matches!(output, Output::Save { .. })
}

/// The world of most tests: RingCentral's rules, one process that has read the record, and an access
/// token that has just ended.
pub(crate) fn expired() -> (World, Process) {
    expired_under(RefreshPolicy::default())
}

pub(crate) fn expired_under(policy: RefreshPolicy) -> (World, Process) {
    let mut world = World::new(policy);
    let mut process = world.process();
    process.want(&mut world, Want::Status);
    world.expire();
    (world, process)
}

/// A pair of the sign-in that every world begins with.
pub(crate) const fn pair_of_world(generation: u64) -> PairId {
    PairId {
        chain: ChainId::new([1; 16]),
        generation: Generation::new(generation),
    }
}
