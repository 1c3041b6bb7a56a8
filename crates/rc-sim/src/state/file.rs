//! A platform's state in a file: a snapshot on the first line, then one line for what each request changed.
//!
//! A line is written with one call before the answer leaves, and counts only with its line feed, so that a process
//! that is killed leaves whole changes. Only snapshots are synchronized to the disk: a power cut can lose the changes
//! since.

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
        let (mut file, path) = open_regular(path)?;
        let path = path.as_path();
        lock(&file, path)?;
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
        let (mut file, beside) = create_beside(&self.path)?;
        // Held before it has the name, so that no other process comes in between.
        let written = file
            .lock()
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path));
        if let Err(error) = written {
            // Why it failed is told; what is left over is only in the way.
            drop(fs::remove_file(&beside));
            return Err(error);
        }
        file.seek(SeekFrom::End(0))?;
        self.file = file;
        (self.snapshot, self.changes) = (text.len() as u64, 0);
        Ok(())
    }
}

/// Opens the file, or makes it; through a symbolic link the one it leads to. What is no regular file is refused before
/// anything is done to it.
fn open_regular(path: &Path) -> Result<(File, PathBuf), StateError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            let message = "it is not a regular file; choose another one";
            return Err(unusable(path)(io::Error::other(message)));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(path)(error)),
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    owner_only(&mut options);
    let file = options.open(path).map_err(unusable(path))?;
    let path = fs::canonicalize(path).map_err(unusable(path))?;
    Ok((file, path))
}

/// Makes a file in the same folder, under a name that nobody else has.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    owner_only(&mut options);
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..100 {
        let beside = format!(".{name}.{}-{attempt}", std::process::id());
        let beside = path.with_file_name(beside);
        match options.open(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
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

/// The lines that end. What stands behind the last line feed was cut off, and nobody was answered. The first line is
/// put in place whole: a file without a line feed is no state that was cut off, and is read to be refused.
fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.iter().rposition(|byte| *byte == b'\n');
    text[..end.unwrap_or(text.len())]
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
