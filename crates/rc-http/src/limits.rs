//! How long one exchange with streams may take, and how much it may bring.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{Opening, failure::Failure, upload::UploadHandle};

/// The limits of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) started: Instant,
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) total: Option<Duration>,
    pub(crate) max_body: u64,
}

impl Limits {
    pub(crate) fn of(opening: &Opening) -> Self {
        Self {
            started: Instant::now(),
            head: opening.head_deadline,
            idle: opening.idle_limit,
            total: opening.total_limit,
            max_body: opening.max_body,
        }
    }

    /// The limit for everything, and when it passes.
    pub(crate) fn total_end(&self) -> Option<(Duration, Instant)> {
        self.total.map(|limit| (limit, after(self.started, limit)))
    }

    /// When the head is late, if the request last moved at `moved`; and the failure which that is.
    pub(crate) fn head_end(&self, moved: Instant) -> (Instant, Failure) {
        let end = after(moved, self.head);
        match self.total_end() {
            Some((limit, total)) if total <= end => (total, Failure::late_in_all(limit)),
            _ => (end, Failure::late(self.head, false)),
        }
    }

    /// Ends when the head is late. Each piece that `upload` gives away postpones that.
    pub(crate) async fn head_late(&self, upload: Option<&UploadHandle>) -> Failure {
        loop {
            let moved = upload.map_or(self.started, UploadHandle::moved);
            let (end, failure) = self.head_end(moved);
            if Instant::now() >= end {
                return failure;
            }
            sleep_until(end).await;
        }
    }
}

/// `start` and `duration` later, or a time that nobody waits for.
fn after(start: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    start.checked_add(duration).unwrap_or(start + YEAR)
}
