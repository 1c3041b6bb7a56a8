//! A thousand callers go on calling although the refresh token is dead.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use crate::{
    Size,
    callers::{Answer, Call, Log, count, keep_calling},
    dice::lock,
    town::{MINUTE, SECOND, Town},
    verdict::Verdict,
};

const CALLERS: usize = 1000;

pub(crate) fn run(size: Size) -> Result<Verdict, String> {
    let town = Town::new(size.seed, 1, |_| {})?;
    let lives = [town.life()?, town.life()?];
    town.sign_in(&lives[0], 0)?;
    town.world.pass(MINUTE);
    town.expire_access_tokens();
    if !size.spoiled {
        town.platform().end_all_sessions();
    }
    let log = Log::default();
    let time = 10 * MINUTE;
    let until = town.now() + time;
    for caller in 0..CALLERS {
        let life = &lives[caller % 2];
        keep_calling(life, life.grant(0), caller % 2, until, &log);
    }
    town.pass_until(until + MINUTE);
    let store = Duration::from_micros(town.shelf.takes.load(Relaxed));
    let requests = lock(&town.weather.tally).refreshes;
    Ok(judge(&log.take(), requests, store))
}

fn judge(calls: &[Call], requests: u64, store: Duration) -> Verdict {
    let told = count(calls, &Answer::SignInAgain);
    let (first, later) = times(calls);
    let mut verdict = Verdict::default();
    verdict.figure(format!("{CALLERS} callers in 2 processes"));
    verdict.figure(format!("{} calls in 10 minutes", calls.len()));
    verdict.figure(format!("{requests} token requests"));
    verdict.figure(format!("{told} told to sign in again"));
    verdict.figure(format!(
        "the first after {first:?}, later ones within {later:?}"
    ));
    verdict.expect(requests == 1, || format!("{requests} token requests"));
    verdict.expect(told == calls.len(), || {
        format!("{} calls got another answer", calls.len() - told)
    });
    // Ten minutes of a call a second, less what the first answer took.
    let fewest = CALLERS * 590;
    verdict.expect(calls.len() >= fewest, || "callers had to wait".to_owned());
    verdict.expect(first < 5 * SECOND, || "the first answer is late".to_owned());
    verdict.expect(later <= store, || format!("a later answer took {later:?}"));
    verdict
}

/// How long the first answer of a process took at most, and any call that was begun after it there.
fn times(calls: &[Call]) -> (Duration, Duration) {
    let mut first = BTreeMap::new();
    let mut later = Duration::ZERO;
    let mut slowest = Duration::ZERO;
    for call in calls {
        let answered = *first.entry(call.group).or_insert_with(|| {
            slowest = slowest.max(call.took());
            call.ended
        });
        if call.began > answered {
            later = later.max(call.took());
        }
    }
    (slowest, later)
}
