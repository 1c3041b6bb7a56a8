//! One grant in this process: its machine, the token that may be used, and who waits for it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use rc_auth_core::{
    EndReason, GrantMachine, Input, Now, Owner, PairId, Phase, Timestamp, TokenPair, Trouble, View,
    Want,
};
use rc_store::RecordKey;
use tokio::sync::{Notify, watch};

use crate::{
    GrantError, driver,
    shared::{Shared, lock},
    telemetry,
};

/// An access token that is saved, ready to be sent.
#[derive(Debug)]
pub(crate) struct Serving {
    /// `Bearer …`, marked sensitive.
    pub(crate) header: HeaderValue,
    pub(crate) pair: PairId,
    /// Whose calls the platform counts together.
    pub(crate) owner: Owner,
    /// From when on a use has more to do than to send it: a refresh in the background, or a note that the
    /// grant is in use.
    quiet_until: Timestamp,
    mandatory_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: RecordKey,
    /// What a call uses: one atomic load.
    serving: ArcSwapOption<Serving>,
    pub(crate) inner: Mutex<Inner>,
    /// Its user is leaving: nothing is served any more, although that may not be written down yet.
    leaving: AtomicBool,
    /// Moves whenever something can be seen to have changed. Its receivers are those who wait.
    moved: watch::Sender<()>,
    /// Wakes a driver that waits for a moment.
    pub(crate) wake: Notify,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) machine: GrantMachine,
    /// A driver task exists.
    pub(crate) running: bool,
    /// What was shown last: those who wait are woken only by something else.
    shown: Option<Shown>,
}

/// What those who wait can tell apart.
#[derive(Debug, Eq, PartialEq)]
struct Shown {
    pair: Option<PairId>,
    used: Option<Timestamp>,
    refused: bool,
    phase: ShownPhase,
}

#[derive(Debug, Eq, PartialEq)]
enum ShownPhase {
    Unknown,
    Idle,
    Busy,
    Waiting(Duration),
    Over(EndReason),
}

impl Shown {
    fn new(view: &View<'_>) -> Self {
        let phase = match view.phase {
            Phase::Unknown => ShownPhase::Unknown,
            Phase::Idle => ShownPhase::Idle,
            Phase::Busy => ShownPhase::Busy,
            Phase::Waiting { until, .. } => ShownPhase::Waiting(until),
            Phase::Over(reason) => ShownPhase::Over(reason),
        };
        Self {
            pair: view.pair.map(|(_, id)| id),
            used: view.about.and_then(|about| about.last_used_at),
            refused: view.refused,
            phase,
        }
    }
}

impl Serving {
    fn is_newer_than(&self, pair: Option<PairId>) -> bool {
        pair.is_none_or(|pair| self.pair.is_newer_than(pair))
    }

    /// The access token in clear, to look for in texts that must not hold it.
    pub(crate) fn token(&self) -> &str {
        // The header was made of a string.
        self.header
            .to_str()
            .unwrap_or_default()
            .trim_start_matches("Bearer ")
    }
}

/// What a look at the machine says to somebody who wants an access token.
enum Look {
    Usable(Arc<Serving>),
    Over(EndReason),
    /// Nothing before this moment (monotonic).
    Waiting(Duration, Trouble),
    NotYet,
}

/// What somebody waits for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Only a newer pair will do: this one was refused, or a refresh was asked for.
    pub(crate) newer_than: Option<PairId>,
    /// From when on nobody waits any longer (monotonic).
    pub(crate) deadline: Duration,
}

