//! From a URL to a database that is ready.

use std::{error::Error, fmt, path::PathBuf, time::Duration};

use sea_orm::{
    DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};

use crate::{migration, sqlite};

/// After this time nothing is tried again: a server that is down is said to be.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// What a URL names.
#[derive(Debug)]
pub(crate) enum Target {
    Sqlite(sqlite::File),
    #[cfg(feature = "postgres")]
    Postgres(crate::postgres::Server),
    #[cfg(feature = "mysql")]
    MySql(crate::mysql::Server),
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
                return crate::postgres::Server::parse(url).map(Self::Postgres);
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => return crate::mysql::Server::parse(rest).map(Self::MySql),
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
    pub(crate) async fn open(self) -> Result<DatabaseConnection, ConnectError> {
        let started = tokio::time::Instant::now();
        let mut delays = [50, 100, 200, 400, 800, 1600]
            .map(Duration::from_millis)
            .into_iter();
        loop {
            let error = match self.open_once().await {
                Ok(database) => return Ok(database),
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

/// RFC 3986, section 3.1; longer ones are more likely a secret in the wrong place.
fn is_scheme(text: &str) -> bool {
    text.len() <= 16
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Why a database cannot be used. Never shows a URL, which may hold a password.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be understood.
    InvalidUrl {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The URL names a kind of database that this crate does not know.
    UnknownScheme {
        /// The scheme of the URL.
        scheme: String,
    },
    /// The URL names a kind of database that was not compiled in.
    NotBuiltIn {
        /// Its name.
        database: &'static str,
    },
    /// The URL names a database in memory, which would lose every record.
    NotDurable,
    /// The file cannot be opened or made.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is no database, or a damaged one.
    Damaged {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A newer version of this crate has changed the schema.
    NewerSchema {
        /// The first step that this build does not know.
        migration: String,
    },
    /// The database does not answer, is locked, is full, or may only be read.
    Unavailable {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ConnectError {
    pub(crate) fn from_database(error: DbErr) -> Self {
        // The primary result code of SQLite: https://www.sqlite.org/rescode.html
        match sqlite_code(&error).map(|code| code & 0xff) {
            Some(11 | 26) => Self::Damaged {
                source: error.into(),
            },
            _ => Self::Unavailable {
                source: error.into(),
            },
        }
    }

    /// Whether another try may help, because other processes are at work too.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// The result code of SQLite; those of servers are text, and mean something else.
fn sqlite_code(error: &DbErr) -> Option<u32> {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(error) = error else {
        return None;
    };
    let sqlx::Error::Database(error) = &**error else {
        return None;
    };
    let error = error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    DatabaseError::code(error)?.parse().ok()
}

/// What to do about a kind of database that was not compiled in.
fn feature(database: &str) -> &'static str {
    match database {
        "PostgreSQL" => "; build it in with `cargo build --features postgres`",
        "MySQL" | "MariaDB" => "; build it in with `cargo build --features mysql`",
        _ => "",
    }
}

const EXAMPLE: &str = "`sqlite:///path/tokens.db?mode=rwc`";

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl { problem } => {
                write!(f, "the database URL is not valid: {problem}; write for example {EXAMPLE}")
            }
            Self::UnknownScheme { scheme } => write!(
                f,
                "no token store is known for database URLs that start with `{scheme}:`; \
                 write for example {EXAMPLE}"
            ),
            Self::NotBuiltIn { database } => write!(
                f,
                "this build has no {database} backend{}; or use another database, for example {EXAMPLE}",
                feature(database)
            ),
            Self::NotDurable => write!(
                f,
                "a database in memory would lose every sign-in; name a file, for example {EXAMPLE}"
            ),
            Self::File { path, source } => {
                write!(f, "cannot use the database file {}: {source}", path.display())
            }
            Self::Damaged { .. } => f.write_str(
                "the file is no database or a damaged one; put a backup in its place or name another",
            ),
            Self::NewerSchema { migration } => write!(
                f,
                "the database was changed by a newer version (`{migration}`); run that version, or \
                 name another database"
            ),
            Self::Unavailable { .. } => f.write_str(
                "the database does not answer, is locked, is full or may only be read",
            ),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged { source } | Self::Unavailable { source } => Some(&**source),
            // `File` shows its source in its own text.
            _ => None,
        }
    }
}
