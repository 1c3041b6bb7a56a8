//! The kit of `rc-store` on SQLite files, plain and sealed.

use rc_store::{KeyRing, Sealed, TokenStore};
use rc_store_sql::SqlStore;
use tempfile::TempDir;

fn new_directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

async fn connect(directory: &TempDir) -> SqlStore {
    let path = directory.path().join("tokens.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    SqlStore::connect(&url).await.expect("a store")
}

mod plain {
    use super::*;

    rc_store::token_store_tests!(connect, at = new_directory);
}

mod sealed {
    use super::*;

    type Place = (TempDir, KeyRing);

    fn new_place() -> Place {
        (new_directory(), KeyRing::generate("test").expect("a ring"))
    }

    async fn open((directory, ring): &Place) -> Sealed<Box<dyn TokenStore>> {
        Sealed::new(Box::new(connect(directory).await), ring.clone())
    }

    rc_store::token_store_tests!(open, at = new_place);
}
