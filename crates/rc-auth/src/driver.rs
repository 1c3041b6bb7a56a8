//! Carries out what a machine wants, in a task that belongs to no caller.
//!
//! One task per grant that has something to do, none for an idle one. A caller that goes away changes
//! nothing: what was sent is received, and what was received is saved.

use std::sync::Arc;

use rc_auth_core::{
    AuthLane, AuthRequest, Gate, Input, LoadFailure, Loaded, Now, Output, RecordState, Report,
    Secret,
};

use crate::{
    EventKind,
    record::StoredRecord,
    shared::{Found, ReadFailure, Shared, expect, fresh_entropy, held, lock},
    slot::Slot,
    telemetry,
};

/// Says that no driver runs any more, also when the driver panics.
struct Running<'a>(&'a Slot);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        lock(&self.0.inner).running = false;
    }
}

enum Step {
    Do(Output),
    SleepUntil(std::time::Duration),
}

pub(crate) async fn drive(slot: Arc<Slot>, shared: Arc<Shared>) {
    let guard = Running(&slot);
    loop {
        let Some(step) = next_step(&slot, &shared) else {
            // `running` was taken back under the lock that saw nothing to do.
            std::mem::forget(guard);
            return;
        };
        let input = match step {
            Step::Do(output) => perform(&slot, &shared, output).await,
            Step::SleepUntil(moment) => {
                tokio::select! {
                    () = shared.clock.sleep_until(moment) => {}
                    () = slot.wake.notified() => {}
                    () = shared.closing.cancelled(), if !unsaved(&slot) => {}
                }
                Some(Input::Timeout)
            }
        };
        if let Some(input) = input {
            let mut inner = lock(&slot.inner);
            let now = shared.now();
            if inner.machine.handle_input(input, now).is_err() {
                tracing::error!(record = ?slot.key, "a grant was given an answer it had not asked for");
            }
            slot.publish(&mut inner, &shared, now);
        }
    }
}

fn unsaved(slot: &Slot) -> bool {
    lock(&slot.inner).machine.holds_unsaved_pair()
}

/// What to do next; nothing when only time could change something and nobody waits for it. The intent in
/// the store has a due time then, and the next call or the sweeper goes on.
fn next_step(slot: &Slot, shared: &Shared) -> Option<Step> {
    let mut inner = lock(&slot.inner);
    if let Some(output) = inner.machine.poll_output() {
        return Some(Step::Do(output));
    }
    let worth_waiting = inner.machine.holds_unsaved_pair()
        || (slot.has_waiters() && !shared.closing.is_cancelled());
    match inner.machine.next_timeout() {
        Some(moment) if worth_waiting => Some(Step::SleepUntil(moment)),
        Some(_) | None => {
            inner.running = false;
            None
        }
    }
}

async fn perform(slot: &Arc<Slot>, shared: &Arc<Shared>, output: Output) -> Option<Input> {
    match output {
        Output::Load => Some(Input::Loaded(load(slot, shared).await)),
        Output::Save {
            record,
            due,
            expect: version,
        } => {
            let record = StoredRecord::Grant(*record);
            let saved = shared.write(&slot.key, &record, due, expect(version)).await;
            Some(Input::Saved(
                saved.map(|v| rc_auth_core::RecordVersion::new(*v.as_bytes())),
            ))
        }
        Output::AskGate => Some(Input::Gate(ask_gate(slot, shared))),
        Output::Send { request, timeout } => Some(Input::Answered(
            shared
                .send_token_request(AuthLane::Refresh, "refresh_token", *request, timeout)
                .await,
        )),
        Output::Revoke { token } => {
            revoke_orphan(shared, token);
            None
        }
        Output::Report(report) => {
            tell(slot, shared, report);
            None
        }
    }
}

async fn load(slot: &Slot, shared: &Shared) -> Result<Loaded, LoadFailure> {
    match shared.read(&slot.key).await {
        Ok(None) => Ok(Loaded {
            held: None,
            owner_gone: false,
        }),
        Ok(Some(Found {
            record: StoredRecord::Grant(record),
            version,
        })) => {
            let owner_gone = match &record.state {
                RecordState::Refreshing { intent, .. } => {
                    lock(&shared.abandoned).contains(&intent.attempt)
                }
                RecordState::Idle { .. }
                | RecordState::SignedOut { .. }
                | RecordState::Ended { .. } => false,
            };
            Ok(Loaded {
                held: Some(held(record, version)),
                owner_gone,
            })
        }
        Ok(Some(Found {
            record: StoredRecord::UsedState(_),
            ..
        }))
        | Err(ReadFailure::Unreadable) => Err(LoadFailure::Unreadable),
        Err(ReadFailure::Unavailable) => Err(LoadFailure::Unavailable),
    }
}

fn ask_gate(slot: &Slot, shared: &Shared) -> Gate {
    let now = shared.now();
    let Some(entropy) = fresh_entropy() else {
        tracing::error!("the operating system gives no random numbers");
        return Gate::ClosedUntil(now.mono + shared.policy.retry_first);
    };
    let request = AuthRequest::Refresh {
        access_token_lives: access_token_lives(slot, now),
    };
    match lock(&shared.gate).take_token_request(request, now.mono) {
        Ok(()) => Gate::Open(entropy),
        Err(until) => Gate::ClosedUntil(until),
    }
}

/// Whether callers can go on with what the grant has, so that a refresh can wait.
fn access_token_lives(slot: &Slot, now: Now) -> bool {
    let inner = lock(&slot.inner);
    let view = inner.machine.view(now);
    view.pair
        .is_some_and(|(pair, _)| !view.refused && now.wall < pair.access_expires_at())
}

/// A pair that arrived and belongs to nobody any more is revoked beside everything else. Tried once: it
/// is in no record, and dies by itself.
fn revoke_orphan(shared: &Arc<Shared>, token: Secret) {
    let shared = shared.clone();
    shared.tasks.clone().spawn(async move {
        shared.revoke(&token).await;
    });
}

fn tell(slot: &Slot, shared: &Shared, report: Report) {
    let record = slot.key;
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
    shared.emit(record, kind);
}
