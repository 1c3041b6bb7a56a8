//! From `DATABASE_URL` to the store it names.

use rc_auth::store::TokenStore;
use rc_store_sql::SqlStore;

use crate::config::DatabaseUrl;

/// Why a store cannot be used. Never shows a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// A SQL database.
    #[error("{}", with_causes(.0))]
    Sql(rc_store_sql::ConnectError),
}

/// Opens the store; payloads are not sealed yet.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Box<dyn TokenStore>, OpenStoreError> {
    let store = SqlStore::connect(url.as_str()).await;
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
