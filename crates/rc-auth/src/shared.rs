//! What all grants of a client share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use rc_auth_core::{
    App, AuthLane, Endpoint, Entropy, Held, Now, RateGate, RecordVersion, RefreshPolicy, Refusal,
    Reply, SaveFailure, Timestamp, Verdict,
};
use rc_http::{Delivery, HttpClient, Incoming, Outgoing, TransportError};
use rc_store::{DueAt, Expect, RecordKey, StoreError, TokenStore, Version};
use tokio::sync::{Semaphore, broadcast};

use crate::{
    Environment, Event, EventKind, NoRandomness,
    key::KeyHashers,
    platform_time::PlatformTime,
    record::{self, StoredRecord},
    sights::Sights,
    sign_in::SignIns,
    slot::Slot,
    slots::Slots,
    sweep::Care,
    tasks::{Tasks, guarded},
    telemetry::{self, TokenOutcome},
};

/// A token answer is some thousand bytes; what is read here has to fit into a record of 64 KiB.
const MAX_TOKEN_ANSWER: usize = 32 * 1024;
/// How many notes about used states are written at once, so that a flood of callbacks does not keep
/// refreshes from the store.
const NOTES_AT_ONCE: usize = 8;
/// A record that cannot be opened is logged once in this time, however often it is looked at.
const LOG_UNREADABLE_EVERY: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) policy: Arc<RefreshPolicy>,
    pub(crate) store: Arc<dyn TokenStore>,
    /// Sends calls of the API, on their callers' runtimes.
    pub(crate) http: Arc<dyn HttpClient>,
    /// Sends requests to the OAuth endpoints, in this client's tasks only: no connection of it belongs to
    /// a runtime that may end in the middle of an exchange.
    pub(crate) oauth_http: Arc<dyn HttpClient>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) gate: Mutex<RateGate>,
    pub(crate) slots: Slots,
    pub(crate) sign_ins: SignIns,
    pub(crate) notes: Semaphore,
    pub(crate) sights: Mutex<Sights>,
    pub(crate) care: Care,
    pub(crate) tasks: Tasks,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) platform_time: Mutex<PlatformTime>,
    /// Mixed with each record's key into the seed of its machine's delays.
    pub(crate) seed: u64,
    unreadable: Mutex<BTreeMap<RecordKey, Duration>>,
}

