//! OAuth sessions: one sign-in, one chain of token pairs. Platform §4.

mod ended;
mod refreshing;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

pub(crate) use ended::{Ended, Ending};
use refreshing::InTheAir;
pub(crate) use refreshing::{
    AccessRefusal, PresentedToken, Refresh, RefreshRefusal, Refreshed, Rules,
};
use serde::{Deserialize, Serialize};

use crate::{
    config::{ClientId, UserId},
    oauth::token_format::{self, TokenKind},
    seed::Seed,
    switches::SessionLimits,
    timestamp::Timestamp,
};

/// One chain of token pairs.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Session {
    number: u64,
    pub(crate) app: ClientId,
    pub(crate) user: UserId,
    /// The scope that the user granted.
    pub(crate) granted: String,
    /// What the last refresh left of it.
    narrowed: Option<String>,
    pub(crate) endpoint_id: String,
    pub(crate) session_id: String,
    started_at: Timestamp,
    /// Platform §4, fact 17: no refresh passes the absolute limit.
    pub(crate) ends_at: Option<Timestamp>,
    /// The last call or refresh, from which the idle limit counts.
    active_at: Timestamp,
    current: Pair,
    previous: Option<Pair>,
    /// First authenticated call with the current access token.
    used_at: Option<Timestamp>,
    /// The refresh whose answer is on its way, or was last. A restart ends what was in the air.
    #[serde(skip)]
    in_the_air: Option<InTheAir>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Pair {
    generation: u32,
    issued_at: Timestamp,
    access_expires_at: Timestamp,
    refresh_expires_at: Option<Timestamp>,
}

impl Pair {
    fn mint(generation: u32, life: PairLife, now: Timestamp) -> Self {
        Self {
            generation,
            issued_at: now,
            access_expires_at: now.plus(life.access),
            refresh_expires_at: life.refresh.map(|refresh| now.plus(refresh)),
        }
    }

    /// No token outlives the OAuth session.
    fn capped(self, ends_at: Option<Timestamp>) -> Self {
        let Some(ends_at) = ends_at else { return self };
        Self {
            access_expires_at: self.access_expires_at.min(ends_at),
            refresh_expires_at: self.refresh_expires_at.map(|at| at.min(ends_at)),
            ..self
        }
    }
}

/// How long the tokens of a pair live; `None` issues no refresh token.
#[derive(Clone, Copy)]
pub(crate) struct PairLife {
    pub(crate) access: Duration,
    pub(crate) refresh: Option<Duration>,
}

/// Who signs in to what.
pub(crate) struct NewSession {
    pub(crate) app: ClientId,
    pub(crate) user: UserId,
    pub(crate) scope: String,
    pub(crate) endpoint_id: Option<String>,
}

/// The current pair of a session, ready to be sent.
pub(crate) struct IssuedPair {
    pub(crate) access_token: String,
    pub(crate) access_left: Duration,
    pub(crate) refresh: Option<(String, Duration)>,
}

/// All sessions that were not ended, and the last that were.
pub(crate) struct Sessions {
    seed: Seed,
    /// Part of every token, so that a token leads to the namespace it is of.
    namespace: String,
    live: HashMap<u64, Session>,
    /// Oldest first, per app and user.
    by_owner: HashMap<(ClientId, UserId), VecDeque<u64>>,
    gone: ended::Gone,
    started: u64,
    ended: u64,
    /// The sessions that changed since somebody asked, when somebody will ask.
    changed: Option<BTreeSet<u64>>,
}

impl Sessions {
    pub(crate) fn new(seed: Seed, namespace: impl Into<String>) -> Self {
        Self {
            seed,
            namespace: namespace.into(),
            live: HashMap::new(),
            by_owner: HashMap::new(),
            gone: ended::Gone::default(),
            started: 0,
            ended: 0,
            changed: None,
        }
    }

    pub(crate) fn start(
        &mut self,
        new: NewSession,
        life: PairLife,
        limits: SessionLimits,
        now: Timestamp,
    ) -> u64 {
        // Wraps: a snapshot may say any number.
        let number = self.started.wrapping_add(1);
        let parts: [&[u8]; 2] = [&number.to_be_bytes(), &now.millis().to_be_bytes()];
        let ends_at = limits.absolute.map(|absolute| now.plus(absolute));
        let session = Session {
            number,
            app: new.app,
            user: new.user,
            granted: new.scope,
            narrowed: None,
            endpoint_id: new
                .endpoint_id
                .unwrap_or_else(|| self.seed.text("endpoint id", &parts, 22)),
            session_id: self.seed.text("session id", &parts, 22),
            started_at: now,
            ends_at,
            active_at: now,
            current: Pair::mint(0, life, now).capped(ends_at),
            previous: None,
            used_at: None,
            in_the_air: None,
        };
        self.insert(session);
        self.touch(number);
        number
    }

