//! Short sequences of steps that hardly ever come by chance: several things that have to follow each other within a
//! second or a minute, in one process or in two.
//!
//! One seed in three has one of them among its other steps. Everything in them that can be otherwise is drawn, and each
//! of their steps can be left out as any other.

use std::time::Duration;

use crate::{
    SECOND,
    dice::Dice,
    plan::{Action, Reach, Step},
};

/// Who takes part: a user, a process, and another one.
struct Cast {
    user: usize,
    one: usize,
    other: usize,
}

/// The steps of an episode, one after another.
struct Episode {
    cast: Cast,
    steps: Vec<Step>,
}

impl Episode {
    fn new(dice: &mut Dice) -> Self {
        let one = dice.roll(64) as usize;
        Self {
            cast: Cast {
                user: dice.roll(64) as usize,
                one,
                other: one + 1,
            },
            steps: Vec::new(),
        }
    }

    fn step(&mut self, process: usize, action: Action, pause: Duration) {
        self.steps.push(Step {
            action,
            process,
            user: self.cast.user,
            pause,
        });
    }

    /// In the process that it is about.
    fn here(&mut self, action: Action, pause: Duration) {
        self.step(self.cast.one, action, pause);
    }

    /// In another process.
    fn elsewhere(&mut self, action: Action, pause: Duration) {
        self.step(self.cast.other, action, pause);
    }
}

/// Draws the steps of an episode.
type Draw = fn(&mut Episode, &mut Dice);

/// One seed in so many has an episode.
const ONE_IN: u64 = 3;

const ALL: [Draw; 9] = [
    signs_out_while_cut_off,
    sign_in_is_cut_off,
    signs_in_before_the_platform_has_heard,
    stands_still_in_a_sign_in,
    stands_still_in_a_sign_out,
    signs_out_during_a_refresh,
    dies_in_a_refresh,
    dies_in_a_sign_in,
    signs_in_where_the_clock_is_wrong,
];

/// Where an episode begins, and its steps.
pub(crate) fn of(seed: u64, others: u64) -> Option<(u64, Vec<Step>)> {
    let mut dice = Dice::new(seed, 4, 0);
    if dice.roll(ONE_IN) != 0 {
        return None;
    }
    let draw = dice.pick(ALL);
    let mut episode = Episode::new(&mut dice);
    draw(&mut episode, &mut dice);
    Some((dice.roll(others), episode.steps))
}

/// The user signs out where the store cannot be reached, for longer than a caller waits; then in again elsewhere, and
/// perhaps out once more. Somebody calls when the store is back.
fn signs_out_while_cut_off(episode: &mut Episode, dice: &mut Dice) {
    let outage = 60 * SECOND + dice.up_to(40 * SECOND);
    let waits = 31 * SECOND + dice.up_to(10 * SECOND);
    let then = dice.up_to(3 * SECOND);
    let rest = outage.saturating_sub(waits + then);
    episode.here(Action::LoseStore(outage, Reach::One), Duration::ZERO);
    episode.here(Action::SignOut, waits);
    episode.elsewhere(Action::SignIn, then);
    if dice.roll(2) == 0 {
        episode.here(Action::SignOut, rest);
    } else {
        // From eight seconds on, a process must know what the store says.
        episode.here(Action::Call, rest + 7 * SECOND);
        for _ in 0..6 {
            episode.here(Action::Call, dice.up_to(SECOND));
        }
    }
}

/// A process loses the store in the middle of a sign-in, so that it is given up; then the user signs out there, so late
/// that the store may be back before they are told that it cannot be reached.
fn sign_in_is_cut_off(episode: &mut Episode, dice: &mut Dice) {
    let given_up = 11 * SECOND + dice.up_to(10 * SECOND);
    let outage = given_up + dice.up_to(30 * SECOND);
    episode.here(Action::SignIn, dice.up_to(SECOND / 3));
    episode.here(Action::LoseStore(outage, Reach::One), given_up);
    if dice.roll(4) > 0 {
        episode.here(Action::SignOut, dice.up_to(40 * SECOND));
    }
}

