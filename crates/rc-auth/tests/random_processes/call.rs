//! One call or forced refresh, and what its answer may be.

use std::{sync::Arc, time::Duration};

use rc_auth::{CallError, Grant, GrantError};

use crate::{
    ledger::{Expected, Known, Ledger},
    processes::{ME, SECOND},
    weather::Weather,
};

/// A call that begins when its task runs.
pub(crate) struct Call {
    pub(crate) id: u64,
    /// Who calls where, for complaints.
    pub(crate) what: String,
    pub(crate) key: usize,
    pub(crate) grant: Grant,
    /// Whether it forces a refresh, instead of calling the API.
    pub(crate) refreshes: bool,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) weather: Arc<Weather>,
}

impl Call {
    /// Makes the call and checks its answer.
    pub(crate) async fn run(self) {
        let before = self.ledger.known(self.key);
        let began = self.ledger.now();
        let result = if self.refreshes {
            let pair = self.grant.refresh().await;
            pair.map(|_| ()).map_err(CallError::Grant)
        } else {
            self.grant.get(ME).await.map(|_| ())
        };
        let took = self.ledger.now() - began;
        let what = &self.what;
        self.ledger
            .trace(|| format!("{what}, begun {began:?}: {result:?}"));
        self.ledger.answered(self.id);
        if took > 31 * SECOND {
            self.complain(&format!("DEADLINE: took {took:?}"));
        }
        let after = self.ledger.known(self.key);
        if before.epoch == after.epoch && before.busy.is_none() {
            self.check(before, began, &result);
        }
    }

    fn complain(&self, text: &str) {
        self.ledger.complain(&format!("{}: {text}", self.what));
    }

    /// Holds the answer of a call that began at `began` against what its user knew all the time.
    fn check(&self, known: Known, began: Duration, result: &Result<(), CallError>) {
        let Known {
            expected, since, ..
        } = known;
        match (expected, result) {
            // Another process is told within a second.
            (Expected::In, Err(CallError::Grant(GrantError::SignInAgain { reason })))
                if began > since + SECOND =>
            {
                self.complain(&format!(
                    "LOCKED OUT: {reason:?}, signed in since {since:?}"
                ));
            }
            (Expected::Out, Ok(())) => {
                let lag = began - since;
                let grace = if self.weather.is_bad() { 10 } else { 2 };
                if lag > grace * SECOND {
                    self.complain(&format!("SERVED {lag:?} AFTER SIGN-OUT"));
                }
            }
            _ => {}
        }
    }
}
