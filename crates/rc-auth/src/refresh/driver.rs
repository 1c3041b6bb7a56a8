//! Carries out what a machine wants, in a task that belongs to no caller.
//!
//! One task per grant that has something to do, none for an idle one. A caller that goes away changes
//! nothing: what was sent is received, and what was received is saved.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use rc_auth_core::{
    AuthLane, AuthRequest, ChainId, Entropy, Gate, GrantRecord, Input, LoadFailure, Loaded, Output,
    RecordState, RecordVersion, Reply, Report, Urgency,
};
use rc_http::BoxFuture;

use crate::{
    event::EventKind,
    live::LiveGrant,
    owner_index,
    records::{Found, ReadFailure, StoredRecord, expect, held},
    revocation,
    state::ClientState,
    tasks::{guarded, lock},
    telemetry,
};

/// The pause after a driver panicked, before the grant goes on from its record.
const AFTER_PANIC: Duration = Duration::from_millis(500);

enum Step {
    Do(Output),
    /// Nothing before this moment (monotonic), if there is one.
    Wait(Option<Duration>),
}

/// A token request that is out, beside everything else that the driver does.
enum Flight {
    None,
    Out(BoxFuture<'static, Reply>),
    Landed(Reply),
}

impl Flight {
    /// Ends when the answer is here.
    async fn land(&mut self) {
        if let Self::Out(request) = self {
            *self = Self::Landed(request.await);
        }
        if matches!(self, Self::None) {
            std::future::pending::<()>().await;
        }
    }

