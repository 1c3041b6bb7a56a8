//! What happens in a run: steps that the seed draws, each by itself, so that any of them can be left out.

use std::{collections::BTreeSet, time::Duration};

use crate::{SECOND, chance::Dice};

/// How many steps a run has, if all are kept: most of them few, one in eight many.
fn count(dice: &mut Dice) -> u64 {
    let range = match dice.roll(8) {
        0 => 28..64,
        _ => 6..26,
    };
    range.start + dice.roll(range.end - range.start)
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Somebody's request calls the API.
    Call,
    /// Five at once.
    Calls,
    Refresh,
    ExpireAccessTokens,
    SignIn,
    SignOut,
    /// The user signs out and, as soon as that is done, in again somewhere else.
    SignOutAndIn,
    /// `kill -9`, and a new process in its place.
    Kill,
    /// `SIGSTOP`, for this long.
    Suspend(Duration),
    /// Somebody sets the clock of a machine, by so many seconds from the right time.
    SetClock(i64),
    Pass(Duration),
    /// For this long, one process cannot reach the store; or none of them.
    LoseStore(Duration, Reach),
    /// For this long, no process can reach the platform.
    LosePlatform(Duration),
}

/// Whom an outage meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    One,
    Everybody,
}

/// A step of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    /// Of those that live.
    pub(crate) process: usize,
    pub(crate) user: usize,
    /// The time that passes after it.
    pub(crate) pause: Duration,
}

impl Step {
    fn draw(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, 0, number + 1);
        let process = dice.roll(64) as usize;
        let user = dice.roll(64) as usize;
        let action = match dice.roll(100) {
            0..34 => Action::Call,
            34..40 => Action::Calls,
            40..49 => Action::Refresh,
            49..62 => Action::ExpireAccessTokens,
            62..70 => Action::SignIn,
            70..75 => Action::SignOut,
            75..80 => Action::SignOutAndIn,
            80..86 => Action::Kill,
            86..90 => Action::Suspend(dice.up_to(150 * SECOND)),
            90..93 => Action::SetClock(dice.pick([-7200, -3000, -90, 0, 90, 3000, 7200])),
            93..95 => Action::LoseStore(
                dice.up_to(100 * SECOND),
                dice.pick([Reach::One, Reach::Everybody]),
            ),
            95..97 => Action::LosePlatform(dice.up_to(100 * SECOND)),
            _ => Action::Pass(dice.up_to(90 * SECOND)),
        };
        let is_long = dice.roll(4) == 0;
        let pause = dice.up_to(if is_long { 10 * SECOND } else { SECOND / 2 });
        Self {
            action,
            process,
            user,
            pause,
        }
    }
}

/// The steps of a seed, or those named.
pub(crate) fn steps(seed: u64, only: Option<&BTreeSet<u64>>) -> Vec<(u64, Step)> {
    let mut dice = Dice::new(seed, 0, 0);
    (0..count(&mut dice))
        .filter(|number| only.is_none_or(|only| only.contains(number)))
        .map(|number| (number, Step::draw(seed, number)))
        .collect()
}
