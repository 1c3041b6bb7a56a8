//! The company behind the platform: its people, their calls and their messages.
//!
//! Nothing of it is stored or made in advance. Everything follows from the seed, the configuration and the
//! time, one item at a time, so a platform starts at once and an item costs the same wherever it stands.

mod calls;
mod draw;
mod mailboxes;
mod messages;
mod people;
mod timeline;

use crate::{config::Config, seed::Seed};

pub(crate) use calls::{CallKind, PhoneCall};
pub(crate) use mailboxes::{Mailboxes, Mark};
pub(crate) use messages::{Message, Party};
pub(crate) use people::Extension;
pub(crate) use timeline::Whose;

/// A view of the company.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    config: &'a Config,
    key: u64,
}

impl<'a> World<'a> {
    /// The key to all of a seed's company.
    pub(crate) fn key(seed: &Seed) -> u64 {
        seed.number("world", &[])
    }

    pub(crate) fn of(config: &'a Config, key: u64) -> Self {
        Self { config, key }
    }
}
