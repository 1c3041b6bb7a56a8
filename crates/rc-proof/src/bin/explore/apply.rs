//! What an event does.

use std::{rc::Rc, time::Duration};

use http::StatusCode;
use rc_auth_core::{
    Generation, GrantRecord, Input, LoadFailure, Loaded, PairId, RecordState, Reply, SaveFailure,
    TokenPair, TokenSet, Want,
};

use crate::{
    defects::Defect,
    events::{Delivery, Event, Outcome},
    invariants::{Broken, broken},
    platform::{Chain, Tokens, in_trouble, name_of_secret, refusal},
    world::{
        Answer, LIFE, News, Process, Read, Request, StoreCall, Stray, World, chain_of, to_version,
    },
};

impl World {
    /// Lets an event happen.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Want(p) => self.feed(p, Input::Want(Want::Usable))?,
            Event::FallAsleep(p) => self.fall_asleep(p),
            Event::Store(p, outcome) => self.store(p, outcome)?,
            Event::HearStore(p) => self.hear_store(p)?,
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

    /// Forgets what can change nothing any more: writes that expect a version that is gone, and tokens
    /// that would only get the same answer again.
    fn forget_strays(&mut self) {
        let (stands, version, chains) = (self.record.is_some(), self.version, &self.chains);
        self.strays.retain(|stray| match stray {
            Stray::Save { expect, .. } => stands && *expect == version,
            Stray::Request { chain, refresh } => {
                let known = chains[usize::from(*chain)];
                known.alive && known.refresh == *refresh
            }
        });
    }

    pub(crate) fn process(&mut self, p: u8) -> &mut Process {
        &mut self.processes[usize::from(p)]
    }

    fn store(&mut self, p: u8, outcome: Outcome) -> Result<(), Broken> {
        if outcome != Outcome::Done {
            self.left.faults -= 1;
        }
        let Some(call) = self.process(p).call.take() else {
            return Ok(());
        };
        let unknown = StoreCall::Saved(Err(SaveFailure::OutcomeUnknown));
        let result = match (call, outcome) {
            (StoreCall::Load, Outcome::Done) => StoreCall::Loaded(self.read()),
            (StoreCall::Load, _) => StoreCall::LoadFailed,
            (StoreCall::Save { record, expect }, Outcome::Done) => {
                StoreCall::Saved(self.save(Some(p), record, expect)?)
            }
            (StoreCall::Save { record, expect }, Outcome::DoneUnanswered) => {
                // Without an answer a conflict is not heard of either.
                let _ = self.save(Some(p), record, expect)?;
                unknown
            }
            (call, Outcome::Late) => {
                self.strays.extend(Stray::of_call(call));
                unknown
            }
            (_, Outcome::Failed) => unknown,
            (heard, Outcome::Done | Outcome::DoneUnanswered) => heard,
        };
        self.process(p).call = Some(result);
        Ok(())
    }

    /// Compare-and-swap.
    fn save(
        &mut self,
        p: Option<u8>,
        record: Rc<GrantRecord>,
        expect: u8,
    ) -> Result<Result<u8, SaveFailure>, Broken> {
        if self.forges(&record) {
            return Ok(Ok(self.version));
        }
        let stands = self.record.is_some() && expect == self.version;
        match (stands, self.defect) {
            (true, _) | (false, Defect::NoCompare) => {}
            (false, Defect::WritesAgain) if self.record.is_some() => {
                if let Some(p) = p {
                    self.process(p).must_read = true;
                }
            }
            (false, _) => return Ok(Err(SaveFailure::Conflict)),
        }
        let record = self.without_token(record);
        self.check_write(p, &record)?;
        self.note_write(p, &record);
        self.record = Some(record);
        self.version = self.version.wrapping_add(1);
        Ok(Ok(self.version))
    }

    /// What a defect makes of a pair whose answer left out the refresh token: its numbers are no longer the same.
    fn without_token(&self, record: Rc<GrantRecord>) -> Rc<GrantRecord> {
        let known = self.chains[usize::from(chain_of(&record))];
        let RecordState::Idle { pair, committed_by } = &record.state else {
            return record;
        };
        let is_spoiled = self.defect == Defect::DropsToken && known.access != known.refresh;
        let access = pair.access_token().filter(|_| is_spoiled);
        let Some((chain, access)) = access.and_then(name_of_secret) else {
            return record;
        };
        let tokens = Tokens {
            chain,
            access,
            refresh: None,
        };
        let Ok(tokens) = TokenSet::from_response(&tokens.response(), self.now.wall) else {
            return record;
        };
        let mut spoiled = (*record).clone();
        spoiled.state = RecordState::Idle {
            pair: TokenPair::new(tokens),
            committed_by: *committed_by,
        };
        Rc::new(spoiled)
    }

    fn note_write(&mut self, p: Option<u8>, record: &GrantRecord) {
        let now = self.now.mono;
        if let RecordState::Refreshing { intent, .. } = &record.state {
            let owner = |process: &&mut Process| process.claimed == Some(intent.attempt);
            if let Some(process) = self.processes.iter_mut().find(owner) {
                process.wrote = Some((intent.attempt, now));
            }
        } else if let Some(p) = p {
            self.process(p).wrote = None;
        }
    }

    fn hear_store(&mut self, p: u8) -> Result<(), Broken> {
        match self.process(p).call.take() {
            Some(StoreCall::Loaded(read)) => self.hear_read(p, read),
            Some(StoreCall::LoadFailed) => {
                self.feed(p, Input::Loaded(Err(LoadFailure::Unavailable)))
            }
            Some(StoreCall::Saved(saved)) => {
                self.process(p).must_read |= saved == Err(SaveFailure::Conflict);
                self.feed(p, Input::Saved(saved.map(to_version)))
            }
            other => {
                self.process(p).call = other;
                Ok(())
            }
        }
    }

    fn hear_read(&mut self, p: u8, read: Read) -> Result<(), Broken> {
        let lives = read.as_ref().filter(|(record, _)| record.pair().is_some());
        let living = lives.map_or(0, |(record, _)| 1 << chain_of(record));
        let (out, now) = (self.signed_out, self.now.mono);
        let process = self.process(p);
        process.knows_out |= out & !living;
        let intent = read
            .as_ref()
            .filter(|(record, _)| matches!(record.state, RecordState::Refreshing { .. }));
        process.sight = intent.map(|(_, version)| match process.sight {
            Some((seen, since)) if seen == *version => (seen, since),
            _ => (*version, now),
        });
        let silent_for = process.sight.map(|(_, since)| now - since);
        let held = read.map(|(record, version)| {
            Box::new(rc_auth_core::Held {
                record: (*record).clone(),
                version: to_version(version),
            })
        });
        let silent_for = match silent_for {
            Some(_) if self.defect == Defect::NoPatience => Duration::MAX,
            other => other.unwrap_or_default(),
        };
        self.feed(p, Input::Loaded(Ok(Loaded { held, silent_for })))
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
        self.chains[usize::from(chain)].present(chain, refresh, omits)
    }

    fn hear_platform(&mut self, p: u8) -> Result<(), Broken> {
        let Some(Request::Back { answer, .. }) = self.process(p).request.take() else {
            return Ok(());
        };
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
