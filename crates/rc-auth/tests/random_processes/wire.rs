//! A network to the platform that is slow and fails.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use rc_auth::{
    SimulatedProcess,
    transport::{BoxFuture, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::{Fault, Replacement, Target};

use crate::{
    processes::{SECOND, Town},
    weather::{Dice, Weather, elsewhere, nap},
};

/// The way to the platform. Code exchanges are spared: a lost answer of theirs leaves a chain that nobody
/// can know of.
pub(crate) struct Wire {
    pub(crate) town: Arc<Town>,
    /// The process that carries the requests out.
    pub(crate) there: SimulatedProcess,
    pub(crate) weather: Arc<Weather>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// What goes wrong with a request, if anything.
    fn fault(&self, outgoing: &Outgoing) -> Option<(Target, Fault)> {
        let target = target(outgoing)?;
        self.weather
            .strikes(self.weather.platform)
            .then(|| (target, any_fault(&self.weather.dice)))
    }
}

/// Where a request goes, if it is one that may fail.
fn target(outgoing: &Outgoing) -> Option<Target> {
    let path = outgoing.request.uri().path();
    let body = String::from_utf8_lossy(outgoing.request.body());
    if path.ends_with("/revoke") {
        Some(Target::Revoke)
    } else if path.ends_with("/token") && body.contains("refresh_token=") {
        Some(Target::Token)
    } else {
        None
    }
}

fn any_fault(dice: &Dice) -> Fault {
    match dice.roll(7) {
        0 => Fault::DropBefore,
        1 => Fault::DropAfter,
        2 => Fault::Delay(dice.up_to(45 * SECOND)),
        3 => Fault::Replace(answer(503)),
        4 => Fault::Replace(answer(503).carried_out()),
        5 => {
            Fault::Replace(answer(429).header(header::RETRY_AFTER, HeaderValue::from_static("20")))
        }
        _ => Fault::Truncate(40),
    }
}

/// An answer without a body.
fn answer(status: u16) -> Replacement {
    Replacement::new(StatusCode::from_u16(status).unwrap(), "")
}

impl HttpClient for Wire {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let (town, there, weather) = (self.town.clone(), self.there.clone(), self.weather.clone());
        let transport = town.transport(&there);
        let fault = self.fault(&outgoing);
        let out = async move {
            nap(&there, weather.dice.up_to(SECOND / 20)).await;
            if let Some((target, fault)) = fault {
                town.platform().queue_fault(target, fault, 1);
            }
            let answer = transport.send(outgoing).await;
            nap(&there, weather.dice.up_to(SECOND / 20)).await;
            answer
        };
        Box::pin(async move { elsewhere(&self.there, out).await })
    }
}
