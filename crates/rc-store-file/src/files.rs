//! Reads and replaces files whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::Path,
};

use rc_store::Zeroizing;

use crate::{error::Fault, record::Bytes};

/// What is being written, until it is renamed. One name is enough: whoever writes holds the lock.
pub(crate) const TEMPORARY: &str = "temporary";

/// Makes the folder and those above it, for their owner only, where they are missing.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Options that make files for their owner only.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The first `most` bytes of a file, or `None` if there is none.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<Option<Bytes>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(most);
    // With room to spare, so that secret bytes are not left behind where the buffer grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.min(most) + 64));
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes the temporary file so that it survives a power cut, over what a killed process has left.
/// Needs the lock.
pub(crate) fn prepare(folder: &Path, content: &[u8]) -> Result<(), Fault> {
    clear(folder)?;
    let written = private()
        .create_new(true)
        .open(folder.join(TEMPORARY))
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
    written.map_err(|error| {
        // It takes up room on what may be a full disk. The error of the write is the one to report.
        if let Err(fault) = clear(folder) {
            tracing::debug!(%fault, "the next write will remove it");
        }
        Fault::io("write a file in", folder)(error)
    })
}

/// Gives the temporary file its name, in place of what has it. Needs the lock.
pub(crate) fn place(folder: &Path, name: &str) -> Result<(), Fault> {
    fs::rename(folder.join(TEMPORARY), folder.join(name))
        .map_err(Fault::io("rename a file in", folder))
}

/// Removes the temporary file, if there is one. Needs the lock.
pub(crate) fn clear(folder: &Path) -> Result<(), Fault> {
    match fs::remove_file(folder.join(TEMPORARY)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Fault::io("remove a temporary file in", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Makes names in the folder survive a power cut, where the system can.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Fault> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Fault::io("sync", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Overwrites the first bytes of a file in place, without a sync: for what may be lost.
pub(crate) fn mark(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private()
        .create(true)
        .truncate(false)
        .open(path)?
        .write_all(bytes)
}
