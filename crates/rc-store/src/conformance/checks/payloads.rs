use crate::{
    Expect, RecordKey, StoreError,
    conformance::{
        Subject,
        steps::{
            absent, all_of, assert_loads, at, create, hard_keys, key, largest_payload, load,
            present, replace,
        },
    },
};

pub async fn absent_key_loads_none(subject: Subject<'_>) {
    let store = subject.open().await;
    absent(&store, &key(1)).await;
    create(&store, &key(1), b"one", None).await;
    absent(&store, &key(2)).await;
}

pub async fn saved_record_loads_as_saved(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", Some(at(1_000))).await;
    let stored = present(&store, &key(1)).await;
    assert_eq!(*stored.payload, b"one");
    assert_eq!((stored.version, stored.due), (version, Some(at(1_000))));
}

pub async fn replaced_record_loads_as_replaced(subject: Subject<'_>) {
    let store = subject.open().await;
    let first = create(&store, &key(1), b"one", Some(at(1_000))).await;
    let second = replace(&store, &key(1), b"two", None, first).await;
    let stored = present(&store, &key(1)).await;
    assert_eq!(*stored.payload, b"two");
    assert_eq!((stored.version, stored.due), (second, None));
}

pub async fn empty_payload_is_kept(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"", None).await;
    assert!(present(&store, &key(1)).await.payload.is_empty());
}

pub async fn binary_payload_is_kept(subject: Subject<'_>) {
    let store = subject.open().await;
    let payload: Vec<u8> = (0..=255)
        .chain([0, 0, 0xff, 0xfe, b'\'', b'\\', 0])
        .collect();
    create(&store, &key(1), &payload, None).await;
    assert_eq!(*present(&store, &key(1)).await.payload, payload);
}

pub async fn largest_payload_is_kept(subject: Subject<'_>) {
    let store = subject.open().await;
    let payload: Vec<u8> = (0..=250)
        .cycle()
        .take(largest_payload(&store).await)
        .collect();
    let version = create(&store, &key(1), &payload, None).await;
    assert!(
        *present(&store, &key(1)).await.payload == payload,
        "the payload changed"
    );
    replace(&store, &key(1), &payload, Some(at(1)), version).await;
    assert!(
        *present(&store, &key(1)).await.payload == payload,
        "the payload changed"
    );
}

pub async fn too_large_payload_is_refused_before_anything_is_written(subject: Subject<'_>) {
    let store = subject.open().await;
    let limit = largest_payload(&store).await;
    assert!(
        load(&store, &key(0)).await.is_none(),
        "a refused record was written"
    );

    let version = create(&store, &key(1), b"one", Some(at(1_000))).await;
    let expect = Expect::Version(version);
    let refused = store.save(&key(1), &vec![0; limit + 1], None, expect).await;
    assert!(
        matches!(refused, Err(StoreError::TooLarge { .. })),
        "{refused:?}"
    );
    let stored = present(&store, &key(1)).await;
    assert_eq!(*stored.payload, b"one");
    assert_eq!((stored.version, stored.due), (version, Some(at(1_000))));
}

pub async fn payload_can_grow_and_shrink(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), b"one", None).await;
    for length in [5_000, 3, 60_000, 0, 100] {
        let payload = vec![length as u8; length];
        version = replace(&store, &key(1), &payload, None, version).await;
        assert!(
            *present(&store, &key(1)).await.payload == payload,
            "{length} bytes changed"
        );
    }
}

pub async fn keys_that_differ_in_one_bit_are_different_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let near = |bit: usize| {
        let mut bytes = *key(1).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        RecordKey::new(bytes)
    };
    let ends = [RecordKey::new([0; 32]), RecordKey::new([0xff; 32]), key(1)];
    let keys: Vec<RecordKey> = (0..256).map(near).chain(ends).collect();
    let creations = keys
        .iter()
        .map(|key| create(&store, key, key.as_bytes(), None));
    all_of(creations).await;
    let loaded = all_of(keys.iter().map(|key| present(&store, key))).await;
    for (key, stored) in keys.iter().zip(loaded) {
        assert_eq!(*stored.payload, key.as_bytes());
    }
}

pub async fn text_payload_is_kept_to_the_byte(subject: Subject<'_>) {
    let store = subject.open().await;
    let texts: [&[u8]; 12] = [
        b"one\r\ntwo\r\n",
        b"one\ntwo\n",
        b"one\rtwo\r",
        b"\xef\xbb\xbfmark",
        b"  spaces \t ",
        b"end\0\0",
        b"\0start",
        b"null",
        b"{ \"a\" : 1 }",
        b"100% 'quoted' \\",
        "e\u{301} \u{e9}".as_bytes(),
        b"\xff\xfe",
    ];
    for (number, text) in (0..).zip(texts) {
        let version = create(&store, &key(number), text, None).await;
        let when = format!("saved as {:?}", String::from_utf8_lossy(text));
        assert_loads(&store, &key(number), text, (version, None), &when).await;
    }
}

pub async fn keys_that_are_hard_to_tell_apart_are_different_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = hard_keys();
    let creations = keys
        .iter()
        .map(|key| create(&store, key, key.as_bytes(), None));
    let versions = all_of(creations).await;
    let loads = keys.iter().zip(versions).map(|(key, version)| {
        let state = (version, None);
        assert_loads(&store, key, key.as_bytes(), state, "among others")
    });
    all_of(loads).await;
}

/// Nothing is evicted to make room.
pub async fn a_thousand_records_are_kept(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..10 {
        let store = store.clone();
        writers.spawn(async move {
            for number in (0..1_000).skip(writer).step_by(10) {
                create(&store, &key(number), &number.to_be_bytes(), None).await;
            }
        });
    }
    writers.join_all().await;
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..10 {
        let store = store.clone();
        readers.spawn(async move {
            let mut missing = 0;
            for number in (0..1_000).skip(reader).step_by(10) {
                missing += u32::from(load(&store, &key(number)).await.is_none());
            }
            missing
        });
    }
    let count: u32 = readers.join_all().await.into_iter().sum();
    assert_eq!(count, 0, "load of 1,000 records: {count} are None");
}
