//! What has to hold once the weather is good again.

use std::collections::BTreeMap;

use rc_auth::{CallError, Grant, GrantError, store::TokenStore as _};

use crate::{
    SECOND,
    call::{ME, is_forced_too_often, is_stale, may_end},
    chance::Chance,
    ledger::{Expected, grant_key},
    story::{Life, Story},
};

/// How many steps tasks may make in two minutes in which nobody does anything.
const MOST_IDLE_STEPS: u64 = 8_000;

impl Story {
    /// How many records are in each state.
    fn states(&self) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        let listed = self.town.world.run(self.store.scan(None, 10_000));
        for stored in listed
            .into_iter()
            .flatten()
            .flat_map(|listed| listed.stored)
        {
            let payload = String::from_utf8_lossy(&stored.payload).into_owned();
            let state = ["\"idle\"", "\"refreshing\"", "\"signed_out\"", "\"ended\""]
                .into_iter()
                .find(|state| payload.contains(state))
                .unwrap_or("other");
            *states
                .entry(state.trim_matches('"').to_owned())
                .or_default() += 1;
        }
        states
    }

    /// No refresh is left over five minutes after the weather turned good.
    pub(crate) fn check_finished(&self) {
        for _ in 0..10 {
            self.town.world.pass(30 * SECOND);
            if !self.chance.is_over_outages(self.ledger.now()) {
                continue;
            }
            if !self.states().contains_key("refreshing") && self.ledger.is_quiet() {
                break;
            }
        }
        self.ledger.find_overdue();
        let states = self.states();
        if states.contains_key("refreshing") {
            self.ledger
                .complain(&format!("UNFINISHED after five minutes: {states:?}"));
        }
    }

    /// Every process serves who is signed in, and nobody who is signed out.
    pub(crate) fn check_settled(&self, lives: &[Life]) {
        for user in 0..self.ledger.users() {
            let known = self.ledger.known(user);
            if known.busy.is_some() {
                self.ledger.complain(&format!("STILL BUSY: user {user}"));
            }
            for life in lives {
                let grant = life.client.grant(&grant_key(user));
                // The platform may know what this process does not.
                let token = self.town.world.run(grant.access_token());
                let token = token.map(|token| token.secret());
                if let (Expected::In, Ok(token)) = (known.expected, &token)
                    && is_stale(token, &self.town, &self.chance)
                {
                    let number = life.number;
                    self.ledger.complain(&format!(
                        "STALE: user {user} in process {number}, at the end"
                    ));
                }
                let mut result = token.map(drop).map_err(CallError::Grant);
                if fits(known.expected, &result, &self.chance) {
                    result = self.call_twice(&grant);
                }
                if !fits(known.expected, &result, &self.chance) {
                    let (number, expected) = (life.number, known.expected);
                    let result = result.map_err(|error| error.to_string());
                    self.ledger.complain(&format!(
                        "NOT SETTLED: user {user} in process {number} is {expected:?} and got {result:?}"
                    ));
                }
            }
        }
    }

    /// Calls the API, once more if it was refused: a pair that was repeated may have expired meanwhile.
    fn call_twice(&self, grant: &Grant) -> Result<(), CallError> {
        let call = || {
            self.town
                .world
                .run(async { grant.get(ME).await.map(|_| ()) })
        };
        match call() {
            Err(CallError::Refused { .. }) => call(),
            other => other,
        }
    }

    /// Processes with nothing to do do little, and the platform holds no session that no record knows.
    pub(crate) fn check_idle(&self) {
        let before = self.town.world.steps();
        self.town.world.pass(120 * SECOND);
        let steps = self.town.world.steps() - before;
        if steps > MOST_IDLE_STEPS {
            self.ledger
                .complain(&format!("SPINS: {steps} steps in two idle minutes"));
        }
        let counters = self.town.counters();
        let (requests, reasons) = (counters.token_refresh.received, self.reasons);
        if reasons.is_some_and(|reasons| requests > reasons) {
            self.ledger.complain(&format!(
                "TOO MANY REQUESTS: {requests} refreshes, for which there were {reasons:?} reasons"
            ));
        }
        let (states, live) = (self.states(), counters.live_sessions);
        let excused = self.excused;
        let of = |state: &str| states.get(state).copied().unwrap_or_default();
        // Whoever has signed out may still be waiting for the revocation.
        let mut known = of("idle") + of("signed_out") + excused;
        if self.chance.setting.is_strict {
            // Nobody can know whether the platform has ended it too, nor get the pair of a lost answer.
            known += of("ended") + self.chance.lost_answers();
        }
        if live > known || states.contains_key("refreshing") {
            self.ledger.complain(&format!(
                "ORPHANS: {live} sessions, {states:?}, {excused} excused"
            ));
        }
    }
}

/// Whether an answer is one that its user expects.
fn fits(expected: Expected, result: &Result<(), CallError>, chance: &Chance) -> bool {
    match (expected, result) {
        (Expected::In, Err(CallError::Grant(GrantError::SignInAgain { reason }))) => {
            may_end(*reason, chance)
        }
        (Expected::In, Err(CallError::Grant(error))) => is_forced_too_often(error),
        (Expected::In, result) => result.is_ok(),
        (Expected::Out, result) => matches!(
            result,
            Err(CallError::Grant(GrantError::SignInAgain { .. }))
        ),
        (Expected::Unknown, _) => true,
    }
}
