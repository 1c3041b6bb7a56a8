//! A machine as bytes, for a search of its states: two machines with the same bytes act the same.

use std::time::Duration;

use super::{
    AttemptId, GrantMachine, GrantRecord, Intent, Pause, RecordState, RecordVersion, TokenPair,
    machine::{Heard, Wants},
    state::{Claim, Commit, End, Flight, Observed, Purpose, Refreshable, Renewal, State, Wait},
};
use crate::{Now, Timestamp};

/// How a search looks at machines: times are relative to now, versions and attempts have short names.
///
/// Left out: when a token was first presented (only whether it was), when a grant was made and used, how
/// often an intent was renewed, how often beyond twice a token was presented or
/// a write was doubtful, how many tries failed (where no delay grows), and what was heard by reports.
pub struct Lens<'a> {
    /// The present.
    pub now: Now,
    /// The short name of a version.
    pub version: &'a dyn Fn(RecordVersion) -> u8,
    /// The short name of an attempt.
    pub attempt: &'a dyn Fn(AttemptId) -> u8,
    /// Whether a record of this attempt may still be read.
    pub is_alive: &'a dyn Fn(AttemptId) -> bool,
    /// Ages beyond this one are all the same.
    pub oldest: Duration,
    /// The clock only stands at multiples of this.
    pub grid: Duration,
}

impl GrantMachine {
    /// Appends the machine to `out`.
    #[doc(hidden)]
    pub fn fingerprint(&self, lens: &Lens<'_>, out: &mut Vec<u8>) {
        lens.state(&self.state, out);
        if let Some((pair, id)) = &self.shown {
            out.extend([1, id.generation.get() as u8, id.chain.as_bytes()[0]]);
            lens.pair(pair, out);
        }
        if let Some(id) = self.lent {
            out.extend([2, id.generation.get() as u8, id.chain.as_bytes()[0]]);
        }
        let refused = self.refused.map_or(0, |id| id.generation.get() as u8 + 1);
        let Wants {
            usable,
            care,
            newer_than,
        } = &self.wants;
        let newer_than = newer_than.map_or(0, |id| id.generation.get() as u8 + 1);
        out.extend([refused, u8::from(*usable), u8::from(*care), newer_than]);
        let signed_out = self.signed_out.map_or(0, |it| 1 + u8::from(it.is_doubted));
        let is_overtaken = u8::from(self.is_overtaken);
        out.extend([signed_out, is_overtaken, self.outputs.len() as u8]);
        match self.heard {
            Heard::Nothing => out.push(0),
            Heard::Changed => out.push(1),
            Heard::Version(version) => {
                out.extend([2, version.map_or(255, |version| (lens.version)(version))]);
            }
        }
        for own in &self.own_attempts {
            if (lens.is_alive)(own.id) {
                out.extend([(lens.attempt)(own.id), u8::from(own.was_sent)]);
            }
        }
        out.extend([254, self.doubtful.min(2) as u8]);
    }
}

