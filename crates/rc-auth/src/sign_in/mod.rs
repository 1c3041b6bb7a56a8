//! The end of a sign-in: from a checked callback to a saved grant, in a task of its own.

pub(crate) mod options;
mod saving;
mod token_request;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use rc_auth_core::{
    AttemptId, ChainId, CodeExchange, SaveFailure, Secret, Timestamp, TokenSet, Trouble,
    UnknownMembers, Verdict,
};
use rc_store::{Expect, RecordKey, Version};

use self::{
    saving::save_grant,
    token_request::{token_request, unavailable},
};
use crate::{
    error::SignInError,
    key::{GrantKey, state_record_key},
    records::{CodeDigest, Found, Outcome, ReadFailure, StoredRecord, UsedState},
    state::{
        ClientState,
        sign_ins::{Finished, Joined},
    },
};

/// How often the record of an exchange in another process is read.
const POLL: Duration = Duration::from_millis(100);

/// Finishes a sign-in, or joins the one that is finishing it.
pub(crate) async fn finish(
    client: &Arc<ClientState>,
    key: GrantKey,
    label: Option<String>,
    exchange: CodeExchange,
    request: Request<Bytes>,
) -> Finished {
    let code = CodeDigest::new(exchange.code_digest());
    let mut outcome = match client.sign_ins.join(exchange.state_digest(), &code) {
        Joined::Same(outcome) => outcome,
        Joined::OtherCode => return Err(SignInError::AlreadyUsed),
        Joined::First(entry) => {
            let outcome = entry.done.subscribe();
            let task = SignInTask {
                client: client.clone(),
                state: exchange.state_digest(),
                code,
                label,
            };
            client.tasks.spawn("sign-in", async move {
                let finished = task.run(key, &exchange, request).await;
                entry.done.send_replace(Some(finished));
            });
            outcome
        }
    };
    match outcome.wait_for(Option::is_some).await {
        Ok(finished) => finished.clone().unwrap_or(Err(SignInError::AlreadyUsed)),
        // The task is gone without a word: it panicked.
        Err(_) => Err(unavailable(Trouble::NoAnswer, None)),
    }
}

/// Signs in with a personal JWT, in a task of its own.
pub(crate) async fn with_jwt(
    client: &Arc<ClientState>,
    key: GrantKey,
    personal_jwt: Secret,
) -> Finished {
    const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let request = rc_auth_core::jwt_request(&client.platform.app, &personal_jwt);
    let work = {
        let client = client.clone();
        async move {
            let tokens = token_request(&client, JWT, request).await?;
            let saved = save_grant(&client, &key, None, tokens).await;
            saved.map(|_| key)
        }
    };
    let finished = client.tasks.run("sign-in", work).await;
    finished.unwrap_or_else(|_| Err(unavailable(Trouble::NoAnswer, None)))
}

/// Exchanges one code.
struct SignInTask {
    client: Arc<ClientState>,
    state: [u8; 32],
    code: CodeDigest,
    /// What the application calls the browser.
    label: Option<String>,
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
        let client = &self.client;
        let record_key = state_record_key(&client.platform.app, &self.state);
        let attempt = AttemptId::new(client.draw().map_err(|_| SignInError::Entropy)?);
        let expires = exchange.expires_at();
        let Some(mut note) = self.use_state(record_key, attempt, expires).await? else {
            return self.outcome_of_other(&record_key).await;
        };
        let work = async {
            let tokens = self.exchange_code(request).await?;
            save_grant(client, &key, self.label.as_deref(), tokens).await
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
        let client = &self.client;
        let mut work = std::pin::pin!(work);
        loop {
            let renewal = client
                .environment
                .sleep_until(client.now().mono + client.policy.renew_every);
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
        let client = &self.client;
        let record = self.record(note.attempt, outcome, note.renewals);
        let expect = Expect::Version(note.version);
        let written = client
            .records
            .write(&note.key, &record, note.expires, expect)
            .await;
        if written != Err(SaveFailure::Conflict) {
            return written;
        }
        match client.records.read(&note.key).await {
            Ok(Some(Found {
                record: StoredRecord::UsedState(used),
                version,
            })) if used.attempt == note.attempt => {
                let expect = Expect::Version(version);
                client
                    .records
                    .write(&note.key, &record, note.expires, expect)
                    .await
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
        let client = &self.client;
        let note = |version| Note {
            key,
            attempt,
            expires,
            version,
            renewals: 0,
        };
        // The semaphore is never closed.
        let _turn = client.notes.acquire().await;
        let record = self.record(attempt, Outcome::Pending, 0);
        match client
            .records
            .write(&key, &record, expires, Expect::Absent)
            .await
        {
            Ok(version) => Ok(Some(note(version))),
            Err(SaveFailure::Conflict) => Ok(None),
            Err(SaveFailure::OutcomeUnknown) => match client.records.read(&key).await {
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
        let client = &self.client;
        let deadline = client.now().mono + client.call_timeout;
        let mut seen: Option<(Version, Duration)> = None;
        loop {
            let (used, version) = match client.records.read(key).await {
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
            let now = client.now().mono;
            match used.outcome {
                Outcome::SignedIn { key, chain } => {
                    return still_signed_in(client, GrantKey::new(key), chain).await;
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
            let gone = now >= since + client.policy.owner_silence;
            if gone || now >= deadline || client.live.intents().is_abandoned(used.attempt) {
                return Err(SignInError::AlreadyUsed);
            }
            client.sleep(POLL).await;
        }
    }

    /// One token request; a second one where the first cannot have been carried out, or where its answer
    /// was lost: the tokens of a lost answer are out of reach, so nothing is risked by asking again.
    async fn exchange_code(&self, request: Request<Bytes>) -> Result<TokenSet, SignInError> {
        match token_request(&self.client, "authorization_code", request.clone()).await {
            Err(SignInError::Unavailable {
                trouble,
                retry_at: None,
            }) if is_worth_repeating(&trouble) => {
                self.client.sleep(self.client.policy.retry_first).await;
                token_request(&self.client, "authorization_code", request).await
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
async fn still_signed_in(client: &ClientState, key: GrantKey, chain: ChainId) -> Finished {
    match client
        .records
        .read(&key.record_key(&client.platform.app))
        .await
    {
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
