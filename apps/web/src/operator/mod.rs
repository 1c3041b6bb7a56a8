//! `rc-web store`: what operators do with the store of an application that may be running.

mod copy;
mod keys;
mod list;
mod progress;

use std::ffi::OsString;

use rc_auth::store::{
    KeyFile, KeyProvider as _, KeyProviderError, KeyRing, Sealed, StoreError, TokenStore,
};

use crate::{
    config::{Config, DatabaseUrl, Keys},
    store,
    store::OpenStoreError,
};

/// The answer to `rc-web store --help`.
pub(crate) const HELP: &str = "\
rc-web store: look at and change the store of an application that may be running

Usage: rc-web store list              every grant: record, state, when it was made and used, whose it is
       rc-web store revoke RECORD..   signs grants out; RECORD as `list` shows it, or its first digits
       rc-web store keys              how many records each key has sealed
       rc-web store rotate            seals everything anew with the first key of RC_ENCRYPTION_KEYS
       rc-web store copy [--finish]   makes the store of RC_COPY_TO like that of DATABASE_URL

It is configured by the environment variables of the application (rc-web --help): give the same.

To change keys: put the new key in front in all processes, then `rotate`, then `keys`. When `keys` no
longer counts the old key, take it away.

To move: set RC_COPY_TO to the URL of an empty store and run `copy`, as often as you like, while the
application runs. Then stop the application, run `copy --finish`, and start it with DATABASE_URL set to
the new store. An application does not start on a store whose copy is not finished. RC_COPY_TO is a
variable and no argument, because other users of the machine can see arguments.
";

/// A command, as it was asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Command {
    List,
    Revoke(Vec<String>),
    Keys,
    Rotate,
    Copy { finish: bool },
}

impl Command {
    /// What stands after `store`; `None` if it is no command.
    pub(crate) fn parse(arguments: &[OsString]) -> Option<Self> {
        let words: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
        match words?.as_slice() {
            ["list"] => Some(Self::List),
            ["revoke", records @ ..] if !records.is_empty() => Some(Self::Revoke(
                records.iter().map(|&record| record.to_owned()).collect(),
            )),
            ["keys"] => Some(Self::Keys),
            ["rotate"] => Some(Self::Rotate),
            ["copy"] => Some(Self::Copy { finish: false }),
            ["copy", "--finish"] => Some(Self::Copy { finish: true }),
            _ => None,
        }
    }

    /// Does it. `copy_to` is `RC_COPY_TO`.
    ///
    /// # Errors
    ///
    /// What went wrong, to be read by an operator.
    pub(crate) async fn run(
        self,
        config: Config,
        copy_to: Option<String>,
    ) -> Result<(), OperatorError> {
        match self {
            Self::List => list::list(config).await,
            Self::Revoke(records) => list::revoke(config, &records).await,
            Self::Keys => keys::usage(&open(config).await?).await,
            Self::Rotate => keys::rotate(&open(config).await?).await,
            Self::Copy { finish } => copy::copy(&config, copy_to, finish).await,
        }
    }
}

/// Why an operator's command did not work out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    #[error("DATABASE_URL: {0}")]
    Open(#[from] OpenStoreError),
    #[error("RC_COPY_TO: {0}")]
    OpenTarget(OpenStoreError),
    #[error(transparent)]
    Keys(#[from] KeyProviderError),
    #[error("the store does not answer: {}; try again, nothing is lost", with_cause(.0))]
    Store(#[from] StoreError),
    #[error(transparent)]
    Output(#[from] std::io::Error),
    #[error("{0}")]
    Said(String),
}

fn with_cause(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}

/// The sealed store of the application.
async fn open(config: Config) -> Result<Sealed<Box<dyn TokenStore>>, OperatorError> {
    let ring = ring(&config).await?;
    Ok(Sealed::new(open_existing(&config.database).await?, ring))
}

/// Opens a store that is there: a mistyped path makes no empty one, whose emptiness would be believed.
async fn open_existing(database: &DatabaseUrl) -> Result<Box<dyn TokenStore>, OperatorError> {
    if let Some(path) = database.path()
        && !path.exists()
    {
        return Err(OperatorError::Said(format!(
            "DATABASE_URL: there is no {database}; give the path that the application uses, from its \
             working directory or absolute"
        )));
    }
    Ok(store::open(database).await?)
}

async fn ring(config: &Config) -> Result<KeyRing, OperatorError> {
    match &config.keys {
        Keys::Given(ring) => Ok(ring.clone()),
        Keys::File(path) | Keys::KeyFile(path) => Ok(KeyFile::new(path).key_ring().await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Command::parse(&words)
    }

    #[test]
    fn every_command_of_the_help_is_one() {
        for line in ["list", "keys", "rotate"] {
            assert!(parse(line).is_some(), "{line}");
        }
        assert_eq!(parse("copy"), Some(Command::Copy { finish: false }));
        assert_eq!(parse("copy --finish"), Some(Command::Copy { finish: true }));
        let revoke = Command::Revoke(vec!["12ab".to_owned(), "34cd".to_owned()]);
        assert_eq!(parse("revoke 12ab 34cd"), Some(revoke));
    }

    #[test]
    fn what_is_no_command_is_not_taken_for_one() {
        for line in [
            "",
            "revoke",
            "lists",
            "copy --finished",
            "rotate now",
            "copy postgres://x",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
