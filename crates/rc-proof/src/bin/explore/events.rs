//! What can happen next.

use std::{fmt, time::Duration};

use rc_auth_core::{Generation, PairId, Phase, RecordState};

use crate::{
    platform::name_of_secret,
    world::{GRID, Process, Request, StoreCall, Stray, World, chain_of},
};

/// Something that happens. Processes, chains and strays are named by their place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Want(u8),
    /// A machine with nothing to do is dropped, and another goes on in its place.
    FallAsleep(u8),
    /// The store carries out a call.
    Store(u8, Outcome),
    HearStore(u8),
    /// A token request may be sent.
    OpenGate(u8),
    /// Not now: the limit of token requests is reached.
    CloseGate(u8),
    /// The platform gets a request.
    Platform(u8, Delivery),
    HearPlatform(u8),
    HearNews(u8),
    Timer(u8),
    /// The sweeper of a process looks at the record.
    Sweep(u8),
    Crash(u8),
    SignOut(u8),
    SignIn(u8),
    Use(u8),
    Refuse(u8),
    RefuseOlder(u8),
    Jump,
    Expire,
    /// A signed-out record is revoked and deleted.
    Finish,
    Revoke(u8),
    Stray(u8),
}

/// What the store makes of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    DoneUnanswered,
    /// Given up by the process, and perhaps carried out later.
    Late,
}

/// How a token request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    Answered,
    WithoutRefreshToken,
    AnswerLost,
    NotSent,
    Unavailable,
    UnavailableAfterIt,
    Limited,
    Late,
}

impl Event {
    /// The name of its kind, for counting.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Want(_) => "a caller wants a token",
            Self::FallAsleep(_) => "a machine falls asleep",
            Self::Store(_, Outcome::Done) => "the store carries out a call",
            Self::Store(_, Outcome::Failed) => "the store fails without doing anything",
            Self::Store(_, Outcome::DoneUnanswered) => "the store writes and its answer is lost",
            Self::Store(_, Outcome::Late) => "a write is given up and still under way",
            Self::HearStore(_) => "a process hears of the store",
            Self::OpenGate(_) => "a token request may be sent",
            Self::CloseGate(_) => "a token request has to wait for the limit",
            Self::Platform(_, Delivery::Answered) => "the platform answers",
            Self::Platform(_, Delivery::WithoutRefreshToken) => "an answer omits the refresh token",
            Self::Platform(_, Delivery::AnswerLost) => "the platform's answer is lost",
            Self::Platform(_, Delivery::NotSent) => "a request is not sent",
            Self::Platform(_, Delivery::Unavailable) => "the platform says 503",
            Self::Platform(_, Delivery::UnavailableAfterIt) => {
                "the platform says 503 although it carried the request out"
            }
            Self::Platform(_, Delivery::Limited) => "the platform says 429",
            Self::Platform(_, Delivery::Late) => "a request is given up and still under way",
            Self::HearPlatform(_) => "a process hears of the platform",
            Self::HearNews(_) => "a process hears of its own sign-in or sign-out",
            Self::Timer(_) => "a timer of a process",
            Self::Sweep(_) => "a sweeper looks at an intent",
            Self::Crash(_) => "a process crashes and starts anew",
            Self::SignOut(_) => "sign-out",
            Self::SignIn(_) => "sign-in under the same key",
            Self::Use(_) => "first use of an access token",
            Self::Refuse(_) => "a 401 that names the pair shown",
            Self::RefuseOlder(_) => "a 401 that names an older pair",
            Self::Jump => "the clock goes on to the next timer",
            Self::Expire => "the access token ends",
            Self::Finish => "a signed-out chain is revoked",
            Self::Revoke(_) => "a replaced chain is revoked",
            Self::Stray(_) => "what nobody waits for is carried out",
        }
    }

    const fn process(self) -> Option<u8> {
        match self {
            Self::Want(p)
            | Self::FallAsleep(p)
            | Self::Store(p, _)
            | Self::HearStore(p)
            | Self::OpenGate(p)
            | Self::CloseGate(p)
            | Self::Platform(p, _)
            | Self::HearPlatform(p)
            | Self::HearNews(p)
            | Self::Timer(p)
            | Self::Sweep(p)
            | Self::Crash(p)
            | Self::SignOut(p)
            | Self::SignIn(p)
            | Self::Use(p)
            | Self::Refuse(p)
            | Self::RefuseOlder(p) => Some(p),
            _ => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(process) = self.process() {
            write!(f, "process {}: ", char::from(b'A' + process))?;
        }
        f.write_str(self.kind())
    }
}

