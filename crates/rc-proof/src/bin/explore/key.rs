//! The name of a moment: the same for moments from which the same can happen.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

use rc_auth_core::{AttemptId, GrantRecord, Lens, RecordState};

use crate::world::{
    Answer, GRID, News, Process, Read, Request, StoreCall, Stray, World, version_of,
};

/// Ages beyond this one are all the same: a silence and a pause together are shorter.
const OLDEST: Duration = Duration::from_secs(20);

impl World {
    /// 128 bits, in which processes have no order.
    pub(crate) fn key(&self) -> u128 {
        let alive = self.living_attempts();
        let lens = Lens {
            now: self.now,
            version: &|version| self.short(version_of(version)),
            attempt: &|attempt| short(&alive, attempt),
            is_alive: &|attempt| alive.contains(&attempt),
            oldest: OLDEST,
            grid: GRID,
        };
        let mut processes: Vec<Vec<u8>> = self
            .processes
            .iter()
            .map(|process| self.process_key(process, &lens))
            .collect();
        processes.sort_unstable();
        let mut strays: Vec<Vec<u8>> = self
            .strays
            .iter()
            .map(|stray| self.stray_key(stray, &lens))
            .collect();
        strays.sort_unstable();
        let shared = self.shared_key(&lens);
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            (seed, &processes, &strays, &shared).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        half(1) << 64 | half(2)
    }

    fn shared_key(&self, lens: &Lens<'_>) -> Vec<u8> {
        let left = &self.left;
        let mut out = vec![
            left.rotations,
            left.crashes,
            left.faults,
            left.sign_outs,
            left.sign_ins,
            left.refusals,
            left.omissions,
            left.closings,
            left.slow,
            self.to_revoke,
            self.signed_out,
        ];
        out.extend(self.saved.to_le_bytes());
        for chain in &self.chains {
            // Of a dead chain nothing matters but that it is dead.
            out.extend(match chain.alive {
                true => [1, chain.access, chain.refresh, u8::from(chain.used)],
                false => [0; 4],
            });
            if self.is_strict() && chain.alive {
                let newest = chain.newest();
                // Two are as many as more.
                out.extend(
                    newest
                        .iter()
                        .flat_map(|it| [it.refresh, it.begun.min(2), it.sent]),
                );
            }
        }
        if let Some(record) = &self.record {
            lens.record(record, &mut out);
        }
        out
    }

    fn process_key(&self, process: &Process, lens: &Lens<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        process.machine.fingerprint(lens, &mut out);
        match &process.call {
            None => out.push(0),
            Some(StoreCall::Load) => out.push(1),
            Some(StoreCall::Save { record, expect }) => {
                out.extend([2, self.short(*expect)]);
                lens.record(record, &mut out);
            }
            Some(StoreCall::Loaded(read)) => self.read_key(read, lens, &mut out),
            Some(StoreCall::LoadFailed) => out.push(4),
            Some(StoreCall::Saved(Ok(version))) => {
                out.extend([5, self.short(*version)]);
            }
            Some(StoreCall::Saved(Err(failure))) => out.extend([6, *failure as u8]),
        }
        request_key(process.request, &mut out);
        match process.news {
            None => out.push(0),
            Some(News::SignedIn) => out.push(1),
            Some(News::SignedOut(chain)) => out.extend([2, chain]),
        }
        self.memory_key(process, lens, &mut out);
        out
    }

    /// What is noted of a process beside its machine, as far as it can still matter.
    fn memory_key(&self, process: &Process, lens: &Lens<'_>, out: &mut Vec<u8>) {
        let age = |since: Duration| (self.now.mono - since).min(OLDEST).as_millis() as u32;
        if let Some((version, since)) = process.sight.filter(|(seen, _)| self.may_be_read(*seen)) {
            out.extend([1, self.short(version)]);
            out.extend(age(since).to_le_bytes());
        }
        let lent = process.machine.view(self.now).lent;
        if let Some((_, chain, access)) = process.kept.filter(|(id, ..)| lent == Some(*id)) {
            out.extend([4, chain, access]);
        }
        let flags = u8::from(process.must_read) | u8::from(process.was_refused) << 1;
        out.extend([2, flags, process.knows_out]);
        let matters = process.request.is_some() || process.call.is_some();
        if let Some((attempt, at)) = process.wrote.filter(|_| matters) {
            out.extend([3, (lens.attempt)(attempt)]);
            let flies = process.request.is_some();
            out.extend(if flies { age(at) } else { 0 }.to_le_bytes());
        }
    }

