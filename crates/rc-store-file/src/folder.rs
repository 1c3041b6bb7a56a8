//! What is done in the folder. Everything here blocks its thread.

use std::{
    fs::{self, DirEntry},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rc_store::{Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored, Version};

use crate::{
    OpenError,
    error::{Fault, not_written},
    files,
    format::{self, Format},
    lock::Lock,
    record::{self, Bytes, Damage},
};

/// Overwritten after each write, so that others notice it.
const GENERATION: &str = "generation";

const SUFFIX: &str = ".record";

/// The most records one call of `scan` returns: 6.4 MiB at the largest.
const SCAN_PAGE: usize = 100;

/// What `versions` answers for a file whose version cannot be read: no write draws it. Who expects it may
/// replace such a file.
const UNREADABLE: Version = Version::new([0; 16]);

/// A folder that was opened as a store.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    format: Format,
    limit: Duration,
}

/// What there is of a record: nothing, bytes, or something that cannot be read.
type Content = Option<Result<Bytes, Damage>>;

impl Folder {
    /// Makes what is missing, refuses what is not safe or not known, and tidies up after killed processes.
    pub(crate) fn open(path: &Path, limit: Duration) -> Result<Self, OpenError> {
        // Another working directory later must not mean another store.
        let path = std::path::absolute(path).map_err(Fault::io("find", path))?;
        files::make_folder(&path).map_err(Fault::io("make the folder", &path))?;
        ensure_private(&path)?;
        let _lock = Lock::acquire(&path, limit, Instant::now() + limit)?;
        let format = match Format::read(&path)? {
            Some(format) => format,
            None => begin(&path)?,
        };
        format.ensure_known(&path)?;
        files::clear(&path)?;
        Ok(Self {
            path,
            format,
            limit,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn locked_out(&self) -> Fault {
        Fault::Locked {
            folder: self.path.clone(),
            limit: self.limit,
        }
    }

    /// The lock, in the folder that was opened.
    pub(crate) fn lock(&self, until: Instant) -> Result<Lock, Fault> {
        let lock = Lock::acquire(&self.path, self.limit, until)?;
        self.ensure_there()?;
        Ok(lock)
    }

    /// A folder that is gone must not be taken for one without records.
    fn ensure_there(&self) -> Result<(), Fault> {
        match Format::read(&self.path)? {
            Some(format) if format == self.format => Ok(()),
            Some(_) => Err(Fault::Replaced {
                folder: self.path.clone(),
            }),
            None => Err(self.io("find the file `format` in")(
                ErrorKind::NotFound.into(),
            )),
        }
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> Fault {
        Fault::io(action, &self.path)
    }

    fn file(&self, key: &RecordKey) -> PathBuf {
        self.path.join(name(key))
    }

    /// The first `most` bytes of a record.
    fn content(&self, key: &RecordKey, most: usize) -> Result<Content, Fault> {
        match files::read(&self.file(key), most) {
            Ok(bytes) => Ok(bytes.map(Ok)),
            // Of this file alone, as long as others in the folder can be read.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::IsADirectory
                ) =>
            {
                Ok(Some(Err(Damage::Unreadable(error))))
            }
            Err(error) => Err(self.io("read a record in")(error)),
        }
    }

    fn version(&self, key: &RecordKey) -> Result<Option<Version>, Fault> {
        let content = self.content(key, record::HEADER)?;
        let header = content.map(|bytes| record::header(&bytes?));
        Ok(header.map(|header| header.map_or(UNREADABLE, |header| header.version)))
    }

    pub(crate) fn load(&self, key: &RecordKey) -> Result<Option<Stored>, StoreError> {
        self.ensure_there().map_err(StoreError::unavailable)?;
        let content = self.content(key, record::LARGEST + 1);
        let Some(bytes) = content.map_err(StoreError::unavailable)? else {
            // The folder may have gone in between.
            self.ensure_there().map_err(StoreError::unavailable)?;
            return Ok(None);
        };
        let stored = bytes.and_then(|bytes| record::decode(key, &bytes));
        stored.map(Some).map_err(StoreError::corrupt)
    }

    pub(crate) fn versions(&self, keys: &[RecordKey]) -> Result<Vec<Option<Version>>, StoreError> {
        let answer = || -> Result<_, Fault> {
            self.ensure_there()?;
            let versions = keys.iter().map(|key| self.version(key));
            let versions = versions.collect::<Result<_, _>>()?;
            self.ensure_there()?;
            Ok(versions)
        };
        answer().map_err(StoreError::unavailable)
    }

    /// Needs the lock.
    fn ensure(&self, key: &RecordKey, expect: Expect) -> Result<(), StoreError> {
        match (self.version(key).map_err(not_written)?, expect) {
            (None, Expect::Absent) => Ok(()),
            (Some(version), Expect::Version(expected)) if version == expected => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    /// Writes the bytes of a record. Needs the lock.
    pub(crate) fn save(
        &self,
        key: &RecordKey,
        bytes: &[u8],
        expect: Expect,
    ) -> Result<(), StoreError> {
        self.ensure(key, expect)?;
        files::prepare(&self.path, bytes).map_err(not_written)?;
        files::place(&self.path, &name(key)).map_err(Fault::of_the_write)?;
        self.finish()
    }

    /// Deletes a record. Needs the lock.
    pub(crate) fn delete(&self, key: &RecordKey, expect: Version) -> Result<(), StoreError> {
        self.ensure(key, Expect::Version(expect))?;
        files::clear(&self.path).map_err(not_written)?;
        fs::remove_file(self.file(key))
            .map_err(self.io("delete a record in"))
            .map_err(Fault::of_the_write)?;
        self.finish()
    }

    /// Tells the write that took effect, and makes it durable.
    fn finish(&self) -> Result<(), StoreError> {
        let told = Version::random().and_then(|mark| {
            files::mark(&self.path.join(GENERATION), mark.as_bytes())
                .map_err(StoreError::unavailable)
        });
        if let Err(error) = told {
            // Only a hint, and the time stamp of the folder is another one.
            tracing::warn!(%error, folder = %self.path.display(), "a write could not be told");
        }
        files::sync_folder(&self.path).map_err(StoreError::unavailable)
    }

    /// Needs the lock: while a file is replaced, a listing may miss it.
    fn keys(&self) -> Result<Vec<RecordKey>, Fault> {
        let entries = fs::read_dir(&self.path).map_err(self.io("list"))?;
        let keys = entries.filter_map(|entry| entry.map(|entry| key(&entry)).transpose());
        keys.collect::<io::Result<_>>().map_err(self.io("list"))
    }

    /// Needs the lock.
    pub(crate) fn due(
        &self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> Result<Vec<Due>, Fault> {
        let mut found = Vec::new();
        for key in self.keys()? {
            let content = self.content(&key, record::HEADER)?;
            // What cannot be read has no due time; `scan` lists it.
            let header = content.and_then(|bytes| record::header(&bytes.ok()?).ok());
            let due = header.and_then(|header| header.due);
            found.extend(due.map(|due| DueCursor { due, key }));
        }
        found.retain(|place| place.due <= before && after.is_none_or(|after| *place > after));
        found.sort_unstable();
        found.truncate(limit);
        let found = found.into_iter();
        Ok(found
            .map(|DueCursor { due, key }| Due { key, due })
            .collect())
    }

    /// Needs the lock.
    pub(crate) fn scan(
        &self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<Listed>, Fault> {
        let mut keys = self.keys()?;
        keys.retain(|key| after.is_none_or(|after| *key > after));
        keys.sort_unstable();
        keys.truncate(limit.min(SCAN_PAGE));
        let mut listed = Vec::with_capacity(keys.len());
        for key in keys {
            let content = self.content(&key, record::LARGEST + 1)?;
            listed.extend(content.map(|bytes| {
                Listed {
                    key,
                    stored: bytes
                        .and_then(|bytes| record::decode(&key, &bytes))
                        .map_err(StoreError::corrupt),
                }
            }));
        }
        Ok(listed)
    }

    /// Whether a file can be made and removed. Needs the lock.
    pub(crate) fn probe(&self) -> Result<(), Fault> {
        files::prepare(&self.path, b"probe")?;
        files::clear(&self.path)
    }

    /// What differs after a write, if the folder can be asked.
    pub(crate) fn sign(&self) -> Result<Sign, Fault> {
        self.ensure_there()?;
        let path = self.path.join(GENERATION);
        let mark = files::read(&path, 16).map_err(self.io("read the file `generation` in"))?;
        let folder = fs::metadata(&self.path).map_err(self.io("examine"))?;
        Ok(Sign {
            mark,
            // Where there is none the mark has to do.
            modified: folder.modified().ok(),
        })
    }
}

/// The mark of the last write, and, for a process that was killed before it left one, the time stamp of
/// the folder. The time stamp alone is too coarse.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Sign {
    mark: Option<Bytes>,
    modified: Option<std::time::SystemTime>,
}

/// Makes an empty folder a store. Needs the lock.
fn begin(folder: &Path) -> Result<Format, OpenError> {
    for entry in fs::read_dir(folder).map_err(Fault::io("list", folder))? {
        if key(&entry.map_err(Fault::io("list", folder))?).is_some() {
            return Err(OpenError::NoFormat {
                folder: folder.to_owned(),
            });
        }
    }
    let format = Format::draw()
        .map_err(io::Error::other)
        .map_err(Fault::io("draw a random number for", folder))?;
    files::prepare(folder, format.as_bytes())?;
    files::place(folder, format::NAME)?;
    files::sync_folder(folder)?;
    if let Some(parent) = folder.parent() {
        files::sync_folder(parent)?;
    }
    Ok(format)
}

/// Refuses a folder in which others may replace files.
#[cfg(unix)]
fn ensure_private(folder: &Path) -> Result<(), OpenError> {
    let found = fs::metadata(folder).map_err(Fault::io("examine", folder))?;
    let mode = std::os::unix::fs::MetadataExt::mode(&found) & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(OpenError::OpenToOthers {
        folder: folder.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn ensure_private(_folder: &Path) -> Result<(), OpenError> {
    Ok(())
}

fn name(key: &RecordKey) -> String {
    key.to_hex() + SUFFIX
}

/// The key of a record, or `None` for any other file.
fn key(entry: &DirEntry) -> Option<RecordKey> {
    let name = entry.file_name();
    RecordKey::from_hex(name.to_str()?.strip_suffix(SUFFIX)?)
}
