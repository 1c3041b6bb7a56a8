//! Callers that call, and call again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rc_auth::{CallError, Environment as _, Grant, GrantError, SimulatedProcess};

use crate::{
    dice::lock,
    town::{Life, ME, SECOND},
};

/// What came of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Served,
    SignInAgain,
    /// The grant is kept, and the caller has to come again.
    Later,
    Other(String),
}

impl<T> From<Result<T, CallError>> for Answer {
    fn from(result: Result<T, CallError>) -> Self {
        match result {
            Ok(_) => Self::Served,
            Err(CallError::Grant(GrantError::SignInAgain { .. })) => Self::SignInAgain,
            Err(
                CallError::Grant(GrantError::Unavailable { .. })
                | CallError::Unavailable { .. }
                | CallError::RateLimited { .. },
            ) => Self::Later,
            Err(error) => Self::Other(error.to_string()),
        }
    }
}

/// A call that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The process, the user, or whatever the scenario tells its callers apart by.
    pub(crate) group: usize,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) answer: Answer,
}

impl Call {
    pub(crate) fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Calls that were answered, in the order of their answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Call>>>);

impl Log {
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.0))
    }

    fn add(&self, call: Call) -> Answer {
        let answer = call.answer.clone();
        lock(&self.0).push(call);
        answer
    }
}

async fn call(process: &SimulatedProcess, grant: &Grant, group: usize, target: &str) -> Call {
    let began = process.now().mono;
    let answer = Answer::from(grant.get(target).await);
    Call {
        group,
        began,
        ended: process.now().mono,
        answer,
    }
}

/// Calls until `until`, each time a second after the answer.
pub(crate) fn keep_calling(life: &Life, grant: Grant, group: usize, until: Duration, log: &Log) {
    let (process, log) = (life.process.clone(), log.clone());
    life.process.spawn(Box::pin(async move {
        while process.now().mono < until {
            log.add(call(&process, &grant, group, ME).await);
            process.sleep_until(process.now().mono + SECOND).await;
        }
    }));
}

/// Calls once.
pub(crate) fn call_once(life: &Life, grant: Grant, group: usize, target: String, log: &Log) {
    let (process, log) = (life.process.clone(), log.clone());
    life.process.spawn(Box::pin(async move {
        log.add(call(&process, &grant, group, &target).await);
    }));
}

/// Calls, or asks for a refresh, until it is served or the sign-in is over; at most for an hour.
pub(crate) fn insist(life: &Life, grant: Grant, refreshes: bool, log: &Log) {
    let (process, log) = (life.process.clone(), log.clone());
    life.process.spawn(Box::pin(async move {
        for _ in 0..3600 {
            if refreshes {
                let began = process.now().mono;
                let answer = Answer::from(grant.refresh().await.map_err(CallError::Grant));
                let ended = process.now().mono;
                let call = Call {
                    group: 1,
                    began,
                    ended,
                    answer,
                };
                if log.add(call) != Answer::Later {
                    return;
                }
            } else if log.add(call(&process, &grant, 0, ME).await) != Answer::Later {
                return;
            }
            process.sleep_until(process.now().mono + SECOND).await;
        }
    }));
}

/// How many calls were answered like this.
pub(crate) fn count(calls: &[Call], answer: &Answer) -> usize {
    calls.iter().filter(|call| call.answer == *answer).count()
}

/// The first answer that is neither of the usual ones.
pub(crate) fn odd(calls: &[Call]) -> Option<String> {
    calls.iter().find_map(|call| match &call.answer {
        Answer::Other(error) => Some(error.clone()),
        _ => None,
    })
}
