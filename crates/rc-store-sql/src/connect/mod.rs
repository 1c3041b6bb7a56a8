//! From a URL to a database that is ready.

mod error;

use std::time::Duration;

use sea_orm::DatabaseConnection;

use crate::{migration, sqlite};

pub use error::ConnectError;

/// After this time nothing is tried again: a server that is down is said to be.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// What a URL names.
#[derive(Debug)]
pub(crate) enum Target {
    Sqlite(sqlite::File),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Server>),
    #[cfg(feature = "mysql")]
    MySql(Box<crate::mysql::Server>),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(ConnectError::InvalidUrl {
                problem: "it has no scheme",
            });
        };
        let database = match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => return sqlite::File::parse(rest).map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                return crate::postgres::Server::parse(url)
                    .map(|server| Self::Postgres(Box::new(server)));
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                return crate::mysql::Server::parse(rest)
                    .map(|server| Self::MySql(Box::new(server)));
            }
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => "PostgreSQL",
            #[cfg(not(feature = "mysql"))]
            "mysql" => "MySQL",
            #[cfg(not(feature = "mysql"))]
            "mariadb" => "MariaDB",
            "redis" | "rediss" | "valkey" | "valkeys" => "Redis",
            scheme if is_scheme(scheme) => {
                return Err(ConnectError::UnknownScheme {
                    scheme: scheme.to_owned(),
                });
            }
            _ => {
                return Err(ConnectError::InvalidUrl {
                    problem: "it has no scheme",
                });
            }
        };
        Err(ConnectError::NotBuiltIn { database })
    }

    /// Connects and brings the schema up to date. Tries again while others do the same.
    pub(crate) async fn open(self) -> Result<Opened, ConnectError> {
        let started = tokio::time::Instant::now();
        let mut delays = [50, 100, 200, 400, 800, 1600]
            .map(Duration::from_millis)
            .into_iter();
        loop {
            let error = match self.open_once().await {
                Ok(database) => return Ok(self.opened(database)),
                Err(error) => error,
            };
            let in_time = started.elapsed() < OPEN_LIMIT;
            let Some(delay) = delays.next().filter(|_| in_time && error.may_pass()) else {
                return Err(error);
            };
            tracing::debug!(error = %error, ?delay, "connecting again");
            tokio::time::sleep(delay).await;
        }
    }

    fn opened(&self, database: DatabaseConnection) -> Opened {
        let mut opened = Opened {
            database,
            file: None,
            notices: true,
        };
        match self {
            Self::Sqlite(file) => opened.file = Some(sqlite::Opened::new(file)),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => opened.notices = server.notices(),
            #[cfg(feature = "mysql")]
            Self::MySql(_) => {}
        }
        opened
    }

    async fn open_once(&self) -> Result<DatabaseConnection, ConnectError> {
        let database = match self {
            Self::Sqlite(file) => file.connect().await?,
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.connect().await?,
            #[cfg(feature = "mysql")]
            Self::MySql(server) => server.connect().await?,
        };
        match migration::run(&database).await {
            Ok(()) => Ok(database),
            Err(outdated) => {
                // A pool that is not closed goes on in the background.
                if let Err(error) = database.close().await {
                    tracing::debug!(%error, "closing a database that is of no use");
                }
                Err(outdated.into())
            }
        }
    }
}

/// A database that is ready.
pub(crate) struct Opened {
    pub(crate) database: DatabaseConnection,
    /// Of SQLite.
    pub(crate) file: Option<sqlite::Opened>,
    /// Whether changes may be asked for.
    pub(crate) notices: bool,
}

/// RFC 3986, section 3.1; longer ones are more likely a secret in the wrong place.
fn is_scheme(text: &str) -> bool {
    text.len() <= 16
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
