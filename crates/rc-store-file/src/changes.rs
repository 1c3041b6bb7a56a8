//! Notices that somebody has written to the folder.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use rc_store::{Change, ChangeStream};
use tokio::task::spawn_blocking;

use crate::{folder::Sign, store::Shared};

/// How often the folder is asked: a quarter of a second, so that a reader who compares versions afterwards
/// has them well within a second.
const POLL: Duration = Duration::from_millis(250);

/// A gap whenever the sign of the folder has changed, or it can be asked no more, or again; and one at the
/// start. Keeps neither the store nor a task alive.
pub(crate) fn stream(store: &Arc<Shared>) -> ChangeStream {
    let feed = Feed {
        store: Arc::downgrade(store),
        seen: None,
    };
    Box::pin(stream::unfold(feed, Feed::next).fuse())
}

struct Feed {
    store: Weak<Shared>,
    /// The sign at the last gap, of a folder that could be asked.
    seen: Option<Option<Sign>>,
}

impl Feed {
    async fn next(mut self) -> Option<(Change, Self)> {
        loop {
            if self.seen.is_some() {
                tokio::time::sleep(POLL).await;
            }
            let sign = Some(self.sign().await?);
            if self.seen != sign {
                self.seen = sign;
                return Some((Change::Gap, self));
            }
        }
    }

    /// The outer `None` if the store is gone, the inner one if the folder cannot be asked.
    async fn sign(&self) -> Option<Option<Sign>> {
        let folder = self.store.upgrade()?.folder();
        let asked = spawn_blocking(move || folder.sign()).await;
        match asked {
            Ok(Ok(sign)) => Some(Some(sign)),
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "the folder cannot be asked for changes");
                Some(None)
            }
            Err(error) => {
                tracing::debug!(%error, "the folder was not asked for changes");
                Some(None)
            }
        }
    }
}
