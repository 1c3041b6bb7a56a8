//! Notices of what anybody has written: `SUBSCRIBE` on a connection of its own.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use rc_store::{Change, ChangeStream, RecordKey, Version};
use redis::aio::PubSub;
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{fault::Fault, servers::Servers};

/// After a connection was lost or could not be opened.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// A connection that is silent for so long is asked whether it still lives.
const SILENCE: Duration = Duration::from_secs(10);

/// No answer after this time is a lost connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What may wait for a reader: 50 KB. Beyond it, the oldest are a gap.
const WAITING: usize = 1024;

/// Each write by its key, and a gap whenever the connection is new or lost. Ends with its store.
pub(crate) fn stream(servers: &Arc<Servers>, closed: watch::Receiver<()>) -> ChangeStream {
    let feed = Feed {
        servers: Arc::downgrade(servers),
        closed,
        listener: None,
        failed: false,
    };
    Box::pin(stream::unfold(feed, Feed::next).fuse())
}

struct Feed {
    servers: Weak<Servers>,
    closed: watch::Receiver<()>,
    listener: Option<Listener>,
    /// The last thing it did failed.
    failed: bool,
}

/// Reads as fast as the server tells, so that nothing piles up behind a slow reader.
struct Listener {
    told: broadcast::Receiver<Change>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feed {
    async fn next(mut self) -> Option<(Change, Self)> {
        let mut closed = self.closed.clone();
        let change = tokio::select! {
            // Nothing is ever sent: this means that the store was dropped.
            _ = closed.changed() => return None,
            change = self.change() => change?,
        };
        Some((change, self))
    }

    async fn change(&mut self) -> Option<Change> {
        if let Some(listener) = &mut self.listener {
            return Some(match listener.told.recv().await {
                Ok(change) => change,
                Err(broadcast::error::RecvError::Lagged(_)) => Change::Gap,
                Err(broadcast::error::RecvError::Closed) => {
                    tracing::warn!("the connection that Redis tells changes on was lost");
                    self.listener = None;
                    self.failed = true;
                    Change::Gap
                }
            });
        }
        if self.failed {
            sleep(REOPEN_PAUSE).await;
        }
        // Whatever was written before is not told by the new connection.
        let servers = self.servers.upgrade()?;
        match listen(&servers).await {
            Ok(listener) => {
                self.listener = Some(listener);
                self.failed = false;
            }
            Err(error) => {
                if self.failed {
                    tracing::debug!(%error, "Redis still cannot be asked for changes");
                } else {
                    tracing::warn!(%error, "Redis cannot be asked for changes; trying again");
                }
                self.failed = true;
            }
        }
        Some(Change::Gap)
    }
}

async fn listen(servers: &Servers) -> Result<Listener, Fault> {
    let mut fault = Fault::no_server("no Redis server tells changes");
    // Every server of a Cluster tells what is published on any of them.
    for node in &servers.routes().await?.nodes {
        let client = node.client().map_err(|error| Fault::unsent(&error))?;
        let subscribed = timeout(ANSWER_LIMIT, async {
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(servers.names.channel()).await?;
            Ok::<_, redis::RedisError>(subscription)
        });
        match subscribed.await {
            Ok(Ok(subscription)) => {
                let (teller, told) = broadcast::channel(WAITING);
                let task = tokio::spawn(forward(subscription, teller));
                return Ok(Listener { told, task });
            }
            Ok(Err(error)) => fault = Fault::unsent(&error),
            Err(_late) => fault = Fault::no_server("the Redis server does not answer in time"),
        }
    }
    servers.look_again();
    Err(fault)
}

/// Until the connection is lost, or nobody reads.
async fn forward(mut subscription: PubSub, teller: broadcast::Sender<Change>) {
    loop {
        let message = timeout(SILENCE, subscription.on_message().next()).await;
        let change = match message {
            Ok(Some(message)) => parse(message.get_payload_bytes()).unwrap_or(Change::Gap),
            Ok(None) => return,
            Err(_silent) => {
                let asked = timeout(ANSWER_LIMIT, subscription.ping::<redis::Value>()).await;
                match asked {
                    Ok(Ok(_)) => continue,
                    _ => return,
                }
            }
        };
        if teller.send(change).is_err() {
            return;
        }
    }
}

/// What the scripts publish; `None` if somebody else did.
fn parse(text: &[u8]) -> Option<Change> {
    let (key, version) = std::str::from_utf8(text).ok()?.split_at_checked(64)?;
    let key = RecordKey::from_hex(key)?;
    let version = match version.len() {
        0 => None,
        32 => Some(Version::new(
            u128::from_str_radix(version, 16).ok()?.to_be_bytes(),
        )),
        _ => return None,
    };
    Some(Change::Key { key, version })
}
