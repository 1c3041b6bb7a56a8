//! Platform §4, rules 1 to 8 of refreshing, and what differs by switch.

use std::time::Duration;

use super::{Ending, Pair, PairLife, Session, Sessions};
use crate::{
    config::ClientId,
    oauth::token_format::{self, TokenKind},
    switches::{ConcurrentDuplicates, RefreshReplay, SessionLimits, Switches},
    timestamp::Timestamp,
};

/// How long a replaced access token is "corrupted" before it is "not found".
const CORRUPTED_FOR: Duration = Duration::from_secs(10);

/// The switches of refreshing.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    replay: RefreshReplay,
    late_reuse_ends_session: bool,
    duplicates: ConcurrentDuplicates,
    pub(crate) limits: SessionLimits,
}

impl Rules {
    pub(crate) fn of(switches: &Switches) -> Self {
        Self {
            replay: switches.refresh_replay,
            late_reuse_ends_session: switches.late_reuse_ends_session,
            duplicates: switches.concurrent_duplicates,
            limits: switches.session_limits,
        }
    }
}

/// A refresh token that was found.
pub(crate) struct PresentedToken<'a> {
    pub(crate) session: &'a Session,
    pub(crate) generation: u32,
}

/// A refresh request.
pub(crate) struct Refresh {
    pub(crate) session: u64,
    /// Of the token that was presented.
    pub(crate) generation: u32,
    pub(crate) life: PairLife,
    /// What the next pair may do; `None` for all that was granted.
    pub(crate) scope: Option<String>,
    /// How late its answer leaves; zero unless a fault delays it.
    pub(crate) answer_delay: Duration,
}

/// A refresh request that may still be at work when its duplicate arrives.
#[derive(Clone, Copy)]
pub(super) struct InTheAir {
    generation: u32,
    until: Timestamp,
}

/// Why an access token was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AccessRefusal {
    Unparsable,
    Expired,
    Corrupted,
    NotFound,
}

/// Why a refresh was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RefreshRefusal {
    Expired,
    /// Its OAuth session was revoked.
    Revoked,
    NotFound,
    /// An earlier request with the same token is still in the air.
    Busy,
}

/// How a refresh was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refreshed {
    Minted,
    Replayed,
}

impl Sessions {
    /// The session of a refresh token that `app` presents, current or spent.
    pub(crate) fn presented(
        &self,
        token: &str,
        app: &ClientId,
    ) -> Result<PresentedToken<'_>, RefreshRefusal> {
        let Some((number, generation)) = self.locate(TokenKind::Refresh, token) else {
            return Err(self.refuse_ended(token, app));
        };
        let session = self.live.get(&number);
        let session = session.filter(|session| session.app == *app);
        let session = session.ok_or(RefreshRefusal::NotFound)?;
        Ok(PresentedToken {
            session,
            generation,
        })
    }

    /// Carries out a refresh that arrives at `now`.
    pub(crate) fn refresh(
        &mut self,
        refresh: &Refresh,
        rules: Rules,
        now: Timestamp,
    ) -> Result<(u64, Refreshed), RefreshRefusal> {
        let (number, generation) = (refresh.session, refresh.generation);
        let session = self.live.get_mut(&number).ok_or(RefreshRefusal::NotFound)?;
        if session.is_over(rules.limits, now) {
            self.end(number, Ending::Expired);
            return Err(RefreshRefusal::Expired);
        }
        session.take_off(generation, rules.duplicates, refresh.answer_delay, now)?;
        if generation == session.current.generation {
            session.mint_next(refresh.life, now)?;
            session.narrowed.clone_from(&refresh.scope);
            self.touch(number);
            return Ok((number, Refreshed::Minted));
        }
        let (replayed, ends_session) = match rules.replay {
            RefreshReplay::Grace { unused, used } => (
                session.replay(generation, unused, used, now),
                rules.late_reuse_ends_session,
            ),
            // Strict servers: a spent refresh token counts as stolen and ends the whole OAuth session.
            RefreshReplay::Strict => (Err(RefreshRefusal::NotFound), true),
        };
        if replayed.is_err() && ends_session {
            self.end(number, Ending::Theft);
        }
        replayed.map(|()| (number, Refreshed::Replayed))
    }

    /// Platform §6.2: OAU-211 for a revoked token, OAU-210 for an expired one, else OAU-213.
    fn refuse_ended(&self, token: &str, app: &ClientId) -> RefreshRefusal {
        let ended = token_format::decode(token)
            .filter(|claim| claim.kind == TokenKind::Refresh)
            .and_then(|claim| Some((self.gone.get(claim.session)?, claim.generation)))
            .filter(|(ended, generation)| {
                let issued = self.encode(
                    TokenKind::Refresh,
                    ended.number,
                    *generation,
                    ended.started_at,
                );
                ended.app == *app && issued == token
            });
        match ended.map(|(ended, _)| ended.ending) {
            Some(Ending::Revoked) => RefreshRefusal::Revoked,
            Some(Ending::Expired) => RefreshRefusal::Expired,
            Some(Ending::Replaced | Ending::Theft) | None => RefreshRefusal::NotFound,
        }
    }

    /// Checks an access token presented to an API and notes its first use.
    pub(crate) fn use_access(
        &mut self,
        token: &str,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Result<&Session, AccessRefusal> {
        if token_format::decode(token).is_none_or(|claim| claim.kind != TokenKind::Access) {
            return Err(AccessRefusal::Unparsable);
        }
        let (number, generation) = self
            .locate(TokenKind::Access, token)
            .ok_or(AccessRefusal::NotFound)?;
        let session = self.live.get_mut(&number).ok_or(AccessRefusal::NotFound)?;
        if generation != session.current.generation {
            return Err(session.refuse_replaced(generation, now));
        }
        if session.current.access_expires_at <= now || session.is_over(limits, now) {
            return Err(AccessRefusal::Expired);
        }
        session.active_at = now;
        // Platform §4, rule 3: the first authenticated call with the new access token starts the 10 s.
        if session.used_at.is_none() {
            session.used_at = Some(now);
            self.touch(number);
        }
        self.live.get(&number).ok_or(AccessRefusal::NotFound)
    }
}

