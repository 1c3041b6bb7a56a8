//! What needs a look at the files.

use std::{fs, path::Path, time::Duration};

use futures_util::StreamExt as _;
use rc_store::{Change, Expect, RecordKey, StoreError, TokenStore as _, Version};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{FileStore, OpenError};

fn key() -> RecordKey {
    RecordKey::derive(&[b"grant", b"user-42"])
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn with_record(folder: &Path) -> (FileStore, Version) {
    let store = FileStore::open(folder).await.unwrap();
    let version = store.save(&key(), b"one", None, Expect::Absent).await;
    (store, version.unwrap())
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join(key().to_hex() + ".record")
}

async fn assert_corrupt(store: &FileStore, key: &RecordKey, reason: &str) {
    match store.load(key).await {
        Err(StoreError::Corrupt(cause)) => assert_eq!(cause.to_string(), reason),
        answer => panic!("expected Corrupt, got {answer:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn folder_and_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = directory();
    let folder = directory.path().join("above").join("tokens");
    let (_store, _) = with_record(&folder).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn folder_that_others_may_write_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = directory();
    for mode in [0o770, 0o702, 0o1777] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = FileStore::open(directory.path()).await.unwrap_err();
        assert!(matches!(error, OpenError::OpenToOthers { mode: found, .. } if found == mode));
        let command = format!("chmod 700 '{}'", directory.path().display());
        assert!(error.to_string().ends_with(&command), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn folder_of_a_newer_format_is_refused_and_left_alone() {
    let directory = directory();
    let format = directory.path().join("format");
    fs::write(&format, "rc-store-file 2\nwhatever comes\n").unwrap();
    fs::write(directory.path().join("temporary"), "of a newer release").unwrap();
    let error = FileStore::open(directory.path()).await.unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::NewerFormat {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(directory.path().join("temporary").exists());

    for text in [
        "",
        "rc-store-file\n",
        "rc-store-file 0\n",
        "something else 1\n",
    ] {
        fs::write(&format, text).unwrap();
        let error = FileStore::open(directory.path()).await.unwrap_err();
        assert!(
            matches!(error, OpenError::NoFormat { .. }),
            "{text}: {error:?}"
        );
    }
}

#[tokio::test]
async fn records_without_their_format_file_are_not_an_empty_store() {
    let directory = directory();
    let (store, version) = with_record(directory.path()).await;
    let format = directory.path().join("format");
    let text = fs::read(&format).unwrap();
    fs::remove_file(&format).unwrap();

    let other = RecordKey::derive(&[b"another"]);
    for key in [&key(), &other] {
        let loaded = store.load(key).await;
        assert!(
            matches!(loaded, Err(StoreError::Unavailable(_))),
            "{loaded:?}"
        );
    }
    let saved = store.save(&other, b"x", None, Expect::Absent).await;
    assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
    let opened = FileStore::open(directory.path()).await;
    assert!(
        matches!(opened, Err(OpenError::NoFormat { .. })),
        "{opened:?}"
    );

    fs::write(&format, text).unwrap();
    assert_eq!(store.load(&key()).await.unwrap().unwrap().version, version);
}

#[tokio::test]
async fn another_store_at_the_same_path_is_not_taken_for_the_one_that_was_opened() {
    let directory = directory();
    let folder = directory.path().join("tokens");
    let (store, _) = with_record(&folder).await;
    fs::rename(&folder, directory.path().join("old")).unwrap();
    FileStore::open(&folder).await.unwrap();

    let loaded = store.load(&key()).await;
    assert!(
        matches!(loaded, Err(StoreError::Unavailable(_))),
        "{loaded:?}"
    );
    let saved = store.save(&key(), b"x", None, Expect::Absent).await;
    assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
}

#[tokio::test]
async fn damaged_files_are_corrupt_and_say_why() {
    let directory = directory();
    let (store, version) = with_record(directory.path()).await;
    let file = file(directory.path());
    let whole = fs::read(&file).unwrap();
    let checksum = "the checksum is wrong: the file was edited, damaged or renamed";
    for byte in 9..whole.len() {
        let mut edited = whole.clone();
        edited[byte] ^= 2;
        fs::write(&file, edited).unwrap();
        assert_corrupt(&store, &key(), checksum).await;
    }
    let short = "the file is too short: it was cut off";
    for length in 0..66 {
        fs::write(&file, &whole[..length]).unwrap();
        assert_corrupt(&store, &key(), short).await;
    }
    fs::write(&file, &whole[..67]).unwrap();
    assert_corrupt(&store, &key(), checksum).await;
    fs::write(&file, [&whole[..], &vec![0; 1 << 16]].concat()).unwrap();
    assert_corrupt(&store, &key(), "the file is longer than any record").await;
    fs::write(&file, [b"rcrecord\x02", &whole[9..]].concat()).unwrap();
    let newer = "the record has format 2, which this release does not know";
    assert_corrupt(&store, &key(), newer).await;

    let other = RecordKey::derive(&[b"another"]);
    fs::write(directory.path().join(other.to_hex() + ".record"), &whole).unwrap();
    assert_corrupt(&store, &other, checksum).await;
    fs::write(&file, &whole).unwrap();
    assert_eq!(store.load(&key()).await.unwrap().unwrap().version, version);
}

#[tokio::test]
async fn record_without_a_readable_version_is_replaced_by_who_was_told_its_stand_in() {
    let directory = directory();
    let (store, version) = with_record(directory.path()).await;
    fs::write(file(directory.path()), "cut off").unwrap();
    let saved = store
        .save(&key(), b"two", None, Expect::Version(version))
        .await;
    assert!(matches!(saved, Err(StoreError::Conflict)), "{saved:?}");
    let saved = store.save(&key(), b"two", None, Expect::Absent).await;
    assert!(matches!(saved, Err(StoreError::Conflict)), "{saved:?}");

    let told = store.versions(&[key()]).await.unwrap()[0].unwrap();
    store
        .save(&key(), b"two", None, Expect::Version(told))
        .await
        .unwrap();
    assert_eq!(*store.load(&key()).await.unwrap().unwrap().payload, b"two");
}

#[tokio::test]
async fn foreign_files_are_ignored_and_leftovers_removed() {
    let directory = directory();
    let (store, version) = with_record(directory.path()).await;
    let upper = key().to_hex().to_uppercase() + ".record";
    for name in ["notes.txt", "x.record", &upper, &key().to_hex()] {
        fs::write(directory.path().join(name), "foreign").unwrap();
    }
    assert_eq!(store.scan(None, 10).await.unwrap().len(), 1);

    let temporary = directory.path().join("temporary");
    fs::write(&temporary, "half a rec").unwrap();
    store.delete(&key(), version).await.unwrap();
    assert!(!temporary.exists(), "a deletion leaves it");
    fs::write(&temporary, "half a rec").unwrap();
    store
        .save(&key(), b"two", None, Expect::Absent)
        .await
        .unwrap();
    assert!(!temporary.exists(), "a write leaves it");
    fs::write(&temporary, "half a rec").unwrap();
    FileStore::open(directory.path()).await.unwrap();
    assert!(!temporary.exists(), "opening leaves it");
    assert!(directory.path().join("notes.txt").exists());
}

#[tokio::test(start_paused = true)]
async fn stream_of_changes_is_quiet_without_writes_and_ends_with_its_store() {
    let directory = directory();
    let (store, _) = with_record(directory.path()).await;
    let clone = store.clone();
    let mut changes = store.changes().unwrap();
    assert_eq!(changes.next().await, Some(Change::Gap), "one at the start");
    store.load(&key()).await.unwrap();
    store
        .due(None, rc_store::DueAt::from_unix_millis(1), 10)
        .await
        .unwrap();
    let quiet = timeout(Duration::from_millis(700), changes.next()).await;
    assert!(quiet.is_err(), "reading is no change");
    drop(store);
    let quiet = timeout(Duration::from_millis(300), changes.next()).await;
    assert!(quiet.is_err(), "a clone is left");
    drop(clone);
    let end = timeout(Duration::from_secs(2), changes.next()).await;
    assert_eq!(end, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn folder_that_goes_and_comes_back_is_a_change_each() {
    let directory = directory();
    let (there, away) = (
        directory.path().join("tokens"),
        directory.path().join("away"),
    );
    let (store, _) = with_record(&there).await;
    let mut changes = store.changes().unwrap();
    assert_eq!(changes.next().await, Some(Change::Gap));
    for (from, to) in [(&there, &away), (&away, &there)] {
        fs::rename(from, to).unwrap();
        let told = timeout(Duration::from_secs(2), changes.next()).await;
        assert_eq!(told, Ok(Some(Change::Gap)));
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn write_of_a_process_that_was_killed_before_it_told_it_is_a_change() {
    let directory = directory();
    let (store, _) = with_record(directory.path()).await;
    // Long ago, so that the time stamps differ whatever their granularity is.
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    let folder = fs::File::open(directory.path()).unwrap();
    folder.set_times(long_ago).unwrap();
    let mut changes = store.changes().unwrap();
    assert_eq!(changes.next().await, Some(Change::Gap));
    fs::remove_file(file(directory.path())).unwrap();
    let told = timeout(Duration::from_secs(2), changes.next()).await;
    assert_eq!(told, Ok(Some(Change::Gap)));
}

#[tokio::test]
async fn debug_shows_the_folder_alone() {
    let directory = directory();
    let store = FileStore::open(directory.path()).await.unwrap();
    let expected = format!("FileStore {{ folder: {:?}, .. }}", directory.path());
    assert_eq!(format!("{store:?}"), expected);
}