/// The user signs out while the platform cannot be reached, and in again before it has heard of that; the clock of
/// another process is ahead.
fn signs_in_before_the_platform_has_heard(episode: &mut Episode, dice: &mut Dice) {
    let outage = 5 * SECOND + dice.up_to(20 * SECOND);
    let ahead = dice.pick([90, 3000, 7200]);
    episode.elsewhere(Action::SetClock(ahead), dice.up_to(SECOND));
    episode.here(Action::LosePlatform(outage), dice.up_to(SECOND / 10));
    episode.here(Action::SignOut, dice.up_to(8 * SECOND));
    episode.here(Action::SignIn, dice.up_to(SECOND));
    if dice.roll(2) == 0 {
        episode.here(Action::Kill, dice.up_to(5 * SECOND));
    }
}

/// A process stands still in the middle of a sign-in, for so long that others take it for dead; when it goes on, it
/// may not reach the store.
fn stands_still_in_a_sign_in(episode: &mut Episode, dice: &mut Dice) {
    let still = 125 * SECOND + dice.up_to(25 * SECOND);
    episode.here(Action::SignIn, dice.up_to(SECOND / 3));
    episode.here(Action::Suspend(still), dice.up_to(SECOND));
    episode.elsewhere(Action::Call, 62 * SECOND);
    episode.elsewhere(Action::Call, 62 * SECOND);
    if dice.roll(2) == 0 {
        let outage = dice.up_to(60 * SECOND);
        episode.here(Action::LoseStore(outage, Reach::One), still - 125 * SECOND);
    }
}

/// A process whose clock is wrong stands still in the middle of a sign-out.
fn stands_still_in_a_sign_out(episode: &mut Episode, dice: &mut Dice) {
    let still = 31 * SECOND + dice.up_to(100 * SECOND);
    let off = dice.pick([-7200, -3000, 3000, 0]);
    episode.here(Action::SetClock(off), dice.up_to(SECOND));
    episode.here(Action::SignOut, dice.up_to(SECOND / 10));
    episode.here(Action::Suspend(still), still);
}

/// The user signs out elsewhere while a request is under way, and somebody wants the token long after that.
fn signs_out_during_a_refresh(episode: &mut Episode, dice: &mut Dice) {
    episode.here(Action::Refresh, dice.up_to(SECOND / 5));
    episode.elsewhere(Action::SignOut, 11 * SECOND);
    for _ in 0..4 {
        episode.here(Action::Token, dice.up_to(4 * SECOND));
    }
}

/// A process dies in the middle of a refresh, and somebody waits for it elsewhere.
fn dies_in_a_refresh(episode: &mut Episode, dice: &mut Dice) {
    episode.elsewhere(Action::Call, dice.up_to(SECOND));
    episode.here(Action::ExpireAccessTokens, dice.up_to(SECOND / 10));
    episode.here(Action::Refresh, dice.up_to(SECOND / 5));
    episode.here(Action::Kill, dice.up_to(SECOND / 5));
    episode.elsewhere(Action::Call, dice.up_to(20 * SECOND));
}

/// A process dies in the middle of a sign-in; the user, who was signed in, goes on elsewhere.
fn dies_in_a_sign_in(episode: &mut Episode, dice: &mut Dice) {
    episode.here(Action::SignIn, dice.up_to(SECOND / 3));
    episode.here(Action::Kill, dice.up_to(2 * SECOND));
    episode.elsewhere(Action::Call, dice.up_to(100 * SECOND));
    episode.elsewhere(Action::Call, dice.up_to(100 * SECOND));
}

/// The user signs in again in a process whose clock is wrong, so that the new token seems to have ended, and calls where
/// the one before is still held.
fn signs_in_where_the_clock_is_wrong(episode: &mut Episode, dice: &mut Dice) {
    let off = dice.pick([-7200, -7200, -3000, 7200]);
    episode.here(Action::Call, dice.up_to(SECOND));
    episode.elsewhere(Action::SetClock(off), dice.up_to(SECOND));
    episode.elsewhere(Action::SignIn, dice.up_to(SECOND));
    episode.here(Action::Call, dice.up_to(2 * SECOND));
    episode.here(Action::Call, dice.up_to(2 * SECOND));
}
