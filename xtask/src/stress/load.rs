//! Browsers that call without a pause, and what became of their calls.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::browser::Browser;
use crate::Fallible;

/// Between two calls of one browser.
const PAUSE: Duration = Duration::from_millis(20);

/// Every browser asks `GET /me`, again and again, until it is stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    browsers: JoinSet<(Browser, Calls)>,
}

/// What became of calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// How often each status was the answer.
    answers: BTreeMap<u16, usize>,
    /// Calls without an answer.
    unanswered: usize,
    slowest: Duration,
    /// The first answer that was not 200.
    first_refusal: Option<String>,
    /// The longest time that one browser got no 200.
    pub(super) longest_outage: Duration,
}

impl Load {
    pub(super) fn start(browsers: Vec<Browser>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for browser in browsers {
            running.spawn(call(browser, Arc::clone(&stop)));
        }
        Self {
            stop,
            browsers: running,
        }
    }

    /// Ends the load when the calls in progress are answered.
    pub(super) async fn stop(mut self) -> Fallible<(Vec<Browser>, Calls)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut browsers = Vec::new();
        let mut all = Calls::default();
        while let Some(ended) = self.browsers.join_next().await {
            let (browser, calls) =
                ended.map_err(|error| format!("a browser ended early: {error}"))?;
            browsers.push(browser);
            all.add(calls);
        }
        Ok((browsers, all))
    }
}

impl Calls {
    fn add(&mut self, other: Self) {
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.slowest = self.slowest.max(other.slowest);
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.longest_outage = self.longest_outage.max(other.longest_outage);
    }

    /// Calls that were not answered with 200.
    pub(super) fn failed(&self) -> usize {
        let refused = self.answers.iter().filter(|(status, _)| **status != 200);
        refused.map(|(_, count)| count).sum::<usize>() + self.unanswered
    }

    /// As `200: 912, 503: 3, none: 1; slowest 1.20 s`.
    pub(super) fn shown(&self) -> String {
        let mut shown: Vec<String> = self
            .answers
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        if self.unanswered > 0 {
            shown.push(format!("none: {}", self.unanswered));
        }
        let slowest = self.slowest.as_secs_f64();
        let refusal = self.first_refusal.as_deref().unwrap_or("");
        format!("{}; slowest {slowest:.2} s\n{refusal}", shown.join(", "))
    }
}

async fn call(mut browser: Browser, stop: Arc<AtomicBool>) -> (Browser, Calls) {
    let mut calls = Calls::default();
    let mut last_good = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        match browser.get("/me").await {
            Ok(answer) => {
                *calls.answers.entry(answer.status).or_default() += 1;
                if answer.status == 200 {
                    calls.longest_outage = calls.longest_outage.max(last_good.elapsed());
                    last_good = Instant::now();
                } else {
                    calls.first_refusal.get_or_insert(answer.body);
                }
            }
            Err(_) => calls.unanswered += 1,
        }
        calls.slowest = calls.slowest.max(started.elapsed());
        sleep(PAUSE).await;
    }
    (browser, calls)
}
