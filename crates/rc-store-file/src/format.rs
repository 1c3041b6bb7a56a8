//! The file `format`: which layout the folder has, and which store it is.

use std::path::Path;

use rc_store::{StoreError, Version};

use crate::{OpenError, error::Fault, files};

/// The name of the file.
pub(crate) const NAME: &str = "format";

/// The layout this release writes.
pub(crate) const NUMBER: u32 = 1;

const WORD: &str = "rc-store-file";

/// More than the file has.
const MOST: usize = 256;

/// The text of the file: the number, and a random word, so that another store at the same path is noticed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Format(String);

impl Format {
    /// For a new store.
    pub(crate) fn draw() -> Result<Self, StoreError> {
        let random = u128::from_be_bytes(*Version::random()?.as_bytes());
        Ok(Self(format!("{WORD} {NUMBER}\n{random:032x}\n")))
    }

    /// `None` if there is no such file.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Fault> {
        let bytes = files::read(&folder.join(NAME), MOST)
            .map_err(Fault::io("read the file `format` in", folder))?;
        Ok(bytes.map(|bytes| Self(String::from_utf8_lossy(&bytes).into_owned())))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses a layout that this release does not know.
    pub(crate) fn ensure_known(&self, folder: &Path) -> Result<(), OpenError> {
        let first = self.0.lines().next();
        let number = first
            .and_then(|line| line.strip_prefix(WORD))
            .and_then(|number| number.trim().parse().ok());
        let folder = folder.to_owned();
        match number {
            Some(NUMBER) => Ok(()),
            Some(found) if found > NUMBER => Err(OpenError::NewerFormat {
                folder,
                found,
                known: NUMBER,
            }),
            _ => Err(OpenError::NoFormat { folder }),
        }
    }
}