impl Session {
    /// Refuses a duplicate of a refresh in the air, or notes that this one is.
    fn take_off(
        &mut self,
        generation: u32,
        duplicates: ConcurrentDuplicates,
        answer_delay: Duration,
        now: Timestamp,
    ) -> Result<(), RefreshRefusal> {
        let ConcurrentDuplicates::RefusedBusy { within } = duplicates else {
            return Ok(());
        };
        let busy = self
            .in_the_air
            .is_some_and(|earlier| earlier.generation == generation && now < earlier.until);
        if busy {
            return Err(RefreshRefusal::Busy);
        }
        self.in_the_air = Some(InTheAir {
            generation,
            until: now.plus(within.max(answer_delay)),
        });
        Ok(())
    }

    /// Platform §4, rule 1: a refresh makes the next pair; the old access token dies at once.
    /// Platform §4, rule 5: the pair before this one is forgotten, its grace ends.
    fn mint_next(&mut self, life: PairLife, now: Timestamp) -> Result<(), RefreshRefusal> {
        let expires_at = self
            .current
            .refresh_expires_at
            .ok_or(RefreshRefusal::NotFound)?;
        if expires_at <= now {
            return Err(RefreshRefusal::Expired);
        }
        let next =
            Pair::mint(self.current.generation.wrapping_add(1), life, now).capped(self.ends_at);
        self.previous = Some(std::mem::replace(&mut self.current, next));
        self.used_at = None;
        self.active_at = now;
        Ok(())
    }

    /// Platform §4, rule 2: the last spent refresh token returns the current pair again, up to 60 min while
    /// the new access token is unused and 10 s after its first use. Rule 4: older ones are not found.
    fn replay(
        &self,
        generation: u32,
        unused: Duration,
        used: Duration,
        now: Timestamp,
    ) -> Result<(), RefreshRefusal> {
        if self
            .previous
            .is_none_or(|previous| previous.generation != generation)
        {
            return Err(RefreshRefusal::NotFound);
        }
        let (since, grace) = match self.used_at {
            None => (self.current.issued_at, unused),
            Some(used_at) => (used_at, used),
        };
        if !grace.is_zero() && now.since(since) <= grace {
            Ok(())
        } else {
            Err(RefreshRefusal::NotFound)
        }
    }

    /// Platform §4, fact 4: a replaced access token is "corrupted" (OAU-129) for 10 s, then "not found" (OAU-213).
    fn refuse_replaced(&self, generation: u32, now: Timestamp) -> AccessRefusal {
        let replaced_by = [Some(self.current), self.previous]
            .into_iter()
            .flatten()
            .find(|pair| pair.generation == generation.wrapping_add(1));
        match replaced_by {
            Some(pair) if now.since(pair.issued_at) <= CORRUPTED_FOR => AccessRefusal::Corrupted,
            Some(_) | None => AccessRefusal::NotFound,
        }
    }
}
