//! What callers changed in the message stores: messages they sent, read and deleted.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{state::Record, timestamp::Timestamp};

use super::{Extension, Message, World};

/// The most messages kept for all extensions together; the oldest go first.
const MOST_STORED: usize = 5_000;

/// Extension and message id.
type Key = (u64, u64);

/// The part of the message stores that does not follow from the seed.
#[derive(Default)]
pub(crate) struct Mailboxes {
    stored: BTreeMap<Key, Message>,
    /// In the order they were stored, deleted ones included.
    order: VecDeque<Key>,
    /// What became of messages from the seed.
    changes: BTreeMap<Key, Mark>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mark {
    Read { read: bool, at: Timestamp },
    Deleted,
}

impl Mailboxes {
    pub(crate) fn store(&mut self, extension: u64, message: Message) {
        if self.order.len() == MOST_STORED
            && let Some(oldest) = self.order.pop_front()
        {
            self.stored.remove(&oldest);
        }
        let key = (extension, message.id);
        self.order.push_back(key);
        self.stored.insert(key, message);
    }

    /// What changed, message by message.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let stored = self.order.iter().filter_map(|key| {
            let message = self.stored.get(key)?.clone();
            let extension = key.0;
            Some(Record::Message { extension, message })
        });
        let changes = self.changes.iter().map(|(key, mark)| {
            let ((extension, id), mark) = (*key, *mark);
            Record::MessageMarked {
                extension,
                id,
                mark,
            }
        });
        stored.chain(changes)
    }

    /// Takes over a message, which may be there already.
    pub(crate) fn take(&mut self, extension: u64, message: Message) {
        match self.stored.get_mut(&(extension, message.id)) {
            Some(stored) => *stored = message,
            None => self.store(extension, message),
        }
    }

    /// Takes over what became of a message.
    pub(crate) fn take_mark(&mut self, extension: u64, id: u64, mark: Mark) {
        let key = (extension, id);
        match (mark, self.stored.get_mut(&key)) {
            (Mark::Read { read, at }, Some(message)) => {
                (message.read, message.modified_at) = (read, at);
            }
            (Mark::Deleted, Some(_)) => drop(self.stored.remove(&key)),
            (_, None) => drop(self.changes.insert(key, mark)),
        }
    }

    /// All messages of an extension, newest first.
    pub(crate) fn all(
        &self,
        world: &World<'_>,
        extension: &Extension,
        now: Timestamp,
    ) -> Vec<Message> {
        let stored = self
            .stored
            .range((extension.id, 0)..=(extension.id, u64::MAX));
        let mut messages: Vec<Message> = world
            .seeded(extension, now)
            .filter_map(|message| self.changed(extension.id, message))
            .chain(stored.map(|(_, message)| message.clone()))
            .collect();
        messages.sort_by_key(|message| std::cmp::Reverse((message.created_at, message.id)));
        messages
    }

    pub(crate) fn find(
        &self,
        world: &World<'_>,
        extension: &Extension,
        id: u64,
        now: Timestamp,
    ) -> Option<Message> {
        match self.stored.get(&(extension.id, id)) {
            Some(message) => Some(message.clone()),
            None => self.changed(extension.id, world.find_seeded(extension, id, now)?),
        }
    }

    /// Marks a message; returns it, or nothing when there is none with this id.
    pub(crate) fn mark(
        &mut self,
        world: &World<'_>,
        extension: &Extension,
        id: u64,
        read: bool,
        now: Timestamp,
    ) -> Option<Message> {
        let mut message = self.find(world, extension, id, now)?;
        (message.read, message.modified_at) = (read, now);
        match self.stored.get_mut(&(extension.id, id)) {
            Some(stored) => stored.clone_from(&message),
            None => self.change(world, extension, id, Mark::Read { read, at: now }, now),
        }
        Some(message)
    }

    /// Returns whether there was a message with this id.
    pub(crate) fn delete(
        &mut self,
        world: &World<'_>,
        extension: &Extension,
        id: u64,
        now: Timestamp,
    ) -> bool {
        if self.find(world, extension, id, now).is_none() {
            return false;
        }
        if self.stored.remove(&(extension.id, id)).is_none() {
            self.change(world, extension, id, Mark::Deleted, now);
        }
        true
    }

    /// Remembers a change, and forgets those of messages the extension has no longer, so that there are
    /// never more changes than messages.
    fn change(
        &mut self,
        world: &World<'_>,
        extension: &Extension,
        id: u64,
        change: Mark,
        now: Timestamp,
    ) {
        let oldest = world.oldest_seeded(extension, now);
        while let Some((key, _)) = self
            .changes
            .range((extension.id, 0)..(extension.id, oldest))
            .next()
        {
            let key = *key;
            self.changes.remove(&key);
        }
        self.changes.insert((extension.id, id), change);
    }

    fn changed(&self, extension: u64, message: Message) -> Option<Message> {
        match self.changes.get(&(extension, message.id)) {
            None => Some(message),
            Some(Mark::Deleted) => None,
            Some(Mark::Read { read, at }) => Some(Message {
                read: *read,
                modified_at: *at,
                ..message
            }),
        }
    }
}