    /// Does `work` while the request goes on.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        while matches!(self, Self::Out(_)) {
            tokio::select! {
                biased;
                () = self.land() => {}
                done = &mut work => return done,
            }
        }
        work.await
    }

    fn take_answer(&mut self) -> Option<Input> {
        match std::mem::replace(self, Self::None) {
            Self::Landed(reply) => Some(Input::Answered(reply)),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// Drives the machine until it has nothing to do; after a panic the grant goes on from its record.
pub(crate) async fn run(live: Arc<LiveGrant>, client: Arc<ClientState>) {
    if guarded(drive(&live, &client)).await.is_ok() {
        return;
    }
    tracing::error!(record = ?live.key, "the driver of a grant panicked; it goes on from its record");
    client.sleep(AFTER_PANIC).await;
    live.start_anew(client.now());
}

async fn drive(live: &Arc<LiveGrant>, client: &Arc<ClientState>) {
    let mut flight = Flight::None;
    loop {
        let Some(step) = next_step(live, client, &flight) else {
            return;
        };
        let input = match step {
            Step::Do(Output::Send { request, timeout }) => {
                let client = client.clone();
                flight = Flight::Out(Box::pin(async move {
                    client
                        .platform
                        .send_token_request(AuthLane::Refresh, "refresh_token", *request, timeout)
                        .await
                }));
                None
            }
            Step::Do(output) => flight.beside(perform(live, client, output)).await,
            Step::Wait(until) => {
                wait(live, client, &mut flight, until).await;
                Some(flight.take_answer().unwrap_or(Input::Timeout))
            }
        };
        if let Some(input) = input {
            let mut inner = live.lock();
            live.handle(&mut inner, input, client.now());
        }
    }
}

async fn wait(
    live: &LiveGrant,
    client: &ClientState,
    flight: &mut Flight,
    until: Option<Duration>,
) {
    let timer = async {
        match until {
            Some(until) => client.environment.sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let may_stop = matches!(flight, Flight::None) && !unsaved(live);
    tokio::select! {
        biased;
        () = flight.land() => {}
        () = live.wake.notified() => {}
        () = client.tasks.closing.cancelled(), if may_stop => {}
        () = timer => {}
    }
}

fn unsaved(live: &LiveGrant) -> bool {
    live.machine(&mut live.lock()).holds_unsaved_pair()
}

/// What to do next; nothing when only time could change something and nobody counts on this process. The
/// next call or the sweeper goes on then.
fn next_step(live: &LiveGrant, client: &ClientState, flight: &Flight) -> Option<Step> {
    let mut inner = live.lock();
    let has_waiters = inner.has_waiters();
    let machine = live.machine(&mut inner);
    if let Some(output) = machine.poll_output() {
        return Some(Step::Do(output));
    }
    let timeout = machine.next_timeout();
    if !matches!(flight, Flight::None) {
        return Some(Step::Wait(timeout));
    }
    let closing = client.tasks.closing.is_cancelled();
    let worth_waiting = machine.holds_unsaved_pair()
        || (!closing
            && (has_waiters || machine.owns_an_intent() || machine.shows_what_is_doubted()));
    match timeout {
        Some(moment) if worth_waiting => Some(Step::Wait(Some(moment))),
        Some(_) | None => {
            inner.running = false;
            live.rest(&mut inner);
            None
        }
    }
}

async fn perform(
    live: &Arc<LiveGrant>,
    client: &Arc<ClientState>,
    output: Output,
) -> Option<Input> {
    match output {
        Output::Load => Some(Input::Loaded(load(live, client).await)),
        Output::Save {
            record,
            due,
            expect: version,
        } => {
            let ended = ended_sign_in(live, client, &record);
            let record = StoredRecord::Grant(*record);
            let saved = client
                .records
                .write(&live.key, &record, due, expect(version))
                .await;
            if let Some((owner_id, chain)) = ended.filter(|_| saved.is_ok()) {
                owner_index::leave_later(client, &owner_id, live.key, chain);
            }
            Some(Input::Saved(
                saved.map(|version| RecordVersion::new(*version.as_bytes())),
            ))
        }
        Output::AskGate { urgency } => Some(Input::Gate(ask_gate(client, urgency))),
        // Taken out before: it goes on beside everything else.
        Output::Send { .. } => None,
        Output::Revoke { token } => {
            let work = revocation::of_orphan(client.clone(), token);
            client.tasks.spawn("revocation", work);
            None
        }
        Output::Report(report) => {
            tell(live, client, report);
            None
        }
    }
}

/// The owner and the chain of a grant whose end is about to be written.
fn ended_sign_in(
    live: &LiveGrant,
    client: &ClientState,
    record: &GrantRecord,
) -> Option<(String, ChainId)> {
    if !matches!(record.state, RecordState::Ended { .. }) {
        return None;
    }
    let mut inner = live.lock();
    let (pair, id) = live.machine(&mut inner).view(client.now()).pair?;
    let owner_id = pair.owner_id().filter(|_| id.chain == record.chain)?;
    Some((owner_id.to_owned(), id.chain))
}

async fn load(live: &LiveGrant, client: &ClientState) -> Result<Loaded, LoadFailure> {
    let handed = live.lock().handed.take();
    let read = match handed {
        Some(found) => Ok(Some(*found)),
        None => client.records.read(&live.key).await,
    };
    match read {
        Ok(None) => {
            client.live.intents().forget(&live.key);
            Ok(Loaded {
                held: None,
                silent_for: Duration::ZERO,
            })
        }
        Ok(Some(Found {
            record: StoredRecord::Grant(record),
            version,
        })) => {
            let now = client.now();
            let mut intents = client.live.intents();
            let silent_for = match &record.state {
                RecordState::Refreshing { intent, .. } => {
                    intents.note(live.key, version, intent, &client.policy, now)
                }
                RecordState::Idle { .. }
                | RecordState::SignedOut { .. }
                | RecordState::Ended { .. } => {
                    intents.forget(&live.key);
                    Duration::ZERO
                }
            };
            Ok(Loaded {
                held: Some(Box::new(held(record, version))),
                silent_for,
            })
        }
        Ok(Some(Found {
            record: StoredRecord::UsedState(_) | StoredRecord::Mark(_) | StoredRecord::OwnerIndex(_),
            ..
        }))
        | Err(ReadFailure::Unreadable) => Err(LoadFailure::Unreadable),
        Err(ReadFailure::Unavailable) => Err(LoadFailure::Unavailable),
    }
}

fn ask_gate(client: &ClientState, urgency: Urgency) -> Gate {
    let now = client.now().mono;
    let Ok(entropy) = client.draw() else {
        tracing::error!("the operating system gives no random numbers");
        return Gate::ClosedUntil(now + client.policy.retry_first);
    };
    let request = AuthRequest::Refresh {
        access_token_lives: urgency == Urgency::Background,
    };
    // The last chance to get a pair that is lost otherwise asks no limit.
    if urgency == Urgency::LastChance {
        return Gate::Open(Entropy::new(entropy));
    }
    match lock(&client.platform.auth_gate).take(request, now) {
        Ok(()) => Gate::Open(Entropy::new(entropy)),
        Err(until) => Gate::ClosedUntil(until),
    }
}

fn tell(live: &LiveGrant, client: &ClientState, report: Report) {
    let record = live.key;
    let kind = match report {
        Report::Refreshed {
            generation,
            failures,
        } => {
            tracing::info!(?record, %generation, failures, "refreshed");
            if failures > 0 {
                telemetry::recovered();
            }
            EventKind::Refreshed {
                generation,
                failures,
            }
        }
        Report::Adopted { generation } => {
            tracing::debug!(?record, %generation, "adopted a pair of another process");
            EventKind::Adopted { generation }
        }
        Report::TakenOver => {
            tracing::info!(?record, "took over an unfinished refresh");
            telemetry::recovered();
            EventKind::TakenOver
        }
        Report::Conflict => {
            telemetry::conflict();
            return;
        }
        Report::Delayed { trouble } => {
            tracing::warn!(?record, %trouble, "a refresh has to wait; the sign-in is kept");
            EventKind::Delayed { trouble }
        }
        Report::Ended { reason } => {
            tracing::warn!(?record, reason = reason.explanation(), "a grant is over");
            telemetry::ended(reason);
            EventKind::Ended { reason }
        }
        _ => return,
    };
    client.emit(record, kind);
}