impl Lens<'_> {
    /// Appends a record to `out`.
    pub fn record(&self, record: &GrantRecord, out: &mut Vec<u8>) {
        out.extend([record.chain.as_bytes()[0], record.generation.get() as u8]);
        out.push(record.about.forced_refreshes.len() as u8);
        match &record.state {
            RecordState::Idle { pair, committed_by } => {
                out.push(1);
                self.maybe_attempt(*committed_by, out);
                self.pair(pair, out);
            }
            RecordState::Refreshing { pair, intent } => {
                out.push(2);
                self.intent(intent, out);
                self.pair(pair, out);
            }
            RecordState::SignedOut { .. } => out.push(3),
            RecordState::Ended { reason } => out.extend([4, *reason as u8]),
        }
    }

    fn state(&self, state: &State, out: &mut Vec<u8>) {
        match state {
            State::Unknown => out.push(0),
            State::Loading(purpose) => {
                out.push(1);
                self.purpose(purpose, out);
            }
            State::StoreDown { resume, until, .. } => {
                out.push(2);
                self.purpose(resume, out);
                self.until(*until, out);
            }
            State::Settled(held) => self.held(3, held, out),
            State::NotingUse(held) => self.held(4, held, out),
            State::AtGate(held) => self.held(5, held, out),
            State::Claiming(claim) => {
                self.claim(6, claim, out);
                self.age(claim.since.mono, out);
            }
            State::Sending(flight) => self.flight(7, flight, out),
            State::Arrived(flight, reply) => {
                self.flight(8, flight, out);
                out.extend(format!("{reply:?}").bytes());
                if let super::Reply::Response(response) = reply {
                    out.extend(response.body().iter());
                }
            }
            State::Noting(wait) => self.wait(9, wait, out),
            State::Committing(commit) => self.commit(10, commit, out),
            State::Ending(end) => self.end(11, end, out),
            State::Observing(observed) => self.observed(12, observed, out),
            State::Waiting(wait) => self.wait(13, wait, out),
            State::Over {
                reason, version, ..
            } => {
                let version = version.map_or(255, |version| (self.version)(version));
                out.extend([14, *reason as u8, version]);
            }
            State::Asleep(version) => out.extend([15, (self.version)(*version)]),
        }
    }

    fn purpose(&self, purpose: &Purpose, out: &mut Vec<u8>) {
        match purpose {
            Purpose::Look => out.push(0),
            Purpose::Recheck(wait) => self.wait(1, wait, out),
            Purpose::Poll(observed) => self.observed(2, observed, out),
            Purpose::ConfirmClaim(claim) => {
                self.claim(3, claim, out);
                self.age(claim.since.mono, out);
            }
            Purpose::ConfirmCommit(commit) => self.commit(4, commit, out),
            Purpose::ConfirmEnd(end) => self.end(5, end, out),
        }
    }

    fn held(&self, tag: u8, held: &Refreshable, out: &mut Vec<u8>) {
        out.extend([
            tag,
            held.id.chain.as_bytes()[0],
            held.id.generation.get() as u8,
            (self.version)(held.version),
            held.about.forced_refreshes.len() as u8,
            held.unanswered.min(2),
            u8::from(held.first_presented_at.is_some()),
            u8::from(held.first_presented_mono.is_some()),
            u8::from(held.owns_intent),
            u8::from(held.counted_as_forced),
        ]);
        self.maybe_attempt(held.committed_by, out);
        self.pair(&held.pair, out);
    }

    fn claim(&self, tag: u8, claim: &Claim, out: &mut Vec<u8>) {
        self.held(tag, &claim.base, out);
        out.push((self.attempt)(claim.attempt));
    }

    fn flight(&self, tag: u8, flight: &Flight, out: &mut Vec<u8>) {
        self.claim(tag, &flight.claim, out);
        out.push((self.version)(flight.version));
        match flight.renewal {
            Renewal::Idle => {
                out.push(0);
                self.age(flight.written, out);
            }
            Renewal::Stopped => out.push(1),
            Renewal::Saving(began) => {
                out.push(2);
                self.age(began, out);
            }
        }
    }

    fn wait(&self, tag: u8, wait: &Wait, out: &mut Vec<u8>) {
        self.held(tag, &wait.held, out);
        self.until(wait.until, out);
        self.until(wait.if_asked, out);
        out.push(u8::from(wait.last_chance));
    }

    fn commit(&self, tag: u8, commit: &Commit, out: &mut Vec<u8>) {
        self.claim(tag, &commit.claim, out);
        self.pair(&commit.pair, out);
    }

    fn end(&self, tag: u8, end: &End, out: &mut Vec<u8>) {
        self.held(tag, &end.base, out);
        out.push(end.reason as u8);
    }

    fn observed(&self, tag: u8, observed: &Observed, out: &mut Vec<u8>) {
        self.held(tag, &observed.base, out);
        self.intent(&observed.intent, out);
        self.until(observed.gone_at, out);
        self.until(observed.pause_ends.unwrap_or_default(), out);
        self.until(observed.until, out);
        out.extend((observed.delay.as_millis() as u32).to_le_bytes());
    }

    fn intent(&self, intent: &Intent, out: &mut Vec<u8>) {
        out.extend([
            (self.attempt)(intent.attempt),
            intent.unanswered.min(2),
            u8::from(intent.answered),
            u8::from(intent.first_presented_at.is_some()),
        ]);
        if let Some(pause) = intent.pause {
            out.extend((pause.length().as_millis() as u32).to_le_bytes());
            let left = Pause::left(pause, self.now.wall).as_millis();
            self.steps(left.div_ceil(self.grid.as_millis()), out);
        }
    }

    fn maybe_attempt(&self, attempt: Option<AttemptId>, out: &mut Vec<u8>) {
        let alive = attempt.filter(|attempt| (self.is_alive)(*attempt));
        out.push(alive.map_or(255, |attempt| (self.attempt)(attempt)));
    }

    fn pair(&self, pair: &TokenPair, out: &mut Vec<u8>) {
        for secret in [pair.access_token(), pair.refresh_token()] {
            out.extend(secret.map_or(&[][..], |secret| secret.expose().as_bytes()));
            out.push(255);
        }
        out.push(u8::from(is_past(pair.access_expires_at(), self.now.wall)));
    }

    fn until(&self, at: Duration, out: &mut Vec<u8>) {
        let left = at.saturating_sub(self.now.mono);
        self.steps(left.as_millis().div_ceil(self.grid.as_millis()), out);
    }

    fn age(&self, since: Duration, out: &mut Vec<u8>) {
        let age = self.now.mono.saturating_sub(since).min(self.oldest);
        self.steps(age.as_millis() / self.grid.as_millis(), out);
    }

    fn steps(&self, steps: u128, out: &mut Vec<u8>) {
        out.push(u8::try_from(steps).unwrap_or(u8::MAX));
    }
}

fn is_past(end: Timestamp, wall: Timestamp) -> bool {
    wall >= end
}
