//! What somebody who can write to the store, but has no key, can do to sealed records.

use std::{error::Error as _, sync::Arc};

use rc_store::{
    Due, DueAt, Expect, KeyRing, MAX_PAYLOAD, MemoryStore, OpenError, RecordKey, Sealed,
    StoreError, Stored, TokenStore,
};

const SECRET: &[u8] = b"example-secret-payload";
const DUE: Option<DueAt> = Some(DueAt::from_unix_millis(1_000));

struct Vault {
    below: Arc<MemoryStore>,
    store: Sealed<Arc<MemoryStore>>,
}

impl Vault {
    fn new(ring: KeyRing) -> Self {
        let below = Arc::new(MemoryStore::new());
        Self {
            store: Sealed::new(below.clone(), ring),
            below,
        }
    }

    async fn create(&self, key: &RecordKey) {
        self.store
            .save(key, SECRET, DUE, Expect::Absent)
            .await
            .expect("saved");
    }

    /// The record as it lies in the store below.
    async fn lying(&self, key: &RecordKey) -> Stored {
        self.below
            .load(key)
            .await
            .expect("loads")
            .expect("a record")
    }

    /// Puts other bytes and another due time into the store below.
    async fn put(&self, key: &RecordKey, payload: &[u8], due: Option<DueAt>) {
        let expect = match self.below.load(key).await.expect("loads") {
            Some(stored) => Expect::Version(stored.version),
            None => Expect::Absent,
        };
        self.below
            .save(key, payload, due, expect)
            .await
            .expect("saved");
    }

    async fn load_error(&self, key: &RecordKey) -> OpenError {
        corruption(self.store.load(key).await.expect_err("must not load"))
    }
}

fn corruption(error: StoreError) -> OpenError {
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let source = error.source().expect("a cause");
    source
        .downcast_ref::<OpenError>()
        .expect("an OpenError")
        .clone()
}

fn ring(id: &str) -> KeyRing {
    KeyRing::generate(id).expect("a ring")
}

fn key(name: &str) -> RecordKey {
    RecordKey::derive(&[name.as_bytes()])
}

#[tokio::test]
async fn payloads_lie_sealed() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    let lying = vault.lying(&key("a")).await;
    assert!(
        !lying
            .payload
            .windows(SECRET.len())
            .any(|window| window == SECRET)
    );
    assert_eq!(lying.due, DUE);
}

#[tokio::test]
async fn every_flipped_bit_is_noticed() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    let sealed = vault.lying(&key("a")).await.payload;
    for bit in 0..sealed.len() * 8 {
        let mut edited = sealed.clone();
        edited[bit / 8] ^= 1 << (bit % 8);
        vault.put(&key("a"), &edited, DUE).await;
        let loaded = vault.store.load(&key("a")).await;
        assert!(
            matches!(loaded, Err(StoreError::Corrupt(_))),
            "bit {bit}: {loaded:?}"
        );
    }
    vault.put(&key("a"), &sealed, DUE).await;
    assert!(vault.store.load(&key("a")).await.is_ok());
}