impl Slot {
    pub(crate) fn new(key: RecordKey, shared: &Shared) -> Self {
        Self {
            key,
            serving: ArcSwapOption::empty(),
            leaving: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                shown: None,
                machine: machine(key, shared),
                running: false,
            }),
            moved: watch::Sender::new(()),
            wake: Notify::new(),
        }
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.moved.receiver_count() > 0
    }

    /// Its user leaves, or has left, or is here again: shows that at once.
    pub(crate) fn set_leaving(&self, shared: &Shared, leaving: bool) {
        let mut inner = lock(&self.inner);
        self.leaving.store(leaving, Ordering::Release);
        inner.shown = None;
        self.publish(&mut inner, shared, shared.now());
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// The driver is gone without a word: goes on from what is in the store. Those who wait ask again.
    pub(crate) fn start_anew(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut inner = lock(&self.inner);
        inner.machine = machine(self.key, shared);
        inner.running = false;
        inner.shown = None;
        self.publish(&mut inner, shared, shared.now());
    }

    /// Gives the machine something from outside, and sees that somebody carries out what it wants.
    pub(crate) fn input(self: &Arc<Self>, shared: &Arc<Shared>, input: Input) {
        let mut inner = lock(&self.inner);
        self.input_locked(shared, &mut inner, input);
    }

    fn input_locked(self: &Arc<Self>, shared: &Arc<Shared>, inner: &mut Inner, input: Input) {
        let now = shared.now();
        if inner.machine.handle_input(input, now).is_err() {
            tracing::error!(record = ?self.key, "a grant was given an answer it had not asked for");
        }
        self.publish(inner, shared, now);
        if inner.running {
            self.wake.notify_one();
        } else if inner.machine.has_output() || inner.machine.next_timeout().is_some() {
            inner.running = true;
            shared
                .tasks
                .spawn("refresh", driver::run(self.clone(), shared.clone()));
        }
    }

    /// Shows what the machine shows, if it is something else than before.
    pub(crate) fn publish(&self, inner: &mut Inner, shared: &Shared, now: Now) {
        let Inner {
            machine,
            shown: last,
            ..
        } = inner;
        let view = machine.view(now);
        let showing = Shown::new(&view);
        if last.as_ref() == Some(&showing) {
            return;
        }
        *last = Some(showing);
        let usable = view
            .pair
            .filter(|_| !view.refused && !matches!(view.phase, Phase::Over(_)))
            .filter(|_| !self.is_leaving());
        let shown = usable.and_then(|(pair, id)| {
            let token = pair.access_token()?;
            let early_at = machine.early_at(pair, id.generation);
            let note_at = view
                .about
                .and_then(|about| about.note_use_at(shared.policy.max_idle));
            let quiet_until = note_at.map_or(early_at, |at| at.min(early_at));
            let current = self.serving.load();
            if let Some(current) = current.as_ref().filter(|current| {
                is_same(current, id, token)
                    && (current.quiet_until == quiet_until || view.about.is_none())
            }) {
                return Some(current.clone());
            }
            let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
            header.set_sensitive(true);
            Some(Arc::new(Serving {
                header,
                pair: id,
                owner: owner(self.key, pair, shared),
                quiet_until,
                mandatory_at: shared.policy.mandatory_at(pair),
            }))
        });
        self.serving.store(shown);
        self.moved.send_replace(());
    }

    /// An access token for one call, by the wall clock of now and the call's deadline (monotonic).
    ///
    /// The common case is the first three lines: one atomic load.
    pub(crate) async fn access(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        newer_than: Option<PairId>,
        deadline: Duration,
        wall: Timestamp,
    ) -> Result<Arc<Serving>, GrantError> {
        let serving = self.serving.load_full();
        if let Some(serving) = serving.filter(|serving| serving.is_newer_than(newer_than)) {
            if wall < serving.quiet_until {
                return Ok(serving);
            }
            if wall < serving.mandatory_at {
                self.input(shared, Input::Want(Want::Usable));
                return Ok(serving);
            }
        }
        let began = shared.now().mono;
        let wanted = Wanted {
            newer_than,
            deadline,
        };
        // By name: a machine that was replaced after a panic does not know that the pair was refused.
        let want = newer_than.map_or(Want::Usable, Want::NewerThan);
        let result = self.wait(shared, wanted, want).await;
        telemetry::token_wait(shared.now().mono.saturating_sub(began));
        result
    }

    /// Somebody uses the grant without a call.
    pub(crate) fn note_use(self: &Arc<Self>, shared: &Arc<Shared>) {
        let wall = shared.environment.wall();
        let serving = self.serving.load();
        if serving
            .as_ref()
            .is_none_or(|serving| wall >= serving.quiet_until)
        {
            self.input(shared, Input::Want(Want::Usable));
        }
    }

    /// Waits for an access token, and for everything that stands between.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        wanted: Wanted,
        want: Want,
    ) -> Result<Arc<Serving>, GrantError> {
        // Subscribed before the first look, so that nothing between look and wait is missed.
        let mut moved = self.moved.subscribe();
        let seen = self.serving.load().as_ref().map(|serving| serving.pair);
        loop {
            moved.mark_unchanged();
            match self.look(shared, wanted, seen, want) {
                Look::Usable(serving) => return Ok(serving),
                Look::Over(reason) => return Err(GrantError::SignInAgain { reason }),
                Look::Waiting(until, trouble)
                    if until > wanted.deadline || trouble == Trouble::Record =>
                {
                    return Err(unavailable(shared, Some((until, trouble))));
                }
                Look::Waiting(..) | Look::NotYet => {}
            }
            tokio::select! {
                biased;
                _ = moved.changed() => {}
                () = shared.environment.sleep_until(wanted.deadline) => {
                    let trouble = match self.look(shared, wanted, seen, want) {
                        Look::Usable(serving) => return Ok(serving),
                        Look::Waiting(until, trouble) => Some((until, trouble)),
                        Look::Over(_) | Look::NotYet => None,
                    };
                    return Err(unavailable(shared, trouble));
                }
            }
        }
    }

    /// Looks, says what is wanted if it is not there, and looks again.
    fn look(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        wanted: Wanted,
        seen: Option<PairId>,
        want: Want,
    ) -> Look {
        let mut inner = lock(&self.inner);
        let first = self.look_locked(shared, &inner, wanted, seen);
        let may_have_changed = matches!(first, Look::NotYet | Look::Over(_) | Look::Waiting(..));
        if !may_have_changed {
            return first;
        }
        self.input_locked(shared, &mut inner, Input::Want(want));
        self.look_locked(shared, &inner, wanted, seen)
    }

    fn look_locked(
        &self,
        shared: &Shared,
        inner: &Inner,
        wanted: Wanted,
        seen: Option<PairId>,
    ) -> Look {
        let now = shared.now();
        if self.is_leaving() {
            return Look::Over(EndReason::SignedOut);
        }
        let serving = self.serving.load_full();
        if let Some(serving) = serving.filter(|serving| serving.is_newer_than(wanted.newer_than)) {
            // A token that came while waiting is used once, however short it lives.
            let came_now = seen.is_some_and(|seen| serving.pair.is_newer_than(seen));
            if now.wall < serving.mandatory_at || came_now {
                return Look::Usable(serving);
            }
        }
        let View { phase, .. } = inner.machine.view(now);
        match phase {
            Phase::Over(reason) => Look::Over(reason),
            Phase::Waiting { until, trouble } => Look::Waiting(until, trouble.clone()),
            Phase::Unknown | Phase::Idle | Phase::Busy => Look::NotYet,
        }
    }

    /// Waits until the record was read, or cannot be, or the grant is over.
    pub(crate) async fn known<T>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        want: Want,
        deadline: Duration,
        mut show: impl FnMut(View<'_>, Now) -> Option<T>,
    ) -> Result<T, GrantError> {
        let mut moved = self.moved.subscribe();
        self.input(shared, Input::Want(want));
        loop {
            moved.mark_unchanged();
            if self.is_leaving() {
                let reason = EndReason::SignedOut;
                return Err(GrantError::SignInAgain { reason });
            }
            let trouble = {
                let inner = lock(&self.inner);
                let now = shared.now();
                let view = inner.machine.view(now);
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
                        self.input(shared, Input::Want(want));
                        None
                    }
                    Phase::Idle | Phase::Busy => None,
                }
            };
            if trouble
                .as_ref()
                .is_some_and(|(until, trouble)| *until > deadline || *trouble == Trouble::Record)
            {
                return Err(unavailable(shared, trouble));
            }
            tokio::select! {
                biased;
                _ = moved.changed() => {}
                () = shared.environment.sleep_until(deadline) => return Err(unavailable(shared, trouble)),
            }
        }
    }
}

