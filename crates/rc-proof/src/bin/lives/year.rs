//! A year of users who call now and then: processes are restarted, answers are lost, and once a week the platform
//! cannot be reached for half an hour.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use crate::{
    Size,
    callers::{Answer, Log, call_once, count, odd},
    dice::lock,
    town::{DAY, Life, ME, MINUTE, Town},
    verdict::Verdict,
    wire::Outage,
};

const PROCESSES: usize = 3;
/// Calls of a user in 30 days.
const CALLS_A_MONTH: u64 = 4;

#[derive(Clone, Copy)]
enum Happening {
    Call(usize),
    Restart,
    Outage(Outage),
}

/// What came of the calls of the year.
#[derive(Default)]
struct Calls {
    served: usize,
    later: usize,
    over: usize,
    odd: Option<String>,
}

impl Calls {
    fn add(&mut self, log: &Log) {
        let calls = log.take();
        self.served += count(&calls, &Answer::Served);
        self.later += count(&calls, &Answer::Later);
        self.over += count(&calls, &Answer::SignInAgain);
        self.odd = self.odd.take().or_else(|| odd(&calls));
    }
}

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let (users, days) = (size.of(1000, 200), size.of(365, 60));
    let town = Town::new(size.seed, users, |_| {})?;
    let mut lives = Vec::new();
    for _ in 0..PROCESSES {
        lives.push(life(&town, size)?);
    }
    for user in 0..users {
        town.sign_in(&lives[user % PROCESSES], user)?;
    }
    town.weather.loses.store(10, Relaxed);
    let (log, mut calls) = (Log::default(), Calls::default());
    let mut restarts = 0;
    for (moment, happening) in plan(&town, users, days) {
        town.pass_until(moment);
        match happening {
            Happening::Call(user) => {
                let life = &lives[town.dice.index(PROCESSES)];
                call_once(life, life.grant(user), user, ME.to_owned(), &log);
            }
            Happening::Outage(outage) => town.weather.turn(outage),
            Happening::Restart => {
                restarts += 1;
                let fresh = life(&town, size)?;
                std::mem::replace(&mut lives[town.dice.index(PROCESSES)], fresh)
                    .process
                    .kill();
                calls.add(&log);
            }
        }
    }
    town.world.pass(10 * MINUTE);
    calls.add(&log);
    let mut verdict = Verdict::default();
    verdict.figure(format!(
        "{users} users for {days} days, {restarts} restarts"
    ));
    judge(&mut verdict, &town, &calls);
    check_end(&mut verdict, &town, &lives, users);
    Ok(verdict)
}

fn life(town: &Town, size: Size) -> Result<Life, String> {
    town.life_with(|builder| {
        if size.spoiled {
            builder.without_keep_alive()
        } else {
            builder
        }
    })
}

/// Everything that happens, in its order.
fn plan(town: &Town, users: usize, days: u32) -> Vec<(Duration, Happening)> {
    let began = town.now();
    let mut plan = Vec::new();
    let calls = users as u64 * CALLS_A_MONTH * u64::from(days) / 30;
    for _ in 0..calls {
        let user = town.dice.index(users);
        let moment = began + town.dice.up_to(days * DAY);
        plan.push((moment, Happening::Call(user)));
    }
    for week in 0..days / 7 {
        let restart = began + week * 7 * DAY + town.dice.up_to(7 * DAY);
        plan.push((restart, Happening::Restart));
        let outage = began + week * 7 * DAY + town.dice.up_to(6 * DAY);
        let kind = [Outage::Unreachable, Outage::Unavailable][town.dice.index(2)];
        plan.push((outage, Happening::Outage(kind)));
        plan.push((outage + 30 * MINUTE, Happening::Outage(Outage::None)));
    }
    plan.sort_by_key(|(moment, _)| *moment);
    plan
}

fn judge(verdict: &mut Verdict, town: &Town, calls: &Calls) {
    let tally = lock(&town.weather.tally);
    verdict.figure(format!("{} calls served", calls.served));
    verdict.figure(format!("{} turned away in outages", calls.later));
    verdict.figure(format!("{} token requests", tally.refreshes));
    verdict.figure(format!("{} lost answers", tally.lost));
    verdict.figure(format!("{} sign-ins needed", calls.over));
    verdict.expect(calls.over == 0, || {
        format!("{} callers were told to sign in again", calls.over)
    });
    if let Some(odd) = &calls.odd {
        verdict.expect(false, || odd.clone());
    }
}

/// Every user is served in the end.
fn check_end(verdict: &mut Verdict, town: &Town, lives: &[Life], users: usize) {
    town.weather.loses.store(0, Relaxed);
    let log = Log::default();
    for user in 0..users {
        let life = &lives[user % PROCESSES];
        call_once(life, life.grant(user), user, ME.to_owned(), &log);
    }
    town.world.pass(5 * MINUTE);
    let served = count(&log.take(), &Answer::Served);
    verdict.figure(format!("{served} served in the end"));
    verdict.expect(served == users, || {
        format!("{} users are not served in the end", users - served)
    });
}
