//! One grant in this process: its machine, the token that may be used, and who waits for it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use http::HeaderValue;
use rc_auth_core::{
    Asleep, EndReason, Entropy, GrantMachine, Input, KnownVersion, Now, OAuthApp, Owner, PairId,
    Phase, RecordVersion, RefreshPolicy, TokenPair, Trouble, View,
};
use rc_store::RecordKey;
use tokio::sync::{Notify, watch};

use super::{server::Server, shown::Shown, token::UsableToken};
use crate::{
    records::Found,
    sync::{AtomicU64, Mutex, MutexGuard, Ordering, Slot},
};

/// What the machines of all grants of a client are made of.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) app: Arc<OAuthApp>,
    pub(crate) policy: Arc<RefreshPolicy>,
    /// Where tokens may be sent.
    pub(crate) server: Option<&'static Server>,
    /// Mixed with each record's key into the seed of its machine's delays.
    pub(crate) seed: u64,
}

#[derive(Debug)]
pub(crate) struct LiveGrant {
    pub(crate) key: RecordKey,
    rules: Arc<Rules>,
    /// What a call uses: one atomic load.
    usable: Slot<UsableToken>,
    inner: Mutex<Inner>,
    /// The sign-out that was begun last, as long as it is not written down: nothing is served any more. 0: none.
    leaving: AtomicU64,
    /// Wakes a driver that waits for a moment.
    pub(crate) wake: Notify,
}

#[derive(Debug)]
pub(crate) struct Inner {
    /// The machine, while it is needed: nearly all grants that are kept are idle.
    awake: Option<Box<Awake>>,
    /// What is left of it while it is not; `None` then: nothing was read yet.
    asleep: Option<Asleep>,
    /// A driver task exists.
    pub(crate) running: bool,
    /// How many wait.
    waiters: u32,
    /// Moves whenever something can be seen to have changed, while anybody waits.
    moved: Option<watch::Sender<()>>,
    /// How many sign-outs were begun.
    sign_outs: u64,
    /// The record, which somebody else has just read: the next load finds it here.
    pub(crate) handed: Option<Box<Found>>,
}

#[derive(Debug)]
struct Awake {
    machine: GrantMachine,
    /// What was shown last: those who wait are woken only by something else.
    shown: Option<Shown>,
}