impl World {
    /// All that can happen now.
    pub(crate) fn events(&self) -> Vec<Event> {
        if let Some(events) = self.at_the_gate() {
            return events;
        }
        let mut events = Vec::with_capacity(16);
        for (p, process) in (0..).zip(&self.processes) {
            self.of_process(p, process, &mut events);
        }
        for (n, _) in (0..).zip(&self.strays) {
            events.push(Event::Stray(n));
        }
        for chain in (0..8).filter(|chain| self.to_revoke >> chain & 1 == 1) {
            events.push(Event::Revoke(chain));
        }
        if self.is_state(|state| matches!(state, RecordState::SignedOut { .. })) {
            events.push(Event::Finish);
        }
        let may_be_slow = self.left.slow > 0 || !self.is_under_way();
        if self.next_moment().is_some() && may_be_slow {
            events.push(Event::Jump);
        }
        let idle = self.is_state(|state| matches!(state, RecordState::Idle { .. }));
        if self.left.rotations > 0 && idle && !self.is_due() && self.is_quiet() {
            events.push(Event::Expire);
        }
        events
    }

    /// Who asks for a token request hears at once.
    fn at_the_gate(&self) -> Option<Vec<Event>> {
        let (p, _) = (0..)
            .zip(&self.processes)
            .find(|(_, process)| process.is_at_gate)?;
        let mut events = vec![Event::OpenGate(p)];
        events.extend((self.left.closings > 0).then_some(Event::CloseGate(p)));
        Some(events)
    }

    fn of_process(&self, p: u8, process: &Process, events: &mut Vec<Event>) {
        self.of_store(p, process.call.as_ref(), events);
        match process.request {
            Some(Request::Out { .. }) => self.deliveries(p, events),
            Some(Request::Back { .. }) => events.push(Event::HearPlatform(p)),
            None => {}
        }
        if process.news.is_some() {
            events.push(Event::HearNews(p));
        }
        if self.timer_due(process) {
            events.push(Event::Timer(p));
        }
        if self.sweeps(process) {
            events.push(Event::Sweep(p));
        }
        self.by_people(p, process, events);
    }

    fn of_store(&self, p: u8, call: Option<&StoreCall>, events: &mut Vec<Event>) {
        let failures: &[Outcome] = match call {
            None => return,
            Some(StoreCall::Load) => &[Outcome::Failed],
            Some(StoreCall::Save { .. }) => {
                &[Outcome::Failed, Outcome::DoneUnanswered, Outcome::Late]
            }
            Some(_) => return events.push(Event::HearStore(p)),
        };
        events.push(Event::Store(p, Outcome::Done));
        if self.left.faults > 0 {
            events.extend(failures.iter().map(|outcome| Event::Store(p, *outcome)));
        }
    }

    fn deliveries(&self, p: u8, events: &mut Vec<Event>) {
        events.push(Event::Platform(p, Delivery::Answered));
        if self.left.omissions > 0 {
            events.push(Event::Platform(p, Delivery::WithoutRefreshToken));
        }
        if self.left.faults > 0 {
            let failures = [
                Delivery::AnswerLost,
                Delivery::NotSent,
                Delivery::Unavailable,
                Delivery::UnavailableAfterIt,
                Delivery::Limited,
                Delivery::Late,
            ];
            events.extend(failures.map(|delivery| Event::Platform(p, delivery)));
        }
    }

    fn by_people(&self, p: u8, process: &Process, events: &mut Vec<Event>) {
        let left = &self.left;
        let phase = process.machine.view(self.now).phase;
        let calm = process.call.is_none() && process.request.is_none();
        if calm && matches!(phase, Phase::Unknown | Phase::Idle | Phase::Over(_)) {
            events.push(Event::Want(p));
        }
        if calm && process.machine.view(self.now).pair.is_some() && self.may_sleep(process) {
            events.push(Event::FallAsleep(p));
        }
        if left.crashes > 0 && !matches!(phase, Phase::Unknown) {
            events.push(Event::Crash(p));
        }
        if process.news.is_none() {
            let has_pair = self.record.as_ref().is_some_and(|it| it.pair().is_some());
            if left.sign_outs > 0 && has_pair {
                events.push(Event::SignOut(p));
            }
            if left.sign_ins > 0 {
                events.push(Event::SignIn(p));
            }
        }
        let Some((id, chain, access)) = self.shown(process) else {
            return;
        };
        let known = self.chains[usize::from(chain)];
        if known.alive && !known.used && known.access == access {
            events.push(Event::Use(p));
        }
        if left.refusals > 0 {
            events.push(Event::Refuse(p));
            if id.generation > Generation::FIRST {
                events.push(Event::RefuseOlder(p));
            }
        }
    }

