//! What callers changed in the message stores: messages they sent, read and deleted.

use std::collections::{BTreeMap, VecDeque};

use crate::timestamp::Timestamp;

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
    changes: BTreeMap<Key, Change>,
}

enum Change {
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
            None => self.change(world, extension, id, Change::Read { read, at: now }, now),
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
            self.change(world, extension, id, Change::Deleted, now);
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
        change: Change,
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
            Some(Change::Deleted) => None,
            Some(Change::Read { read, at }) => Some(Message {
                read: *read,
                modified_at: *at,
                ..message
            }),
        }
    }
}
