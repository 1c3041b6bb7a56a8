//! One grant in this process: its machine, the token that may be used, and who waits for it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{HeaderValue, Uri};
use rc_auth_core::{
    EndReason, Entropy, GrantMachine, Input, Now, OAuthApp, Owner, PairId, Phase, RefreshPolicy,
    TokenPair, Trouble, View,
};
use rc_store::RecordKey;
use tokio::sync::{Notify, watch};

use super::{shown::Shown, token::UsableToken};
use crate::{records::Found, tasks::lock};

/// What the machines of all grants of a client are made of.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) app: Arc<OAuthApp>,
    pub(crate) policy: Arc<RefreshPolicy>,
    /// Mixed with each record's key into the seed of its machine's delays.
    pub(crate) seed: u64,
}

#[derive(Debug)]
pub(crate) struct LiveGrant {
    pub(crate) key: RecordKey,
    rules: Arc<Rules>,
    /// What a call uses: one atomic load.
    usable: ArcSwapOption<UsableToken>,
    pub(crate) inner: Mutex<Inner>,
    /// The sign-out that was begun last, as long as it is not written down: nothing is served any more. 0: none.
    leaving: AtomicU64,
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
    /// How many sign-outs were begun.
    sign_outs: u64,
    /// The record, which somebody else has just read: the next load finds it here.
    pub(crate) handed: Option<Box<Found>>,
    /// What was shown last: those who wait are woken only by something else.
    shown: Option<Shown>,
}

/// What the machine says to somebody who wants an access token.
pub(crate) enum TokenState {
    Usable(Arc<UsableToken>),
    Over(EndReason),
    /// Nothing before this moment (monotonic).
    Waiting(Duration, Trouble),
    NotYet,
}

impl LiveGrant {
    pub(super) fn new(key: RecordKey, rules: Arc<Rules>) -> Self {
        Self {
            key,
            usable: ArcSwapOption::empty(),
            leaving: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                shown: None,
                machine: machine(key, &rules),
                running: false,
                sign_outs: 0,
                handed: None,
            }),
            moved: watch::Sender::new(()),
            wake: Notify::new(),
            rules,
        }
    }

    /// The token that may be used now, as far as it is newer than `pair`.
    pub(crate) fn usable(&self, newer_than: Option<PairId>) -> Option<Arc<UsableToken>> {
        let usable = self.usable.load_full();
        usable.filter(|usable| usable.is_newer_than(newer_than))
    }

    /// Hears of every change from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.moved.receiver_count() > 0
    }

    /// Its user leaves: shows that at once. The number is this sign-out's.
    pub(crate) fn leave(&self, now: Now) -> u64 {
        let mut inner = lock(&self.inner);
        inner.sign_outs += 1;
        let sign_out = inner.sign_outs;
        self.set_leaving(&mut inner, sign_out, now);
        sign_out
    }

    /// How many sign-outs were begun.
    pub(crate) fn sign_outs(&self) -> u64 {
        lock(&self.inner).sign_outs
    }

    /// A sign-out has ended, in whatever way: what the record says is shown, unless another was begun after it.
    pub(crate) fn end_leaving(&self, sign_out: u64, now: Now) {
        let mut inner = lock(&self.inner);
        if self.leaving.load(Ordering::Acquire) == sign_out {
            self.set_leaving(&mut inner, 0, now);
        }
    }

    /// Its user has signed in again.
    pub(crate) fn arrive(&self, now: Now) {
        self.set_leaving(&mut lock(&self.inner), 0, now);
    }

    fn set_leaving(&self, inner: &mut Inner, sign_out: u64, now: Now) {
        self.leaving.store(sign_out, Ordering::Release);
        inner.shown = None;
        self.publish(inner, now);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) != 0
    }

    /// The driver is gone without a word: goes on from what is in the store. Those who wait ask again.
    pub(crate) fn start_anew(&self, now: Now) {
        let mut inner = lock(&self.inner);
        inner.machine = machine(self.key, &self.rules);
        inner.running = false;
        inner.shown = None;
        self.publish(&mut inner, now);
    }

    /// Gives the machine something from outside, and shows what it shows.
    pub(crate) fn handle(&self, inner: &mut Inner, input: Input, now: Now) {
        if inner.machine.handle_input(input, now).is_err() {
            tracing::error!(record = ?self.key, "a grant was given an answer it had not asked for");
        }
        self.publish(inner, now);
    }

    /// Shows what the machine shows, if it is something else than before.
    fn publish(&self, inner: &mut Inner, now: Now) {
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
        self.usable.store(self.usable_in(machine, &view));
        self.moved.send_replace(());
    }

    fn usable_in(&self, machine: &GrantMachine, view: &View<'_>) -> Option<Arc<UsableToken>> {
        let policy = &self.rules.policy;
        let (pair, id) = view
            .pair
            .filter(|_| !view.refused && !matches!(view.phase, Phase::Over(_)))
            .filter(|_| !self.is_leaving())?;
        let token = pair.access_token()?;
        let early_at = machine.early_at(pair, id.generation);
        let note_at = view
            .about
            .and_then(|about| about.note_use_at(policy.max_idle));
        let quiet_until = note_at.map_or(early_at, |at| at.min(early_at));
        let current = self.usable.load();
        if let Some(current) = current.as_ref().filter(|current| {
            current.is(id, token) && (current.quiet_until == quiet_until || view.about.is_none())
        }) {
            return Some(current.clone());
        }
        let server: Uri = self.rules.app.server().parse().ok()?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        header.set_sensitive(true);
        Some(Arc::new(UsableToken {
            header,
            pair: id,
            scheme: server.scheme()?.clone(),
            authority: server.authority()?.clone(),
            owner: owner(self.key, pair, &self.rules.app),
            quiet_until,
            mandatory_at: policy.mandatory_at(pair),
        }))
    }

    /// What the grant has for somebody who wants a token newer than `newer_than`. `seen`: the pair that was
    /// there when they came.
    pub(crate) fn token_state(
        &self,
        inner: &Inner,
        newer_than: Option<PairId>,
        seen: Option<PairId>,
        now: Now,
    ) -> TokenState {
        if self.is_leaving() {
            return TokenState::Over(EndReason::SignedOut);
        }
        if let Some(usable) = self.usable(newer_than) {
            // A token that came while waiting is used once, however short it lives.
            let came_now = seen.is_some_and(|seen| usable.pair.is_newer_than(seen));
            if now.wall < usable.mandatory_at || came_now {
                return TokenState::Usable(usable);
            }
        }
        let View { phase, .. } = inner.machine.view(now);
        match phase {
            Phase::Over(reason) => TokenState::Over(reason),
            Phase::Waiting { until, trouble } => TokenState::Waiting(until, trouble.clone()),
            Phase::Unknown | Phase::Idle | Phase::Busy => TokenState::NotYet,
        }
    }
}

/// A machine that knows nothing yet.
fn machine(key: RecordKey, rules: &Rules) -> GrantMachine {
    let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
    let seed = rules.seed ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let seed: Entropy<8> = Entropy::new(seed.to_le_bytes());
    GrantMachine::new(rules.app.clone(), rules.policy.clone(), &seed)
}

/// The platform counts calls by user: all grants of one user are one. Where the platform has not said who
/// signed in, each grant stands for itself.
fn owner(key: RecordKey, pair: &TokenPair, app: &OAuthApp) -> Owner {
    let user = pair.owner_id().map(|id| {
        let server = app.server().as_bytes();
        RecordKey::derive(&[b"rc-auth user 1", server, id.as_bytes()])
    });
    Owner::new(*user.unwrap_or(key).as_bytes())
}
