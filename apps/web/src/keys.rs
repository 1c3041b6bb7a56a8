//! The folder of the demo's files, made on first start, open to its owner only.

use std::{fs, io, path::Path};

/// Makes the folder that holds `file`, for its owner only, unless it exists.
///
/// # Errors
///
/// What the system says.
pub(crate) fn create_private_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}
