//! Connections of a server, borrowed for one statement.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sea_orm::{
    ConnectOptions,
    sqlx::{self, Database, Pool, pool::PoolConnection},
};

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

/// The server's code of an error: SQLSTATE.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
