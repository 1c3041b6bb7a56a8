//! Notices that somebody has written to a SQLite file.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rc_store::{Change, ChangeStream};
use sea_orm::sqlx::{
    self, ConnectOptions as _, SqliteConnection, SqlitePool, pool::CloseEvent,
    sqlite::SqliteConnectOptions,
};

/// How often the file is asked: a quarter of a second, so that a reader who compares versions afterwards
/// has them well within a second.
const POLL: Duration = Duration::from_millis(250);

/// After a connection was lost or could not be opened.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// No answer after this time is a lost connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A gap whenever `PRAGMA data_version` of a connection of its own has moved, so after commits of any
/// other connection, of this process too; and one at the start. Keeps neither the pool nor a task alive.
pub(crate) fn stream(pool: &SqlitePool) -> ChangeStream {
    let options = SqliteConnectOptions::clone(&pool.connect_options());
    let feed = Feed {
        closed: pool.close_event(),
        probe: Probe::new(options),
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
}

struct Open {
    connection: SqliteConnection,
    seen: i64,
}

impl Probe {
    fn new(options: SqliteConnectOptions) -> Self {
        Self {
            // Not opened read-only: if it is the last to close, the `-wal` file is folded still.
            options: options.pragma("query_only", "ON"),
            open: None,
            failed: false,
        }
    }

    /// Ends when something may have changed: others have committed, or it is not known.
    async fn moved(&mut self) {
        while let Some(open) = &mut self.open {
            tokio::time::sleep(POLL).await;
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

    /// Whatever was committed before is not told by the new connection: that is a gap too.
    async fn reopen(&mut self) {
        if self.failed {
            tokio::time::sleep(REOPEN_PAUSE).await;
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