/// A machine that knows nothing yet.
fn machine(key: RecordKey, shared: &Shared) -> GrantMachine {
    GrantMachine::new(
        shared.app.clone(),
        shared.policy.clone(),
        &shared.seed_of(&key),
    )
}

/// The platform counts calls by user: all grants of one user are one. Where the platform has not said who
/// signed in, each grant stands for itself.
fn owner(key: RecordKey, pair: &TokenPair, shared: &Shared) -> Owner {
    let user = pair.owner_id().map(|id| {
        let server = shared.app.server().as_bytes();
        RecordKey::derive(&[b"rc-auth user 1", server, id.as_bytes()])
    });
    Owner::new(*user.unwrap_or(key).as_bytes())
}

fn is_same(current: &Serving, pair: PairId, token: &rc_auth_core::Secret) -> bool {
    current.pair == pair
        && current.header.as_bytes().strip_prefix(b"Bearer ") == Some(token.expose().as_bytes())
}

fn unavailable(shared: &Shared, trouble: Option<(Duration, Trouble)>) -> GrantError {
    let now = shared.now();
    let (retry_at, trouble) = match trouble {
        Some((until, trouble)) => {
            let retry_at = now.wall.saturating_add(until.saturating_sub(now.mono));
            (Some(retry_at), Some(Box::new(trouble)))
        }
        None => (None, None),
    };
    GrantError::Unavailable { retry_at, trouble }
}
