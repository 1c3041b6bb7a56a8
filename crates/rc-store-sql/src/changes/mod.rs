//! Notices that somebody has written to a SQLite file.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rc_store::{Change, ChangeStream};
use sea_orm::sqlx::{
    self, ConnectOptions as _, SqliteConnection, SqlitePool, pool::CloseEvent,
    sqlite::SqliteConnectOptions,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// How often the file is asked: a quarter of a second, so that a reader who compares versions afterwards
/// has them well within a second.
const POLL: Duration = Duration::from_millis(250);

/// How often it is asked while this process reads and writes records: callers may be waiting for the pair that
/// another process is about to write.
const QUICK_POLL: Duration = Duration::from_millis(40);

/// For how long after the last such use: many times what a refresh takes.
const QUICK_FOR: Duration = Duration::from_secs(2);

/// After a connection was lost or could not be opened.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// No answer after this time is a lost connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A gap whenever `PRAGMA data_version` of a connection of its own has moved, so after commits of any
/// other connection, of this process too; and one at the start. Keeps neither the pool nor a task alive.
///
/// `used` changes with each use of the store by this process.
pub(crate) fn stream(pool: &SqlitePool, used: watch::Receiver<()>) -> ChangeStream {
    let options = SqliteConnectOptions::clone(&pool.connect_options());
    let feed = Feed {
        closed: pool.close_event(),
        probe: Probe::new(options, used),
    };
    Box::pin(stream::unfold(feed, Feed::next).fuse())
}

struct Feed {
    closed: CloseEvent,
    probe: Probe,
}

impl Feed {
    async fn next(mut self) -> Option<(Change, Self)> {
        match self.closed.do_until(self.probe.moved()).await {
            Ok(()) => Some((Change::Gap, self)),
            // The pool is closed or dropped, and nothing else is an error here.
            Err(_closed) => None,
        }
    }
}

/// A pinned connection that is only asked whether others have committed.
struct Probe {
    options: SqliteConnectOptions,
    open: Option<Open>,
    /// The last thing it did failed.
    failed: bool,
    used: watch::Receiver<()>,
    /// Until when it asks often.
    quick_until: Option<Instant>,
}

struct Open {
    connection: SqliteConnection,
    seen: i64,
}

impl Probe {
    fn new(options: SqliteConnectOptions, used: watch::Receiver<()>) -> Self {
        Self {
            // Not opened read-only: if it is the last to close, the `-wal` file is folded still.
            options: options.pragma("query_only", "ON"),
            open: None,
            failed: false,
            used,
            quick_until: None,
        }
    }

    /// Ends when something may have changed: others have committed, or it is not known.
    async fn moved(&mut self) {
        while self.open.is_some() {
            self.pause().await;
            let Some(open) = &mut self.open else { break };
            match answered(data_version(&mut open.connection)).await {
                Ok(version) if version == open.seen => {}
                Ok(version) => {
                    open.seen = version;
                    return;
                }
                Err(error) => {
                    self.open = None;
                    return self.fail(&error);
                }
            }
        }
        self.reopen().await;
    }

    /// Waits until it is time to ask again, which a use of the store makes sooner.
    async fn pause(&mut self) {
        if !self.is_quick() {
            tokio::select! {
                () = sleep(POLL) => return,
                Ok(()) = self.used.changed() => self.quick_until = Some(Instant::now() + QUICK_FOR),
            }
        }
        sleep(QUICK_POLL).await;
    }

    fn is_quick(&mut self) -> bool {
        let now = Instant::now();
        if self.used.has_changed().unwrap_or(false) {
            self.used.mark_unchanged();
            self.quick_until = Some(now + QUICK_FOR);
        }
        self.quick_until.is_some_and(|until| now < until)
    }

    /// Whatever was committed before is not told by the new connection: that is a gap too.
    async fn reopen(&mut self) {
        if self.failed {
            sleep(REOPEN_PAUSE).await;
        }
        match answered(open(&self.options)).await {
            Ok(open) => {
                self.open = Some(open);
                self.failed = false;
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &sqlx::Error) {
        if self.failed {
            tracing::debug!(%error, "the database still cannot be asked for changes");
        } else {
            tracing::warn!(%error, "the database cannot be asked for changes; trying again");
        }
        self.failed = true;
    }
}

async fn open(options: &SqliteConnectOptions) -> Result<Open, sqlx::Error> {
    let mut connection = options.connect().await?;
    let seen = data_version(&mut connection).await?;
    Ok(Open { connection, seen })
}

/// <https://www.sqlite.org/pragma.html#pragma_data_version>
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(connection)
        .await
}

async fn answered<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let answer = tokio::time::timeout(ANSWER_LIMIT, call).await;
    answer.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

#[cfg(test)]
mod tests;
