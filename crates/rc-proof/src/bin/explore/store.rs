//! What the store does with a call, and what a process hears of it.

use std::{rc::Rc, time::Duration};

use rc_auth_core::{
    AttemptId, GrantRecord, Input, LoadFailure, Loaded, RecordState, SaveFailure, TokenPair,
    TokenSet,
};

use crate::{
    defects::Defect,
    events::Outcome,
    invariants::Broken,
    platform::{Tokens, name_of_secret},
    world::{Process, Read, StoreCall, Stray, World, chain_of, to_version},
};

impl World {
    pub(super) fn store(&mut self, p: u8, outcome: Outcome) -> Result<(), Broken> {
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
    pub(super) fn save(
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
        let record = self.uncounted(self.without_token(record));
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

    /// What a defect makes of an intent: how often its token may have been presented is left out.
    fn uncounted(&self, record: Rc<GrantRecord>) -> Rc<GrantRecord> {
        if self.defect != Defect::CountsNothing {
            return record;
        }
        let mut record = (*record).clone();
        if let RecordState::Refreshing { intent, .. } = &mut record.state {
            intent.unanswered = 0;
        }
        Rc::new(record)
    }

    fn note_write(&mut self, p: Option<u8>, record: &GrantRecord) {
        let now = self.now.mono;
        if let RecordState::Refreshing { intent, .. } = &record.state {
            let owner = |process: &&mut Process| process.claimed == Some(intent.attempt);
            if let Some(process) = self.processes.iter_mut().find(owner) {
                process.wrote = Some((intent.attempt, now));
            }
            self.note_intent(record, intent.attempt);
        } else if let Some(p) = p {
            self.process(p).wrote = None;
        }
    }

    /// Counts an intent that is written anew.
    fn note_intent(&mut self, record: &GrantRecord, attempt: AttemptId) {
        let stands = self.is_state(
            |state| matches!(state, RecordState::Refreshing { intent, .. } if intent.attempt == attempt),
        );
        let token = record.pair().and_then(|pair| pair.refresh_token());
        if let Some((chain, refresh)) = token.and_then(name_of_secret).filter(|_| !stands) {
            self.chains[usize::from(chain)].begin(refresh);
        }
    }

    pub(super) fn hear_store(&mut self, p: u8) -> Result<(), Broken> {
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
}
