//! OAuth sessions: one sign-in, one chain of token pairs.

mod refreshing;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

pub(crate) use refreshing::{AccessRefusal, Refresh, RefreshRefusal, Refreshed};
use refreshing::{InTheAir, Rules};

use crate::{
    seed::Seed,
    switches::Switches,
    timestamp::Timestamp,
    token_format::{self, TokenKind},
};

/// One chain of token pairs.
pub(crate) struct Session {
    number: u64,
    pub(crate) app: usize,
    pub(crate) user: usize,
    pub(crate) scope: String,
    pub(crate) endpoint_id: String,
    pub(crate) session_id: String,
    started_at: Timestamp,
    current: Pair,
    previous: Option<Pair>,
    /// First authenticated call with the current access token.
    used_at: Option<Timestamp>,
    /// The refresh whose answer is on its way, or was last.
    in_the_air: Option<InTheAir>,
}

#[derive(Clone, Copy)]
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
}

/// How long the tokens of a pair live; `None` issues no refresh token.
#[derive(Clone, Copy)]
pub(crate) struct PairLife {
    pub(crate) access: Duration,
    pub(crate) refresh: Option<Duration>,
}

/// Who signs in to what.
pub(crate) struct NewSession {
    pub(crate) app: usize,
    pub(crate) user: usize,
    pub(crate) scope: String,
    pub(crate) endpoint_id: Option<String>,
}

/// The current pair of a session, ready to be sent.
pub(crate) struct IssuedPair {
    pub(crate) access_token: String,
    pub(crate) access_left: Duration,
    pub(crate) refresh: Option<(String, Duration)>,
}

/// All sessions that were not ended.
pub(crate) struct Sessions {
    seed: Seed,
    rules: Rules,
    live: HashMap<u64, Session>,
    /// Oldest first, per app and user.
    by_owner: HashMap<(usize, usize), VecDeque<u64>>,
    started: u64,
    ended: u64,
}

impl Sessions {
    pub(crate) fn new(seed: Seed, switches: &Switches) -> Self {
        Self {
            seed,
            rules: Rules::of(switches),
            live: HashMap::new(),
            by_owner: HashMap::new(),
            started: 0,
            ended: 0,
        }
    }

    pub(crate) fn start(&mut self, new: NewSession, life: PairLife, now: Timestamp) -> u64 {
        self.started += 1;
        let number = self.started;
        let parts: [&[u8]; 2] = [&number.to_be_bytes(), &now.millis().to_be_bytes()];
        let session = Session {
            number,
            app: new.app,
            user: new.user,
            scope: new.scope,
            endpoint_id: new
                .endpoint_id
                .unwrap_or_else(|| self.seed.text("endpoint id", &parts, 22)),
            session_id: self.seed.text("session id", &parts, 22),
            started_at: now,
            current: Pair::mint(0, life, now),
            previous: None,
            used_at: None,
            in_the_air: None,
        };
        self.by_owner
            .entry((new.app, new.user))
            .or_default()
            .push_back(number);
        self.live.insert(number, session);
        number
    }

    /// Ends what a new sign-in has no room for: dead chains first, then the oldest.
    pub(crate) fn make_room(&mut self, app: usize, user: usize, most: usize, now: Timestamp) {
        let mut kept = self.of_owner(app, user);
        kept.retain(|number| {
            let alive = self
                .live
                .get(number)
                .is_some_and(|session| session.is_alive(now));
            if !alive {
                self.end(*number);
            }
            alive
        });
        // Platform: at most five OAuth sessions per extension and app; a sixth ends the oldest.
        let surplus = (kept.len() + 1).saturating_sub(most.max(1));
        for number in kept.into_iter().take(surplus) {
            self.end(number);
        }
    }

    /// Ends the session that was started with the same `endpoint_id`.
    pub(crate) fn end_endpoint(&mut self, app: usize, user: usize, endpoint_id: &str) {
        for number in self.of_owner(app, user) {
            if self
                .live
                .get(&number)
                .is_some_and(|session| session.endpoint_id == endpoint_id)
            {
                self.end(number);
            }
        }
    }

    fn of_owner(&self, app: usize, user: usize) -> Vec<u64> {
        self.by_owner
            .get(&(app, user))
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

    /// The user whom a refresh token, current or spent, of `app` belongs to.
    pub(crate) fn refreshing_user(&self, token: &str, app: usize) -> Option<usize> {
        let (number, _) = self.locate(TokenKind::Refresh, token)?;
        let session = self.live.get(&number)?;
        (session.app == app).then_some(session.user)
    }

    /// Number and generation of a token this platform issued for a session that is live.
    fn locate(&self, kind: TokenKind, token: &str) -> Option<(u64, u32)> {
        let claim = token_format::decode(token).filter(|claim| claim.kind == kind)?;
        let session = self.live.get(&claim.session)?;
        let issued = session.token(&self.seed, kind, claim.generation);
        let known = claim.generation <= session.current.generation && issued == token;
        known.then_some((claim.session, claim.generation))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Session> {
        self.live.get(&number)
    }

    /// The current pair of `session`, with what is left of its life.
    pub(crate) fn issued(&self, session: &Session, now: Timestamp) -> IssuedPair {
        let pair = session.current;
        let token = |kind| session.token(&self.seed, kind, pair.generation);
        IssuedPair {
            access_token: token(TokenKind::Access),
            access_left: pair.access_expires_at.since(now),
            refresh: pair
                .refresh_expires_at
                .map(|expires_at| (token(TokenKind::Refresh), expires_at.since(now))),
        }
    }

    /// Ends one session: every access and refresh token of it is gone. Returns whether it was there.
    pub(crate) fn end(&mut self, number: u64) -> bool {
        let Some(session) = self.live.remove(&number) else {
            return false;
        };
        let owner = (session.app, session.user);
        if let Some(numbers) = self.by_owner.get_mut(&owner) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
        self.ended += 1;
        true
    }

    pub(crate) fn end_all(&mut self) -> usize {
        let count = self.live.len();
        self.live.clear();
        self.by_owner.clear();
        self.ended += count as u64;
        count
    }

    /// Ends every session of one user; returns how many.
    pub(crate) fn end_user(&mut self, user: usize) -> usize {
        let numbers: Vec<u64> = self
            .live
            .values()
            .filter(|s| s.user == user)
            .map(|s| s.number)
            .collect();
        numbers
            .into_iter()
            .filter(|number| self.end(*number))
            .count()
    }

    /// Lets every access token expire now; returns how many were valid.
    pub(crate) fn expire_access(&mut self, now: Timestamp) -> usize {
        let mut count = 0;
        for session in self.live.values_mut() {
            if session.current.access_expires_at > now {
                session.current.access_expires_at = now;
                count += 1;
            }
        }
        count
    }

    /// How many sessions still have a token that works.
    pub(crate) fn alive(&self, now: Timestamp) -> usize {
        self.live
            .values()
            .filter(|session| session.is_alive(now))
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

    fn token(&self, seed: &Seed, kind: TokenKind, generation: u32) -> String {
        token_format::encode(seed, kind, self.number, generation, self.started_at)
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        self.current.access_expires_at > now
            || self
                .current
                .refresh_expires_at
                .is_some_and(|expires_at| expires_at > now)
    }
}
