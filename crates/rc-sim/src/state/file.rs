//! A platform's state in a file: a snapshot on the first line, then one line for what each request changed.
//!
//! A line is written with one call before the answer leaves, and counts only with its line feed, so that a process
//! that is killed leaves whole changes. Nothing is synchronized to the disk: a power cut can lose the last ones.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Changes, Part, RestoreError, Snapshot};
use crate::{config::Config, platform::Platform, timestamp::Timestamp};

/// The changes are written into a snapshot when they are so many times its size.
const GROWTH: u64 = 4;
/// And not before they have so many bytes.
const LEAST: u64 = 4 * 1024 * 1024;

/// Why a state file cannot be used. Each names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It cannot be read or written.
    #[error("the state file {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the state file {path} is in use by another process; stop that or choose another file")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is not what this program wrote.
    #[error(
        "the state file {path} cannot be read at line {line}: {source}. Remove it to start anew"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// It belongs to another configuration.
    #[error(
        "the state file {path} does not fit: {source}. Start with that seed, or choose another file"
    )]
    Misfit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RestoreError,
    },
}

/// The file a platform is kept in.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    file: File,
    /// Where the server listens, or listened before.
    port: Option<u16>,
    /// The length of the snapshot.
    snapshot: u64,
    /// The length of the changes since.
    changes: u64,
    /// The last writing failed: what is in the file is older than the platform.
    behind: bool,
}

/// The seed of the state in the file at `path`; `None` when there is no such file or nothing in it.
///
/// # Errors
///
/// When the file cannot be read, or is no state file.
pub fn state_seed(path: &Path) -> Result<Option<u64>, StateError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path)(error)),
    };
    let mut lines = whole_lines(&text);
    let first = lines.next().map(|line| read::<Snapshot>(path, 1, line));
    Ok(first.transpose()?.map(|snapshot| snapshot.seed))
}

impl StateFile {
    /// Opens or makes the file, and the platform that it keeps.
    pub(crate) fn open(path: &Path, config: Config) -> Result<(Self, Platform), StateError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        owner_only(&mut options);
        let mut file = options.open(path).map_err(unusable(path))?;
        lock(&file, path)?;
        restrict(&file).map_err(unusable(path))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(unusable(path))?;
        let mut platform = Platform::new(config);
        let port = load(&mut platform, path, &text)?;
        platform.keep_changes();
        let state = Self {
            path: path.to_owned(),
            file,
            port,
            snapshot: 0,
            changes: 0,
            behind: false,
        };
        Ok((state, platform))
    }

    /// Where the server listened before.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Begins anew with a snapshot, of a platform that is served at `port`.
    pub(crate) fn begin(
        &mut self,
        platform: &Platform,
        port: u16,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.port = Some(port);
        let written = self.write_snapshot(platform, now);
        written.map_err(unusable(&self.path))
    }

    /// Writes what changed since the last time.
    pub(crate) fn keep(&mut self, platform: &mut Platform, now: Timestamp) -> io::Result<()> {
        let written = match platform.take_changes() {
            Changes::Some(parts) if parts.is_empty() && !self.behind => Ok(()),
            Changes::Some(parts) if !self.behind && !self.is_long() => self.append(&parts),
            Changes::Some(_) | Changes::Everything => self.write_snapshot(platform, now),
        };
        self.behind = written.is_err();
        written
    }

    fn is_long(&self) -> bool {
        self.changes > LEAST.max(GROWTH * self.snapshot)
    }

    fn append(&mut self, parts: &[Part]) -> io::Result<()> {
        let mut line = serde_json::to_vec(parts)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.changes += line.len() as u64;
        Ok(())
    }

    /// Puts a snapshot in place of the whole file, at once: it is written beside it and renamed.
    fn write_snapshot(&mut self, platform: &Platform, now: Timestamp) -> io::Result<()> {
        let snapshot = Snapshot {
            port: self.port,
            ..platform.snapshot(now)
        };
        let mut text = serde_json::to_vec(&snapshot)?;
        text.push(b'\n');
        let beside = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        owner_only(&mut options);
        let mut file = options.open(&beside)?;
        restrict(&file)?;
        // Held before it has the name, so that no other process comes in between.
        file.lock()?;
        file.write_all(&text)?;
        fs::rename(&beside, &self.path)?;
        file.seek(SeekFrom::End(0))?;
        self.file = file;
        (self.snapshot, self.changes) = (text.len() as u64, 0);
        Ok(())
    }
}

/// Takes over what is in the file; returns where a server listened with it.
fn load(platform: &mut Platform, path: &Path, text: &[u8]) -> Result<Option<u16>, StateError> {
    let mut port = None;
    let misfit = |source| StateError::Misfit {
        path: path.to_owned(),
        source,
    };
    for (index, line) in whole_lines(text).enumerate() {
        if index == 0 {
            let snapshot: Snapshot = read(path, 1, line)?;
            port = snapshot.port;
            platform.take_over(snapshot).map_err(misfit)?;
        } else {
            let parts: Vec<Part> = read(path, index + 1, line)?;
            for part in parts {
                platform.apply(part).map_err(misfit)?;
            }
        }
    }
    Ok(port)
}

/// The lines that end. What stands behind the last line feed was cut off, and nobody was answered.
fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    text[..end]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

fn read<T: serde::de::DeserializeOwned>(
    path: &Path,
    line: usize,
    text: &[u8],
) -> Result<T, StateError> {
    serde_json::from_slice(text).map_err(|source| StateError::Content {
        path: path.to_owned(),
        line,
        source,
    })
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { path, source }
}

/// The lock is the system's, and ends with the process.
fn lock(file: &File, path: &Path) -> Result<(), StateError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(path)(source)),
    }
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

/// A file that was there already may be open to others.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &File) -> io::Result<()> {
    Ok(())
}
