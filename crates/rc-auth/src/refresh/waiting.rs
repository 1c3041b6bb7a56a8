//! Waiting for a grant: for a token that may be used, or for what is known of it.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{
    EndReason, Input, Now, PairId, Phase, RecordVersion, Timestamp, Trouble, View, Want,
};

use super::driver;
use crate::{
    error::GrantError,
    live::{Inner, LiveGrant, TokenState, UsableToken},
    records::Found,
    state::ClientState,
    telemetry,
};

/// What somebody waits for.
#[derive(Clone, Copy)]
pub(crate) struct WaitLimit {
    /// Only a newer pair will do: this one was refused, or a refresh was asked for.
    pub(crate) newer_than: Option<PairId>,
    /// From when on nobody waits any longer (monotonic).
    pub(crate) deadline: Duration,
}

/// Gives the grant something from outside, and sees that somebody carries out what it wants.
pub(crate) fn input(client: &Arc<ClientState>, live: &Arc<LiveGrant>, input: Input) {
    input_locked(client, live, &mut live.lock(), input);
}

/// Has a grant of which nothing is known yet begin with a record that its caller has just read. Others read it
/// anew. `true`: it was handed over.
pub(crate) fn hand(client: &Arc<ClientState>, live: &Arc<LiveGrant>, found: Found) -> bool {
    let mut inner = live.lock();
    let version = RecordVersion::new(*found.version.as_bytes());
    let is_first = inner.would_read(version);
    if is_first {
        inner.handed = Some(Box::new(found));
        input_locked(client, live, &mut inner, Input::Want(Want::Care));
    } else {
        input_locked(client, live, &mut inner, Input::Changed);
    }
    is_first
}

fn input_locked(client: &Arc<ClientState>, live: &Arc<LiveGrant>, inner: &mut Inner, input: Input) {
    live.handle(inner, input, client.now());
    if inner.running {
        live.wake.notify_one();
        return;
    }
    let machine = live.machine(inner);
    if machine.has_output() || machine.next_timeout().is_some() {
        inner.running = true;
        client
            .tasks
            .spawn("refresh", driver::run(live.clone(), client.clone()));
    } else {
        live.rest(inner);
    }
}

/// The access token that is there, if it may be used: what nearly every call needs, by one atomic load.
pub(crate) fn fresh(
    client: &Arc<ClientState>,
    live: &Arc<LiveGrant>,
    newer_than: Option<PairId>,
    wall: Timestamp,
) -> Option<Arc<UsableToken>> {
    let usable = live.usable(newer_than)?;
    if wall < usable.quiet_until {
        return Some(usable);
    }
    if wall >= usable.mandatory_at {
        return None;
    }
    input(client, live, Input::Want(Want::Usable));
    Some(usable)
}

/// Waits for an access token for one call.
pub(crate) async fn token(
    client: &Arc<ClientState>,
    live: &Arc<LiveGrant>,
    newer_than: Option<PairId>,
    deadline: Duration,
) -> Result<Arc<UsableToken>, GrantError> {
    let began = client.now().mono;
    let limit = WaitLimit {
        newer_than,
        deadline,
    };
    // By name: a machine that was replaced after a panic does not know that the pair was refused.
    let want = newer_than.map_or(Want::Usable, Want::NewerThan);
    let result = wait(client, live, limit, want).await;
    telemetry::token_wait(client.now().mono.saturating_sub(began));
    result
}

/// Somebody uses the grant without a call.
pub(crate) fn note_use(client: &Arc<ClientState>, live: &Arc<LiveGrant>) {
    let wall = client.environment.wall();
    let usable = live.usable(None);
    if usable
        .as_ref()
        .is_none_or(|usable| wall >= usable.quiet_until)
    {
        input(client, live, Input::Want(Want::Usable));
    }
}

