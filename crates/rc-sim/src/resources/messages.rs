//! Text messages: recorded, never sent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    platform::Platform,
    resources::sms::Sms,
    state::Record,
    timestamp::Timestamp,
    world::{Extension, Message, Party},
};

/// The most recorded messages kept; the oldest go first.
const MOST_MESSAGES: usize = 1_000;
/// The ids of messages begin above it, beyond 32 bits.
const FIRST_ID: u64 = 4_294_968_000;

/// A text message an app asked to send. Recorded, never sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct SentMessage {
    /// The platform's id of the message.
    pub id: u64,
    /// Who sent it: the extension's id.
    pub extension_id: u64,
    /// The sender's number.
    pub from: String,
    /// The receivers' numbers.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

impl Platform {
    /// Stores a message in the sender's message store, and in that of each receiver inside the company.
    pub(crate) fn record_sms(&mut self, sender: &Extension, sms: Sms, now: Timestamp) -> Message {
        let world = self.world();
        let mut from = Party::inside(sender);
        from.phone_number.clone_from(&sms.from);
        let mut receivers: Vec<Extension> = sms
            .to
            .iter()
            .filter_map(|number| world.owner_of(number))
            .collect();
        let to = sms.to.iter().map(|number| {
            let inside = receivers
                .iter()
                .find(|receiver| receiver.phone_number == *number);
            inside.map_or_else(|| Party::number(number), Party::inside)
        });
        let to: Arc<[Party]> = to.collect();
        receivers.sort_by_key(|receiver| receiver.id);
        receivers.dedup_by_key(|receiver| receiver.id);
        let message = Message {
            id: self.next_message_id(),
            from,
            to,
            inbound: false,
            read: true,
            text: sms.text.as_str().into(),
            created_at: now,
            modified_at: now,
        };
        self.put_message(sender.id, message.clone());
        for receiver in receivers {
            let received = Message {
                id: self.next_message_id(),
                inbound: true,
                read: false,
                ..message.clone()
            };
            self.put_message(receiver.id, received);
        }
        let sent = SentMessage {
            id: message.id,
            extension_id: sender.id,
            from: sms.from,
            to: sms.to,
            text: sms.text,
            at: now,
        };
        self.outbox.push(|| Record::MessageSent(sent.clone()));
        self.note_sent(sent);
        message
    }

    fn put_message(&mut self, extension: u64, message: Message) {
        self.outbox.push(|| Record::Message {
            extension,
            message: message.clone(),
        });
        self.mailboxes.store(extension, message);
    }

    /// Takes over a message of a former run.
    pub(crate) fn take_message(&mut self, extension: u64, message: Message) {
        let number = message.id.saturating_sub(FIRST_ID);
        self.messages_recorded = self.messages_recorded.max(number);
        self.mailboxes.take(extension, message);
    }

    fn next_message_id(&mut self) -> u64 {
        self.messages_recorded = self.messages_recorded.wrapping_add(1);
        // Both wrap: a snapshot may say any number.
        FIRST_ID.wrapping_add(self.messages_recorded)
    }

    /// Keeps a message in the list of those that were recorded.
    pub(crate) fn note_sent(&mut self, message: SentMessage) {
        if self.messages.len() == MOST_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }
}
