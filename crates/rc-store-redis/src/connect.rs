//! Why a store cannot be opened.

use std::{error::Error, fmt};

use crate::fault::Fault;

/// Why Redis cannot be used. Never shows a URL, which may hold a password.
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be understood.
    InvalidUrl {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The URL asks for an encrypted connection, which this build does not have.
    Encrypted,
    /// The server would throw records away when its memory is full.
    Evicts {
        /// Its `maxmemory-policy`.
        policy: String,
    },
    /// A newer version of this crate has written under this prefix, or something else has.
    NewerSchema {
        /// The version of the layout that is there, at most 16 characters of it.
        found: String,
    },
    /// The server does not accept the name and password.
    LoginRefused {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No server answers, or only one that takes no writes.
    Unavailable {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
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

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        if fault.is_login() {
            Self::LoginRefused {
                source: fault.into(),
            }
        } else {
            Self::Unavailable {
                source: fault.into(),
            }
        }
    }
}

const EXAMPLE: &str = "`redis://127.0.0.1:6379`";

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl { problem } => write!(
                f,
                "the Redis URL is not valid: {problem}; write for example {EXAMPLE}"
            ),
            Self::Encrypted => write!(
                f,
                "this build has no TLS to Redis; keep the server on a network that you trust, or behind \
                 a TLS tunnel on this machine, and write for example {EXAMPLE}"
            ),
            Self::Evicts { policy } => write!(
                f,
                "the Redis server may throw records away (`maxmemory-policy {policy}`); set it to \
                 `noeviction`"
            ),
            Self::NewerSchema { found } => write!(
                f,
                "the records under this prefix have the layout `{found}`, which this version does not \
                 know; run the version that wrote it, or name another prefix with `?prefix=`"
            ),
            Self::LoginRefused { .. } => f.write_str(
                "the Redis server does not accept the name and password; check those of the URL",
            ),
            Self::Unavailable { .. } => {
                f.write_str("no Redis server answers, or only one that takes no writes")
            }
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::LoginRefused { source } | Self::Unavailable { source } => Some(&**source),
            _ => None,
        }
    }
}