    /// The short name of a version: a version that nobody can meet any more is like any other.
    fn short(&self, version: u8) -> u8 {
        if version == self.version && self.record.is_some() {
            return 0;
        }
        let mut read: Vec<u8> = self.processes.iter().filter_map(read_version).collect();
        read.sort_unstable_by_key(|read| self.version.wrapping_sub(*read));
        read.dedup();
        let place = read.iter().position(|read| *read == version);
        place
            .and_then(|place| u8::try_from(place + 1).ok())
            .unwrap_or(255)
    }

    /// Whether this version stands, or was read by somebody who has not heard of it yet.
    fn may_be_read(&self, version: u8) -> bool {
        let pending = |process: &Process| read_version(process) == Some(version);
        let stands = self.is_state(|state| matches!(state, RecordState::Refreshing { .. }));
        (stands && version == self.version) || self.processes.iter().any(pending)
    }

    fn read_key(&self, read: &Read, lens: &Lens<'_>, out: &mut Vec<u8>) {
        out.push(3);
        if let Some((record, version)) = read {
            out.push(self.short(*version));
            lens.record(record, out);
        }
    }

    fn stray_key(&self, stray: &Stray, lens: &Lens<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        match stray {
            Stray::Save { record, expect } => {
                out.extend([1, self.short(*expect)]);
                lens.record(record, &mut out);
            }
            Stray::Request { chain, refresh } => out.extend([2, *chain, *refresh]),
        }
        out
    }

    /// Attempts that stand in a record which somebody may still read.
    fn living_attempts(&self) -> Vec<AttemptId> {
        let mut alive = Vec::new();
        let mut note = |record: &GrantRecord| match &record.state {
            RecordState::Idle { committed_by, .. } => alive.extend(*committed_by),
            RecordState::Refreshing { intent, .. } => alive.push(intent.attempt),
            RecordState::SignedOut { .. } | RecordState::Ended { .. } => {}
        };
        self.record.iter().for_each(|record| note(record));
        for process in &self.processes {
            if let Some(StoreCall::Save { record, .. } | StoreCall::Loaded(Some((record, _)))) =
                &process.call
            {
                note(record);
            }
        }
        for stray in &self.strays {
            if let Stray::Save { record, .. } = stray {
                note(record);
            }
        }
        for process in &self.processes {
            let may_write = process.call.is_some() || process.machine.owns_an_intent();
            alive.extend(
                process
                    .claimed
                    .filter(|_| may_write || process.request.is_some()),
            );
        }
        alive.sort_unstable_by_key(|attempt| self.attempts.wrapping_sub(attempt.as_bytes()[0]));
        alive.dedup();
        alive
    }
}

fn read_version(process: &Process) -> Option<u8> {
    match &process.call {
        Some(StoreCall::Loaded(Some((_, read)))) => Some(*read),
        _ => None,
    }
}

fn short(alive: &[AttemptId], attempt: AttemptId) -> u8 {
    let place = alive.iter().position(|known| *known == attempt);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(254)
}

fn request_key(request: Option<Request>, out: &mut Vec<u8>) {
    match request {
        None => out.push(0),
        Some(Request::Out { chain, refresh }) => out.extend([1, chain, refresh]),
        Some(Request::Back {
            chain,
            refresh,
            answer,
        }) => {
            out.extend([2, chain, refresh]);
            match answer {
                Answer::Refused => out.push(0),
                Answer::NotSent => out.push(1),
                Answer::MaybeSent => out.push(2),
                Answer::Unavailable => out.push(4),
                Answer::Limited => out.push(5),
                Answer::Tokens(tokens) => {
                    out.extend([3, tokens.access, tokens.refresh.unwrap_or_default()]);
                }
            }
        }
    }
}
