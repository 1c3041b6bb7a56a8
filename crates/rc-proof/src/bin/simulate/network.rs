//! A network to the platform that is slow and fails.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use rc_auth::{
    Environment as _, SimulatedProcess,
    transport::{BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::{Fault, Replacement, Target};
use tokio::sync::oneshot;

use crate::{
    SECOND,
    chance::{Chance, Draws, Place},
    dice::Dice,
    setting::Wrong,
    town::Town,
    trace::{Trace, Who},
};

/// Waits in virtual time.
pub(crate) async fn nap(process: &SimulatedProcess, time: Duration) {
    process.sleep_until(process.now().mono + time).await;
}

/// Carries a request out in a process that nobody kills: what was sent arrives although the sender dies.
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

/// The way of one process to the platform. Code exchanges are spared: a lost answer of theirs leaves a session
/// that nobody can know of.
pub(crate) struct Network {
    pub(crate) process: u64,
    pub(crate) town: Arc<Town>,
    /// Carries the requests out, and is never killed.
    pub(crate) there: SimulatedProcess,
    pub(crate) chance: Arc<Chance>,
    pub(crate) trace: Arc<Trace>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

/// What a request is for, and whether it may fail.
fn purpose(outgoing: &Outgoing) -> (&'static str, Option<Target>) {
    let path = outgoing.request.uri().path();
    let body = String::from_utf8_lossy(outgoing.request.body());
    if path.ends_with("/revoke") {
        ("revoke", Some(Target::Revoke))
    } else if path.ends_with("/token") && body.contains("refresh_token=") {
        ("refresh", Some(Target::Token))
    } else if path.ends_with("/token") {
        ("exchange a code", None)
    } else {
        ("call", None)
    }
}

/// A request that something goes wrong with.
enum Unlucky {
    At(Target, Fault),
    /// It does not come to the platform.
    Unreachable,
}

/// How `wrong` is told, and what the platform does; `None`: the request does not come to it.
fn fault(wrong: Wrong, dice: &mut Dice) -> (&'static str, Option<Fault>) {
    let (kind, fault) = match wrong {
        Wrong::Unreachable => return ("cannot be reached", None),
        Wrong::LostOnTheWay => ("lost on the way there", Fault::DropBefore),
        Wrong::AnswerLost => ("the answer is lost", Fault::DropAfter),
        Wrong::AnswerLate => ("the answer is late", Fault::Delay(dice.up_to(45 * SECOND))),
        Wrong::Unavailable => (
            "503",
            Fault::Replace(answer(StatusCode::SERVICE_UNAVAILABLE)),
        ),
        Wrong::UnavailableAfterIt => {
            let carried_out = answer(StatusCode::SERVICE_UNAVAILABLE).carried_out();
            ("503 although carried out", Fault::Replace(carried_out))
        }
        Wrong::Limited => {
            let limited = answer(StatusCode::TOO_MANY_REQUESTS);
            let limited = limited.header(header::RETRY_AFTER, HeaderValue::from_static("20"));
            ("429", Fault::Replace(limited))
        }
        Wrong::Page => {
            let page = Replacement::new(StatusCode::OK, "<html>").carried_out();
            ("a page instead of the answer", Fault::Replace(page))
        }
        Wrong::CutShort => ("the answer is cut short", Fault::Truncate(40)),
    };
    (kind, Some(fault))
}

fn unreachable() -> TransportError {
    TransportError::new(Delivery::NotSent, FailureKind::Connect, "the platform")
}

fn answer(status: StatusCode) -> Replacement {
    Replacement::new(status, "")
}

impl Network {
    /// What becomes of a request to `target` that fails; `None`: it does not fail.
    fn wrong(&self, draws: &mut Draws, target: Target) -> Option<Unlucky> {
        if !self.chance.has_platform(self.there.now().mono) {
            return Some(Unlucky::Unreachable);
        }
        let setting = &self.chance.setting;
        if !self.chance.strikes(draws, setting.platform) {
            return None;
        }
        let wrong = setting.wrong(&mut draws.dice);
        let (kind, fault) = fault(wrong, &mut draws.dice);
        if wrong == Wrong::UnavailableAfterIt {
            self.chance.lies();
        }
        self.trace.note(Who::Platform, Who::World, kind, || {
            format!("[{}]", draws.op)
        });
        Some(fault.map_or(Unlucky::Unreachable, |fault| Unlucky::At(target, fault)))
    }
}

impl HttpClient for Network {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let mut draws = self.chance.draws(self.process, Place::Platform);
        let (what, target) = purpose(&outgoing);
        let (this, op) = (Who::Process(self.process), draws.op);
        self.trace
            .note(this, Who::Platform, what, || format!("[{op}]"));
        let wrong = target.and_then(|target| self.wrong(&mut draws, target));
        let (town, there, trace) = (self.town.clone(), self.there.clone(), self.trace.clone());
        let transport = town.transport(&there);
        let out = async move {
            nap(&there, draws.dice.up_to(SECOND / 20)).await;
            match wrong {
                Some(Unlucky::At(target, fault)) => town.platform().queue_fault(target, fault, 1),
                Some(Unlucky::Unreachable) => return Err(unreachable()),
                None => {}
            }
            let answer = transport.send(outgoing).await;
            nap(&there, draws.dice.up_to(SECOND / 20)).await;
            let (kind, status) = match &answer {
                Ok(answer) if answer.status.is_success() => ("answers", answer.status.as_u16()),
                Ok(answer) => ("refuses", answer.status.as_u16()),
                Err(_) => ("does not answer", 0),
            };
            trace.note(Who::Platform, this, kind, || format!("{status} [{op}]"));
            answer
        };
        Box::pin(async move { elsewhere(&self.there, out).await })
    }
}
