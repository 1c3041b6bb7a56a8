//! What a test does to a platform from outside.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::{
    fault::{Fault, FaultRule, Target},
    jose::personal_jwt::PersonalJwt,
    oauth::sessions::Ending,
    platform::{
        Platform,
        counters::Counters,
        journal::{Event, EventFilter},
    },
    resources::messages::SentMessage,
    state::Record,
    switches::{SwitchError, Switches},
    timestamp::Timestamp,
};

impl Platform {
    /// The platform's own time when its callers' is `now`.
    #[must_use]
    pub fn clock(&self, now: Timestamp) -> Timestamp {
        self.clock.time(now)
    }

    /// Sets the platform's clock ahead of its callers' by `by` more.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rc_sim::{Config, Platform, Timestamp};
    ///
    /// let mut platform = Platform::new(Config::demo(1, "http://localhost:8080/cb"));
    /// let now = Timestamp::from_millis(1_800_000_000_000);
    /// let before = platform.clock(now);
    /// platform.advance(Duration::from_secs(3600));
    /// assert!(platform.clock(now) > before);
    /// ```
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.note_clock();
    }

    /// Stops the platform's clock. [`advance`](Self::advance) still moves it.
    pub fn freeze_clock(&mut self, now: Timestamp) {
        self.clock.freeze(now);
        self.note_clock();
    }

    /// Lets the platform's clock go on from where it stopped.
    pub fn unfreeze_clock(&mut self, now: Timestamp) {
        self.clock.unfreeze(now);
        self.note_clock();
    }

    /// Lets the platform tell a time that is `milliseconds` ahead of the one it goes by; behind where negative.
    ///
    /// `Date` headers, `session_expiration_time` and ID tokens tell it. Lifetimes are not changed by it.
    pub fn skew_clock(&mut self, milliseconds: i64) {
        self.clock.set_skew(milliseconds);
        self.note_clock();
    }

    /// Lets `fault` happen to the next `times` requests of `target`, after the faults that wait already.
    pub fn queue_fault(&mut self, target: Target, fault: Fault, times: u32) {
        if times > 0 {
            let rule = FaultRule::new(fault).target(target).times(times);
            self.faults.add(rule, Timestamp::default());
        }
    }

    /// Adds a fault to those that wait and returns its number; `None` when 10,000 wait already.
    pub fn add_fault(&mut self, rule: FaultRule, now: Timestamp) -> Option<u64> {
        let now = self.clock(now);
        self.faults.add(rule, now)
    }

    /// Forgets one fault, by its number; returns whether it still waited.
    pub fn remove_fault(&mut self, number: u64) -> bool {
        self.faults.remove(number)
    }

    /// Forgets the faults that wait.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Switches all request limits on or off.
    pub fn enable_limits(&mut self, enabled: bool) {
        self.config.switches.limits.enabled = enabled;
        self.note_switches();
    }

    /// How the platform behaves at present.
    #[must_use]
    pub fn switches(&self) -> &Switches {
        &self.config.switches
    }

    /// Lets the platform behave otherwise from now on. Tokens and sessions keep the lives they were given.
    pub fn set_switches(&mut self, switches: Switches) {
        self.config.switches = switches;
        self.note_switches();
    }

    /// Changes some switches, by the names they serialize to.
    ///
    /// # Errors
    ///
    /// When a member has no such name or value; nothing is changed then.
    pub fn patch_switches(&mut self, patch: Value) -> Result<(), SwitchError> {
        self.config.switches = self.config.switches.patched(patch)?;
        self.note_switches();
        Ok(())
    }

    /// Enables or disables the extension of the user with this login; returns whether there is one.
    pub fn enable_user(&mut self, login: &str, enabled: bool) -> bool {
        self.outbox.push(|| Record::User {
            login: login.to_owned(),
            enabled,
        });
        self.registry.enable_user(login, enabled)
    }

    /// Lets every access token expire at `now`; returns how many were valid.
    pub fn expire_access_tokens(&mut self, now: Timestamp) -> usize {
        let now = self.clock(now);
        self.sessions.expire_access(now)
    }

    /// Whether the OAuth session that a token, access or refresh, belongs to has not ended. The token itself may have:
    /// access tokens end before their session, and spent ones are still of it.
    #[must_use]
    pub fn has_session(&self, token: &str) -> bool {
        self.sessions.owner_of(token).is_some()
    }

    /// Ends the OAuth session that a token, access or refresh, belongs to. Returns whether there was one.
    pub fn end_session(&mut self, token: &str) -> bool {
        let number = self
            .sessions
            .owner_of(token)
            .map(|session| session.number());
        number.is_some_and(|number| self.sessions.end(number, Ending::Revoked))
    }

    /// Ends every OAuth session of the user with this login, as a changed password does; returns how many.
    pub fn end_user_sessions(&mut self, login: &str) -> usize {
        let Some(user) = self.registry.login(login).map(|user| user.id()) else {
            return 0;
        };
        let times = self.passwords_changed.entry(user).or_default();
        *times = times.wrapping_add(1);
        let times = *times;
        self.outbox.push(|| Record::PasswordChanged { user, times });
        self.sessions.end_user(user)
    }

    /// A personal JWT of the user with this login, for every app: what the developer console hands out. The
    /// same each time. `None` when there is no such user.
    ///
    /// ```
    /// use rc_sim::{Config, Platform};
    ///
    /// let config = Config::demo(1, "http://localhost:8080/cb");
    /// let platform = Platform::new(config);
    /// assert!(platform.personal_jwt("nobody@example.com").is_none());
    /// ```
    #[must_use]
    pub fn personal_jwt(&self, login: &str) -> Option<String> {
        let user = self.registry.login(login)?;
        let jwt = PersonalJwt::new(&self.seed, user.extension_id, 0);
        Some(jwt.token(&self.keys))
    }

    /// Makes one more personal JWT of a user, perhaps for some apps only, perhaps expiring. `None` when there is
    /// no such user.
    pub fn create_personal_jwt(
        &mut self,
        login: &str,
        client_ids: Option<Vec<String>>,
        expires_at: Option<Timestamp>,
    ) -> Option<String> {
        let user = self.registry.login(login)?;
        let last = self.made_jwts.values().max();
        let serial = last.map_or(1, |serial| serial.saturating_add(1));
        let mut jwt = PersonalJwt::new(&self.seed, user.extension_id, serial);
        if let Some(client_ids) = client_ids {
            jwt = jwt.only_for(client_ids);
        }
        if let Some(expires_at) = expires_at {
            jwt = jwt.expiring_at(expires_at);
        }
        let token = jwt.token(&self.keys);
        self.made_jwts.insert(jwt.jti.clone(), serial);
        self.jwts.register(jwt.clone());
        self.outbox.push(|| Record::PersonalJwt { serial, jwt });
        Some(token)
    }

    /// Revokes a personal JWT; returns whether it is one of this platform's. Sessions it started live on.
    pub fn revoke_personal_jwt(&mut self, token: &str) -> bool {
        let found = self.jwts.find(token, &self.keys);
        let Some(jti) = found.map(|jwt| jwt.jti.clone()) else {
            return false;
        };
        let revoked = self.jwts.revoke(&jti);
        let serial = *self.made_jwts.entry(jti.clone()).or_default();
        if let Some(jwt) = self.jwts.get(&jti) {
            self.outbox.push(|| Record::PersonalJwt {
                serial,
                jwt: jwt.clone(),
            });
        }
        revoked
    }

    /// Signs ID tokens with the next key from now on. The present one stays in the key set, the one before it
    /// leaves. All namespaces have the same keys: those of a namespace cannot be rotated alone.
    pub fn rotate_signing_key(&mut self) {
        if !self.name.is_empty() {
            return;
        }
        self.keys.rotate();
        for namespace in self.namespaces.values_mut() {
            namespace.keys = self.keys.clone();
        }
        let rotations = self.keys.rotations();
        self.outbox.push(|| Record::SigningKey { rotations });
    }

    /// Ends every OAuth session; returns how many.
    pub fn end_all_sessions(&mut self) -> usize {
        self.sessions.end_all()
    }

    /// What the platform has seen so far.
    #[must_use]
    pub fn counters(&self, now: Timestamp) -> Counters {
        let limits = self.config.switches.session_limits;
        Counters {
            live_sessions: self.sessions.alive(limits, self.clock(now)) as u64,
            sessions_ended: self.sessions.ended(),
            ..self.counters.clone()
        }
    }

    /// The last requests that `filter` takes, oldest first; at most 10,000 are kept.
    pub fn events<'a>(&'a self, filter: &'a EventFilter) -> impl Iterator<Item = Event> + 'a {
        self.journal.read(filter, &self.registry)
    }

    /// The recorded text messages, oldest first; at most the last 1,000.
    pub fn messages(&self) -> impl Iterator<Item = &SentMessage> {
        self.messages.iter()
    }

    /// Forgets everything that happened: sessions, codes, consents, messages, faults, events, counters, and what
    /// was done to the clock, the switches and the users. Namespaces stay, and are not touched; so does the signing
    /// key, which they share.
    pub fn reset(&mut self) {
        let namespaces = std::mem::take(&mut self.namespaces);
        let outbox = std::mem::take(&mut self.outbox);
        let fresh = self.anew();
        *self = Self {
            namespaces,
            keys: self.keys.clone(),
            outbox,
            ..fresh
        };
        self.rewrite();
    }
}

/// Tells how busy the platform is, and no secret.
impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("config", &self.config)
            .field("requests", &self.requests)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
