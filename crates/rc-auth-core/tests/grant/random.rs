//! Any order of inputs, outcomes, delays and crashes.

use std::time::Duration;

use proptest::prelude::*;
use rc_auth_core::{
    AuthBudget, Input, LoadFailure, RecordState, RefreshPolicy, RefreshReplay, Reply, Want,
};

use crate::{
    server::Fate,
    store::SaveFault,
    world::{Process, World, pair_of_world},
};

const HTML: &str = "<html>OAU-213</html>";
const CUT: &str = r#"{"access_token":"access-"#;

#[derive(Clone, Debug)]
enum Step {
    Want(usize, Want),
    /// Carries out the next output, without telling what came of it.
    Start(usize),
    /// Tells what came of the last output.
    Deliver(usize),
    Timeout(usize),
    Changed(usize),
    Refused(usize),
    UseToken(usize),
    Advance(u64),
    Server(Fate),
    Save(SaveFault),
    Load,
    SignOut(usize),
    SignInAgain(usize),
    FallAsleep(usize),
    Crash(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = 0..2_usize;
    let want = prop_oneof![
        4 => Just(Want::Usable),
        1 => Just(Want::Care),
        1 => Just(Want::Status),
        1 => Just(Want::NewerThan(pair_of_world(1))),
    ];
    let fate = prop_oneof![
        Just(Fate::NotSent),
        Just(Fate::AnswerLost),
        Just(Fate::RequestLost),
        Just(Fate::ProcessedBut(200, CUT)),
        Just(Fate::ProcessedBut(504, HTML)),
        Just(Fate::Answer(429, "{}")),
        Just(Fate::Answer(503, HTML)),
        Just(Fate::Answer(400, HTML)),
        Just(Fate::Answer(401, r#"{"error":"invalid_client"}"#)),
    ];
    let save = prop_oneof![
        Just(SaveFault::WrittenUnknown),
        Just(SaveFault::LostUnknown)
    ];
    prop_oneof![
        6 => (who.clone(), want).prop_map(|(who, want)| Step::Want(who, want)),
        16 => who.clone().prop_map(Step::Start),
        16 => who.clone().prop_map(Step::Deliver),
        6 => who.clone().prop_map(Step::Timeout),
        1 => who.clone().prop_map(Step::Changed),
        2 => who.clone().prop_map(Step::Refused),
        2 => who.clone().prop_map(Step::UseToken),
        4 => (1..40_000_u64).prop_map(Step::Advance),
        3 => fate.prop_map(Step::Server),
        2 => save.prop_map(Step::Save),
        1 => Just(Step::Load),
        1 => who.clone().prop_map(Step::SignOut),
        1 => who.clone().prop_map(Step::SignInAgain),
        4 => who.clone().prop_map(Step::FallAsleep),
        1 => who.prop_map(Step::Crash),
    ]
}

struct Run {
    world: World,
    processes: Vec<Process>,
    /// What came of an output and was not told yet.
    news: Vec<Option<Input>>,
    /// Refresh tokens of answers that were read.
    received: Vec<String>,
    chains: u8,
    ended_by_user: bool,
    /// A process crashed with a pair in its hands that was not saved yet.
    crashed_with_pair: bool,
}

impl Run {
    fn new(replay: RefreshReplay) -> Self {
        let mut policy = RefreshPolicy::default();
        policy.replay = replay;
        policy.budget = AuthBudget::Off;
        let mut world = World::new(policy);
        let processes = vec![world.process(), world.process()];
        world.expire();
        Self {
            world,
            processes,
            news: vec![None, None],
            received: Vec::new(),
            chains: 1,
            ended_by_user: false,
            crashed_with_pair: false,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Want(who, want) => self.input(who, Input::Want(want)),
            Step::Start(who) => self.start(who),
            Step::Deliver(who) => self.deliver(who),
            Step::Timeout(who) => self.input(who, Input::Timeout),
            Step::Changed(who) => self.input(who, Input::Changed),
            Step::Refused(who) => {
                if let Some(pair) = self.processes[who].shown(&self.world) {
                    self.input(who, Input::Refused(pair));
                }
            }
            Step::UseToken(who) => self.use_token(who),
            Step::Advance(millis) => self.world.advance(Duration::from_millis(millis)),
            Step::Server(fate) => self.world.server.fates.push_back(fate),
            Step::Save(fault) => self.world.store.save_faults.push_back(fault),
            Step::Load => self
                .world
                .store
                .load_faults
                .push_back(LoadFailure::Unavailable),
            Step::SignOut(who) => {
                self.world.sign_out();
                self.ended_by_user = true;
                self.input(who, Input::SignedOut(self.world.store.version()));
            }
            Step::SignInAgain(who) => {
                self.chains += 1;
                self.ended_by_user = false;
                self.world.sign_in_again(self.chains);
                self.input(who, Input::Changed);
            }
            Step::FallAsleep(who) => {
                self.processes[who].fall_asleep(&self.world);
            }
            Step::Crash(who) => {
                self.news[who] = None;
                self.crashed_with_pair |= self.processes[who].machine.holds_unsaved_pair();
                self.processes[who] = self.world.process();
            }
        }
    }

    fn input(&mut self, who: usize, input: Input) {
        self.processes[who].input(&self.world, input);
    }

    fn start(&mut self, who: usize) {
        if self.news[who].is_none()
            && let Some(output) = self.processes[who].machine.poll_output()
        {
            self.news[who] = self.processes[who].perform(&mut self.world, output);
        }
    }

    fn deliver(&mut self, who: usize) {
        let Some(news) = self.news[who].take() else {
            return;
        };
        if let Input::Answered(Reply::Response(response)) = &news
            && let Ok(body) = serde_json::from_slice::<serde_json::Value>(response.body())
            && let Some(token) = body.get("refresh_token").and_then(|token| token.as_str())
        {
            self.received.push(token.to_owned());
        }
        self.processes[who].deliver(&self.world, news);
    }

    fn use_token(&mut self, who: usize) {
        if let Some(token) = self.processes[who].access_token(&self.world) {
            self.world
                .server
                .use_access_token(&token, self.world.now.wall);
        }
    }

    /// Faults are over: everybody finishes what they have begun, and wants a token again.
    fn settle(&mut self) {
        self.world.server.fates.clear();
        self.world.store.save_faults.clear();
        self.world.store.load_faults.clear();
        for _ in 0..400 {
            for who in 0..2 {
                self.deliver(who);
                while self.processes[who].machine.has_output() || self.news[who].is_some() {
                    self.start(who);
                    self.deliver(who);
                }
                self.input(who, Input::Timeout);
            }
            self.world.advance(Duration::from_millis(500));
        }
        for who in 0..2 {
            self.input(who, Input::Want(Want::Status));
            self.input(who, Input::Changed);
            let process = &mut self.processes[who];
            process.run(&mut self.world);
        }
    }

    /// A pair that was read is in the store or was, or was revoked, or died when the user left; or it is
    /// the pair of a chain that others carry on, which the store's token shows by being taken.
    fn check_no_lost_pair(&self) {
        let alive = match self
            .world
            .store
            .record
            .as_ref()
            .and_then(|record| record.pair())
        {
            Some(pair) => pair
                .refresh_token()
                .is_some_and(|token| self.world.server.takes(token.expose(), self.world.now.wall)),
            None => false,
        };
        for token in &self.received {
            let saved = self.world.store.log.iter().any(|record| {
                record
                    .pair()
                    .and_then(|pair| pair.refresh_token())
                    .map(|token| token.expose())
                    == Some(token)
            });
            let revoked = self.world.revoked.contains(token);
            // A crash between receiving and revoking leaves a pair of a user who has left to die.
            let left_behind = self.ended_by_user && self.crashed_with_pair;
            assert!(saved || revoked || alive || left_behind, "{token} is lost");
        }
        assert!(
            self.processes
                .iter()
                .all(|process| !process.machine.holds_unsaved_pair())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    /// RingCentral's rules: whatever happens, nobody but the user ends a grant.
    #[test]
    fn with_the_platforms_grace_no_order_of_events_loses_a_grant(
        steps in proptest::collection::vec(any_step(), 0..120),
    ) {
        let mut run = Run::new(RefreshReplay::RINGCENTRAL);
        for step in steps {
            run.step(step);
        }
        run.settle();
        run.check_no_lost_pair();
        let ended = run.world.store.log.iter().find(|record| matches!(record.state, RecordState::Ended { .. }));
        prop_assert!(ended.is_none(), "{:?}", ended);
        let record = run.world.store.record.as_ref().expect("a record");
        if run.ended_by_user {
            prop_assert!(matches!(record.state, RecordState::SignedOut { .. }), "{:?}", record);
        } else {
            let token = record.pair().and_then(|pair| pair.refresh_token()).expect("a refresh token");
            prop_assert!(run.world.server.takes(token.expose(), run.world.now.wall));
        }
    }

    /// Strict servers: a grant may be lost in the named windows, but nothing panics, nothing unsaved is
    /// shown, nothing is sent without an intent, and every intent presents a token twice at most.
    #[test]
    fn without_grace_a_token_is_presented_twice_at_most_by_one_process(
        steps in proptest::collection::vec(any_step(), 0..120),
    ) {
        let mut run = Run::new(RefreshReplay::None);
        for step in steps {
            run.step(step);
        }
        run.settle();
        for record in &run.world.store.log {
            if let RecordState::Refreshing { intent, .. } = &record.state {
                prop_assert!(intent.unanswered <= 1, "{:?}", record);
            }
        }
        prop_assert!(run.processes.iter().all(|process| !process.machine.holds_unsaved_pair()));
    }
}
