//! Inputs that are kept: `tests/fuzz/corpus/TARGET/NAME`.

use std::{fs, io, path::PathBuf};

use sha2::{Digest, Sha256};

/// The largest input that is kept for its behaviour; failures are kept whatever their size.
const LARGEST: usize = 2 * 1024;

fn folder(target: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    tests.join(target)
}

/// The inputs of a target with their names, in the order of those.
pub(crate) fn read(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder(target))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        inputs.push((name, fs::read(entry.path())?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Keeps an input, named after its content; returns the name.
pub(crate) fn keep(target: &str, kind: &str, input: &[u8]) -> io::Result<String> {
    let hash = Sha256::digest(input);
    let id: String = hash
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("{kind}-{id}");
    fs::write(folder(target).join(&name), input)?;
    Ok(name)
}

pub(crate) fn is_small(input: &[u8]) -> bool {
    input.len() <= LARGEST
}
