//! Where keys come from.

use std::{env, error::Error, fmt, io, path::PathBuf};

use zeroize::Zeroizing;

use super::{InvalidKeyRing, KeyRing};
use crate::BoxFuture;

/// Gives out the keys of a [`Sealed`](crate::Sealed) store: at start, and again whenever keys are changed.
///
/// For a key management service, implement it: keep the ring's text (see [`KeyRing`]) encrypted by the
/// service beside the application, and have the service decrypt it here. One call serves a whole process;
/// records are sealed and opened without asking anybody.
///
/// A [`KeyRing`] provides itself.
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// The keys as they are now.
    ///
    /// # Errors
    ///
    /// [`KeyProviderError`], which holds no key material.
    fn key_ring(&self) -> BoxFuture<'_, Result<KeyRing, KeyProviderError>>;
}

impl KeyProvider for KeyRing {
    fn key_ring(&self) -> BoxFuture<'_, Result<KeyRing, KeyProviderError>> {
        Box::pin(async { Ok(self.clone()) })
    }
}

/// Keys in an environment variable, read anew each time.
///
/// Other processes of the same user, and whoever may look into the process, can read the environment; a
/// [`KeyFile`](crate::KeyFile) or a key management service is the better place on a server.
#[derive(Clone, Debug)]
pub struct EnvironmentKeys {
    variable: String,
}

impl EnvironmentKeys {
    /// Keys in the variable of this name.
    #[must_use]
    pub fn new(variable: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
        }
    }
}

impl KeyProvider for EnvironmentKeys {
    fn key_ring(&self) -> BoxFuture<'_, Result<KeyRing, KeyProviderError>> {
        Box::pin(async {
            let place = || format!("the environment variable {}", self.variable);
            let text = env::var(&self.variable).map(Zeroizing::new);
            let text = text.map_err(|error| KeyProviderError {
                place: place(),
                // An error over bytes that are no text would show them.
                problem: match error {
                    env::VarError::NotPresent => Problem::Absent,
                    env::VarError::NotUnicode(_) => Problem::NotText,
                },
            })?;
            text.parse().map_err(|error| KeyProviderError {
                place: place(),
                problem: Problem::Invalid(error),
            })
        })
    }
}

/// Why there are no keys: where they were looked for, and what is wrong there. No key is in it.
pub struct KeyProviderError {
    pub(super) place: String,
    pub(super) problem: Problem,
}

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for KeyProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug)]
pub(super) enum Problem {
    Absent,
    NotText,
    Io(io::Error),
    NotMade(io::Error),
    Exposed {
        path: PathBuf,
        mode: u32,
    },
    Invalid(InvalidKeyRing),
    /// Of a file, which was a key ring once.
    Damaged(InvalidKeyRing),
    Other(Box<dyn Error + Send + Sync>),
}

impl KeyProviderError {
    /// Of another provider: where it looked, and what went wrong, which must show no key.
    pub fn new(place: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            place: place.into(),
            problem: Problem::Other(cause.into()),
        }
    }
}

impl fmt::Display for KeyProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.problem {
            Problem::Absent => write!(f, "{place} is not set; put the key ring there"),
            Problem::NotText => write!(f, "{place} is not UTF-8"),
            Problem::Io(error) => write!(f, "{place} cannot be read: {error}"),
            Problem::NotMade(error) => write!(f, "{place} cannot be made: {error}"),
            Problem::Exposed { path, mode } => write!(
                f,
                "{place} can be read by others (mode {mode:o}). Run: chmod 600 {}",
                path.display()
            ),
            Problem::Invalid(error) => write!(f, "{place} holds no key ring: {error}"),
            Problem::Damaged(error) => write!(
                f,
                "{place} is damaged: {error}. Restore it: without its keys what they sealed is lost"
            ),
            Problem::Other(error) => write!(f, "{place} gave no keys: {error}"),
        }
    }
}

// Its text shows the cause already.
impl Error for KeyProviderError {}
