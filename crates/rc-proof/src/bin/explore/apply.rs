//! What an event does.

use std::rc::Rc;

use http::StatusCode;
use rc_auth_core::{Entropy, Gate, Generation, Input, PairId, RecordState, Reply, Want};

use crate::{
    defects::Defect,
    events::{Delivery, Event},
    invariants::{Broken, broken},
    platform::{Chain, Tokens, in_trouble, refusal},
    world::{Answer, GRID, LIFE, News, Process, Request, Stray, World, chain_of, to_version},
};

impl World {
    /// Lets an event happen.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Want(p) => self.feed(p, Input::Want(Want::Usable))?,
            Event::FallAsleep(p) => self.fall_asleep(p),
            Event::Store(p, outcome) => self.store(p, outcome)?,
            Event::HearStore(p) => self.hear_store(p)?,
            Event::OpenGate(p) => self.open_gate(p)?,
            Event::CloseGate(p) => self.close_gate(p)?,
            Event::Platform(p, delivery) => self.platform(p, delivery),
            Event::HearPlatform(p) => self.hear_platform(p)?,
            Event::HearNews(p) => self.hear_news(p)?,
            Event::Timer(p) => self.feed(p, Input::Timeout)?,
            Event::Sweep(p) => self.sweep(p)?,
            Event::Crash(p) => self.crash(p),
            Event::SignOut(p) => self.sign_out(p),
            Event::SignIn(p) => self.sign_in(p)?,
            Event::Use(p) => self.first_use(p),
            Event::Refuse(p) => self.refuse(p)?,
            Event::RefuseOlder(p) => self.refuse_older(p)?,
            Event::Jump => self.jump(),
            Event::Expire => self.expire(),
            Event::Finish => self.finish(),
            Event::Revoke(chain) => self.revoke_chain(chain),
            Event::Stray(n) => self.stray(n)?,
        }
        self.forget_strays();
        Ok(())
    }

    fn fall_asleep(&mut self, p: u8) {
        let kept = self.shown(&self.processes[usize::from(p)]);
        let rules = self.rules.clone();
        let process = self.process(p);
        if let Some((asleep, pair)) = process.machine.fall_asleep() {
            process.machine = rules.wake(asleep, pair);
            process.kept = kept;
        }
    }

    fn open_gate(&mut self, p: u8) -> Result<(), Broken> {
        self.process(p).is_at_gate = false;
        let name = self.attempt();
        self.feed(p, Input::Gate(Gate::Open(name)))
    }

    fn close_gate(&mut self, p: u8) -> Result<(), Broken> {
        self.left.closings -= 1;
        self.process(p).is_at_gate = false;
        let until = self.now.mono + GRID;
        self.feed(p, Input::Gate(Gate::ClosedUntil(until)))
    }

    /// The name of one more attempt.
    pub(crate) fn attempt(&mut self) -> Entropy<16> {
        self.attempts = self.attempts.wrapping_add(1);
        Entropy::new([self.attempts; 16])
    }

    fn jump(&mut self) {
        let next = self.next_moment().unwrap_or(self.now.mono);
        let costs = self.left.slow < u8::MAX && self.is_under_way();
        self.left.slow -= u8::from(costs);
        self.pass(next - self.now.mono);
    }

    fn expire(&mut self) {
        self.left.rotations -= 1;
        self.pass(LIFE);
    }

    fn revoke_chain(&mut self, chain: u8) {
        self.to_revoke &= !(1 << chain);
        self.chains[usize::from(chain)].alive = false;
    }

    /// Forgets what can change nothing any more: writes that expect a version that is gone, and tokens that would only
    /// get the same answer again. Where each token is taken once, one that comes again ends its chain.
    fn forget_strays(&mut self) {
        let (stands, version, chains) = (self.record.is_some(), self.version, &self.chains);
        let is_strict = self.is_strict();
        self.strays.retain(|stray| match stray {
            Stray::Save { expect, .. } => stands && *expect == version,
            Stray::Request { chain, refresh } => {
                let known = chains[usize::from(*chain)];
                known.alive && (is_strict || known.refresh == *refresh)
            }
        });
    }

    pub(crate) fn process(&mut self, p: u8) -> &mut Process {
        &mut self.processes[usize::from(p)]
    }

    fn platform(&mut self, p: u8, delivery: Delivery) {
        let Some(Request::Out { chain, refresh }) = self.process(p).request else {
            return;
        };
        let omits = delivery == Delivery::WithoutRefreshToken;
        self.left.omissions -= u8::from(omits);
        self.left.faults -= u8::from(!omits && delivery != Delivery::Answered);
        let answer = match delivery {
            Delivery::Answered | Delivery::WithoutRefreshToken => self
                .present(chain, refresh, omits)
                .map_or(Answer::Refused, Answer::Tokens),
            Delivery::AnswerLost => {
                self.present(chain, refresh, false);
                Answer::MaybeSent
            }
            Delivery::NotSent => Answer::NotSent,
            Delivery::Unavailable => Answer::Unavailable,
            Delivery::UnavailableAfterIt => {
                self.present(chain, refresh, false);
                Answer::Unavailable
            }
            Delivery::Limited => Answer::Limited,
            Delivery::Late => {
                self.strays.push(Stray::Request { chain, refresh });
                Answer::MaybeSent
            }
        };
        let back = Request::Back {
            chain,
            refresh,
            answer,
        };
        self.process(p).request = Some(back);
    }

    fn present(&mut self, chain: u8, refresh: u8, omits: bool) -> Option<Tokens> {
        if self.is_strict() {
            return self.chains[usize::from(chain)].present_once(chain, refresh, omits);
        }
        self.chains[usize::from(chain)].present(chain, refresh, omits)
    }

    fn hear_platform(&mut self, p: u8) -> Result<(), Broken> {
        let Some(Request::Back {
            chain,
            refresh,
            answer,
        }) = self.process(p).request.take()
        else {
            return Ok(());
        };
        if matches!(
            answer,
            Answer::NotSent | Answer::Unavailable | Answer::Limited
        ) {
            self.chains[usize::from(chain)].take_back(refresh);
        }
        let misheard = self.defect == Defect::LossIsRefusal;
        let process = self.process(p);
        process.was_refused = answer == Answer::Refused;
        let reply = match answer {
            Answer::Tokens(tokens) => Reply::Response(tokens.response()),
            Answer::Refused => refusal(),
            Answer::MaybeSent if misheard => refusal(),
            Answer::NotSent => Reply::NotSent,
            Answer::MaybeSent => Reply::MaybeSent,
            Answer::Unavailable => in_trouble(StatusCode::SERVICE_UNAVAILABLE),
            Answer::Limited => in_trouble(StatusCode::TOO_MANY_REQUESTS),
        };
        self.feed(p, Input::Answered(reply))
    }

    fn hear_news(&mut self, p: u8) -> Result<(), Broken> {
        match self.process(p).news.take() {
            Some(News::SignedOut(chain)) => {
                self.process(p).knows_out |= 1 << chain;
                // Nobody here is told of versions, so any will do.
                self.feed(p, Input::SignedOut(to_version(255)))
            }
            Some(News::SignedIn) => self.feed(p, Input::SignedIn),
            None => Ok(()),
        }
    }

    fn sweep(&mut self, p: u8) -> Result<(), Broken> {
        if self.is_gone(&self.processes[usize::from(p)]) {
            self.feed(p, Input::Changed)?;
            return self.feed(p, Input::Want(Want::Care));
        }
        let sight = Some((self.version, self.now.mono));
        self.process(p).sight = sight;
        Ok(())
    }

    /// What was on its way may still arrive.
    fn crash(&mut self, p: u8) {
        self.left.crashes -= 1;
        let fresh = Process::new(&self.rules);
        let gone = std::mem::replace(self.process(p), fresh);
        self.strays.extend(gone.call.and_then(Stray::of_call));
        if let Some(Request::Out { chain, refresh }) = gone.request {
            self.strays.push(Stray::Request { chain, refresh });
        }
    }

    fn stray(&mut self, n: u8) -> Result<(), Broken> {
        match self.strays.remove(usize::from(n)) {
            Stray::Save { record, expect } => {
                // Nobody hears whether it was a conflict.
                let _ = self.save(None, record, expect)?;
            }
            Stray::Request { chain, refresh } => {
                self.present(chain, refresh, false);
            }
        }
        Ok(())
    }

    fn sign_out(&mut self, p: u8) {
        let Some(record) = self.record.as_ref().and_then(|it| it.signed_out(None)) else {
            return;
        };
        let chain = chain_of(&record);
        self.left.sign_outs -= 1;
        self.record = Some(Rc::new(record));
        self.version = self.version.wrapping_add(1);
        self.signed_out |= 1 << chain;
        self.process(p).news = Some(News::SignedOut(chain));
    }

    fn sign_in(&mut self, p: u8) -> Result<(), Broken> {
        self.left.sign_ins -= 1;
        let ended = |state: &RecordState| matches!(state, RecordState::Ended { .. });
        if let Some(chain) = self.current_chain().filter(|_| !self.is_state(ended)) {
            self.to_revoke |= 1 << chain;
        }
        let chain = u8::try_from(self.chains.len()).unwrap_or(u8::MAX);
        let record = self
            .signed_in(chain)
            .map_err(|error| broken("the model itself", error))?;
        self.chains.push(Chain::new());
        self.saved |= crate::world::bit(chain, 1);
        self.record = Some(Rc::new(record));
        self.version = self.version.wrapping_add(1);
        self.process(p).news = Some(News::SignedIn);
        Ok(())
    }

    fn first_use(&mut self, p: u8) {
        let shown = self.shown(&self.processes[usize::from(p)]);
        if let Some((_, chain, _)) = shown {
            self.chains[usize::from(chain)].used = true;
        }
    }

    fn refuse(&mut self, p: u8) -> Result<(), Broken> {
        self.left.refusals -= 1;
        let Some((id, ..)) = self.shown(&self.processes[usize::from(p)]) else {
            return Ok(());
        };
        self.feed(p, Input::Refused(id))?;
        self.feed(p, Input::Want(Want::NewerThan(id)))
    }

    /// Invariant 4: nothing comes of it.
    fn refuse_older(&mut self, p: u8) -> Result<(), Broken> {
        self.left.refusals -= 1;
        let process = &self.processes[usize::from(p)];
        let Some((id, ..)) = self.shown(process) else {
            return Ok(());
        };
        let before = process.machine.view(self.now).refused;
        let older = PairId {
            generation: Generation::new(id.generation.get() - 1),
            ..id
        };
        let named = match self.defect {
            Defect::AnyPair => id,
            _ => older,
        };
        self.feed(p, Input::Refused(named))?;
        if self.process(p).machine.has_output()
            || self.processes[usize::from(p)]
                .machine
                .view(self.now)
                .refused
                != before
        {
            return Err(broken(
                "4 a 401 names its pair",
                "an older pair's 401 counted",
            ));
        }
        self.feed(p, Input::Want(Want::NewerThan(older)))
    }

    fn finish(&mut self) {
        if let Some(chain) = self.current_chain() {
            self.chains[usize::from(chain)].alive = false;
        }
        self.record = None;
    }
}
