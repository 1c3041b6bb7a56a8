//! What a platform keeps over a restart: a snapshot of everything, and the changes since.
//!
//! Kept: OAuth sessions, ended ones, codes, consents, messages, personal JWTs, used client assertions, the clock,
//! the signing key's turn, switches and users that were changed, and namespaces. Not kept: rate windows, faults
//! that wait, events and counters, which belong to a run.

#[cfg(feature = "server")]
pub(crate) mod file;
mod outbox;
mod record;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::{outbox::Outbox, record::Record};
use crate::{platform::Platform, switches::SwitchError, timestamp::Timestamp, world::Mark};

/// The version of what is written. Higher ones are refused.
const VERSION: u32 = 1;

/// Everything a platform keeps over a restart, as JSON by serde. It has tokens' secrets in it: the seed.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    version: u32,
    /// Of the configuration. Ids and tokens follow from it, so a snapshot fits no other.
    seed: u64,
    /// Where a server listened with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    parts: Vec<Part>,
}

/// What belongs to one namespace; the empty name is the platform's own.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    records: Vec<Record>,
}

/// Why a snapshot was not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It was written by a later version.
    #[error(
        "the snapshot has version {0}, and this program knows version {VERSION}; use a newer one"
    )]
    Version(u32),
    /// It is another platform's.
    #[error(
        "the snapshot is of a platform with the seed {theirs}, and this one has {ours}; start with --seed {theirs}"
    )]
    Seed {
        /// The snapshot's.
        theirs: u64,
        /// The configuration's.
        ours: u64,
    },
    /// A switch is not known any more.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// It names a namespace that cannot be made.
    #[error("the snapshot has the namespace {0:?}, which cannot be made")]
    Namespace(String),
}

/// What changed.
#[cfg(feature = "server")]
enum Changes {
    Some(Vec<Part>),
    /// More than can be told one by one.
    Everything,
}

impl Platform {
    /// Everything that is kept over a restart, without what has expired at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let own = Part {
            namespace: String::new(),
            records: self.records(now),
        };
        let namespaces = self.namespaces.iter().map(|(name, platform)| Part {
            namespace: name.clone(),
            records: platform.records(now),
        });
        Snapshot {
            version: VERSION,
            seed: self.initial.seed,
            port: None,
            parts: std::iter::once(own).chain(namespaces).collect(),
        }
    }

    /// Makes this platform what it was when `snapshot` was taken. Sessions of apps and users that the
    /// configuration does not have are kept for a time when it has them again.
    ///
    /// # Errors
    ///
    /// When the snapshot is of another seed or a later version; nothing is changed then.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), RestoreError> {
        let mut fresh = self.anew();
        fresh.outbox = std::mem::take(&mut self.outbox);
        let restored = fresh.take_over(snapshot);
        std::mem::swap(&mut self.outbox, &mut fresh.outbox);
        restored?;
        std::mem::swap(&mut self.outbox, &mut fresh.outbox);
        *self = fresh;
        self.rewrite();
        Ok(())
    }

    fn take_over(&mut self, snapshot: Snapshot) -> Result<(), RestoreError> {
        if snapshot.version > VERSION {
            return Err(RestoreError::Version(snapshot.version));
        }
        if snapshot.seed != self.initial.seed {
            return Err(RestoreError::Seed {
                theirs: snapshot.seed,
                ours: self.initial.seed,
            });
        }
        for part in snapshot.parts {
            self.apply(part)?;
        }
        Ok(())
    }

    fn apply(&mut self, part: Part) -> Result<(), RestoreError> {
        let platform = if part.namespace.is_empty() {
            self
        } else {
            if self.namespace(&part.namespace).is_none() {
                self.add_namespace(&part.namespace)
                    .map_err(|_| RestoreError::Namespace(part.namespace.clone()))?;
            }
            self.namespace_mut(&part.namespace)
                .ok_or(RestoreError::Namespace(part.namespace))?
        };
        for record in part.records {
            platform.apply_record(record)?;
        }
        Ok(())
    }

    /// Collects changes from now on, here and in every namespace.
    pub(crate) fn keep_changes(&mut self) {
        self.outbox.open();
        self.sessions.watch();
        for namespace in self.namespaces.values_mut() {
            namespace.keep_changes();
        }
    }

    /// What changed since this was asked last.
    #[cfg(feature = "server")]
    fn take_changes(&mut self) -> Changes {
        let mut parts = Vec::new();
        let mut rewrite = false;
        let namespaces = self.namespaces.iter_mut();
        let namespaces: Vec<(&String, &mut Self)> = namespaces.collect();
        for (name, platform) in namespaces {
            rewrite |= platform.take_part(name, &mut parts);
        }
        // Its own come first: they make the namespaces.
        let mut own = Vec::new();
        rewrite |= self.take_part("", &mut own);
        own.append(&mut parts);
        if rewrite {
            return Changes::Everything;
        }
        Changes::Some(own)
    }

    #[cfg(feature = "server")]
    fn take_part(&mut self, name: &str, parts: &mut Vec<Part>) -> bool {
        let mut records = self.outbox.take();
        records.extend(self.sessions.changes());
        if !records.is_empty() {
            parts.push(Part {
                namespace: name.to_owned(),
                records,
            });
        }
        std::mem::take(&mut self.outbox.rewrite)
    }

    /// Notes that a code was issued or used.
    pub(crate) fn note_code(&mut self, code: &str) {
        if self.outbox.is_open()
            && let Some(kept) = self.codes.kept(code)
        {
            self.outbox.push(|| Record::Code(Box::new(kept)));
        }
    }

    /// Notes what became of a message.
    pub(crate) fn note_mark(&mut self, extension: u64, id: u64, mark: Mark) {
        self.outbox.push(|| Record::MessageMarked {
            extension,
            id,
            mark,
        });
    }

    pub(crate) fn note_clock(&mut self) {
        let clock = self.clock;
        self.outbox.push(|| Record::Clock(clock));
    }

    pub(crate) fn note_switches(&mut self) {
        let changed = self.changed_switches();
        let nothing = || Value::Object(Map::new());
        self.outbox
            .push(|| Record::Switches(changed.unwrap_or_else(nothing)));
    }

    /// Lets everything be written anew instead of what changed, for a platform that took another's place.
    pub(crate) fn rewrite(&mut self) {
        self.outbox.rewrite = true;
        if self.outbox.is_open() {
            self.keep_changes();
        }
    }
}
