//! One call or forced refresh, and what its answer may be.

use std::{sync::Arc, time::Duration};

use rc_auth::{CallError, EndReason, Grant, GrantError, Secret, Trouble};

use crate::{
    SECOND,
    chance::Chance,
    ledger::{Expected, Known, Ledger},
    town::Town,
    trace::{Trace, Who},
};

/// Who signed in.
pub(crate) const ME: &str = "/restapi/v1.0/account/~/extension/~";

/// After how long a process that says nothing counts as gone, by default, and how long it takes to see that.
const SILENCE: Duration = Duration::from_secs(11);

/// What somebody wants of a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Want {
    /// To call the API.
    Call,
    /// The access token, for a client of their own: whether the platform takes it, this process does not hear.
    Token,
    /// To refresh now.
    Refresh,
}

impl Want {
    const fn noun(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Token => "token",
            Self::Refresh => "refresh",
        }
    }

    /// What its user does.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Call => "asks",
            Self::Token => "asks for a token",
            Self::Refresh => "asks for a refresh",
        }
    }
}

/// A call that begins when its task runs.
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) process: u64,
    pub(crate) user: usize,
    pub(crate) grant: Grant,
    pub(crate) want: Want,
    pub(crate) town: Arc<Town>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) trace: Arc<Trace>,
}

impl Call {
    /// The call, for complaints.
    pub(crate) fn what(&self) -> String {
        let kind = self.want.noun();
        let (id, user, process) = (self.id, self.user, self.process);
        format!("{kind} {id} of user {user} in process {process}")
    }

    /// Makes the call and checks its answer.
    pub(crate) async fn run(self) {
        let before = self.ledger.known(self.user);
        let began = self.ledger.now();
        let was_bad = self.chance.is_bad();
        let served = self.ask().await;
        let took = self.ledger.now() - began;
        self.ledger.answered(self.id);
        let kind = if served.is_ok() { "served" } else { "an error" };
        let (process, user) = (Who::Process(self.process), Who::User(self.user));
        self.trace.note(process, user, kind, || match &served {
            Ok(_) => format!("call {}", self.id),
            Err(error) => format!("call {}: {error}", self.id),
        });
        if self.ledger.went_on(self.process) >= began {
            return;
        }
        if took > 31 * SECOND {
            self.complain(&format!("DEADLINE: took {took:?}"));
        }
        let most = self.longest(began);
        if served.is_ok() && most.is_some_and(|most| took > most) {
            self.complain(&format!("LATE: took {took:?}, not {most:?}"));
        }
        let after = self.ledger.known(self.user);
        if before.epoch == after.epoch && before.busy.is_none() {
            self.check(before, (began, was_bad), &served);
        }
    }

    /// The token that it is served with, where that is all it wants.
    async fn ask(&self) -> Result<Option<Secret>, CallError> {
        match self.want {
            Want::Call => self.grant.get(ME).await.map(|_| None),
            Want::Token => {
                let token = self.grant.access_token().await;
                token
                    .map(|token| Some(token.secret()))
                    .map_err(CallError::Grant)
            }
            Want::Refresh => {
                let refreshed = self.grant.refresh().await;
                refreshed.map(|_| None).map_err(CallError::Grant)
            }
        }
    }

    /// How long a call that began then may wait, as far as that can be said: a second, and for each process that has
    /// died the time after which it counts as gone.
    fn longest(&self, began: Duration) -> Option<Duration> {
        let setting = &self.chance.setting;
        let is_calm = setting.is_perfect()
            && setting.slow == 0
            && !setting.is_strict
            && !setting.has_budget
            && !self.ledger.has_wrong_clocks()
            && self.chance.is_over_outages(began);
        let gone = self.ledger.gone_since(began.saturating_sub(SILENCE));
        is_calm.then(|| SECOND + gone * SILENCE)
    }

    fn complain(&self, text: &str) {
        self.ledger.complain(&format!("{text}, {}", self.what()));
    }

    /// Holds the answer of a call against what its user knew all the time. `began`: when it did, and whether the
    /// weather was bad then: a write that is slow may be under way until long after that.
    fn check(
        &self,
        known: Known,
        began: (Duration, bool),
        served: &Result<Option<Secret>, CallError>,
    ) {
        let (began, was_bad) = began;
        let Known {
            expected, since, ..
        } = known;
        // A process that was suspended, or cut off from the store, learns what happened meanwhile.
        let since = since.max(self.ledger.went_on(self.process));
        let since = since.max(self.chance.knows_store(self.process));
        let lag = began.saturating_sub(since);
        let grace = if was_bad { 10 * SECOND } else { 2 * SECOND };
        match (expected, served) {
            // Another process is told within a second, and the longest time that a read takes.
            (Expected::In, Err(CallError::Grant(GrantError::SignInAgain { reason })))
                if began > since + SECOND + self.chance.setting.slowest_read
                    && !may_end(*reason, &self.chance) =>
            {
                self.complain(&format!("LOCKED OUT: {reason:?}"));
            }
            (Expected::Out, Ok(_)) if lag > grace => {
                self.complain(&format!("SERVED AFTER SIGN-OUT: {lag:?}"));
            }
            (Expected::In, Ok(Some(token)))
                if lag > grace && is_stale(token, &self.town, &self.chance) =>
            {
                self.complain(&format!("STALE: {lag:?} after the sign-in"));
            }
            (Expected::In, Err(CallError::Grant(error @ GrantError::Unavailable { .. })))
                if self.chance.setting.is_perfect()
                    // There, a process that died is waited for for a minute.
                    && !self.chance.setting.is_strict
                    && !self.chance.setting.has_budget
                    && self.chance.is_over_outages(began)
                    && !self.ledger.has_wrong_clocks()
                    && !is_forced_too_often(error) =>
            {
                self.complain(&format!("TURNED AWAY although nothing fails: {error}"));
            }
            _ => {}
        }
    }
}

/// Whether what a user who is signed in was served with is of a session that has ended, which nobody needs: the sign-in
/// was replaced seconds ago. Where the platform repeats no answers, it ends sessions by itself.
pub(crate) fn is_stale(token: &Secret, town: &Town, chance: &Chance) -> bool {
    !chance.setting.is_strict && !town.has_session(token)
}

/// Whether the grant of a user who is signed in may end like this: on a server that repeats no answer, one that
/// was lost cannot be asked for again; and one that says 503 and carries a request out all the same spends the
/// token without a word.
pub(crate) fn may_end(reason: EndReason, chance: &Chance) -> bool {
    let unknowable = match reason {
        // A process whose clock is hours ahead clears the record of it away.
        EndReason::Indeterminate | EndReason::Absent => true,
        EndReason::TokenDead => chance.has_lied(),
        _ => false,
    };
    chance.setting.is_strict && unknowable
}

/// An API that refuses every token is not given a new one for each call: that pause is meant.
pub(crate) fn is_forced_too_often(error: &GrantError) -> bool {
    matches!(
        error,
        GrantError::Unavailable { trouble: Some(trouble), .. } if **trouble == Trouble::AccessTokenRefused
    )
}
