//! Connections of a server, borrowed for one statement.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sea_orm::{
    ConnectOptions,
    sqlx::{self, Connection as _, Database, Pool, pool::PoolConnection},
};

use crate::ConnectError;

/// A server works on many statements at once; ten wait for few callers and burden no server.
pub(crate) const CONNECTIONS: u32 = 10;

/// A server that does not take a connection in this time is down for the caller.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);

/// A connection that was not used for so long is asked whether it still lives.
const IDLE: Duration = Duration::from_secs(1);

/// Between the tries of a statement that the server rolled back for the sake of another one.
pub(crate) const PAUSES: [Duration; 6] = [
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(15),
    Duration::from_millis(40),
    Duration::from_millis(100),
    Duration::from_millis(250),
];

/// What every pool of a server is opened with.
pub(crate) fn options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(0)
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire_if_idle_for(IDLE)
        // Statements in logs and spans could carry payloads.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// Opens one connection and closes it: a pool does not say why it gets none.
pub(crate) async fn try_out<O>(options: &O, server: Option<String>) -> Result<(), ConnectError>
where
    O: sqlx::ConnectOptions<Connection: Sized>,
{
    let opened = tokio::time::timeout(ACQUIRE_LIMIT, options.connect()).await;
    let opened = opened.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())));
    let connection = opened.map_err(|error| ConnectError::from_first_connection(error, server))?;
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing the first connection");
    }
    Ok(())
}

/// Host and port to be shown, unless they may be something else: a password with a `/`, `?` or `#` that
/// was not percent-encoded ends the host too early, and an `@` remains behind it.
pub(crate) fn shown(url: &str, host: &str, port: u16) -> Option<String> {
    let place = url.split_once("://")?.1;
    let rest = place
        .split_once(['/', '?', '#'])
        .map_or("", |(_, rest)| rest);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_host = !rest.contains('@') && host.bytes().all(plain);
    is_host.then(|| format!("{host}:{port}"))
}

/// A connection that is closed instead of going back, unless its statement has [ended well](Self::end).
///
/// So a call that is dropped or runs out of time leaves no connection that still waits for an answer.
/// Nothing is cancelled: the statement may still take effect.
pub(crate) struct Session<DB: Database> {
    connection: PoolConnection<DB>,
    ended: bool,
}

impl<DB: Database> Session<DB> {
    pub(crate) async fn begin(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        Ok(Self {
            connection: pool.acquire().await?,
            ended: false,
        })
    }

    /// One that has just answered: for a statement that cannot be repeated if its connection turns out to
    /// be dead. Those that are, of a server that was restarted say, are let go of on the way.
    async fn begin_alive(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        for _ in 0..CONNECTIONS {
            let mut session = Self::begin(pool).await?;
            match session.ping().await {
                Ok(()) => return Ok(session),
                Err(error) => tracing::debug!(%error, "a connection is dead; taking another"),
            }
        }
        Self::begin(pool).await
    }

    /// For a statement that can be repeated, any; else one that is alive.
    pub(crate) async fn begin_for(pool: &Pool<DB>, repeatable: bool) -> Result<Self, sqlx::Error> {
        if repeatable {
            Self::begin(pool).await
        } else {
            Self::begin_alive(pool).await
        }
    }

    /// Lets others have the connection.
    pub(crate) fn end(mut self) {
        self.ended = true;
    }
}

impl<DB: Database> Deref for Session<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Session<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

impl<DB: Database> Drop for Session<DB> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

/// Lets go of the connections that nobody uses: where one was lost, the others of its time are as well.
/// So a server that was restarted fails the calls that were on their way, and none for each connection.
pub(crate) fn retire_idle<DB: Database>(pool: &Pool<DB>) {
    while let Some(mut idle) = pool.try_acquire() {
        idle.close_on_drop();
    }
}

/// Whether an error of the driver means that the connection ended.
pub(crate) fn is_broken(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed
    )
}
