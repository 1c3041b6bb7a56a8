//! A database of a test's own on a server that somebody else runs.

use std::env;

use rc_store::Version;
use rc_store_sql::SqlStore;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};

/// A kind of server, and how its databases are made and dropped.
pub(crate) struct Engine {
    /// The environment variable that names the server.
    pub(crate) variable: &'static str,
    /// What it names if it is not set.
    pub(crate) default: &'static str,
    /// The database that an administrator connects to.
    pub(crate) administration: &'static str,
    /// What follows the name of a database that is dropped.
    pub(crate) drop: &'static str,
    /// What to do if no server answers.
    pub(crate) how_to_start: &'static str,
}

impl Engine {
    /// Without a database, should the variable name one: each test makes its own.
    pub(crate) fn server(&self) -> String {
        let mut url = env::var(self.variable).unwrap_or(self.default.into());
        let host = url.find("://").map_or(0, |scheme| scheme + 3);
        if let Some(path) = url[host..].find('/') {
            url.truncate(host + path);
        }
        url
    }

    /// Runs an administrator's command on a runtime of its own.
    pub(crate) fn administer(&'static self, sql: String) {
        let url = format!("{}/{}", self.server(), self.administration);
        let work = async move {
            let admin = Database::connect(url).await.expect(self.how_to_start);
            admin.execute_unprepared(&sql).await.expect("a command");
            admin.close().await.expect("closes");
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(work);
        });
        thread.join().expect(self.how_to_start);
    }
}

/// A database of the test's own, dropped with it.
pub(crate) struct Place {
    pub(crate) name: String,
    engine: &'static Engine,
}

impl Place {
    pub(crate) fn on(engine: &'static Engine) -> Self {
        let version = Version::random().expect("random bytes");
        let name = format!("rc_test_{:032x}", u128::from_be_bytes(*version.as_bytes()));
        engine.administer(format!("CREATE DATABASE {name}"));
        Self { name, engine }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.engine.server(), self.name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { name, engine } = self;
        engine.administer(format!("DROP DATABASE {name}{}", engine.drop));
    }
}

pub(crate) async fn connect(place: &Place) -> SqlStore {
    SqlStore::connect(&place.url()).await.expect("a store")
}

/// A connection beside the store.
pub(crate) async fn side(place: &Place) -> DatabaseConnection {
    Database::connect(place.url()).await.expect("connects")
}
