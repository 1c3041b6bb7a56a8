//! Changing keys while the store is in use.

use std::{collections::BTreeMap, env, fs, sync::Arc};

use rc_store::{
    DueAt, EnvironmentKeys, Expect, KeyFile, KeyProvider, KeyRing, MemoryStore, RecordKey, Sealed,
    TokenStore,
};

const DUE: Option<DueAt> = Some(DueAt::from_unix_millis(7));

fn key(number: u32) -> RecordKey {
    RecordKey::derive(&[&number.to_be_bytes()])
}

fn ring(text: &str) -> KeyRing {
    text.parse().expect("a ring")
}

const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn both() -> KeyRing {
    ring(&format!("{NEW},{OLD}"))
}

async fn filled(count: u32) -> Sealed<Arc<MemoryStore>> {
    let store = Sealed::new(Arc::default(), ring(OLD));
    for number in 0..count {
        let (key, payload) = (key(number), number.to_string());
        let saved = store.save(&key, payload.as_bytes(), DUE, Expect::Absent);
        saved.await.expect("saved");
    }
    store
}

#[tokio::test]
async fn after_a_rotation_the_new_key_alone_opens_everything() {
    let store = filled(250).await;
    store.set_key_ring(both());
    let mut told = Vec::new();
    let rotation = store
        .rotate(None, |now| told.push(now.seen))
        .await
        .expect("rotates");
    assert!(rotation.is_complete());
    assert_eq!(
        (rotation.seen, rotation.resealed, rotation.current),
        (250, 250, 0)
    );
    assert_eq!(told, [100, 200, 250]);
    let usage = store.key_usage().await.expect("counts");
    assert_eq!(usage.by_key, BTreeMap::from([("new".to_owned(), 250)]));

    store.set_key_ring(ring(NEW));
    for number in 0..250 {
        let stored = store
            .load(&key(number))
            .await
            .expect("opens")
            .expect("a record");
        assert_eq!(*stored.payload, number.to_string().into_bytes());
        assert_eq!(stored.due, DUE);
    }
}

#[tokio::test]
async fn a_rotation_goes_on_where_it_was_interrupted() {
    let store = filled(250).await;
    store.set_key_ring(both());
    let mut after_a_page = None;
    store
        .rotate(None, |now| after_a_page = after_a_page.or(now.last))
        .await
        .expect("rotates");
    let rest = store.rotate(after_a_page, |_| {}).await.expect("rotates");
    assert_eq!((rest.seen, rest.resealed), (150, 0));
    let again = store.rotate(None, |_| {}).await.expect("rotates");
    assert_eq!((again.current, again.resealed), (250, 0));
}

#[tokio::test]
async fn a_missing_key_is_named_with_the_number_of_its_records() {
    let store = filled(3).await;
    store.set_key_ring(ring(NEW));
    let saved = store.save(&key(9), b"new", None, Expect::Absent).await;
    saved.expect("saved");
    let rotation = store.rotate(None, |_| {}).await.expect("rotates");
    assert!(!rotation.is_complete());
    assert_eq!(rotation.missing, BTreeMap::from([("old".to_owned(), 3)]));
    assert_eq!(rotation.current, 1);
    store.set_key_ring(both());
    assert!(
        store
            .rotate(None, |_| {})
            .await
            .expect("rotates")
            .is_complete()
    );
}

#[tokio::test]
async fn damaged_records_are_counted_and_left_as_they_are() {
    let store = filled(2).await;
    let below = store.get_ref();
    below
        .save(&key(8), b"clear", None, Expect::Absent)
        .await
        .expect("saved");
    let sealed = below.load(&key(0)).await.expect("loads").expect("a record");
    // The row of one record under the name of another.
    let moved = below
        .save(&key(9), &sealed.payload, sealed.due, Expect::Absent)
        .await;
    moved.expect("saved");
    store.set_key_ring(both());
    let rotation = store.rotate(None, |_| {}).await.expect("rotates");
    assert_eq!((rotation.unreadable, rotation.resealed), (2, 2));
    assert_eq!(store.key_usage().await.expect("counts").unsealed, 1);
    let left = store
        .get_ref()
        .load(&key(8))
        .await
        .expect("loads")
        .expect("a record");
    assert_eq!(*left.payload, b"clear");
}

#[tokio::test]
async fn a_provider_gives_the_keys_of_a_file_and_a_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    fs::write(&path, both().to_text().as_bytes()).expect("written");
    let file = KeyFile::new(&path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
        let error = file.key_ring().await.expect_err("exposed").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
    }
    assert_eq!(file.key_ring().await.expect("keys").active_id(), "new");
    assert_eq!(both().key_ring().await.expect("keys").active_id(), "new");

    let absent = EnvironmentKeys::new("RC_STORE_TEST_NO_SUCH_KEYS");
    assert!(env::var_os("RC_STORE_TEST_NO_SUCH_KEYS").is_none());
    let error = absent.key_ring().await.expect_err("absent").to_string();
    assert!(error.contains("RC_STORE_TEST_NO_SUCH_KEYS"), "{error}");

    fs::write(&path, "old:hunter2").expect("written");
    let error = file.key_ring().await.expect_err("damaged").to_string();
    assert!(!error.contains("hunter2"), "{error}");
}
