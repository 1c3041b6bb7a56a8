//! What must hold, whatever happens.

use rc_auth_core::{EndReason, GrantRecord, Phase, RecordState};

use crate::{
    platform::name_of_secret,
    world::{Request, World, bit, chain_id, chain_of},
};

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: &'static str,
    pub(crate) detail: String,
}

pub(crate) fn broken(invariant: &'static str, detail: impl Into<String>) -> Broken {
    Broken {
        invariant,
        detail: detail.into(),
    }
}

const OUT: &str = "6 sign-out is final";

impl World {
    /// Before a write is carried out; `None`: its process does not hear of it.
    pub(crate) fn check_write(
        &mut self,
        p: Option<u8>,
        record: &GrantRecord,
    ) -> Result<(), Broken> {
        let chain = chain_of(record);
        if p.is_some_and(|p| self.process(p).must_read) {
            return Err(broken(
                "3 losers only read",
                "written after a conflict without a read",
            ));
        }
        if self.signed_out >> chain & 1 == 1 && record.pair().is_some() {
            return Err(broken(OUT, "a pair of a signed-out chain is put back"));
        }
        if let RecordState::Ended { reason } = record.state {
            let refused = p.is_none_or(|p| self.process(p).was_refused);
            let may_end = match reason {
                EndReason::TokenDead => refused,
                EndReason::Indeterminate => self.is_lost(chain),
                _ => false,
            };
            if !may_end {
                return Err(broken("5 dead only by code", "ended without a refusal"));
            }
        }
        match record.pair() {
            Some(_) => self.check_pair(record),
            None => Ok(()),
        }
    }

    /// Whether nobody can know what became of the token of a chain: it is taken once only, and was sent without a word
    /// coming back, or two processes have written down that they will send it.
    fn is_lost(&self, chain: u8) -> bool {
        let known = self.chains[usize::from(chain)];
        let held = self.record.as_ref().and_then(|record| record.pair());
        let refresh = held.and_then(|pair| name_of_secret(pair.refresh_token()?));
        let of_it = refresh.map(|(_, refresh)| known.presented(refresh));
        self.is_strict() && of_it.is_some_and(|it| it.sent > 0 || it.begun > 1)
    }

    /// The user was told that nobody can know whether the grant lives.
    pub(crate) fn is_indeterminate(&self) -> bool {
        let reason = EndReason::Indeterminate;
        self.is_state(|state| *state == RecordState::Ended { reason })
    }

    fn check_pair(&mut self, record: &GrantRecord) -> Result<(), Broken> {
        const STAYS: &str = "8 the old refresh token stays";
        let chain = chain_of(record);
        let token = |secret| Option::and_then(secret, name_of_secret);
        let pair = record.pair();
        let Some((_, refresh)) = token(pair.and_then(|pair| pair.refresh_token())) else {
            return Err(broken(STAYS, "a pair without a refresh token is saved"));
        };
        let known = self.chains[usize::from(chain)];
        if refresh + 1 < known.refresh {
            return Err(broken(STAYS, "an older refresh token is saved"));
        }
        let access = token(pair.and_then(|pair| pair.access_token()));
        if let Some((chain, access)) = access {
            // Every generation has one pair, unless an answer that omitted a token was lost.
            if u64::from(access) != record.generation.get() && known.access == known.refresh {
                return Err(broken(
                    "7 one refresh in flight",
                    "two successors of one pair",
                ));
            }
            self.saved |= bit(chain, access);
        }
        Ok(())
    }

    /// Before a token request goes out.
    pub(crate) fn check_send(&self, p: u8, chain: u8, refresh: u8) -> Result<(), Broken> {
        const BEFORE: &str = "2 intent before send";
        let Some((attempt, _)) = self.processes[usize::from(p)].wrote else {
            return Err(broken(BEFORE, "its last write is no intent"));
        };
        let record = self.record.as_ref();
        let same_chain = record.filter(|it| it.chain == chain_id(chain));
        match same_chain.map(|record| &record.state) {
            Some(RecordState::Refreshing { intent, .. }) if intent.attempt == attempt => {}
            Some(RecordState::Refreshing { .. } | RecordState::Idle { .. }) => {
                return Err(broken(BEFORE, "the store does not hold its intent"));
            }
            Some(RecordState::SignedOut { .. } | RecordState::Ended { .. }) | None => {}
        }
        if self.is_strict() && self.chains[usize::from(chain)].presented(refresh).sent >= 2 {
            return Err(broken(
                "presented once more at most",
                "a third time, on a platform that repeats nothing",
            ));
        }
        self.check_alone(p, chain, refresh)
    }

    /// Nobody else who is at work has the same token out.
    fn check_alone(&self, p: u8, chain: u8, refresh: u8) -> Result<(), Broken> {
        let patience = self.rules.policy.patience();
        for (_, process) in (0..).zip(&self.processes).filter(|(other, _)| *other != p) {
            let out = match process.request {
                Some(Request::Out { chain, refresh } | Request::Back { chain, refresh, .. }) => {
                    Some((chain, refresh))
                }
                None => None,
            };
            let silence = process.wrote.map(|(_, at)| self.now.mono - at);
            let at_work = silence.is_some_and(|silence| silence < patience);
            if out == Some((chain, refresh)) && at_work {
                return Err(broken(
                    "7 one refresh in flight",
                    "sent beside an owner at work",
                ));
            }
        }
        Ok(())
    }

    /// After every input.
    pub(crate) fn check_shown(&self, p: u8) -> Result<(), Broken> {
        let process = &self.processes[usize::from(p)];
        let Some((_, chain, access)) = self.shown(process) else {
            return Ok(());
        };
        if self.saved & bit(chain, access) == 0 {
            return Err(broken(
                "1 saved before used",
                "a pair is shown that was never stored",
            ));
        }
        if process.knows_out >> chain & 1 == 1 {
            return Err(broken(OUT, "a pair of a signed-out chain is shown"));
        }
        Ok(())
    }

    /// Where nothing is left to happen but what people and failures do.
    pub(crate) fn check_rest(&self) -> Result<(), Broken> {
        const LOST: &str = "no grant is lost";
        const STUCK: &str = "nothing is stuck";
        if self.is_state(|state| matches!(state, RecordState::Refreshing { .. })) {
            return Err(broken(STUCK, "an intent stands and nobody will act"));
        }
        let busy = |phase| matches!(phase, Phase::Busy | Phase::Waiting { .. });
        let mut machines = self
            .processes
            .iter()
            .map(|it| it.machine.view(self.now).phase);
        if machines.any(busy) {
            return Err(broken(STUCK, "a machine waits for nothing"));
        }
        let pair = self.record.as_ref().and_then(|record| record.pair());
        let held = pair
            .and_then(|pair| pair.refresh_token())
            .and_then(name_of_secret);
        let told = self.record.as_deref().filter(|_| self.is_indeterminate());
        let told = told.map(chain_of);
        for (chain, known) in (0..).zip(&self.chains) {
            if !known.alive || told == Some(chain) {
                continue;
            }
            let Some((_, refresh)) = held.filter(|(of, _)| *of == chain) else {
                return Err(broken(
                    LOST,
                    format!("chain {chain} lives and no record knows it"),
                ));
            };
            // What was presented and not heard of is told by presenting it once more.
            if !known.takes(refresh) || (self.is_strict() && refresh < known.refresh) {
                return Err(broken(
                    LOST,
                    format!("the refresh token of chain {chain} is spent"),
                ));
            }
        }
        Ok(())
    }
}
