//! The token endpoint says 503 or 429 for a while and heals: who has a live token notices nothing, and who has none is
//! served soon.

use std::time::Duration;

use crate::{
    Size,
    callers::{Answer, Call, Log, count, keep_calling},
    dice::lock,
    town::{HOUR, Life, MINUTE, SECOND, Town},
    verdict::Verdict,
    wire::Outage,
};

/// Users of the part with live tokens: each has a moment of its own for the early refresh.
const USERS: usize = 20;
const CALLERS: usize = 10;
/// How soon after the healing somebody is served.
const SOON: Duration = Duration::from_secs(2);
/// How long a call takes where nobody waits for a token.
const USUAL: Duration = Duration::from_millis(100);

const OUTAGES: [(Outage, &str); 2] = [(Outage::Unavailable, "503"), (Outage::TooMany, "429")];

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let mut verdict = Verdict::default();
    for (outage, name) in OUTAGES {
        for time in [10 * SECOND, MINUTE, 10 * MINUTE] {
            let what = format!("{name} for {} s", time.as_secs());
            live(&mut verdict, size, outage, time, &what)?;
            let (mut worst, mut requests) = (Duration::ZERO, 0);
            for number in 0..size.of(10, 3) {
                let seed = size.seed + number;
                let healed = Healing { seed, outage, time };
                let (took, sent) = healed.without_token(&mut verdict, size.spoiled, &what)?;
                worst = worst.max(took);
                requests += sent;
            }
            let requests = requests / size.of(10, 3);
            verdict.figure(format!(
                "{what}: served after {worst:.1?}, {requests} requests"
            ));
            verdict.expect(worst <= SOON, || {
                format!("{what}: the first caller is served {worst:.1?} after the healing")
            });
        }
    }
    Ok(verdict)
}

/// Callers with a live token: the outage falls into the time in which tokens are refreshed early.
fn live(
    verdict: &mut Verdict,
    size: Size,
    outage: Outage,
    time: Duration,
    what: &str,
) -> Result<(), String> {
    let town = Town::new(size.seed, USERS, |_| {})?;
    let lives = [town.life()?, town.life()?];
    for user in 0..USERS {
        town.sign_in(&lives[user % 2], user)?;
    }
    let end = town.now() + HOUR;
    // It ends so early that the token outlives the longest pause between two tries.
    let begins = (end - 275 * SECOND).min(end - 180 * SECOND - time);
    town.pass_until(begins - MINUTE);
    let log = Log::default();
    for user in 0..USERS {
        for life in &lives {
            keep_calling(life, life.grant(user), user, end + 5 * MINUTE, &log);
        }
    }
    town.pass_until(begins);
    town.weather.turn(outage);
    town.world.pass(time);
    town.weather.turn(Outage::None);
    town.pass_until(end + 6 * MINUTE);
    let calls = log.take();
    let served = count(&calls, &Answer::Served);
    let slowest = calls.iter().map(Call::took).max().unwrap_or_default();
    verdict.expect(served == calls.len() && slowest <= USUAL, || {
        let failed = calls.len() - served;
        format!("{what}: callers with a live token: {failed} failed, the slowest took {slowest:?}")
    });
    let turned_away = lock(&town.weather.tally).turned_away;
    verdict.expect(turned_away > 0, || format!("{what}: nobody met the outage"));
    check_windows(verdict, &town, what);
    Ok(())
}

fn check_windows(verdict: &mut Verdict, town: &Town, what: &str) {
    let early = lock(&town.weather.tally).too_early;
    verdict.expect(early == 0, || {
        format!("{what}: {early} requests inside of a Retry-After")
    });
}

#[derive(Clone, Copy)]
struct Healing {
    seed: u64,
    outage: Outage,
    time: Duration,
}

impl Healing {
    /// Callers without a live token: how long after the healing the first is served, and how many token requests
    /// there were.
    fn without_token(
        self,
        verdict: &mut Verdict,
        spoiled: bool,
        what: &str,
    ) -> Result<(Duration, u64), String> {
        let town = Town::new(self.seed, 1, |_| {})?;
        let lives = [town.life()?, town.life()?];
        town.sign_in(&lives[0], 0)?;
        town.world.pass(MINUTE + town.dice.up_to(5 * SECOND));
        town.weather.turn(self.outage);
        town.expire_access_tokens();
        let healing = town.now() + self.time;
        let log = Log::default();
        for caller in 0..CALLERS {
            let life: &Life = &lives[caller % 2];
            keep_calling(life, life.grant(0), 0, healing + 3 * MINUTE, &log);
            town.world.pass(SECOND / 20);
        }
        town.pass_until(healing);
        if spoiled {
            town.weather.turn(Outage::Unavailable);
            town.world.pass(30 * SECOND);
        }
        town.weather.turn(Outage::None);
        let closed = lock(&town.weather.tally)
            .closed_until
            .values()
            .max()
            .copied();
        let healed = healing.max(closed.unwrap_or_default());
        town.world.pass(5 * MINUTE);
        check_windows(verdict, &town, what);
        let calls = log.take();
        let over = count(&calls, &Answer::SignInAgain);
        verdict.expect(over == 0, || {
            format!("{what}: {over} were told to sign in again")
        });
        let served = calls.iter().find(|call| call.answer == Answer::Served);
        let took = served.map(|call| call.ended.saturating_sub(healed));
        let requests = lock(&town.weather.tally).refreshes;
        Ok((took.unwrap_or(Duration::MAX), requests))
    }
}