impl Inner {
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters > 0
    }

    pub(crate) fn known_version(&self) -> KnownVersion {
        match (&self.awake, &self.asleep) {
            (Some(awake), _) => awake.machine.known_version(),
            (None, Some(asleep)) => KnownVersion::At(Some(asleep.version())),
            (None, None) => KnownVersion::Nothing,
        }
    }

    /// Whether the record of `version` is what would be read first.
    pub(crate) fn would_read(&self, version: RecordVersion) -> bool {
        match (&self.awake, &self.asleep) {
            (Some(awake), _) => awake.machine.known_version() == KnownVersion::Nothing,
            (None, Some(asleep)) => asleep.version() == version,
            (None, None) => true,
        }
    }

    pub(crate) fn owns_an_intent(&self) -> bool {
        let awake = self.awake.as_ref();
        awake.is_some_and(|awake| awake.machine.owns_an_intent())
    }
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
            usable: Slot::empty(),
            leaving: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                awake: None,
                asleep: None,
                running: false,
                waiters: 0,
                moved: None,
                sign_outs: 0,
                handed: None,
            }),
            wake: Notify::new(),
            rules,
        }
    }

    /// A panic elsewhere does not make it unusable: what it guards is whole after every statement.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token that may be used now, as far as it is newer than `pair`.
    pub(crate) fn usable(&self, newer_than: Option<PairId>) -> Option<Arc<UsableToken>> {
        let usable = self.usable.load_full();
        usable.filter(|usable| usable.is_newer_than(newer_than))
    }

    /// Hears of every change from now on.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Waiter {
        let mut inner = self.lock();
        inner.waiters += 1;
        let moved = inner.moved.get_or_insert_with(|| watch::Sender::new(()));
        Waiter {
            moved: moved.subscribe(),
            live: self.clone(),
        }
    }

    /// The machine, which wakes up for it.
    pub(crate) fn machine<'a>(&self, inner: &'a mut Inner) -> &'a mut GrantMachine {
        &mut self.awake(inner).machine
    }

    fn awake<'a>(&self, inner: &'a mut Inner) -> &'a mut Awake {
        let Inner { awake, asleep, .. } = inner;
        awake.get_or_insert_with(|| {
            let pair = self.usable.load().as_ref().map(|usable| usable.pair);
            let machine = match asleep.take().zip(pair) {
                Some((asleep, pair)) => self.rules.wake(self.key, asleep, pair),
                None => self.rules.machine(self.key),
            };
            let shown = None;
            Box::new(Awake { machine, shown })
        })
    }

    /// Lets go of everything but what calls use, if nobody needs more now.
    pub(crate) fn rest(&self, inner: &mut Inner) {
        if inner.running || inner.has_waiters() || inner.handed.is_some() {
            return;
        }
        let awake = inner.awake.as_ref();
        let asleep = awake.and_then(|awake| awake.machine.fall_asleep());
        // Nobody else has the token.
        let has_token = |(_, pair): &(Asleep, PairId)| {
            let usable = self.usable.load();
            usable.as_ref().is_some_and(|usable| usable.pair == *pair)
        };
        if let Some((asleep, _)) = asleep.filter(has_token) {
            inner.asleep = Some(asleep);
            inner.awake = None;
        }
    }

    /// Its user leaves: shows that at once. The number is this sign-out's.
    pub(crate) fn leave(&self, now: Now) -> u64 {
        let mut inner = self.lock();
        inner.sign_outs += 1;
        let sign_out = inner.sign_outs;
        self.set_leaving(&mut inner, sign_out, now);
        sign_out
    }

    /// How many sign-outs were begun.
    pub(crate) fn sign_outs(&self) -> u64 {
        self.lock().sign_outs
    }

    /// A sign-out has ended, in whatever way: what the record says is shown, unless another was begun after it.
    pub(crate) fn end_leaving(&self, sign_out: u64, now: Now) {
        let mut inner = self.lock();
        if self.leaving.load(Ordering::Acquire) == sign_out {
            self.set_leaving(&mut inner, 0, now);
        }
    }

    /// Its user has signed in again.
    pub(crate) fn arrive(&self, now: Now) {
        self.set_leaving(&mut self.lock(), 0, now);
    }

    fn set_leaving(&self, inner: &mut Inner, sign_out: u64, now: Now) {
        self.leaving.store(sign_out, Ordering::Release);
        self.publish_anew(inner, now);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) != 0
    }

    /// The driver is gone without a word: goes on from what is in the store. Those who wait ask again.
    pub(crate) fn start_anew(&self, now: Now) {
        let mut inner = self.lock();
        (inner.awake, inner.asleep) = (None, None);
        inner.running = false;
        self.publish_anew(&mut inner, now);
    }

    /// Gives the machine something from outside, and shows what it shows.
    pub(crate) fn handle(&self, inner: &mut Inner, input: Input, now: Now) {
        if self.machine(inner).handle_input(input, now).is_err() {
            tracing::error!(record = ?self.key, "a grant was given an answer it had not asked for");
        }
        self.publish(inner, now);
    }

    fn publish_anew(&self, inner: &mut Inner, now: Now) {
        self.awake(inner).shown = None;
        self.publish(inner, now);
    }

    /// Shows what the machine shows, if it is something else than before.
    fn publish(&self, inner: &mut Inner, now: Now) {
        let Awake {
            machine,
            shown: last,
        } = self.awake(inner);
        let view = machine.view(now);
        let showing = Shown::new(&view);
        if last.as_ref() == Some(&showing) {
            return;
        }
        *last = Some(showing);
        self.usable.store(self.usable_in(machine, &view));
        if let Some(moved) = &inner.moved {
            moved.send_replace(());
        }
    }

    fn usable_in(&self, machine: &GrantMachine, view: &View<'_>) -> Option<Arc<UsableToken>> {
        let policy = &self.rules.policy;
        if view.refused || matches!(view.phase, Phase::Over(_)) || self.is_leaving() {
            return None;
        }
        if let Some(lent) = view.lent {
            let usable = self.usable.load_full();
            return usable.filter(|usable| usable.pair == lent);
        }
        let (pair, id) = view.pair?;
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
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        header.set_sensitive(true);
        Some(Arc::new(UsableToken {
            header,
            pair: id,
            server: self.rules.server?,
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
        let Some(awake) = &inner.awake else {
            return TokenState::NotYet;
        };
        match awake.machine.view(now).phase {
            Phase::Over(reason) => TokenState::Over(reason),
            Phase::Waiting { until, trouble } => TokenState::Waiting(until, trouble.clone()),
            Phase::Unknown | Phase::Idle | Phase::Busy => TokenState::NotYet,
        }
    }
}

impl Rules {
    /// A machine that knows nothing yet.
    fn machine(&self, key: RecordKey) -> GrantMachine {
        GrantMachine::new(self.app.clone(), self.policy.clone(), &self.seed(key))
    }

    fn wake(&self, key: RecordKey, asleep: Asleep, pair: PairId) -> GrantMachine {
        GrantMachine::wake(
            self.app.clone(),
            self.policy.clone(),
            &self.seed(key),
            asleep,
            pair,
        )
    }

    fn seed(&self, key: RecordKey) -> Entropy<8> {
        let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
        let seed = self.seed ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Entropy::new(seed.to_le_bytes())
    }
}

/// Somebody who waits for a grant. When the last one goes, the grant may rest.
pub(crate) struct Waiter {
    moved: watch::Receiver<()>,
    live: Arc<LiveGrant>,
}

impl Waiter {
    /// What was seen so far is known.
    pub(crate) fn mark_unchanged(&mut self) {
        self.moved.mark_unchanged();
    }

    /// Ends at the next change.
    pub(crate) async fn changed(&mut self) {
        // The sender is there as long as anybody waits.
        let _ = self.moved.changed().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut inner = self.live.lock();
        inner.waiters -= 1;
        if inner.waiters == 0 {
            inner.moved = None;
            self.live.rest(&mut inner);
        }
    }
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
