//! What has to hold once the weather is good again.

use std::{collections::BTreeMap, time::Duration};

use rc_auth::{CallError, Grant, GrantError};

use crate::{
    ledger::{Expected, KEYS, grant_key, name},
    processes::ME,
    story::{Life, Story},
};

const HOUR: Duration = Duration::from_secs(3600);

impl Story {
    /// How many records are in each state.
    fn states(&self) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        for listed in self.town.run(self.town.store.scan(None, 10_000)).unwrap() {
            let payload = String::from_utf8_lossy(&listed.stored.unwrap().payload).into_owned();
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

    /// No refresh is left over.
    pub(crate) fn check_finished(&self) {
        let states = self.states();
        if states.contains_key("refreshing") {
            self.ledger
                .complain(&format!("UNFINISHED after five minutes: {states:?}"));
        }
    }

    /// Every process serves who is signed in, and nobody who is signed out.
    pub(crate) fn check_settled(&self, lives: &[Life]) {
        let users: Vec<_> = (0..KEYS).map(|key| self.ledger.known(key)).collect();
        for (key, known) in users.into_iter().enumerate() {
            if known.busy.is_some() {
                self.ledger
                    .complain(&format!("{}: STILL BUSY {:?}", name(key), known.busy));
            }
            for life in lives {
                let result = self.call_twice(&life.process.client.grant(&grant_key(key)));
                if !fits(known.expected, &result) {
                    self.ledger.complain(&format!(
                        "NOT SETTLED: {} in process {}: {:?} since {:?}, got {result:?}",
                        name(key),
                        life.name,
                        known.expected,
                        known.since
                    ));
                }
            }
        }
    }

    /// Calls the API, once more if it was refused: a pair that was repeated may have expired meanwhile.
    fn call_twice(&self, grant: &Grant) -> Result<(), CallError> {
        let call = || self.town.run(async { grant.get(ME).await.map(|_| ()) });
        match call() {
            Err(CallError::Refused { .. }) => call(),
            other => other,
        }
    }

    /// Processes with nothing to do do little, and the platform holds no session that no record knows.
    pub(crate) fn check_idle_hours(&self) {
        let before = self.town.world.steps();
        self.town.pass(2 * HOUR);
        let steps = self.town.world.steps() - before;
        if steps > 400_000 {
            self.ledger
                .complain(&format!("SPINS: {steps} steps in two idle hours"));
        }
        let (states, live) = (self.states(), self.town.counters().live_sessions);
        let excused = self.excused;
        let idle = states.get("idle").copied().unwrap_or_default();
        if live > idle + excused || states.contains_key("refreshing") {
            self.ledger.complain(&format!(
                "ORPHANS: {live} sessions, {states:?}, {excused} excused"
            ));
        }
        if std::env::var_os("RC_VERBOSE").is_some() {
            let end = format!("{live} sessions, {states:?}, {excused} excused, {steps} steps");
            self.describe(&end);
        }
    }

    /// Prints a line about the run.
    fn describe(&self, end: &str) {
        let weather = &self.weather;
        println!(
            "seed {}: store {} % platform {} % changes {}: {} calls, {end}",
            self.seed, weather.store, weather.platform, weather.tells_changes, self.calls
        );
    }
}

/// Whether an answer is one that its user expects.
fn fits(expected: Expected, result: &Result<(), CallError>) -> bool {
    match expected {
        Expected::In => result.is_ok(),
        Expected::Out => matches!(
            result,
            Err(CallError::Grant(GrantError::SignInAgain { .. }))
        ),
        Expected::Unknown => true,
    }
}
