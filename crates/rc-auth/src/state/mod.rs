//! What all grants of a client share: its records, its platform, its live grants, and the tasks it runs.

pub(crate) mod sign_ins;
pub(crate) mod turns;

use std::{sync::Arc, time::Duration};

use rc_auth_core::{Now, RefreshPolicy};
use rc_store::RecordKey;
use tokio::sync::{Semaphore, broadcast};

use self::{sign_ins::SignIns, turns::Turns};
use crate::{
    environment::{Environment, NoRandomness},
    event::{Event, EventKind},
    live::{LiveGrant, LiveGrants},
    platform::Platform,
    records::Records,
    tasks::Tasks,
};

/// How many notes about used states are written at once, so that a flood of callbacks does not keep
/// refreshes from the store.
const NOTES_AT_ONCE: usize = 8;

#[derive(Debug)]
pub(crate) struct ClientState {
    pub(crate) records: Records,
    pub(crate) platform: Platform,
    pub(crate) live: LiveGrants,
    pub(crate) policy: Arc<RefreshPolicy>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
    /// Sign-ins in the air.
    pub(crate) sign_ins: SignIns,
    /// Who may write a note about a used state.
    pub(crate) notes: Semaphore,
    /// Due records that are being looked after.
    pub(crate) turns: Turns,
    pub(crate) tasks: Tasks,
    pub(crate) environment: Arc<dyn Environment>,
    events: broadcast::Sender<Event>,
}

/// What a client is built from.
pub(crate) struct Parts {
    pub(crate) records: Records,
    pub(crate) platform: Platform,
    pub(crate) live: LiveGrants,
    pub(crate) policy: Arc<RefreshPolicy>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
}

impl ClientState {
    pub(crate) fn new(parts: Parts) -> Self {
        let (events, _) = broadcast::channel(1024);
        Self {
            records: parts.records,
            platform: parts.platform,
            live: parts.live,
            policy: parts.policy,
            call_timeout: parts.call_timeout,
            max_body: parts.max_body,
            sign_ins: SignIns::default(),
            notes: Semaphore::new(NOTES_AT_ONCE),
            turns: Turns::default(),
            tasks: Tasks::new(parts.environment.clone()),
            environment: parts.environment,
            events,
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.environment.now()
    }

    /// Random bytes for one use.
    pub(crate) fn draw<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.environment.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// When somebody who begins to wait now gives up (monotonic).
    pub(crate) fn deadline(&self) -> Duration {
        self.now().mono + self.call_timeout
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.environment.sleep_until(self.now().mono + time).await;
    }

    /// The live grant of a record.
    pub(crate) fn live(&self, key: RecordKey) -> Arc<LiveGrant> {
        self.live.get_or_make(key)
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn emit(&self, record: RecordKey, kind: EventKind) {
        // Nobody listening is no error.
        let _ = self.events.send(Event { record, kind });
    }
}
