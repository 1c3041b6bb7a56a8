//! The kit of `rc-store` on folders, plain and sealed.

use std::{fs, path::PathBuf};

use rc_store::{KeyRing, RecordKey, Sealed};
use rc_store_file::FileStore;
use tempfile::TempDir;

/// A temporary directory with a folder that does not exist yet.
fn new_directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn folder(directory: &TempDir) -> PathBuf {
    directory.path().join("tokens")
}

async fn open_plain(directory: &TempDir) -> FileStore {
    let store = FileStore::open(folder(directory)).await;
    store.expect("a store")
}

/// Takes the folder away, and brings it back.
fn take_away(directory: &TempDir, down: bool) {
    let (there, away) = (folder(directory), directory.path().join("away"));
    let (from, to) = if down { (there, away) } else { (away, there) };
    fs::rename(from, to).expect("the folder can be renamed");
}

/// Overwrites the last byte of a payload.
fn edit(directory: &TempDir, key: &RecordKey) {
    let path = folder(directory).join(key.to_hex() + ".record");
    let mut bytes = fs::read(&path).expect("the record has a file");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    fs::write(path, bytes).expect("it can be overwritten");
}

mod plain {
    use super::*;

    async fn fault(directory: &TempDir, down: bool) {
        take_away(directory, down);
    }

    async fn damage(directory: &TempDir, key: &RecordKey) {
        edit(directory, key);
    }

    rc_store::token_store_tests!(
        open_plain,
        at = new_directory,
        fault = fault,
        damage = damage
    );
}

mod sealed {
    use super::*;

    type Place = (TempDir, KeyRing);

    fn new_place() -> Place {
        (new_directory(), KeyRing::generate("test").expect("a ring"))
    }

    async fn open((directory, ring): &Place) -> Sealed<FileStore> {
        Sealed::new(open_plain(directory).await, ring.clone())
    }

    async fn fault((directory, _): &Place, down: bool) {
        take_away(directory, down);
    }

    async fn damage((directory, _): &Place, key: &RecordKey) {
        edit(directory, key);
    }

    rc_store::token_store_tests!(open, at = new_place, fault = fault, damage = damage);
}