/// What a client is built from.
pub(crate) struct Parts {
    pub(crate) app: App,
    pub(crate) policy: RefreshPolicy,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) oauth_http: Arc<dyn HttpClient>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) live_grants: usize,
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
    pub(crate) fn new(parts: Parts) -> Result<Self, NoRandomness> {
        let Parts {
            app,
            policy,
            store,
            http,
            oauth_http,
            environment,
            call_timeout,
            max_body,
            live_grants,
        } = parts;
        let mut seed = [0; 8];
        environment.fill(&mut seed)?;
        let seed = u64::from_le_bytes(seed);
        let (events, _) = broadcast::channel(1024);
        Ok(Self {
            app: Arc::new(app),
            gate: Mutex::new(RateGate::new(policy.budget)),
            policy: Arc::new(policy),
            store,
            http,
            oauth_http,
            call_timeout,
            max_body,
            slots: Slots::new(live_grants, KeyHashers::new(seed)),
            sign_ins: SignIns::default(),
            notes: Semaphore::new(NOTES_AT_ONCE),
            sights: Mutex::new(Sights::default()),
            care: Care::default(),
            tasks: Tasks::new(environment.clone()),
            environment,
            events,
            platform_time: Mutex::new(PlatformTime::default()),
            seed,
            unreadable: Mutex::new(BTreeMap::new()),
        })
    }

    pub(crate) fn now(&self) -> Now {
        self.environment.now()
    }

    /// Random bytes for one use.
    pub(crate) fn draw<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.environment.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// When somebody who begins to wait now gives up (monotonic).
    pub(crate) fn deadline(&self) -> Duration {
        self.now().mono + self.call_timeout
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.environment.sleep_until(self.now().mono + time).await;
    }

    /// The slot of a record.
    pub(crate) fn slot(&self, key: RecordKey) -> Arc<Slot> {
        self.slots.get_or_make(key, || Slot::new(key, self))
    }

    /// The seed of the delays of one grant's machine.
    pub(crate) fn seed_of(&self, key: &RecordKey) -> Entropy<8> {
        let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
        let seed = self.seed ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Entropy::new(seed.to_le_bytes())
    }

    pub(crate) fn emit(&self, record: RecordKey, kind: EventKind) {
        // Nobody listening is no error.
        let _ = self.events.send(Event { record, kind });
    }

    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Option<Found>, ReadFailure> {
        let stored = match guarded(async { self.store.load(key).await }).await {
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(stored))) => stored,
            Ok(Err(StoreError::Corrupt(error))) => {
                self.log_unreadable(key, &StoreError::Corrupt(error));
                return Err(ReadFailure::Unreadable);
            }
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be read");
                return Err(ReadFailure::Unavailable);
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it read a record");
                return Err(ReadFailure::Unavailable);
            }
        };
        match record::decode(&stored.payload) {
            Ok(record) => {
                lock(&self.unreadable).remove(key);
                Ok(Some(Found {
                    record,
                    version: stored.version,
                }))
            }
            Err(error) => {
                self.log_unreadable(key, &error);
                Err(ReadFailure::Unreadable)
            }
        }
    }

    /// Says once in a while that a record cannot be opened: every sweep looks at it again.
    fn log_unreadable(&self, key: &RecordKey, error: &(dyn std::error::Error + 'static)) {
        const MOST: usize = 1000;
        let now = self.now().mono;
        let mut logged = lock(&self.unreadable);
        logged.retain(|_, at| now.saturating_sub(*at) < LOG_UNREADABLE_EVERY);
        if !logged.contains_key(key) && logged.len() < MOST {
            logged.insert(*key, now);
            tracing::error!(record = ?key, error = %ErrorChain(error), "a stored record cannot be opened");
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
        let saved = async { self.store.save(key, &payload, Some(due), expect).await };
        match guarded(saved).await {
            Ok(Ok(version)) => Ok(version),
            Ok(Err(StoreError::Conflict)) => Err(SaveFailure::Conflict),
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be saved");
                Err(SaveFailure::OutcomeUnknown)
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it saved a record");
                Err(SaveFailure::OutcomeUnknown)
            }
        }
    }

    pub(crate) async fn delete(&self, key: &RecordKey, expect: Version) {
        match guarded(async { self.store.delete(key, expect).await }).await {
            // A conflict: somebody else has dealt with it.
            Ok(Ok(()) | Err(StoreError::Conflict)) => {}
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be deleted; the sweeper will");
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it deleted a record");
            }
        }
    }

    /// The versions of these records; `None` when the store does not answer.
    pub(crate) async fn versions(&self, keys: &[RecordKey]) -> Option<Vec<Option<Version>>> {
        match guarded(async { self.store.versions(keys).await }).await {
            Ok(Ok(versions)) => Some(versions),
            Ok(Err(error)) => {
                tracing::debug!(error = %ErrorChain(&error), "versions could not be read");
                None
            }
            Err(_) => {
                tracing::error!("the store panicked while it read versions");
                None
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
        let sent = guarded(self.send_to_auth(lane, request, timeout)).await;
        let took = self.now().mono.saturating_sub(began);
        let (outcome, reply) = match sent {
            Err(_) => {
                tracing::error!(grant_type, "the transport panicked during a token request");
                (TokenOutcome::NoAnswer, Reply::MaybeSent)
            }
            Ok(Ok(incoming)) => {
                let ok = incoming.status.is_success();
                let outcome = if ok {
                    TokenOutcome::Ok
                } else {
                    TokenOutcome::Refused
                };
                (outcome, Reply::Response(response(incoming)))
            }
            Ok(Err(error)) => {
                tracing::warn!(grant_type, error = %ErrorChain(&error), "a token request got no answer");
                match error.delivery() {
                    Delivery::NotSent => (TokenOutcome::NotSent, Reply::NotSent),
                    Delivery::MaybeSent => (TokenOutcome::NoAnswer, Reply::MaybeSent),
                }
            }
        };
        telemetry::token_request(grant_type, outcome, took);
        reply
    }

    pub(crate) async fn send_to_auth(
        &self,
        lane: AuthLane,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Incoming, TransportError> {
        let outgoing = Outgoing::new(request)
            .deadline(timeout)
            .max_body(MAX_TOKEN_ANSWER);
        let incoming = self.oauth_http.send(outgoing).await?;
        let now = self.now().mono;
        self.learn_time(&incoming.headers);
        if is_rate_limit(&incoming) {
            lock(&self.gate).observe_auth(lane, incoming.status, &incoming.headers, now);
        }
        Ok(incoming)
    }
}

pub(crate) fn response(incoming: Incoming) -> http::Response<Bytes> {
    let mut response = http::Response::new(incoming.body);
    *response.status_mut() = incoming.status;
    *response.headers_mut() = incoming.headers;
    response
}

/// Whether an answer says that a limit is used up. A 429 may also say that the same request is being
/// carried out already, which is nothing to the others.
fn is_rate_limit(incoming: &Incoming) -> bool {
    if incoming.status != http::StatusCode::TOO_MANY_REQUESTS {
        return false;
    }
    let mut answer = http::Response::new(incoming.body.clone());
    *answer.status_mut() = incoming.status;
    let verdict = Refusal::from_response(&answer).verdict(Endpoint::Token);
    matches!(verdict, Verdict::Wait { .. })
}

/// An error with its causes, on one line.
pub(crate) struct ErrorChain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for ErrorChain<'_> {
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

/// Sign-ins in the air, by the digest of their state.
pub(crate) type ByState<T> = BTreeMap<[u8; 32], T>;
