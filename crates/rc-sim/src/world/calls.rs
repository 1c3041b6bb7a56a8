//! The calls of the company, made from the seed: call number n is always the same call.

use std::{ops::Range, time::Duration};

use crate::timestamp::Timestamp;

use super::{
    World,
    draw::Draw,
    messages::Party,
    timeline::{Timeline, Whose},
};

/// The mean time between two calls of one extension.
const ROUND: Duration = Duration::from_secs(26 * 60);
/// No call is longer. A call is in the log when it must be over.
const LONGEST: u64 = 600;
/// The newest calls that a call log shows.
pub(crate) const LOGGED: u64 = 10_000;
/// The first id of a call record, beyond 32 bits.
const FIRST_ID: u64 = 1_000_000_000_000;

/// What a call log can be filtered by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CallKind {
    /// `Voice` or `Fax`.
    pub(crate) medium: &'static str,
    /// `Inbound` or `Outbound`.
    pub(crate) direction: &'static str,
}

/// One call.
pub(crate) struct PhoneCall {
    pub(crate) id: u64,
    pub(crate) kind: CallKind,
    /// The place of its extension in the list of extensions.
    pub(crate) extension: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) duration: Duration,
    pub(crate) action: &'static str,
    pub(crate) result: &'static str,
    /// The other side, always outside the company.
    pub(crate) other: Party,
    /// A number for the ids of its sessions.
    pub(crate) session: u64,
}

impl World<'_> {
    fn calls(&self) -> Timeline {
        Timeline::new(self.key ^ 0xCA11, self.size(), ROUND)
    }

    /// The positions of the calls that the log of `whose` shows at `now`, from `from` to `to` inclusive.
    pub(crate) fn logged(
        &self,
        whose: Whose,
        now: Timestamp,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Range<u64> {
        let calls = self.calls();
        let Some(over) = now.millis().checked_sub(LONGEST * 1_000) else {
            return 0..0;
        };
        let newest = calls.happened(whose, Timestamp::from_millis(over));
        let first = from.map_or(0, |from| calls.happened_before(whose, from));
        let end = to.map_or(newest, |to| calls.happened(whose, to).min(newest));
        first.max(newest.saturating_sub(LOGGED))..end
    }

    /// The number of the call at a position of the log of `whose`.
    pub(crate) fn call_number(&self, whose: Whose, position: u64) -> u64 {
        self.calls().number(whose, position)
    }

    /// What the filters look at, without the rest of the call.
    pub(crate) fn call_kind(&self, number: u64) -> CallKind {
        kind(&mut self.call_draw(number))
    }

    pub(crate) fn call(&self, number: u64) -> PhoneCall {
        let mut draw = self.call_draw(number);
        let kind = kind(&mut draw);
        let (action, result, answered) = outcome(kind, &mut draw);
        let seconds = if answered {
            10 + draw.below(LONGEST - 10)
        } else {
            draw.below(25)
        };
        PhoneCall {
            id: FIRST_ID.saturating_add(number),
            kind,
            extension: self.calls().extension(number),
            started_at: self.calls().at(number),
            duration: Duration::from_millis(seconds * 1_000 + draw.below(1_000)),
            action,
            result,
            other: Party::outside(&mut draw),
            session: draw.number(),
        }
    }

    /// The call with this id, when the log of `whose` shows it at `now`.
    pub(crate) fn find_call(&self, whose: Whose, id: u64, now: Timestamp) -> Option<PhoneCall> {
        let number = id.checked_sub(FIRST_ID)?;
        let extension = self.calls().extension(number);
        let position = match whose {
            Whose::Company => number,
            Whose::Extension(index) if index == extension => number / self.size(),
            Whose::Extension(_) => return None,
        };
        let shown = self.logged(whose, now, None, None).contains(&position);
        shown.then(|| self.call(number))
    }

    fn call_draw(&self, number: u64) -> Draw {
        Draw::new(self.key ^ 0xCA12, number)
    }
}

fn kind(draw: &mut Draw) -> CallKind {
    CallKind {
        medium: if draw.below(16) == 0 { "Fax" } else { "Voice" },
        direction: draw.pick(&["Inbound", "Outbound"]),
    }
}

/// Action, result, and whether anybody answered.
fn outcome(kind: CallKind, draw: &mut Draw) -> (&'static str, &'static str, bool) {
    match (kind.medium, kind.direction) {
        ("Fax", "Inbound") => ("Incoming Fax", "Received", true),
        ("Fax", _) => ("Outgoing Fax", "Sent", true),
        (_, "Inbound") => draw.pick(&[
            ("Phone Call", "Accepted", true),
            ("Phone Call", "Accepted", true),
            ("Phone Call", "Missed", false),
            ("Phone Call", "Voicemail", true),
        ]),
        _ => draw.pick(&[
            ("VoIP Call", "Call connected", true),
            ("VoIP Call", "Call connected", true),
            ("VoIP Call", "No Answer", false),
            ("VoIP Call", "Busy", false),
        ]),
    }
}