    /// Takes in a session, new or of a former run.
    pub(crate) fn insert(&mut self, session: Session) {
        self.started = self.started.max(session.number);
        if !self.live.contains_key(&session.number) {
            let owner = (session.app.clone(), session.user);
            let numbers = self.by_owner.entry(owner).or_default();
            let at = numbers.partition_point(|number| *number < session.number);
            numbers.insert(at, session.number);
        }
        self.live.insert(session.number, session);
    }

    /// Keeps the number of a session of a former run from being given again.
    pub(crate) fn pass_over(&mut self, number: u64) {
        self.started = self.started.max(number);
    }

    /// Takes over that a session of a former run has ended.
    pub(crate) fn forget(&mut self, ended: Ended) {
        self.started = self.started.max(ended.number);
        if let Some(session) = self.live.remove(&ended.number) {
            self.disown(&session);
        }
        self.gone.remember(ended);
    }

    fn disown(&mut self, session: &Session) {
        let owner = (session.app.clone(), session.user);
        if let Some(numbers) = self.by_owner.get_mut(&owner) {
            numbers.retain(|number| *number != session.number);
            if numbers.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
    }

    /// The ended sessions that are remembered, oldest first.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = &Ended> {
        self.gone.iter()
    }

    /// Notes which sessions change, from now on.
    pub(crate) fn watch(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// The sessions that changed since this was asked last, as they are now.
    #[cfg(feature = "server")]
    pub(crate) fn changes(&mut self) -> Vec<crate::state::Record> {
        use crate::state::Record;

        let changed = self.changed.as_mut().map(std::mem::take);
        let numbers = changed.unwrap_or_default().into_iter();
        let record = |number| match (self.live.get(&number), self.gone.get(number)) {
            (Some(session), _) => Some(Record::Session(Box::new(session.clone()))),
            (None, Some(ended)) => Some(Record::SessionEnded(ended.clone())),
            (None, None) => None,
        };
        numbers.filter_map(record).collect()
    }

    fn touch(&mut self, number: u64) {
        if let Some(changed) = &mut self.changed {
            changed.insert(number);
        }
    }

    /// Ends what a new sign-in has no room for: dead chains first, then the oldest. While there is room, nothing is
    /// looked at.
    pub(crate) fn make_room(
        &mut self,
        owner: &(ClientId, UserId),
        most: usize,
        limits: SessionLimits,
        now: Timestamp,
    ) {
        let waiting = self.by_owner.get(owner).map_or(0, VecDeque::len);
        if waiting < most {
            return;
        }
        let mut kept = self.of_owner(owner);
        kept.retain(|number| {
            let alive = self
                .live
                .get(number)
                .is_some_and(|session| session.is_alive(limits, now));
            if !alive {
                self.end(*number, Ending::Expired);
            }
            alive
        });
        // Platform §4, fact 14: at most five OAuth sessions per extension and app; a sixth ends the oldest.
        let surplus = (kept.len() + 1).saturating_sub(most.max(1));
        for number in kept.into_iter().take(surplus) {
            self.end(number, Ending::Replaced);
        }
    }

    /// Ends the session that was started with the same `endpoint_id`. Platform §4, fact 19.
    pub(crate) fn end_endpoint(&mut self, owner: &(ClientId, UserId), endpoint_id: &str) {
        for number in self.of_owner(owner) {
            if self
                .live
                .get(&number)
                .is_some_and(|session| session.endpoint_id == endpoint_id)
            {
                self.end(number, Ending::Replaced);
            }
        }
    }

    fn of_owner(&self, owner: &(ClientId, UserId)) -> Vec<u64> {
        self.by_owner
            .get(owner)
            .map(|all| all.iter().copied().collect())
            .unwrap_or_default()
    }

    /// The session that `token`, access or refresh, current or spent, belongs to.
    pub(crate) fn owner_of(&self, token: &str) -> Option<&Session> {
        let (number, _) = self
            .locate(TokenKind::Access, token)
            .or_else(|| self.locate(TokenKind::Refresh, token))?;
        self.live.get(&number)
    }

    /// Whether `token`, access or refresh, is of a pair that was replaced.
    pub(crate) fn is_spent(&self, token: &str) -> bool {
        self.locate(TokenKind::Access, token)
            .or_else(|| self.locate(TokenKind::Refresh, token))
            .and_then(|(number, generation)| Some((self.live.get(&number)?, generation)))
            .is_some_and(|(session, generation)| generation < session.current.generation)
    }

    /// The user whom a refresh token, current or spent, of `app` belongs to.
    pub(crate) fn refreshing_user(&self, token: &str, app: &ClientId) -> Option<UserId> {
        let (number, _) = self.locate(TokenKind::Refresh, token)?;
        let session = self.live.get(&number)?;
        (session.app == *app).then_some(session.user)
    }

    /// Number and generation of a token this platform issued for a session that is live.
    fn locate(&self, kind: TokenKind, token: &str) -> Option<(u64, u32)> {
        let claim = token_format::decode(token).filter(|claim| claim.kind == kind)?;
        let session = self.live.get(&claim.session)?;
        let issued = self.token(session, kind, claim.generation);
        let known = claim.generation <= session.current.generation && issued == token;
        known.then_some((claim.session, claim.generation))
    }

    fn token(&self, session: &Session, kind: TokenKind, generation: u32) -> String {
        self.encode(kind, session.number, generation, session.started_at)
    }

    fn encode(
        &self,
        kind: TokenKind,
        session: u64,
        generation: u32,
        started_at: Timestamp,
    ) -> String {
        let named = token_format::Named {
            kind,
            namespace: &self.namespace,
            session,
            generation,
            started_at,
        };
        token_format::encode(&self.seed, &named)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Session> {
        self.live.get(&number)
    }

    /// The current pair of `session`, with what is left of its life.
    pub(crate) fn issued(&self, session: &Session, now: Timestamp) -> IssuedPair {
        let pair = session.current;
        let token = |kind| self.token(session, kind, pair.generation);
        IssuedPair {
            access_token: token(TokenKind::Access),
            access_left: pair.access_expires_at.since(now),
            refresh: pair
                .refresh_expires_at
                .map(|expires_at| (token(TokenKind::Refresh), expires_at.since(now))),
        }
    }

    /// Ends one session: every access and refresh token of it is gone. Returns whether it was there.
    pub(crate) fn end(&mut self, number: u64, ending: Ending) -> bool {
        let Some(session) = self.live.remove(&number) else {
            return false;
        };
        self.disown(&session);
        self.gone.remember(Ended {
            number,
            app: session.app,
            started_at: session.started_at,
            ending,
        });
        self.ended += 1;
        self.touch(number);
        true
    }

    /// Ends every session; returns how many.
    pub(crate) fn end_all(&mut self) -> usize {
        let numbers: Vec<u64> = self.live.keys().copied().collect();
        self.end_each(numbers)
    }

    /// Ends every session of one user; returns how many.
    pub(crate) fn end_user(&mut self, user: UserId) -> usize {
        let of_user = self.live.values().filter(|session| session.user == user);
        let numbers = of_user.map(|session| session.number).collect();
        self.end_each(numbers)
    }

    fn end_each(&mut self, mut numbers: Vec<u64>) -> usize {
        numbers.sort_unstable();
        for number in &numbers {
            self.end(*number, Ending::Revoked);
        }
        numbers.len()
    }

    /// Lets every access token expire now; returns how many were valid.
    pub(crate) fn expire_access(&mut self, now: Timestamp) -> usize {
        let mut expired = Vec::new();
        for session in self.live.values_mut() {
            if session.current.access_expires_at > now {
                session.current.access_expires_at = now;
                expired.push(session.number);
            }
        }
        for number in &expired {
            self.touch(*number);
        }
        expired.len()
    }

    /// Ends the session with this public id; returns whether it was there.
    pub(crate) fn end_named(&mut self, session_id: &str) -> bool {
        let mut live = self.live.values();
        let session = live.find(|session| session.session_id == session_id);
        let number = session.map(|session| session.number);
        number.is_some_and(|number| self.end(number, Ending::Revoked))
    }

    /// The sessions that still have a token that works, oldest first.
    pub(crate) fn living(&self, limits: SessionLimits, now: Timestamp) -> Vec<&Session> {
        let live = self.live.values();
        let mut alive: Vec<&Session> = live
            .filter(|session| session.is_alive(limits, now))
            .collect();
        alive.sort_unstable_by_key(|session| session.number);
        alive
    }

    /// How many sessions still have a token that works.
    pub(crate) fn alive(&self, limits: SessionLimits, now: Timestamp) -> usize {
        self.live
            .values()
            .filter(|session| session.is_alive(limits, now))
            .count()
    }

    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }
}

impl Session {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// How often its tokens were refreshed.
    pub(crate) fn refreshes(&self) -> u32 {
        self.current.generation
    }

    /// The permissions of the current access token.
    pub(crate) fn scope(&self) -> &str {
        self.narrowed.as_deref().unwrap_or(&self.granted)
    }

    /// Whether the absolute or the idle limit has passed: the one place that decides it.
    fn is_over(&self, limits: SessionLimits, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
            || limits
                .idle
                .is_some_and(|idle| now.since(self.active_at) >= idle)
    }

    fn is_alive(&self, limits: SessionLimits, now: Timestamp) -> bool {
        let refreshes = self.current.refresh_expires_at.is_some_and(|at| at > now);
        !self.is_over(limits, now) && (self.current.access_expires_at > now || refreshes)
    }
}
