//! An access token dies while a thousand calls with it are in the air: their refusals come back in any order.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use crate::{
    Size,
    callers::{Answer, Call, Log, call_once, count, odd},
    dice::lock,
    town::{ME, MINUTE, SECOND, Town},
    verdict::Verdict,
};

const CALLS: usize = 1000;

/// One world's figures.
struct Round {
    requests: u64,
    calls: Vec<Call>,
    sent: BTreeMap<String, u64>,
}

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let worlds = size.of(20, 5);
    let mut verdict = Verdict::default();
    let (mut requests, mut repeated, mut refused, mut most) = (0, 0, 0, 0);
    for world in 0..worlds {
        let seed = size.seed + world;
        let round = round(seed, size.spoiled)?;
        requests += round.requests;
        repeated += round.sent.values().filter(|times| **times == 2).count();
        refused += count(&round.calls, &Answer::Later);
        most = round
            .sent
            .values()
            .copied()
            .max()
            .unwrap_or_default()
            .max(most);
        judge(&mut verdict, seed, &round);
    }
    verdict.figure(format!("{worlds} times {CALLS} calls"));
    verdict.figure(format!("{requests} token requests"));
    verdict.figure(format!("{repeated} calls sent twice"));
    verdict.figure(format!("none sent more than {most} times"));
    verdict.figure(format!("{refused} failed"));
    Ok(verdict)
}

fn round(seed: u64, spoiled: bool) -> Result<Round, String> {
    let town = Town::new(seed, 1, |_| {})?;
    let life = town.life()?;
    town.sign_in(&life, 0)?;
    town.world.pass(MINUTE);
    // A third arrives while the token is alive.
    town.weather.api_way.store(150, Relaxed);
    town.weather.api_back.store(300, Relaxed);
    let log = Log::default();
    for number in 0..CALLS {
        let target = format!("{ME}?call={number}");
        call_once(&life, life.grant(0), 0, target, &log);
    }
    town.world.pass(SECOND / 20);
    town.expire_access_tokens();
    if spoiled {
        town.world.pass(SECOND / 4);
        town.expire_access_tokens();
    }
    town.world.pass(MINUTE);
    let mut tally = lock(&town.weather.tally);
    Ok(Round {
        requests: tally.refreshes,
        calls: log.take(),
        sent: std::mem::take(&mut tally.calls),
    })
}

fn judge(verdict: &mut Verdict, seed: u64, round: &Round) {
    let Round {
        requests,
        calls,
        sent,
    } = round;
    let served = count(calls, &Answer::Served);
    verdict.expect(*requests == 1, || {
        format!("{requests} token requests with seed {seed}")
    });
    verdict.expect(served == CALLS, || {
        let why = odd(calls).unwrap_or_default();
        format!("{} calls failed with seed {seed} {why}", CALLS - served)
    });
    verdict.expect(sent.len() == CALLS, || {
        format!("{} calls were sent", sent.len())
    });
    let most = sent.values().max().copied().unwrap_or_default();
    verdict.expect(most == 2, || {
        format!("a call was sent {most} times with seed {seed}")
    });
}
