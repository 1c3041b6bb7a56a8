//! One thing that a platform keeps.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RestoreError;
use crate::{
    config::{ClientId, UserId},
    jose::{jti_cache::Spent, personal_jwt::PersonalJwt},
    oauth::{
        authorization_codes::IssuedCode,
        sessions::{Ended, Session},
    },
    platform::{Platform, clock::Clock},
    resources::messages::SentMessage,
    timestamp::Timestamp,
    world::{Mark, Message},
};

/// One thing that a platform keeps, as it is now: a later record of the same thing takes its place.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Record {
    Session(Box<Session>),
    SessionEnded(Ended),
    Code(Box<IssuedCode>),
    Consent {
        client_id: ClientId,
        user: UserId,
    },
    PersonalJwt {
        serial: u32,
        jwt: PersonalJwt,
    },
    AssertionSpent(Spent),
    Message {
        extension: u64,
        message: Message,
    },
    MessageMarked {
        extension: u64,
        id: u64,
        mark: Mark,
    },
    MessageSent(SentMessage),
    Clock(Clock),
    SigningKey {
        rotations: u32,
    },
    /// What was changed about them, so that a start with other ones keeps those.
    Switches(Value),
    User {
        login: String,
        enabled: bool,
    },
    PasswordChanged {
        user: UserId,
        times: u64,
    },
    Namespace {
        name: String,
    },
    NamespaceRemoved {
        name: String,
    },
}

impl Platform {
    /// Everything, without what has expired.
    pub(super) fn records(&self, now: Timestamp) -> Vec<Record> {
        let now = self.clock(now);
        let limits = self.config.switches.session_limits;
        let mut records = vec![
            Record::Clock(self.clock),
            Record::SigningKey {
                rotations: self.keys.rotations(),
            },
        ];
        records.extend(self.changed_switches().map(Record::Switches));
        let users = self.registry.changed_users(&self.initial);
        records.extend(users.map(|user| Record::User {
            login: user.login.clone(),
            enabled: user.enabled,
        }));
        let mut passwords: Vec<_> = self.passwords_changed.iter().collect();
        passwords.sort();
        records.extend(passwords.into_iter().map(|(user, times)| {
            let (user, times) = (*user, *times);
            Record::PasswordChanged { user, times }
        }));
        let ended = self.sessions.remembered().cloned();
        records.extend(ended.map(Record::SessionEnded));
        let living = self.sessions.living(limits, now).into_iter();
        records.extend(living.map(|session| Record::Session(Box::new(session.clone()))));
        let strangers = self.strangers.values();
        records.extend(strangers.map(|session| Record::Session(Box::new(session.clone()))));
        let codes = self.codes.remembered(now);
        records.extend(codes.map(|code| Record::Code(Box::new(code))));
        records.extend(self.other_records());
        records
    }

    fn other_records(&self) -> impl Iterator<Item = Record> {
        let mut consents: Vec<_> = self.consents.iter().cloned().collect();
        consents.sort();
        let consents = consents
            .into_iter()
            .map(|(client_id, user)| Record::Consent { client_id, user });
        let jwts = self.made_jwts.iter().filter_map(|(jti, serial)| {
            let jwt = self.jwts.get(jti)?.clone();
            let serial = *serial;
            Some(Record::PersonalJwt { serial, jwt })
        });
        let assertions = self.used_assertions.spent().map(Record::AssertionSpent);
        let sent = self.messages.iter().cloned().map(Record::MessageSent);
        consents
            .chain(jwts)
            .chain(assertions)
            .chain(self.mailboxes.records())
            .chain(sent)
    }

    /// What was changed about the switches.
    pub(super) fn changed_switches(&self) -> Option<Value> {
        self.config.switches.difference(&self.initial.switches)
    }

    /// Takes one thing over.
    pub(super) fn apply_record(&mut self, record: Record) -> Result<(), RestoreError> {
        match record {
            Record::Session(session) => {
                let known = self.registry.app(session.app.as_str()).is_some()
                    && self.registry.user(session.user).is_some();
                if known {
                    self.sessions.insert(*session);
                } else {
                    self.sessions.pass_over(session.number());
                    self.strangers.insert(session.number(), *session);
                }
            }
            Record::SessionEnded(ended) => {
                self.strangers.remove(&ended.number);
                self.sessions.forget(ended);
            }
            Record::Code(code) => self.codes.insert(*code),
            Record::Consent { client_id, user } => drop(self.consents.insert((client_id, user))),
            Record::PersonalJwt { serial, jwt } => {
                self.made_jwts.insert(jwt.jti.clone(), serial);
                self.jwts.register(jwt);
            }
            Record::AssertionSpent(spent) => self.used_assertions.insert(spent),
            Record::Message { extension, message } => self.take_message(extension, message),
            Record::MessageMarked {
                extension,
                id,
                mark,
            } => self.mailboxes.take_mark(extension, id, mark),
            Record::MessageSent(message) => self.note_sent(message),
            Record::Clock(clock) => self.clock = clock,
            Record::SigningKey { rotations } => {
                self.keys.set_rotations(rotations);
                for namespace in self.namespaces.values_mut() {
                    namespace.keys = self.keys.clone();
                }
            }
            Record::Switches(patch) => {
                self.config.switches = self.initial.switches.patched(patch)?;
            }
            Record::User { login, enabled } => {
                // A user who is no longer configured cannot be disabled either.
                self.registry.enable_user(&login, enabled);
            }
            Record::PasswordChanged { user, times } => {
                self.passwords_changed.insert(user, times);
            }
            Record::Namespace { name } => {
                // One that is there already stays as it is.
                drop(self.add_namespace(&name).map(drop));
            }
            Record::NamespaceRemoved { name } => drop(self.remove_namespace(&name)),
        }
        Ok(())
    }
}
