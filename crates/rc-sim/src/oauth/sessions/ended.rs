//! Sessions that ended, remembered for a while: why decides how their tokens are refused.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{config::ClientId, timestamp::Timestamp};

/// The most ended sessions remembered; the oldest are forgotten first and are then like unknown ones.
const MOST: usize = 10_000;

/// Why an OAuth session ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// By revocation, by the user or by hand.
    Revoked,
    /// By another sign-in that took its place.
    Replaced,
    /// A spent refresh token was presented, which counts as theft.
    Theft,
    /// Its tokens, its absolute or its idle limit ran out.
    Expired,
}

/// What is left of an ended session.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Ended {
    pub(crate) number: u64,
    pub(crate) app: ClientId,
    pub(crate) started_at: Timestamp,
    pub(crate) ending: Ending,
}

#[derive(Default)]
pub(super) struct Gone {
    by_number: HashMap<u64, Ended>,
    order: VecDeque<u64>,
}

impl Gone {
    pub(super) fn remember(&mut self, ended: Ended) {
        let number = ended.number;
        if self.by_number.insert(number, ended).is_none() {
            self.order.push_back(number);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_number.remove(&oldest);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ended> {
        let numbers = self.order.iter();
        numbers.filter_map(|number| self.by_number.get(number))
    }

    pub(super) fn get(&self, number: u64) -> Option<&Ended> {
        self.by_number.get(&number)
    }
}
