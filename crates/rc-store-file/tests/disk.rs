//! A disk that is full. Needs the right to mount a file system of its own; says so where there is none.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

use std::{fs, path::Path, process::Command};

use rc_store::{Expect, RecordKey, StoreError, TokenStore as _};
use rc_store_file::FileStore;

/// A file system of 256 KiB, until it is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"]);
        let mounted = mount.arg(at).output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

fn key(number: u8) -> RecordKey {
    RecordKey::derive(&[&[number]])
}

#[tokio::test]
async fn full_disk_refuses_writes_and_keeps_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(directory.path()) else {
        println!("not tested: this user may not mount a small file system");
        return;
    };
    let store = FileStore::open(directory.path()).await.unwrap();
    let payload = vec![7; 60_000];
    let mut saved = Vec::new();
    let refused = loop {
        let number = saved.len() as u8;
        match store
            .save(&key(number), &payload, None, Expect::Absent)
            .await
        {
            Ok(version) => saved.push(version),
            Err(error) => break error,
        }
    };
    let StoreError::NotWritten(cause) = refused else {
        panic!("expected NotWritten, got {refused:?}");
    };
    assert!(
        cause.to_string().ends_with("make room on its disk"),
        "{cause}"
    );
    assert!(
        !directory.path().join("temporary").exists(),
        "what was begun takes up room"
    );
    assert_eq!(
        store
            .load(&key(saved.len() as u8))
            .await
            .unwrap()
            .map(|_| ()),
        None
    );
    let first = store.load(&key(0)).await.unwrap().unwrap();
    assert_eq!((&*first.payload, first.version), (&payload, saved[0]));

    // Not a byte is free, and a deletion makes room for what was refused.
    let rest = fs::write(directory.path().join("rest"), [0; 1 << 18]).unwrap_err();
    assert_eq!(rest.kind(), std::io::ErrorKind::StorageFull);
    assert!(store.health().await.is_err(), "a full disk is healthy");
    store.delete(&key(0), saved[0]).await.unwrap();
    store.health().await.unwrap();
    store
        .save(&key(0), &payload, None, Expect::Absent)
        .await
        .unwrap();
}
