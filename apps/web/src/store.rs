//! From `DATABASE_URL` to the store it names.

use rc_auth::store::TokenStore;
use rc_store_sql::SqlStore;

use crate::config::{DatabaseUrl, Engine};

/// Why a store cannot be used. Never shows a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// A SQL database.
    #[error("{}", with_causes(.0))]
    Sql(rc_store_sql::ConnectError),
    /// Redis or Valkey.
    #[cfg(feature = "redis")]
    #[error("{}", with_causes(.0))]
    Redis(rc_store_redis::ConnectError),
    /// A folder of files.
    #[cfg(feature = "file")]
    #[error("{}", with_causes(.0))]
    Files(rc_store_file::OpenError),
}

/// Opens the store; payloads are not sealed yet.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Box<dyn TokenStore>, OpenStoreError> {
    match url.engine() {
        #[cfg(feature = "redis")]
        Engine::Redis => {
            // Boxed: the compiler gives up on futures nested as deep as these would be.
            let store = Box::pin(rc_store_redis::RedisStore::connect(url.as_str())).await;
            Ok(Box::new(store.map_err(OpenStoreError::Redis)?))
        }
        #[cfg(feature = "file")]
        Engine::Files => {
            let folder = url.path().unwrap_or_else(|| ".".as_ref());
            let store = rc_store_file::FileStore::open(folder).await;
            Ok(Box::new(store.map_err(OpenStoreError::Files)?))
        }
        Engine::Sqlite | Engine::Postgres | Engine::MySql => sql(url).await,
        // The URL was refused already.
        #[cfg(not(all(feature = "redis", feature = "file")))]
        _ => sql(url).await,
    }
}

async fn sql(url: &DatabaseUrl) -> Result<Box<dyn TokenStore>, OpenStoreError> {
    let store = Box::pin(SqlStore::connect(url.as_str())).await;
    Ok(Box::new(store.map_err(OpenStoreError::Sql)?))
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors show their cause themselves.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