/// Waits for an access token, and for everything that stands between.
pub(crate) async fn wait(
    client: &Arc<ClientState>,
    live: &Arc<LiveGrant>,
    limit: WaitLimit,
    want: Want,
) -> Result<Arc<UsableToken>, GrantError> {
    // Subscribed before the first look, so that nothing between look and wait is missed.
    let mut moved = live.subscribe();
    let seen = live.usable(None).map(|usable| usable.pair);
    loop {
        moved.mark_unchanged();
        match look(client, live, limit, seen, want) {
            TokenState::Usable(usable) => return Ok(usable),
            TokenState::Over(reason) => return Err(GrantError::SignInAgain { reason }),
            TokenState::Waiting(until, trouble)
                if until > limit.deadline || trouble == Trouble::Record =>
            {
                return Err(unavailable(client, Some((until, trouble))));
            }
            TokenState::Waiting(..) | TokenState::NotYet => {}
        }
        tokio::select! {
            biased;
            () = moved.changed() => {}
            () = client.environment.sleep_until(limit.deadline) => {
                let trouble = match look(client, live, limit, seen, want) {
                    TokenState::Usable(usable) => return Ok(usable),
                    TokenState::Waiting(until, trouble) => Some((until, trouble)),
                    TokenState::Over(_) | TokenState::NotYet => None,
                };
                return Err(unavailable(client, trouble));
            }
        }
    }
}

/// Looks, says what is wanted if it is not there, and looks again.
fn look(
    client: &Arc<ClientState>,
    live: &Arc<LiveGrant>,
    limit: WaitLimit,
    seen: Option<PairId>,
    want: Want,
) -> TokenState {
    let mut inner = live.lock();
    let newer_than = limit.newer_than;
    let first = live.token_state(&inner, newer_than, seen, client.now());
    if matches!(first, TokenState::Usable(_)) {
        return first;
    }
    input_locked(client, live, &mut inner, Input::Want(want));
    live.token_state(&inner, newer_than, seen, client.now())
}

/// Waits until the record was read, or cannot be, or the grant is over.
pub(crate) async fn known<T>(
    client: &Arc<ClientState>,
    live: &Arc<LiveGrant>,
    want: Want,
    deadline: Duration,
    mut show: impl FnMut(View<'_>, Now) -> Option<T>,
) -> Result<T, GrantError> {
    let mut moved = live.subscribe();
    input(client, live, Input::Want(want));
    loop {
        moved.mark_unchanged();
        if live.is_leaving() {
            let reason = EndReason::SignedOut;
            return Err(GrantError::SignInAgain { reason });
        }
        let trouble = {
            let mut inner = live.lock();
            let now = client.now();
            let view = live.machine(&mut inner).view(now);
            let phase = view.phase;
            if let Some(shown) = show(view, now) {
                return Ok(shown);
            }
            match phase {
                Phase::Over(reason) => return Err(GrantError::SignInAgain { reason }),
                Phase::Waiting { until, trouble } => Some((until, trouble.clone())),
                Phase::Unknown => {
                    // The machine was replaced after a panic, and nobody has asked it yet.
                    drop(inner);
                    input(client, live, Input::Want(want));
                    None
                }
                Phase::Idle | Phase::Busy => None,
            }
        };
        if trouble
            .as_ref()
            .is_some_and(|(until, trouble)| *until > deadline || *trouble == Trouble::Record)
        {
            return Err(unavailable(client, trouble));
        }
        tokio::select! {
            biased;
            () = moved.changed() => {}
            () = client.environment.sleep_until(deadline) => return Err(unavailable(client, trouble)),
        }
    }
}

fn unavailable(client: &ClientState, trouble: Option<(Duration, Trouble)>) -> GrantError {
    let now = client.now();
    let (retry_at, trouble) = match trouble {
        Some((until, trouble)) => {
            let retry_at = now.wall.saturating_add(until.saturating_sub(now.mono));
            (Some(retry_at), Some(Box::new(trouble)))
        }
        None => (None, None),
    };
    GrantError::Unavailable { retry_at, trouble }
}