#[tokio::test]
async fn swapped_and_copied_rows_are_noticed() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    vault.create(&key("b")).await;
    let (a, b) = (vault.lying(&key("a")).await, vault.lying(&key("b")).await);
    vault.put(&key("a"), &b.payload, DUE).await;
    vault.put(&key("b"), &a.payload, DUE).await;
    vault.put(&key("c"), &a.payload, DUE).await;
    for name in ["a", "b", "c"] {
        assert_eq!(
            vault.load_error(&key(name)).await,
            OpenError::NotAuthentic,
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_edited_due_time_is_noticed() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    let sealed = vault.lying(&key("a")).await.payload;
    for due in [
        None,
        Some(DueAt::from_unix_millis(1_001)),
        Some(DueAt::from_unix_millis(0)),
    ] {
        vault.put(&key("a"), &sealed, due).await;
        assert_eq!(
            vault.load_error(&key("a")).await,
            OpenError::NotAuthentic,
            "{due:?}"
        );
    }
}

#[tokio::test]
async fn a_removed_and_an_invented_due_time_are_noticed() {
    let vault = Vault::new(ring("k1"));
    let never = vault
        .store
        .save(&key("a"), SECRET, None, Expect::Absent)
        .await;
    never.expect("saved");
    let sealed = vault.lying(&key("a")).await.payload;
    vault
        .put(&key("a"), &sealed, Some(DueAt::from_unix_millis(0)))
        .await;
    assert_eq!(vault.load_error(&key("a")).await, OpenError::NotAuthentic);
}

#[tokio::test]
async fn a_plain_payload_is_not_taken_for_a_sealed_one() {
    let vault = Vault::new(ring("k1"));
    vault.put(&key("a"), SECRET, None).await;
    assert_eq!(vault.load_error(&key("a")).await, OpenError::UnknownFormat);
    vault.put(&key("a"), b"", None).await;
    assert_eq!(vault.load_error(&key("a")).await, OpenError::UnknownFormat);
}

#[tokio::test]
async fn what_was_sealed_for_another_purpose_is_no_record() {
    let ring = ring("k1");
    let vault = Vault::new(ring.clone());
    let key = key("a");
    let cookie = ring
        .seal(&[b"cookie", key.as_bytes(), b""], SECRET)
        .expect("sealed");
    vault.put(&key, &cookie, None).await;
    assert_eq!(vault.load_error(&key).await, OpenError::NotAuthentic);
}

#[tokio::test]
async fn a_missing_key_is_named() {
    let vault = Vault::new(ring("2025"));
    vault.create(&key("a")).await;
    let other = Sealed::new(vault.below.clone(), ring("2026"));
    let error = corruption(other.load(&key("a")).await.expect_err("must not load"));
    assert_eq!(error, OpenError::UnknownKey { id: "2025".into() });
}

#[tokio::test]
async fn a_record_that_cannot_be_opened_hides_no_other() {
    let vault = Vault::new(ring("k1"));
    for name in ["a", "b", "c"] {
        vault.create(&key(name)).await;
    }
    vault.put(&key("b"), b"scribble", DUE).await;

    let listed = vault.store.scan(None, 10).await.expect("scans");
    assert_eq!(listed.len(), 3);
    for item in listed {
        assert_eq!(item.stored.is_err(), item.key == key("b"));
    }
    let due = vault
        .store
        .due(None, DueAt::from_unix_millis(1_000), 10)
        .await
        .expect("lists");
    assert!(due.contains(&Due {
        key: key("b"),
        due: DueAt::from_unix_millis(1_000)
    }));
    assert_eq!(due.len(), 3);
}

#[tokio::test]
async fn a_record_that_cannot_be_opened_can_be_replaced() {
    let vault = Vault::new(ring("k1"));
    vault.put(&key("a"), b"scribble", None).await;
    let expect = Expect::Version(vault.lying(&key("a")).await.version);
    vault
        .store
        .save(&key("a"), SECRET, DUE, expect)
        .await
        .expect("saved");
    let stored = vault
        .store
        .load(&key("a"))
        .await
        .expect("loads")
        .expect("a record");
    assert_eq!(*stored.payload, SECRET);
}

/// The limit of what encryption can do, as the documentation says.
#[tokio::test]
async fn an_old_row_put_back_whole_is_not_noticed() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    let old = vault.lying(&key("a")).await;
    let expect = Expect::Version(old.version);
    vault
        .store
        .save(&key("a"), b"newer", None, expect)
        .await
        .expect("saved");
    vault.put(&key("a"), &old.payload, old.due).await;
    let stored = vault
        .store
        .load(&key("a"))
        .await
        .expect("loads")
        .expect("a record");
    assert_eq!(*stored.payload, SECRET);
}

#[tokio::test]
async fn the_limit_counts_after_sealing() {
    let vault = Vault::new(ring("k1"));
    let most = MAX_PAYLOAD - ring("k1").overhead();
    let refused = vault
        .store
        .save(&key("a"), &vec![0; most + 1], None, Expect::Absent)
        .await;
    match refused {
        Err(StoreError::TooLarge { size, limit }) => assert_eq!((size, limit), (most + 1, most)),
        other => panic!("{other:?}"),
    }
    vault
        .store
        .save(&key("a"), &vec![0; most], None, Expect::Absent)
        .await
        .expect("saved");
    assert_eq!(vault.lying(&key("a")).await.payload.len(), MAX_PAYLOAD);
}

#[test]
fn debug_shows_key_ids_only() {
    let store = Sealed::new(MemoryStore::new(), ring("k1"));
    let shown = format!("{store:?}");
    assert_eq!(
        shown,
        r#"Sealed { inner: MemoryStore { records: 0 }, ring: ["k1"] }"#
    );
}

#[tokio::test]
async fn versions_of_records_that_cannot_be_opened_are_answered() {
    let vault = Vault::new(ring("k1"));
    vault.create(&key("a")).await;
    vault.create(&key("b")).await;
    vault.put(&key("b"), b"no envelope", DUE).await;
    let (a, b) = (vault.lying(&key("a")).await, vault.lying(&key("b")).await);
    assert!(vault.store.load(&key("b")).await.is_err());
    let keys = ["a", "b", "c"].map(key);
    let versions = vault.store.versions(&keys).await.expect("versions");
    assert_eq!(versions, [Some(a.version), Some(b.version), None]);
}
