//! A platform behind `rc_http::HttpClient`: no socket, no port.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Uri;
use rc_http::{BoxFuture, FailureKind, HttpClient, Incoming, Outgoing, TransportError};

use crate::{
    fault::{Answer, Delivery},
    platform::Platform,
    timestamp::Timestamp,
};

type Clock = dyn Fn() -> Timestamp + Send + Sync;
type Sleep = dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync;

/// An [`HttpClient`] whose every request reaches one simulated platform, whatever host it names.
///
/// The request is carried out when the future is first polled: one that is dropped before was never sent.
/// Faults become the failures a real connection would have:
///
/// | Fault | Failure |
/// |---|---|
/// | dropped before or after processing | may have been sent, broken |
/// | delayed by the request's deadline or more | may have been sent, timeout |
/// | cut inside the body | may have been sent, body broken |
///
/// Time does not pass by itself: a delay below the deadline is not waited for, unless
/// [`with_sleep`](Self::with_sleep) says how. The platform never redirects a resource, so
/// [`Outgoing::redirects`] has nothing to say.
pub struct SimClient {
    platform: Arc<Mutex<Platform>>,
    clock: Box<Clock>,
    sleep: Option<Box<Sleep>>,
}

impl SimClient {
    /// A client of `platform`, whose callers' time is what `clock` says.
    pub fn new(
        platform: Arc<Mutex<Platform>>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            platform,
            clock: Box::new(clock),
            sleep: None,
        }
    }

    /// Waits for delays with `sleep`, such as the sleep of a runtime with paused time.
    #[must_use]
    pub fn with_sleep(
        mut self,
        sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.sleep = Some(Box::new(sleep));
        self
    }

    async fn deliver(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        let Outgoing {
            request,
            deadline,
            max_body,
            ..
        } = outgoing;
        let origin = origin(request.uri());
        let failed = |kind| TransportError::new(rc_http::Delivery::MaybeSent, kind, &*origin);
        let now = (self.clock)();
        // Nothing awaits while the lock is held.
        let answer = {
            let mut platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner);
            platform.answer(&request, now)
        };
        let Answer {
            response,
            delay,
            delivery,
        } = answer;
        if let Some(sleep) = self.sleep.as_ref().filter(|_| !delay.is_zero()) {
            sleep(delay.min(deadline)).await;
        }
        if !delay.is_zero() && delay >= deadline {
            return Err(failed(FailureKind::Timeout));
        }
        let (head, body) = response.into_parts();
        match delivery {
            Delivery::DropBefore | Delivery::DropAfter => Err(failed(FailureKind::Broken)),
            Delivery::Truncate(bytes) if bytes < body.len() => Err(failed(FailureKind::BodyBroken)),
            Delivery::Truncate(_) | Delivery::Whole if body.len() > max_body => {
                Err(failed(FailureKind::BodyTooLarge))
            }
            Delivery::Truncate(_) | Delivery::Whole => {
                Ok(Incoming::new(head.status, head.headers, body))
            }
        }
    }
}

impl HttpClient for SimClient {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(self.deliver(outgoing))
    }
}

impl fmt::Debug for SimClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClient")
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}

fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let host = uri.host().unwrap_or("localhost");
    match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}
