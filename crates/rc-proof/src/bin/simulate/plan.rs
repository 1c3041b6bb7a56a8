//! What happens in a run: steps that the seed draws, each by itself, so that any of them can be left out.

use std::{collections::BTreeSet, time::Duration};

use crate::{SECOND, dice::Dice, episode};

/// How many steps a run has, if all are kept: most of them few, one in eight many.
fn count(dice: &mut Dice) -> u64 {
    let range = match dice.roll(8) {
        0 => 28..64,
        _ => 6..26,
    };
    range.start + dice.roll(range.end - range.start)
}

/// What a seed does often, seldom, or never.
///
/// A run that does everything does little of each, and what takes three steps of two kinds in a row never comes.
/// Three seeds in four leave some kinds of steps out and do others more often ("swarm testing": Groce and others,
/// ISSTA 2012).
#[derive(Clone, Copy, Debug)]
struct Mix {
    /// How often each of [`KINDS`] comes.
    weights: [u64; KINDS.len()],
    /// Most pauses are at most so long.
    short: Duration,
    /// The others, one in `long_one_in`.
    long: Duration,
    long_one_in: u64,
}

impl Mix {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 3, 0);
        let is_plain = dice.roll(4) == 0;
        Self {
            weights: KINDS.map(|(kind, weight)| match kind {
                _ if is_plain => weight,
                Kind::Call | Kind::ExpireAccessTokens => weight * dice.pick([1, 1, 3]),
                _ => weight * dice.pick([0, 1, 1, 4]),
            }),
            short: dice.pick([SECOND / 20, SECOND / 2, SECOND / 2, 2 * SECOND]),
            long: dice.pick([10 * SECOND, 10 * SECOND, 40 * SECOND]),
            long_one_in: dice.pick([3, 4, 4, 12]),
        }
    }

    fn kind(&self, dice: &mut Dice) -> Kind {
        let mut rolled = dice.roll(self.weights.iter().sum());
        for (weight, (kind, _)) in self.weights.iter().zip(KINDS) {
            match rolled.checked_sub(*weight) {
                Some(rest) => rolled = rest,
                None => return kind,
            }
        }
        Kind::Call
    }

    fn pause(&self, dice: &mut Dice) -> Duration {
        let is_long = dice.roll(self.long_one_in) == 0;
        dice.up_to(if is_long { self.long } else { self.short })
    }
}

/// A kind of [`Action`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Call,
    Calls,
    Token,
    Refresh,
    ExpireAccessTokens,
    SignIn,
    SignOut,
    SignOutAndIn,
    Kill,
    Suspend,
    SetClock,
    LoseStore,
    LosePlatform,
    Pass,
}

/// All kinds, and how often each comes in 100 steps of a plain seed.
const KINDS: [(Kind, u64); 14] = [
    (Kind::Call, 24),
    (Kind::Token, 10),
    (Kind::Calls, 6),
    (Kind::Refresh, 9),
    (Kind::ExpireAccessTokens, 13),
    (Kind::SignIn, 8),
    (Kind::SignOut, 5),
    (Kind::SignOutAndIn, 5),
    (Kind::Kill, 6),
    (Kind::Suspend, 4),
    (Kind::SetClock, 3),
    (Kind::LoseStore, 2),
    (Kind::LosePlatform, 2),
    (Kind::Pass, 3),
];

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Somebody's request calls the API.
    Call,
    /// Five at once.
    Calls,
    /// Somebody takes the access token for a client of their own.
    Token,
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
    fn draw(seed: u64, number: u64, mix: &Mix) -> Self {
        let mut dice = Dice::new(seed, 0, number + 1);
        let process = dice.roll(64) as usize;
        let user = dice.roll(64) as usize;
        let action = match mix.kind(&mut dice) {
            Kind::Call => Action::Call,
            Kind::Calls => Action::Calls,
            Kind::Token => Action::Token,
            Kind::Refresh => Action::Refresh,
            Kind::ExpireAccessTokens => Action::ExpireAccessTokens,
            Kind::SignIn => Action::SignIn,
            Kind::SignOut => Action::SignOut,
            Kind::SignOutAndIn => Action::SignOutAndIn,
            Kind::Kill => Action::Kill,
            Kind::Suspend => Action::Suspend(dice.up_to(150 * SECOND)),
            Kind::SetClock => Action::SetClock(dice.pick([-7200, -3000, -90, 0, 90, 3000, 7200])),
            Kind::LoseStore => Action::LoseStore(
                dice.up_to(100 * SECOND),
                dice.pick([Reach::One, Reach::Everybody]),
            ),
            Kind::LosePlatform => Action::LosePlatform(dice.up_to(100 * SECOND)),
            Kind::Pass => Action::Pass(dice.up_to(90 * SECOND)),
        };
        Self {
            action,
            process,
            user,
            pause: mix.pause(&mut dice),
        }
    }
}

/// The steps of a seed, or those named.
pub(crate) fn steps(seed: u64, only: Option<&BTreeSet<u64>>) -> Vec<(u64, Step)> {
    let mix = Mix::of(seed);
    let count = count(&mut Dice::new(seed, 0, 0));
    let mut steps: Vec<Step> = (0..count)
        .map(|number| Step::draw(seed, number, &mix))
        .collect();
    if let Some((at, episode)) = episode::of(seed, count) {
        let at = usize::try_from(at).unwrap_or_default();
        steps.splice(at..at, episode);
    }
    (0..)
        .zip(steps)
        .filter(|(number, _)| only.is_none_or(|only| only.contains(number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_the_same_where_others_are_left_out() {
        for seed in 0..50 {
            let all = steps(seed, None);
            let (number, wanted) = all[all.len() / 2];
            let one = steps(seed, Some(&BTreeSet::from([number])));
            assert_eq!(one.len(), 1);
            assert_eq!(one[0].0, number);
            assert_eq!(format!("{:?}", one[0].1), format!("{wanted:?}"));
        }
    }
}
