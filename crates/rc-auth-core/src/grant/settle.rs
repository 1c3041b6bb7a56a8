//! What an idle record calls for, when a refresh begins, and how long is waited before the next try.

use std::{mem, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::{
    EndReason, GrantMachine, Output, RefreshReplay, Report, Trouble, Urgency,
    machine::{Heard, Wants},
    state::{Delay, End, Refreshable, State, Wait},
};
use crate::{Now, rate_gate::Rate};

/// The longest pause after a failure of the store: asking again costs it little, and until it answers whoever has no
/// live token is turned away.
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(5);

impl GrantMachine {
    /// The record is idle and `held` is in it: begins what is wanted.
    pub(super) fn settle(&mut self, mut held: Refreshable, now: Now) -> State {
        let heard = mem::take(&mut self.heard);
        if heard != Heard::Nothing && heard != Heard::Version(Some(held.version)) {
            return self.look();
        }
        held.owns_intent = false;
        let Wants {
            usable,
            care,
            newer_than,
        } = mem::take(&mut self.wants);
        let is_old = newer_than.is_some_and(|pair| !held.id.is_newer_than(pair));
        let is_due = care && now.wall >= self.policy.keep_alive_at(&held.pair);
        // Newer than a refused one is not enough: another sign-in's pair may have ended too.
        let is_of_no_use = newer_than.is_some() && self.is_of_no_use(&held, now);
        let is_unusable = usable && self.is_unusable(&held, now);
        let refreshes = is_old || is_due || is_of_no_use || is_unusable;
        let by_caller = usable || newer_than.is_some();
        if refreshes && held.pair.refresh_token().is_some() {
            if by_caller {
                held.about.note_use(now.wall);
            }
            return self.approach(held, false, now);
        }
        let max_idle = self.policy.max_idle;
        if by_caller && held.about.use_is_worth_noting(max_idle, now.wall) {
            held.about.note_use(now.wall);
            return self.note_use(held);
        }
        State::Settled(held)
    }

    fn is_unusable(&self, held: &Refreshable, now: Now) -> bool {
        self.is_of_no_use(held, now) || now.wall >= self.early_at(&held.pair, held.id.generation)
    }

    /// Whether its access token serves nobody.
    fn is_of_no_use(&self, held: &Refreshable, now: Now) -> bool {
        self.refused == Some(held.id)
            || held.pair.access_token().is_none()
            || now.wall >= self.policy.mandatory_at(&held.pair)
    }

    /// Writes that the grant is in use, and nothing else. Lost is harmless: the next use writes it again.
    fn note_use(&mut self, held: Refreshable) -> State {
        self.outputs.push_back(Output::Save {
            record: Box::new(held.idle_record()),
            due: self.policy.due_at(&held.pair, &held.about),
            expect: held.version,
        });
        State::NotingUse(held)
    }

    /// The first step of a refresh: may another token request be made? The last chance asks no limit.
    pub(super) fn approach(&mut self, mut held: Refreshable, last_chance: bool, now: Now) -> State {
        if self.policy.replay == RefreshReplay::None && held.unanswered >= 2 {
            // Presented once more already: a third time could be taken for theft.
            return self.end(
                End {
                    base: held,
                    reason: EndReason::Indeterminate,
                },
                now,
            );
        }
        let lives = now.wall < self.policy.mandatory_at(&held.pair);
        let is_forced = lives && self.refused == Some(held.id);
        if is_forced && !held.counted_as_forced {
            let wait = held.about.forced_refresh_wait(now.wall);
            if !wait.is_zero() {
                let until = now.mono + wait;
                return self.wait(held, until, Trouble::AccessTokenRefused, now);
            }
            held.about.note_forced_refresh(now.wall);
            held.counted_as_forced = true;
        }
        let urgency = match (last_chance, lives && !is_forced) {
            (true, _) => Urgency::LastChance,
            (false, true) => Urgency::Background,
            (false, false) => Urgency::Needed,
        };
        if !last_chance
            && let Some(rate) = self.policy.budget.per_grant()
            && let Some(slot) = rate.next_slot(&mut self.sent, now.mono)
        {
            return self.wait(held, slot, Trouble::RateLimited, now);
        }
        self.outputs.push_back(Output::AskGate { urgency });
        State::AtGate(held)
    }

    pub(super) fn wait(
        &mut self,
        held: Refreshable,
        until: Duration,
        trouble: Trouble,
        now: Now,
    ) -> State {
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        State::Waiting(self.wait_for(held, (until, until), trouble, now))
    }

    /// A wait that ends at `until`, or at the last chance if that comes first: where an answer was lost,
    /// the server repeats it for a limited time, and that must not pass unused, whatever else it asks for. For
    /// somebody who asks, it ends at `if_asked`.
    pub(super) fn wait_for(
        &self,
        held: Refreshable,
        (until, if_asked): (Duration, Duration),
        trouble: Trouble,
        now: Now,
    ) -> Wait {
        let by_wall = held
            .first_presented_at
            .and_then(|at| self.policy.last_chance_at(at))
            .filter(|at| *at > now.wall)
            .map(|at| now.mono + at.saturating_since(now.wall));
        // A wall clock that is set back does not move it.
        let by_mono = held
            .first_presented_mono
            .zip(self.policy.last_chance_after())
            .map(|(at, after)| at + after)
            .filter(|at| *at > now.mono);
        let chance = by_wall
            .into_iter()
            .chain(by_mono)
            .min()
            .filter(|at| *at < until);
        let until = chance.unwrap_or(until);
        Wait {
            held,
            until,
            if_asked: if_asked.min(until),
            trouble,
            last_chance: chance.is_some(),
        }
    }

    /// The delay before the next try: doubled each time from `first`, with jitter, at most `retry_max`
    /// and as much again.
    pub(super) fn next_delay(&mut self, first: Duration) -> Duration {
        let nth = self.failures;
        self.failures = self.failures.saturating_add(1);
        self.delay(first, nth)
    }

    /// The same, and how long it is while somebody asks: at most `retry_asked`, or as often as the budget allows in
    /// the long run.
    pub(super) fn back_off(&mut self, first: Duration) -> Delay {
        let nth = self.failures;
        let length = self.next_delay(first);
        let rate = self.policy.budget.per_grant();
        let spacing = rate.map_or(Duration::ZERO, Rate::spacing);
        let longest = self.policy.retry_asked.max(spacing);
        // Between three quarters of it and the whole, so that grants whose tries failed together part.
        let part = (self.seed.wrapping_add(u64::from(nth)) % 256) as u32;
        let if_asked = length.min(longest - longest / 1024 * part);
        Delay { length, if_asked }
    }

    /// Somebody asks: a wait that is over, or is over for them, is followed by the next try.
    pub(super) fn asked(&mut self, mut wait: Wait, now: Now) -> State {
        let by_caller = self.wants.usable || self.wants.newer_than.is_some();
        if by_caller && wait.if_asked < wait.until && self.is_of_no_use(&wait.held, now) {
            wait.until = wait.if_asked;
        }
        if now.mono >= wait.until {
            return self.approach(wait.held, wait.last_chance, now);
        }
        State::Waiting(wait)
    }

    /// The pause before the store is asked again, or the next try that it made fail: grows like
    /// [`next_delay`](Self::next_delay).
    pub(super) fn next_store_pause(&mut self) -> Duration {
        let nth = self.failures;
        self.failures = self.failures.saturating_add(1);
        self.store_pause(nth)
    }

    /// Never longer than [`LONGEST_STORE_PAUSE`].
    pub(super) fn store_pause(&self, nth: u32) -> Duration {
        self.delay(self.policy.retry_first, nth)
            .min(LONGEST_STORE_PAUSE)
    }

    pub(super) fn delay(&self, first: Duration, nth: u32) -> Duration {
        let nth = nth.min(16) as usize;
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(self.policy.retry_max)
            .with_max_times(nth + 1)
            .with_jitter()
            .with_jitter_seed(self.seed.wrapping_add(nth as u64))
            .build()
            .nth(nth)
            .unwrap_or(self.policy.retry_max)
    }
}
