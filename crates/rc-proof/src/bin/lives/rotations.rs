//! One user's grant is refreshed thousands of times by two processes, while answers are lost, the token endpoint says
//! 503, the store fails, and processes are killed.

use std::sync::atomic::Ordering::Relaxed;

use rc_auth::Environment as _;

use crate::{
    Size,
    callers::{Answer, Log, count, insist, odd},
    dice::lock,
    town::{HOUR, Life, MINUTE, SECOND, Town},
    verdict::Verdict,
};

/// A process is killed and replaced after so many rotations.
const KILL_EVERY: u64 = 100;

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let town = Town::new(size.seed, 1, |_| {})?;
    let mut lives = [town.life()?, town.life()?];
    town.sign_in(&lives[0], 0)?;
    town.weather.loses.store(50, Relaxed);
    town.weather.refuses.store(50, Relaxed);
    town.shelf.fails.store(10, Relaxed);
    let wanted = size.of(10_000, 500);
    let log = Log::default();
    let (mut kills, mut rounds, mut over) = (0, 0_u64, 0);
    while town.rotations() < wanted && over == 0 && rounds < 4 * wanted {
        rounds += 1;
        rotate(&town, &lives, &log);
        if town.rotations() / KILL_EVERY > kills {
            kills += 1;
            town.world.pass(town.dice.up_to(SECOND / 5));
            let fresh = town.life()?;
            let dead = std::mem::replace(&mut lives[town.dice.index(2)], fresh);
            dead.process.kill();
        }
        town.world.pass(3 * MINUTE + town.dice.up_to(MINUTE));
        over = count(&log.take(), &Answer::SignInAgain);
        if size.spoiled && town.rotations() >= wanted / 2 {
            town.platform().end_all_sessions();
        }
    }
    let mut verdict = Verdict::default();
    figures(&mut verdict, &town, kills);
    verdict.expect(over == 0, || {
        format!("{over} callers were told to sign in again")
    });
    verdict.expect(town.rotations() >= wanted, || {
        format!("not {wanted} rotations")
    });
    check_end(&mut verdict, &town, &lives);
    Ok(verdict)
}

/// Has the grant refreshed, in one of the ways in which that comes about; both processes are asked.
fn rotate(town: &Town, lives: &[Life], log: &Log) {
    let refreshes = match town.dice.roll(20) {
        0 => {
            town.world.pass(HOUR);
            false
        }
        1..=9 => {
            town.expire_access_tokens();
            false
        }
        _ => true,
    };
    for life in lives {
        insist(life, life.grant(0), refreshes, log);
        town.world.pass(town.dice.up_to(SECOND / 20));
    }
}

fn figures(verdict: &mut Verdict, town: &Town, kills: u64) {
    let tally = lock(&town.weather.tally);
    let store = town.shelf.failed.load(Relaxed);
    let days = town.world.now().mono.as_secs() / 86_400;
    verdict.figure(format!("{} rotations in {days} days", town.rotations()));
    verdict.figure(format!("{} lost answers", tally.lost));
    verdict.figure(format!("{} times 503", tally.turned_away));
    verdict.figure(format!("{store} store errors"));
    verdict.figure(format!("{kills} kills"));
    verdict.figure(format!("{} token requests", tally.refreshes));
}

/// Whoever calls in the end is served.
fn check_end(verdict: &mut Verdict, town: &Town, lives: &[Life]) {
    let log = Log::default();
    for life in lives {
        insist(life, life.grant(0), false, &log);
    }
    let until = lives[0].process.now().mono + 5 * MINUTE;
    town.pass_until(until);
    let calls = log.take();
    let served = count(&calls, &Answer::Served);
    verdict.figure(format!(
        "{served} of {} processes served in the end",
        lives.len()
    ));
    verdict.expect(served == lives.len(), || {
        odd(&calls).unwrap_or_else(|| "a process is not served in the end".to_owned())
    });
}