    /// The pair that a process shows: its name, and chain and number of its access token.
    pub(crate) fn shown(&self, process: &Process) -> Option<(PairId, u8, u8)> {
        let view = process.machine.view(self.now);
        if view.lent.is_some() {
            return process.kept.filter(|(id, ..)| view.lent == Some(*id));
        }
        let (pair, id) = view.pair?;
        let (chain, access) = name_of_secret(pair.access_token()?)?;
        Some((id, chain, access))
    }

    fn may_sleep(&self, process: &Process) -> bool {
        self.shown(process).is_some() && process.machine.fall_asleep().is_some()
    }

    pub(crate) fn is_state(&self, is: impl Fn(&RecordState) -> bool) -> bool {
        self.record.as_ref().is_some_and(|record| is(&record.state))
    }

    fn is_due(&self) -> bool {
        let pair = self.record.as_ref().and_then(|record| record.pair());
        pair.is_none_or(|pair| self.now.wall >= pair.access_expires_at())
    }

    fn timer_due(&self, process: &Process) -> bool {
        let timer = process.machine.next_timeout();
        process.call.is_none() && timer.is_some_and(|at| at <= self.now.mono)
    }

    /// When the owner of the intent counts as gone for a process that has seen it.
    fn gone_at(&self, process: &Process) -> Option<Duration> {
        let (version, since) = process.sight?;
        let record = self.record.as_ref().filter(|_| version == self.version)?;
        let RecordState::Refreshing { intent, .. } = &record.state else {
            return None;
        };
        let seen = self.now.mono.saturating_sub(since);
        let left = self.rules.policy.owner_gone_in(intent, seen, self.now.wall);
        Some(self.now.mono + left)
    }

    pub(crate) fn is_gone(&self, process: &Process) -> bool {
        self.gone_at(process).is_some_and(|at| at <= self.now.mono)
    }

    /// Whether the sweeper of a process has something to do: an intent of somebody else that it has not
    /// seen, or whose owner counts as gone.
    fn sweeps(&self, process: &Process) -> bool {
        let stands = self.is_state(|state| matches!(state, RecordState::Refreshing { .. }));
        let calm = process.call.is_none() && process.machine.next_timeout().is_none();
        let seen = process
            .sight
            .is_some_and(|(version, _)| version == self.version);
        stands && calm && !process.machine.owns_an_intent() && (!seen || self.is_gone(process))
    }

    /// The next moment at which a timer ends, if none has ended yet.
    pub(crate) fn next_moment(&self) -> Option<Duration> {
        let timers = self.processes.iter().flat_map(|process| {
            let timer = process
                .machine
                .next_timeout()
                .filter(|_| process.call.is_none());
            let owns = process.machine.owns_an_intent();
            let gone = self.gone_at(process).filter(|_| timer.is_none() && !owns);
            [timer, gone]
        });
        let next = timers.flatten().min()?;
        let steps = next.as_millis().div_ceil(GRID.as_millis());
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        (next > self.now.mono).then_some(GRID * steps)
    }

    /// Nothing is under way, and nobody waits for a moment.
    pub(crate) fn is_quiet(&self) -> bool {
        let calm = |process: &Process| {
            process.call.is_none()
                && process.request.is_none()
                && process.news.is_none()
                && process.machine.next_timeout().is_none()
                && !self.sweeps(process)
                && self.gone_at(process).is_none()
        };
        let out = self.is_state(|state| matches!(state, RecordState::SignedOut { .. }));
        self.to_revoke == 0 && !out && self.processes.iter().all(calm)
    }

    /// Somebody waits for the store or the platform.
    pub(crate) fn is_under_way(&self) -> bool {
        let waits = |process: &Process| process.call.is_some() || process.request.is_some();
        self.processes.iter().any(waits)
    }

    /// The chain of the record.
    pub(crate) fn current_chain(&self) -> Option<u8> {
        self.record.as_ref().map(|record| chain_of(record))
    }
}

impl Stray {
    pub(crate) fn of_call(call: StoreCall) -> Option<Self> {
        match call {
            StoreCall::Save { record, expect } => Some(Self::Save { record, expect }),
            _ => None,
        }
    }
}
