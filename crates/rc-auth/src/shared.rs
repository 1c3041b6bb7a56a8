//! What all grants of a client share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use quick_cache::sync::Cache;
use rc_auth_core::{
    App, AttemptId, AuthLane, AuthRequest, Entropy, Held, Now, RateGate, RecordVersion,
    RefreshPolicy, Reply, SaveFailure, Secret, Timestamp,
};
use rc_http::{Delivery, HttpClient, Incoming, Outgoing, TransportError};
use rc_store::{DueAt, Expect, RecordKey, StoreError, TokenStore, Version};
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Clock, Event, EventKind, entropy,
    record::{self, StoredRecord},
    sign_in::SignIns,
    slot::Slot,
    telemetry::{self, TokenOutcome},
};

/// A token answer is some thousand bytes; what is read here has to fit into a record of 64 KiB.
const MAX_TOKEN_ANSWER: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) policy: Arc<RefreshPolicy>,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) gate: Mutex<RateGate>,
    pub(crate) slots: Cache<RecordKey, Arc<Slot>>,
    pub(crate) sign_ins: SignIns,
    /// Attempts of processes that are known to exist no longer.
    pub(crate) abandoned: Mutex<HashSet<AttemptId>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
    pub(crate) events: broadcast::Sender<Event>,
    /// Mixed with each record's key into the seed of its machine's delays.
    pub(crate) seed: u64,
}

/// A record as it was read, with the version that a write has to expect.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: StoredRecord,
    pub(crate) version: Version,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadFailure {
    Unavailable,
    Unreadable,
}

/// A lock that a panic elsewhere does not make unusable: what it guards is whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// The slot of a record. Two may exist for a while when one was evicted in use: the store keeps
    /// them from doing harm, as it does two processes.
    pub(crate) fn slot(&self, key: RecordKey) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(&key) {
            return slot;
        }
        let made = || {
            let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
            let seed = self.seed ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let seed = Entropy::new(seed.to_le_bytes());
            Ok::<_, std::convert::Infallible>(Arc::new(Slot::new(
                key,
                self.app.clone(),
                self.policy.clone(),
                &seed,
            )))
        };
        match self.slots.get_or_insert_with(&key, made) {
            Ok(slot) => slot,
            Err(never) => match never {},
        }
    }

    pub(crate) fn emit(&self, record: RecordKey, kind: EventKind) {
        // Nobody listening is no error.
        let _ = self.events.send(Event { record, kind });
    }

    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Option<Found>, ReadFailure> {
        let stored = match self.store.load(key).await {
            Ok(None) => return Ok(None),
            Ok(Some(stored)) => stored,
            Err(error) => return Err(read_failure(key, &error)),
        };
        match record::decode(&stored.payload) {
            Ok(record) => Ok(Some(Found {
                record,
                version: stored.version,
            })),
            Err(error) => {
                tracing::error!(record = ?key, %error, "a stored record cannot be understood");
                Err(ReadFailure::Unreadable)
            }
        }
    }

    pub(crate) async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        due: Timestamp,
        expect: Expect,
    ) -> Result<Version, SaveFailure> {
        let payload = record::encode(record);
        let due = DueAt::from_unix_millis(due.unix_millis());
        self.store.save(key, &payload, Some(due), expect).await.map_err(|error| {
            if matches!(error, StoreError::Conflict) {
                return SaveFailure::Conflict;
            }
            tracing::warn!(record = ?key, error = %Chain(&error), "a record could not be saved");
            SaveFailure::OutcomeUnknown
        })
    }

    pub(crate) async fn delete(&self, key: &RecordKey, expect: Version) {
        match self.store.delete(key, expect).await {
            // A conflict: somebody else has dealt with it.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(record = ?key, error = %Chain(&error), "a record could not be deleted; the sweeper will");
            }
        }
    }

    /// Sends a request to the token endpoint, once.
    pub(crate) async fn send_token_request(
        &self,
        lane: AuthLane,
        grant_type: &'static str,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Reply {
        let began = self.now().mono;
        let sent = self.send_to_auth(lane, request, timeout).await;
        let took = self.now().mono.saturating_sub(began);
        let (outcome, reply) = match sent {
            Ok(incoming) => {
                let ok = incoming.status.is_success();
                let outcome = if ok {
                    TokenOutcome::Ok
                } else {
                    TokenOutcome::Refused
                };
                (outcome, Reply::Response(response(incoming)))
            }
            Err(error) => {
                tracing::warn!(grant_type, error = %Chain(&error), "a token request got no answer");
                match error.delivery() {
                    Delivery::NotSent => (TokenOutcome::NotSent, Reply::NotSent),
                    Delivery::MaybeSent => (TokenOutcome::NoAnswer, Reply::MaybeSent),
                }
            }
        };
        telemetry::token_request(grant_type, outcome, took);
        reply
    }

    /// Revokes the chain of a token. `true`: the platform has answered that it is dead, or that it will
    /// not talk about it, so that asking again is pointless.
    pub(crate) async fn revoke(&self, token: &Secret) -> bool {
        let now = self.now().mono;
        let request = rc_auth_core::revocation_request(&self.app, token);
        let open = lock(&self.gate)
            .take_token_request(AuthRequest::Revoke, now)
            .is_ok();
        let sent = if open {
            Some(
                self.send_to_auth(AuthLane::Revoke, request, self.policy.request_timeout)
                    .await,
            )
        } else {
            None
        };
        let settled = match sent {
            Some(Ok(incoming)) => {
                let status = incoming.status;
                if !status.is_success() {
                    tracing::warn!(
                        status = status.as_u16(),
                        "the platform refused a revocation"
                    );
                }
                status.is_success() || (status.is_client_error() && status.as_u16() != 429)
            }
            Some(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "a revocation got no answer");
                false
            }
            None => false,
        };
        telemetry::revocation(settled);
        settled
    }

    async fn send_to_auth(
        &self,
        lane: AuthLane,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Incoming, TransportError> {
        let outgoing = Outgoing::new(request)
            .deadline(timeout)
            .max_body(MAX_TOKEN_ANSWER);
        let incoming = self.http.send(outgoing).await?;
        let now = self.now().mono;
        lock(&self.gate).observe_auth(lane, incoming.status, &incoming.headers, now);
        Ok(incoming)
    }
}

fn read_failure(key: &RecordKey, error: &StoreError) -> ReadFailure {
    tracing::warn!(record = ?key, error = %Chain(error), "a record could not be read");
    if matches!(error, StoreError::Corrupt(_)) {
        ReadFailure::Unreadable
    } else {
        ReadFailure::Unavailable
    }
}

fn response(incoming: Incoming) -> http::Response<Bytes> {
    let mut response = http::Response::new(incoming.body);
    *response.status_mut() = incoming.status;
    *response.headers_mut() = incoming.headers;
    response
}

/// An error with its causes, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

pub(crate) fn held(record: rc_auth_core::GrantRecord, version: Version) -> Held {
    Held {
        record,
        version: RecordVersion::new(*version.as_bytes()),
    }
}

pub(crate) fn expect(version: RecordVersion) -> Expect {
    Expect::Version(Version::new(*version.as_bytes()))
}

pub(crate) fn fresh_entropy<const N: usize>() -> Option<Entropy<N>> {
    entropy::draw().map(Entropy::new).ok()
}

/// Sign-ins in the air, by the digest of their state.
pub(crate) type ByState<T> = HashMap<[u8; 32], T>;
