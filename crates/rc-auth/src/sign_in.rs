//! The end of a sign-in: from a checked callback to a saved grant, in a task of its own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use rc_auth_core::{
    AttemptId, ChainId, CodeExchange, SaveFailure, Timestamp, TokenSet, Trouble, UnknownMembers,
    Verdict,
};
use rc_store::{Expect, RecordKey, Version};
use tokio::sync::watch;

use crate::{
    GrantKey, SignInError,
    key::state_record_key,
    record::{CodeDigest, Outcome, StoredRecord, UsedState},
    saving::save_grant,
    shared::{ByState, Found, ReadFailure, Shared, lock},
    token_request::{token_request, unavailable},
};

pub(crate) type Finished = Result<GrantKey, SignInError>;

/// A sign-in in the air: what came with its state, and what comes of it.
#[derive(Clone, Debug)]
struct InTheAir {
    code: CodeDigest,
    outcome: watch::Receiver<Option<Finished>>,
}

/// Sign-ins of this process that are in the air: a duplicate of one waits for its outcome.
#[derive(Debug, Default)]
pub(crate) struct SignIns(std::sync::Mutex<ByState<InTheAir>>);

/// How often the record of an exchange in another process is read.
const POLL: Duration = Duration::from_millis(100);

/// Finishes a sign-in, or joins the one that is finishing it.
pub(crate) async fn finish(
    shared: &Arc<Shared>,
    key: GrantKey,
    exchange: CodeExchange,
    request: Request<Bytes>,
) -> Finished {
    let Some(mut outcome) = begin(shared, key, exchange, request) else {
        return Err(SignInError::AlreadyUsed);
    };
    match outcome.wait_for(Option::is_some).await {
        Ok(finished) => finished.clone().unwrap_or(Err(SignInError::AlreadyUsed)),
        // The task is gone without a word: it panicked.
        Err(_) => Err(unavailable(Trouble::NoAnswer, None)),
    }
}

/// `None`: the same state is being used with another code.
fn begin(
    shared: &Arc<Shared>,
    key: GrantKey,
    exchange: CodeExchange,
    request: Request<Bytes>,
) -> Option<watch::Receiver<Option<Finished>>> {
    let state = exchange.state_digest();
    let code = CodeDigest::new(exchange.code_digest());
    let mut running = lock(&shared.sign_ins.0);
    if let Some(same) = running.get(&state) {
        return (same.code == code).then(|| same.outcome.clone());
    }
    let (done, outcome) = watch::channel(None);
    let in_the_air = InTheAir {
        code: code.clone(),
        outcome: outcome.clone(),
    };
    running.insert(state, in_the_air);
    drop(running);
    let task = SignInTask {
        shared: shared.clone(),
        state,
        code,
    };
    shared.tasks.spawn("sign-in", async move {
        let finished = task.run(key, &exchange, request).await;
        done.send_replace(Some(finished));
        drop(task);
    });
    Some(outcome)
}

/// Takes itself out of the sign-ins in the air when it is dropped.
struct SignInTask {
    shared: Arc<Shared>,
    state: [u8; 32],
    code: CodeDigest,
}

impl Drop for SignInTask {
    fn drop(&mut self) {
        lock(&self.shared.sign_ins.0).remove(&self.state);
    }
}

/// The note that a state is used, as this process has written it last.
struct Note {
    key: RecordKey,
    attempt: AttemptId,
    expires: Timestamp,
    version: Version,
    renewals: u32,
}

impl SignInTask {
    async fn run(
        &self,
        key: GrantKey,
        exchange: &CodeExchange,
        request: Request<Bytes>,
    ) -> Finished {
        let shared = &self.shared;
        let record_key = state_record_key(&shared.app, &self.state);
        let attempt = AttemptId::new(shared.draw().map_err(|_| SignInError::Entropy)?);
        let expires = exchange.expires_at();
        let Some(mut note) = self.use_state(record_key, attempt, expires).await? else {
            return self.outcome_of_other(&record_key).await;
        };
        let work = async {
            let tokens = self.exchange_code(request).await?;
            save_grant(shared, &key, tokens).await
        };
        let finished = self.beside(&mut note, work).await;
        let outcome = match &finished {
            Ok(chain) => Outcome::SignedIn {
                key: key.as_str().to_owned(),
                chain: *chain,
            },
            Err(_) => Outcome::Failed,
        };
        if let Err(failure) = self.write(&note, outcome).await {
            // A duplicate in another process will not learn the outcome; nothing else depends on it.
            tracing::warn!(?failure, "the outcome of a sign-in could not be noted");
        }
        finished.map(|_| key)
    }

