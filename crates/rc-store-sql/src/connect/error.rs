//! Why a database cannot be used, and what to do about it.

use std::{error::Error, fmt, path::PathBuf};

#[cfg(any(feature = "mysql", feature = "postgres"))]
use sea_orm::RuntimeErr;
use sea_orm::{DbErr, sqlx};

use crate::failure::{driver_error, sqlite_code};

type Cause = Box<dyn Error + Send + Sync>;

/// Why a database cannot be used. Never shows a URL, which may hold a password.
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
        source: Cause,
    },
    /// The file is no database, or a damaged one.
    Damaged {
        /// Why.
        source: Cause,
    },
    /// A newer version of this crate has changed the schema.
    NewerSchema {
        /// The first step that this build does not know.
        migration: String,
    },
    /// The URL asks for an encrypted connection, which was not compiled in.
    NoTls,
    /// The server does not encrypt, or its certificate is not trusted, or a file of certificates that the
    /// URL names cannot be read.
    NoEncryption {
        /// Why.
        source: Cause,
    },
    /// No connection to the server can be made: it does not run, or nothing answers at its address.
    Unreachable {
        /// Its host and port, unless a part of the URL that may be a secret could be taken for them.
        server: Option<String>,
        /// Why.
        source: Cause,
    },
    /// The server refuses the user, its password, or its way to sign in.
    AccessDenied {
        /// Why.
        source: Cause,
    },
    /// The server has no database of this name.
    NoDatabase {
        /// Why.
        source: Cause,
    },
    /// The server may only be read: a standby, or one that was made so.
    ReadOnly {
        /// Why.
        source: Cause,
    },
    /// The tables are not there or not up to date, and this user may not make or change them.
    NoRight {
        /// Why.
        source: Cause,
    },
    /// The database does not answer, is locked, is full, or may only be read.
    Unavailable {
        /// Why.
        source: Cause,
    },
}

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl ConnectError {
    pub(crate) fn from_database(error: DbErr) -> Self {
        let kind = driver_error(&error).map_or(Refusal::Other, refusal);
        let source = error.into();
        match kind {
            Refusal::Damaged => Self::Damaged { source },
            Refusal::Access => Self::AccessDenied { source },
            Refusal::Database => Self::NoDatabase { source },
            Refusal::ReadOnly => Self::ReadOnly { source },
            Refusal::Right => Self::NoRight { source },
            Refusal::Other => Self::Unavailable { source },
        }
    }

    /// A server that was asked for one connection.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn from_first_connection(error: sqlx::Error, server: Option<String>) -> Self {
        match &error {
            sqlx::Error::Tls(_) => {
                return Self::NoEncryption {
                    source: error.into(),
                };
            }
            sqlx::Error::Io(cause) if is_of_encryption(cause, server.is_some()) => {
                return Self::NoEncryption {
                    source: error.into(),
                };
            }
            sqlx::Error::Io(_) => {
                let source = error.into();
                return Self::Unreachable { server, source };
            }
            _ => {}
        }
        let error = Self::from_database(DbErr::Conn(RuntimeErr::SqlxError(error.into())));
        match error {
            // It is the right to connect that lacks.
            Self::NoRight { source } => Self::AccessDenied { source },
            error => error,
        }
    }

    /// Whether another try may help, because other processes are at work too.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            // In a failover the address may lead to the standby for a moment.
            Self::Unavailable { .. } | Self::Unreachable { .. } | Self::ReadOnly { .. }
        )
    }
}

/// Whether the driver found no fault with the network: a certificate that is not trusted is invalid data,
/// and a host that is known is never missing, a file of certificates may be.
#[cfg(any(feature = "mysql", feature = "postgres"))]
fn is_of_encryption(cause: &std::io::Error, is_host: bool) -> bool {
    match cause.kind() {
        std::io::ErrorKind::InvalidData => true,
        std::io::ErrorKind::NotFound => is_host,
        _ => false,
    }
}

/// What the database says it refuses.
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    expect(dead_code, reason = "some of it is said by servers only")
)]
enum Refusal {
    Damaged,
    Access,
    Database,
    ReadOnly,
    Right,
    Other,
}

fn refusal(error: &sqlx::Error) -> Refusal {
    if let Some(code) = sqlite_code(error) {
        // CORRUPT, NOTADB.
        return match code & 0xff {
            11 | 26 => Refusal::Damaged,
            _ => Refusal::Other,
        };
    }
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    #[cfg(feature = "postgres")]
    if let Some((code, _)) = crate::postgres::said(error) {
        return match code {
            "28000" | "28P01" => Refusal::Access,
            "3D000" => Refusal::Database,
            "25006" => Refusal::ReadOnly,
            "42501" => Refusal::Right,
            _ => Refusal::Other,
        };
    }
    // https://mariadb.com/kb/en/mariadb-error-code-reference/
    #[cfg(feature = "mysql")]
    if let Some(number) = crate::mysql::number(error) {
        return match number {
            1045 | 1698 => Refusal::Access,
            1049 => Refusal::Database,
            1290 | 1792 | 1836 => Refusal::ReadOnly,
            1044 | 1142 => Refusal::Right,
            _ => Refusal::Other,
        };
    }
    Refusal::Other
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
            Self::NoTls => f.write_str(
                "the database URL asks for an encrypted connection, which this build cannot make; build \
                 with the feature `tls` of rc-store-sql, or leave it out of the URL on a network that \
                 you trust",
            ),
            Self::NoEncryption { .. } => f.write_str(
                "no encrypted connection to the database server: it has none, or its certificate is not \
                 trusted; check its certificate, the host, and the file of certificates in the database URL",
            ),
            Self::Unreachable { server, .. } => {
                f.write_str("no database server answers")?;
                if let Some(server) = server {
                    write!(f, " at {server}")?;
                }
                f.write_str("; start it, or correct host and port in the database URL")
            }
            Self::AccessDenied { .. } => f.write_str(
                "the database server refuses this user; check user name, password and database in the \
                 database URL, and what the server lets the user do",
            ),
            Self::NoDatabase { .. } => f.write_str(
                "the server has no database of this name; create it, or name another in the database URL",
            ),
            Self::ReadOnly { .. } => f.write_str(
                "the database may only be read; name the primary server, or make it writable",
            ),
            Self::NoRight { .. } => f.write_str(
                "the tables are missing or out of date, and this user may not make them; start once as a \
                 user who may, or grant the rights",
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
            Self::Damaged { source }
            | Self::NoEncryption { source }
            | Self::Unreachable { source, .. }
            | Self::AccessDenied { source }
            | Self::NoDatabase { source }
            | Self::ReadOnly { source }
            | Self::NoRight { source }
            | Self::Unavailable { source } => Some(&**source),
            // `File` shows its source in its own text.
            _ => None,
        }
    }
}
