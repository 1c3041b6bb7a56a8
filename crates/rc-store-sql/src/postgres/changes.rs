//! Notices of what anybody has written: `LISTEN` on a connection of its own.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rc_store::{Change, ChangeStream, RecordKey, Version};
use sea_orm::sqlx::{
    self, PgPool,
    pool::CloseEvent,
    postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions},
};

/// After a connection was lost or could not be opened.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// A connection that is silent for so long is asked whether it still lives.
const SILENCE: Duration = Duration::from_secs(10);

/// No answer after this time is a lost connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// So many changes, with no pause between them, are a reader who does not keep up: what else waits for it
/// at the server is let go of, and answered by a gap.
const BEHIND: u32 = 4096;

/// A wait for a change that is no pause.
const PAUSE: Duration = Duration::from_millis(50);

/// Each write by its key, and a gap whenever the connection is new or lost. Keeps neither the pool nor a
/// task alive.
pub(crate) fn stream(pool: &PgPool) -> ChangeStream {
    let feed = Feed {
        closed: pool.close_event(),
        options: PgConnectOptions::clone(&pool.connect_options()),
        listener: None,
        failed: false,
        behind: 0,
    };
    Box::pin(stream::unfold(feed, Feed::next).fuse())
}

struct Feed {
    closed: CloseEvent,
    options: PgConnectOptions,
    listener: Option<PgListener>,
    /// The last thing it did failed.
    failed: bool,
    /// Changes since the last pause.
    behind: u32,
}

impl Feed {
    async fn next(mut self) -> Option<(Change, Self)> {
        let Self {
            closed,
            options,
            listener,
            failed,
            behind,
        } = &mut self;
        let asked = tokio::time::Instant::now();
        // An error means: the pool is closed or dropped.
        let change = closed.do_until(change(options, listener, failed)).await;
        *behind = if asked.elapsed() < PAUSE {
            *behind + 1
        } else {
            0
        };
        if *behind >= BEHIND {
            tracing::debug!("too many changes wait to be read");
            *behind = 0;
            // The next one opens another, and says that something may have been missed.
            *listener = None;
        }
        Some((change.ok()?, self))
    }
}

async fn change(
    options: &PgConnectOptions,
    listener: &mut Option<PgListener>,
    failed: &mut bool,
) -> Change {
    let told = match listener {
        Some(listening) => notice(listening).await,
        None => {
            if *failed {
                tokio::time::sleep(REOPEN_PAUSE).await;
            }
            // Whatever was written before is not told by the new connection.
            match answered(listen(options)).await {
                Ok(listening) => {
                    *listener = Some(listening);
                    Ok(Change::Gap)
                }
                Err(error) => Err(error),
            }
        }
    };
    match told {
        Ok(change) => {
            *failed = false;
            change
        }
        Err(error) => {
            *listener = None;
            if *failed {
                tracing::debug!(%error, "the database still cannot be asked for changes");
            } else {
                tracing::warn!(%error, "the database cannot be asked for changes; trying again");
            }
            *failed = true;
            Change::Gap
        }
    }
}

async fn listen(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen("rc_records").await?;
    Ok(listener)
}

async fn notice(listener: &mut PgListener) -> Result<Change, sqlx::Error> {
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => return Ok(named(&notification)),
            Ok(Ok(None)) => return Err(sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(Err(error)) => return Err(error),
            Err(_silent) => {
                answered(sqlx::query("SELECT 1").execute(&mut *listener)).await?;
            }
        }
    }
}

fn named(notification: &PgNotification) -> Change {
    parse(notification.payload()).unwrap_or(Change::Gap)
}

/// What [`super::notice`] wrote; `None` if somebody else did.
pub(super) fn parse(text: &str) -> Option<Change> {
    let (key, version) = text.split_at_checked(64)?;
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

async fn answered<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let answer = tokio::time::timeout(ANSWER_LIMIT, call).await;
    answer.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}
