//! What went wrong between this process and a server, without anything secret.

use std::{error::Error, fmt};

use rc_store::StoreError;
use redis::{ErrorKind, RedisError};

/// The server answers these before a script or a command has written anything.
const REFUSALS: [&str; 15] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPROTO",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// After these another server, or another connection, is the one to ask.
const ELSEWHERE: [&str; 5] = ["CLUSTERDOWN", "MASTERDOWN", "MOVED", "NOAUTH", "READONLY"];

/// Why a server did not do what it was asked.
#[derive(Clone)]
pub(crate) struct Fault {
    cause: Cause,
    /// Certainly nothing was written.
    not_written: bool,
    /// The connection is of no use any more.
    elsewhere: bool,
    /// No connection was made.
    unconnected: bool,
}

#[derive(Clone)]
enum Cause {
    Answered { code: String, detail: String },
    Io(String),
    Client(&'static str),
}

impl Fault {
    /// What a command met that was sent, or may have been.
    pub(crate) fn sent(error: &RedisError) -> Self {
        let Some(code) = error.code() else {
            return Self {
                cause: Cause::of(error),
                not_written: false,
                elsewhere: true,
                unconnected: false,
            };
        };
        Self {
            cause: Cause::of(error),
            not_written: REFUSALS.contains(&code),
            elsewhere: ELSEWHERE.contains(&code),
            unconnected: false,
        }
    }

    /// What happened before the command was sent.
    pub(crate) fn unsent(error: &RedisError) -> Self {
        Self {
            cause: Cause::of(error),
            not_written: true,
            elsewhere: true,
            unconnected: true,
        }
    }

    /// A server was not found, or not in time.
    pub(crate) fn no_server(problem: &'static str) -> Self {
        Self {
            cause: Cause::Client(problem),
            not_written: true,
            elsewhere: true,
            unconnected: true,
        }
    }

    /// An answer of an unknown form; what was asked may have been done.
    pub(crate) fn unexpected(problem: &'static str) -> Self {
        Self {
            cause: Cause::Client(problem),
            not_written: false,
            elsewhere: false,
            unconnected: false,
        }
    }

    pub(crate) fn not_written(&self) -> bool {
        self.not_written
    }

    pub(crate) fn elsewhere(&self) -> bool {
        self.elsewhere
    }

    pub(crate) fn unconnected(&self) -> bool {
        self.unconnected
    }

    pub(crate) fn code(&self) -> &str {
        match &self.cause {
            Cause::Answered { code, .. } => code,
            _ => "",
        }
    }

    /// Whether the server did not accept name and password.
    pub(crate) fn is_login(&self) -> bool {
        matches!(self.code(), "WRONGPASS" | "NOAUTH" | "AUTH")
    }
}

impl Cause {
    fn of(error: &RedisError) -> Self {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Self::Answered {
                code: "AUTH".to_owned(),
                detail: "name or password is wrong".to_owned(),
            };
        }
        match error.code() {
            Some(code) => Self::Answered {
                code: code.to_owned(),
                detail: plain(error.detail().unwrap_or_default()).to_owned(),
            },
            None if error.is_timeout() => Self::Io("no answer in time".to_owned()),
            None if error.is_io_error() => Self::Io(error.to_string()),
            None => Self::Client("the driver does not understand the answer"),
        }
    }
}

/// A server quotes what it was sent, which may be a payload or a password: that is left out.
fn plain(detail: &str) -> &str {
    let end = detail.find(['\'', '`', '"']).unwrap_or(detail.len());
    detail[..end].trim_end()
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        if fault.not_written {
            Self::NotWritten(fault.into())
        } else {
            Self::Unavailable(fault.into())
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Answered { code, detail } if detail.is_empty() => {
                write!(f, "the Redis server answered {code}")
            }
            Cause::Answered { code, detail } => {
                write!(f, "the Redis server answered {code}: {detail}")
            }
            Cause::Io(error) => write!(f, "the connection to the Redis server failed: {error}"),
            Cause::Client(problem) => f.write_str(problem),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_quotes_is_left_out() {
        let detail = "unknown command 'EVALSHA', with args beginning with: 'hunter2'";
        assert_eq!(plain(detail), "unknown command");
        assert_eq!(
            plain("DB index is out of range"),
            "DB index is out of range"
        );
    }
}
