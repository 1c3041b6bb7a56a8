//! The way to the platform: it takes a while, loses answers, and brings 503 or 429 instead of them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rc_auth::{
    Environment as _, SimulatedProcess,
    transport::{BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::SimClient;
use tokio::sync::oneshot;

use crate::dice::{Dice, lock};

/// Carries something out in a process that nobody kills: what was sent arrives although the sender dies.
pub(crate) async fn elsewhere<T: Send + 'static>(
    there: &SimulatedProcess,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, result) = oneshot::channel();
    there.spawn(Box::pin(async move {
        // A sender that died waits for no answer.
        let _ = done.send(work.await);
    }));
    match result.await {
        Ok(result) => result,
        // The world has ended: so does whoever asked.
        Err(_) => std::future::pending().await,
    }
}

/// What the platform does to everybody, until it heals.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Outage {
    #[default]
    None,
    /// Nothing can be reached.
    Unreachable,
    /// The token endpoint says 503.
    Unavailable,
    /// The token endpoint says 429 and when to come again.
    TooMany,
}

/// What [`Outage::TooMany`] says.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(20);

/// What the token endpoint was asked.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that refresh.
    pub(crate) refreshes: u64,
    /// Answers to them that were lost.
    pub(crate) lost: u64,
    /// 503s and 429s that they got.
    pub(crate) turned_away: u64,
    /// Those that could not be sent.
    pub(crate) unsent: u64,
    /// Requests inside of a window that a `Retry-After` closed.
    pub(crate) too_early: u64,
    /// Until when the latest `Retry-After` closes the endpoint for a request, by its body: that names the token.
    pub(crate) closed_until: BTreeMap<Bytes, Duration>,
    /// Per query of an API call, how often it was sent.
    pub(crate) calls: BTreeMap<String, u64>,
}

/// What the way to the platform is like, for all processes.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) dice: Dice,
    /// How many answers to refreshes of a thousand are lost.
    pub(crate) loses: AtomicU64,
    /// How many refreshes of a thousand are answered with 503.
    pub(crate) refuses: AtomicU64,
    /// How long requests and answers of the API take at most, in milliseconds.
    pub(crate) api_way: AtomicU64,
    pub(crate) api_back: AtomicU64,
    pub(crate) outage: Mutex<Outage>,
    pub(crate) tally: Mutex<Tally>,
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed ^ 0x3E),
            loses: AtomicU64::default(),
            refuses: AtomicU64::default(),
            api_way: AtomicU64::new(20),
            api_back: AtomicU64::new(20),
            outage: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub(crate) fn turn(&self, outage: Outage) {
        *lock(&self.outage) = outage;
    }

    /// What comes instead of the platform's answer, noted.
    fn instead(
        &self,
        is_refresh: bool,
        body: &Bytes,
        now: Duration,
    ) -> Option<Result<Incoming, TransportError>> {
        let outage = *lock(&self.outage);
        let mut tally = lock(&self.tally);
        if outage == Outage::Unreachable {
            tally.unsent += u64::from(is_refresh);
            return Some(Err(failed(Delivery::NotSent, FailureKind::Connect)));
        }
        if !is_refresh {
            return None;
        }
        tally.refreshes += 1;
        let is_closed = tally.closed_until.get(body).is_some_and(|at| now < *at);
        tally.too_early += u64::from(is_closed);
        let refuses =
            outage == Outage::Unavailable || self.dice.strikes(self.refuses.load(Relaxed));
        let answer = if outage == Outage::TooMany {
            tally.closed_until.insert(body.clone(), now + RETRY_AFTER);
            StatusCode::TOO_MANY_REQUESTS
        } else if refuses {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            return None;
        };
        tally.turned_away += 1;
        Some(Ok(turned_away(answer)))
    }

    fn loses(&self, is_refresh: bool) -> bool {
        let loses = is_refresh && self.dice.strikes(self.loses.load(Relaxed));
        lock(&self.tally).lost += u64::from(loses);
        loses
    }

    fn note_call(&self, outgoing: &Outgoing) {
        if let Some(query) = outgoing.request.uri().query() {
            let mut tally = lock(&self.tally);
            *tally.calls.entry(query.to_owned()).or_default() += 1;
        }
    }
}

fn failed(delivery: Delivery, kind: FailureKind) -> TransportError {
    TransportError::new(delivery, kind, "https://platform.example.com")
}

fn turned_away(status: StatusCode) -> Incoming {
    let mut headers = HeaderMap::new();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
        headers.insert(header::RETRY_AFTER, seconds);
    }
    Incoming::new(status, headers, Bytes::new())
}

/// The way of one process to the platform.
pub(crate) struct Wire {
    pub(crate) weather: Arc<Weather>,
    pub(crate) sim: Arc<SimClient>,
    /// Carries the requests out, and is never killed.
    pub(crate) there: SimulatedProcess,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

/// Whether a request goes to an OAuth endpoint, and whether it refreshes.
fn purpose(outgoing: &Outgoing) -> (bool, bool) {
    let is_oauth = outgoing.request.uri().path().contains("/oauth/");
    let body = outgoing.request.body();
    let is_refresh = is_oauth && String::from_utf8_lossy(body).contains("refresh_token=");
    (is_oauth, is_refresh)
}

impl HttpClient for Wire {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let (is_oauth, is_refresh) = purpose(&outgoing);
        let (weather, sim) = (self.weather.clone(), self.sim.clone());
        let there = self.there.clone();
        let way = |api: &AtomicU64| match is_oauth {
            true => Duration::from_millis(20),
            false => Duration::from_millis(api.load(Relaxed)),
        };
        let (to, back) = (way(&weather.api_way), way(&weather.api_back));
        let all = async move {
            let nap = |most| there.sleep_until(there.now().mono + weather.dice.up_to(most));
            nap(to).await;
            if !is_oauth {
                weather.note_call(&outgoing);
            }
            let now = there.now().mono;
            let answer = match weather.instead(is_refresh, outgoing.request.body(), now) {
                Some(instead) => instead,
                None => sim.send(outgoing).await,
            };
            nap(back).await;
            if answer.is_ok() && weather.loses(is_refresh) {
                return Err(failed(Delivery::MaybeSent, FailureKind::Broken));
            }
            answer
        };
        Box::pin(async move { elsewhere(&self.there, all).await })
    }
}
