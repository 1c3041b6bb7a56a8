//! From a URL to its store.

use rc_store::TokenStore;
use rc_store_file::FileStore;
use rc_store_redis::RedisStore;
use rc_store_sql::SqlStore;

/// Opens the store of a URL. The error shows no password: those of the stores do not.
pub(crate) async fn open(url: &str) -> Result<Box<dyn TokenStore>, String> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "file" => {
            let folder = url.trim_start_matches("file://");
            let store = FileStore::open(folder).await;
            Ok(Box::new(store.map_err(|error| error.to_string())?))
        }
        "redis" | "redis-cluster" | "redis-sentinel" | "valkey" => {
            let store = RedisStore::connect(url).await;
            Ok(Box::new(store.map_err(|error| error.to_string())?))
        }
        _ => {
            let store = SqlStore::connect(url).await;
            Ok(Box::new(store.map_err(|error| error.to_string())?))
        }
    }
}
