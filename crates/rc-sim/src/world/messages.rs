//! Messages in a message store, and the inbound ones that are made from the seed.

use std::{borrow::Cow, ops::Range, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

use super::{
    Extension, World,
    draw::Draw,
    timeline::{Timeline, Whose},
};

/// The mean time between two inbound messages of one extension: about three a day.
const ROUND: Duration = Duration::from_secs(8 * 3_600);
/// The newest inbound messages an extension has from the seed.
const KEPT: u64 = 30;
/// The first id of a message from the seed; those that were sent have lower ones.
const FIRST_ID: u64 = 1_000_000_000_000;

/// Area codes of people outside the company; the numbers are those nobody has.
const AREA_CODES: [u64; 6] = [206, 212, 305, 312, 617, 713];
const PLACES: [&str; 6] = [
    "Seattle, WA",
    "New York, NY",
    "Miami, FL",
    "Chicago, IL",
    "Boston, MA",
    "Houston, TX",
];
const NAMES: [&str; 8] = [
    "Avery Figment",
    "Blake Imaginary",
    "Corin Madeup",
    "Drew Fiction",
    "Ellis Notional",
    "Finley Invented",
    "Gale Fabled",
    "Hollis Unreal",
];
const TEXTS: [&str; 8] = [
    "Can we move the meeting to Thursday?",
    "The delivery arrived this morning.",
    "Thanks for the quick answer!",
    "Please call me back when you are free.",
    "The quote looks fine, go ahead.",
    "Running ten minutes late.",
    "Is the workshop open on Saturday?",
    "Robot 7 is asking for more oil again.",
];

/// One side of a call or message.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Party {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) phone_number: String,
}

impl Party {
    /// Somebody outside the company.
    pub(super) fn outside(draw: &mut Draw) -> Self {
        let place = draw.below(AREA_CODES.len() as u64) as usize;
        Self {
            extension_number: None,
            location: Some(PLACES[place].into()),
            name: Some(draw.pick(&NAMES).into()),
            phone_number: format!("+1{}555{:04}", AREA_CODES[place], 100 + draw.below(100)),
        }
    }

    /// An extension of the company.
    pub(crate) fn inside(extension: &Extension) -> Self {
        Self {
            extension_number: Some(extension.number.clone()),
            location: None,
            name: Some(extension.name()),
            phone_number: extension.phone_number.clone(),
        }
    }

    /// A number of which nothing else is known.
    pub(crate) fn number(phone_number: &str) -> Self {
        Self {
            extension_number: None,
            location: None,
            name: None,
            phone_number: phone_number.into(),
        }
    }
}

/// A text message in an extension's message store.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) from: Party,
    pub(crate) to: Arc<[Party]>,
    pub(crate) inbound: bool,
    pub(crate) read: bool,
    pub(crate) text: Arc<str>,
    pub(crate) created_at: Timestamp,
    pub(crate) modified_at: Timestamp,
}

impl World<'_> {
    fn mail(&self) -> Timeline {
        Timeline::new(self.key ^ 0x3A11, self.size(), ROUND)
    }

    fn received(&self, extension: &Extension, now: Timestamp) -> Range<u64> {
        let end = self.mail().happened(Whose::Extension(extension.index), now);
        end.saturating_sub(KEPT)..end
    }

    /// The messages of an extension that come from the seed, newest first.
    pub(super) fn seeded<'w>(
        &'w self,
        extension: &'w Extension,
        now: Timestamp,
    ) -> impl Iterator<Item = Message> + 'w {
        let whose = Whose::Extension(extension.index);
        self.received(extension, now).rev().map(move |position| {
            self.seeded_message(extension, self.mail().number(whose, position))
        })
    }

    /// The message with this id, when it comes from the seed and the extension has it at `now`.
    pub(super) fn find_seeded(
        &self,
        extension: &Extension,
        id: u64,
        now: Timestamp,
    ) -> Option<Message> {
        let number = id.checked_sub(FIRST_ID)?;
        let own = self.mail().extension(number) == extension.index;
        let kept = self
            .received(extension, now)
            .contains(&(number / self.size()));
        (own && kept).then(|| self.seeded_message(extension, number))
    }

    /// The id of the oldest message from the seed that the extension still has at `now`.
    pub(super) fn oldest_seeded(&self, extension: &Extension, now: Timestamp) -> u64 {
        let first = self.received(extension, now).start;
        let number = self.mail().number(Whose::Extension(extension.index), first);
        FIRST_ID.saturating_add(number)
    }

    fn seeded_message(&self, extension: &Extension, number: u64) -> Message {
        let mut draw = Draw::new(self.key ^ 0x3A12, number);
        let at = self.mail().at(number);
        Message {
            id: FIRST_ID.saturating_add(number),
            from: Party::outside(&mut draw),
            to: Arc::new([Party::inside(extension)]),
            inbound: true,
            read: draw.below(2) == 0,
            text: draw.pick(&TEXTS).into(),
            created_at: at,
            modified_at: at,
        }
    }
}