    /// Does `work`, and writes the note again from time to time: a duplicate in another process sees that
    /// somebody is at work.
    async fn beside<T>(&self, note: &mut Note, work: impl Future<Output = T>) -> T {
        let shared = &self.shared;
        let mut work = std::pin::pin!(work);
        loop {
            let renewal = shared
                .environment
                .sleep_until(shared.now().mono + shared.policy.renew_every);
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = renewal => {}
            }
            note.renewals = note.renewals.saturating_add(1);
            let written = {
                let mut write = std::pin::pin!(self.write(note, Outcome::Pending));
                tokio::select! {
                    biased;
                    // The outcome is written over whatever stands there then.
                    done = &mut work => return done,
                    written = &mut write => written,
                }
            };
            if let Ok(version) = written {
                note.version = version;
            }
        }
    }

    fn record(&self, attempt: AttemptId, outcome: Outcome, renewals: u32) -> StoredRecord {
        StoredRecord::UsedState(UsedState {
            attempt,
            outcome,
            code: Some(self.code.clone()),
            renewals,
            unknown: UnknownMembers::default(),
        })
    }

    /// Writes the note as it is now. Where a renewal was interrupted, the version is read anew.
    async fn write(&self, note: &Note, outcome: Outcome) -> Result<Version, SaveFailure> {
        let shared = &self.shared;
        let record = self.record(note.attempt, outcome, note.renewals);
        let expect = Expect::Version(note.version);
        let written = shared.write(&note.key, &record, note.expires, expect).await;
        if written != Err(SaveFailure::Conflict) {
            return written;
        }
        match shared.read(&note.key).await {
            Ok(Some(Found {
                record: StoredRecord::UsedState(used),
                version,
            })) if used.attempt == note.attempt => {
                let expect = Expect::Version(version);
                shared.write(&note.key, &record, note.expires, expect).await
            }
            _ => Err(SaveFailure::Conflict),
        }
    }

    /// Writes that the state is used. `None`: somebody has done so before.
    async fn use_state(
        &self,
        key: RecordKey,
        attempt: AttemptId,
        expires: Timestamp,
    ) -> Result<Option<Note>, SignInError> {
        let shared = &self.shared;
        let note = |version| Note {
            key,
            attempt,
            expires,
            version,
            renewals: 0,
        };
        // The semaphore is never closed.
        let _turn = shared.notes.acquire().await;
        let record = self.record(attempt, Outcome::Pending, 0);
        match shared.write(&key, &record, expires, Expect::Absent).await {
            Ok(version) => Ok(Some(note(version))),
            Err(SaveFailure::Conflict) => Ok(None),
            Err(SaveFailure::OutcomeUnknown) => match shared.read(&key).await {
                Ok(Some(Found {
                    record: StoredRecord::UsedState(used),
                    version,
                })) if used.attempt == attempt => Ok(Some(note(version))),
                Ok(Some(_)) => Ok(None),
                Ok(None) | Err(_) => Err(unavailable(Trouble::Store, None)),
            },
        }
    }

    /// Waits for what comes of the exchange that another process makes, or made; not for one that shows no
    /// sign of life.
    async fn outcome_of_other(&self, key: &RecordKey) -> Finished {
        let shared = &self.shared;
        let deadline = shared.now().mono + shared.call_timeout;
        let mut seen: Option<(Version, Duration)> = None;
        loop {
            let (used, version) = match shared.read(key).await {
                Ok(Some(Found {
                    record: StoredRecord::UsedState(used),
                    version,
                })) => (used, version),
                Ok(_) => return Err(SignInError::AlreadyUsed),
                Err(failure) => return Err(unavailable(read_trouble(failure), None)),
            };
            // Notes of the first version have no digest.
            if used.code.as_ref().is_some_and(|code| *code != self.code) {
                return Err(SignInError::AlreadyUsed);
            }
            let now = shared.now().mono;
            match used.outcome {
                Outcome::SignedIn { key, chain } => {
                    return still_signed_in(shared, GrantKey::new(key), chain).await;
                }
                Outcome::Failed => return Err(SignInError::AlreadyUsed),
                Outcome::Pending => {}
            }
            let since = match seen {
                Some((same, since)) if same == version => since,
                _ => {
                    seen = Some((version, now));
                    now
                }
            };
            let gone = now >= since + shared.policy.owner_silence;
            if gone || now >= deadline || lock(&shared.sights).is_abandoned(used.attempt) {
                return Err(SignInError::AlreadyUsed);
            }
            shared.sleep(POLL).await;
        }
    }

    /// One token request; a second one where the first cannot have been carried out, or where its answer
    /// was lost: the tokens of a lost answer are out of reach, so nothing is risked by asking again.
    async fn exchange_code(&self, request: Request<Bytes>) -> Result<TokenSet, SignInError> {
        match token_request(&self.shared, "authorization_code", request.clone()).await {
            Err(SignInError::Unavailable {
                trouble,
                retry_at: None,
            }) if is_worth_repeating(&trouble) => {
                self.shared.sleep(self.shared.policy.retry_first).await;
                token_request(&self.shared, "authorization_code", request).await
            }
            other => other,
        }
    }
}

fn is_worth_repeating(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Unreachable
            | Trouble::NoAnswer
            | Trouble::Refused {
                verdict: Verdict::BackOff { retry_after: None },
                ..
            }
    )
}

/// A sign-in whose outcome was noted is one only while its grant stands.
async fn still_signed_in(shared: &Shared, key: GrantKey, chain: ChainId) -> Finished {
    match shared.read(&key.record_key(&shared.app)).await {
        Ok(Some(Found {
            record: StoredRecord::Grant(grant),
            ..
        })) if grant.chain == chain && grant.pair().is_some() => Ok(key),
        Ok(_) => Err(SignInError::AlreadyUsed),
        Err(failure) => Err(unavailable(read_trouble(failure), None)),
    }
}

const fn read_trouble(failure: ReadFailure) -> Trouble {
    match failure {
        ReadFailure::Unavailable => Trouble::Store,
        ReadFailure::Unreadable => Trouble::Record,
    }
}
