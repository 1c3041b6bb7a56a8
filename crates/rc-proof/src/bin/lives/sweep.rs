//! Very many grants are due within an hour: after an outage of the platform, and from the beginning of one, so that
//! most of them have to wait for its end. Three processes sweep.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use rc_auth::AuthBudget;
use rc_sim::AuthLimitScope;

use crate::{
    Size,
    callers::{Answer, Log, call_once, count},
    dice::lock,
    town::{DAY, HOUR, Life, ME, MINUTE, SECOND, Town},
    verdict::Verdict,
    wire::Outage,
};

const PROCESSES: usize = 3;
/// In how many steps the users sign in, spread over an hour.
const STEPS: usize = 1000;
/// The longest time until the last is home.
const PATIENCE: Duration = HOUR;

const OUTAGE: Duration = Duration::from_secs(50 * 60);

/// When grants are due.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    grants: usize,
    /// How long after the beginning of the outage the first is due.
    lead: Duration,
    /// How often a record may be read after the healing.
    most_loads: f64,
}

/// What was counted from the healing on.
struct Counted {
    requests: u64,
    lost: u64,
    loads: u64,
    took: Duration,
}

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let after = Case {
        name: "due after the outage",
        grants: size.of(100_000, 1_000),
        lead: OUTAGE,
        most_loads: 1.2,
    };
    let during = Case {
        name: "due from its beginning",
        grants: size.of(10_000, 1_000),
        lead: Duration::ZERO,
        // An intent stands in each of them, which the other processes watch.
        most_loads: 3.0,
    };
    let mut verdict = Verdict::default();
    for case in [after, during] {
        one(&mut verdict, size, case)?;
    }
    Ok(verdict)
}

fn town(size: Size, grants: usize) -> Result<Town, String> {
    Town::new(size.seed, grants, |config| {
        let limits = &mut config.switches.limits;
        limits.enabled = true;
        limits.auth_per = AuthLimitScope::User;
    })
}

fn one(verdict: &mut Verdict, size: Size, case: Case) -> Result<(), String> {
    let grants = case.grants;
    let town = town(size, grants)?;
    let signing_in = town.life_with(|builder| builder.without_keep_alive())?;
    let began = town.now();
    sign_in_all(&town, &signing_in, grants)?;
    signing_in.process.kill();
    let mut lives = Vec::new();
    for _ in 0..PROCESSES {
        lives.push(town.life_with(|builder| process(builder, size))?);
    }
    // A refresh token lives for seven days, and is exchanged a day before its end.
    let due = began + 6 * DAY;
    town.weather.loses.store(10, Relaxed);
    town.pass_until(due - case.lead);
    town.weather.turn(Outage::Unreachable);
    town.world.pass(OUTAGE);
    town.weather.turn(Outage::None);
    let unsent = lock(&town.weather.tally).unsent;
    let counted = come_home(&town, grants, due + HOUR);
    let name = case.name;
    verdict.figure(format!("{grants} {name}, {unsent} vain attempts"));
    judge(verdict, &town, case, &counted);
    check_end(verdict, &town, &lives, grants);
    Ok(())
}

fn process(builder: rc_auth::ClientBuilder, size: Size) -> rc_auth::ClientBuilder {
    let builder = builder.auth_budget(AuthBudget::PerGrant);
    if size.spoiled {
        builder.without_keep_alive()
    } else {
        builder
    }
}

fn sign_in_all(town: &Town, life: &Life, grants: usize) -> Result<(), String> {
    let began = town.now();
    for number in 0..grants {
        let part = u32::try_from(number * STEPS / grants).unwrap_or_default();
        town.pass_until(began + HOUR * part / 1000);
        town.sign_in(life, number)?;
    }
    Ok(())
}

/// Lets the processes sweep until every grant has been refreshed.
fn come_home(town: &Town, grants: usize, all_due: Duration) -> Counted {
    let healed = town.now();
    let tally = || {
        let tally = lock(&town.weather.tally);
        (tally.refreshes, tally.lost)
    };
    let (requests, lost) = tally();
    let loads = town.shelf.loads.load(Relaxed);
    let grants = grants as u64;
    while town.rotations() < grants && town.now() < all_due + PATIENCE {
        town.world.pass(SECOND);
    }
    let took = town.now() - healed;
    // What was lost last is asked for again.
    town.world.pass(2 * MINUTE);
    let (requests_after, lost_after) = tally();
    Counted {
        requests: requests_after - requests,
        lost: lost_after - lost,
        loads: town.shelf.loads.load(Relaxed) - loads,
        took,
    }
}

fn per(count: u64, grants: usize) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let grants = u32::try_from(grants).unwrap_or(u32::MAX);
    f64::from(count) / f64::from(grants)
}

fn judge(verdict: &mut Verdict, town: &Town, case: Case, counted: &Counted) {
    let Case { name, grants, .. } = case;
    let home = town.rotations();
    let requests = per(counted.requests, grants);
    let loads = per(counted.loads, grants);
    let took = counted.took.as_secs();
    verdict.figure(format!("{home} home {took} s after the healing"));
    verdict.figure(format!(
        "{requests:.3} token requests per grant, {} lost",
        counted.lost
    ));
    verdict.figure(format!("{loads:.3} loads per grant"));
    verdict.expect(home == grants as u64, || {
        format!("{name}: {home} of {grants} came home")
    });
    let most = 1.03 + per(counted.lost, grants);
    verdict.expect(requests <= most, || {
        format!("{name}: {requests:.3} token requests per grant")
    });
    verdict.expect(loads <= case.most_loads, || {
        format!("{name}: {loads:.3} loads per grant")
    });
}

/// Every user is served in the end.
fn check_end(verdict: &mut Verdict, town: &Town, lives: &[Life], grants: usize) {
    town.weather.loses.store(0, Relaxed);
    let log = Log::default();
    for number in 0..grants {
        let life = &lives[number % PROCESSES];
        call_once(life, life.grant(number), number, ME.to_owned(), &log);
        if number % 100 == 99 {
            town.world.pass(SECOND);
        }
    }
    town.world.pass(MINUTE);
    let calls = log.take();
    let served = count(&calls, &Answer::Served);
    let over = count(&calls, &Answer::SignInAgain);
    verdict.figure(format!("{over} sign-ins lost"));
    verdict.expect(served == grants && over == 0, || {
        format!("{served} users are served in the end, {over} have to sign in again")
    });
}
