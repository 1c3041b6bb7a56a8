use std::collections::HashMap;

use crate::{
    Expect, MAX_PAYLOAD, RecordKey, StoreError,
    conformance::{
        Subject,
        steps::{
            absent, all_of, assert_loads, at, create, delete, explained, hard_keys, key,
            largest_payload, load, present, replace, scan_all,
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
    let texts: [&[u8]; 24] = [
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
        b"NULL",
        b"\\x6162",
        b"\\N",
        b"two \\\\ and ''two'' and %%",
        b"\x1f\x8b\x08\0compressed",
        b"\x28\xb5\x2f\xfdcompressed",
        b"data\xff",
        b"[]",
        b"{}",
        &[0; 400],
        &[0xff; 400],
        &[&[b'a'; 500], &b"end"[..]].concat(),
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

/// Bytes without a pattern, so that a cut or a swap shows; others for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    std::iter::repeat_with(next)
        .flatten()
        .take(length)
        .collect()
}

/// The lengths at which the format of a length, a page or a buffer changes, and their neighbours.
fn lengths(largest: usize) -> impl Iterator<Item = usize> {
    let steps = (2..=16).map(|power| 1_usize << power);
    let decimal = [1_000, 10_000, 50_000];
    let near = steps.chain(decimal).flat_map(|step| step - 1..=step + 1);
    near.chain([largest - 1, largest])
        .filter(move |length| *length <= largest)
}

pub async fn payloads_of_many_lengths_are_kept(subject: Subject<'_>) {
    let store = subject.open().await;
    let largest = largest_payload(&store).await;
    let payloads: Vec<_> = (1_u32..)
        .zip(lengths(largest))
        .map(|(number, length)| (key(number), noise(number.into(), length)))
        .collect();
    let creations = payloads
        .iter()
        .map(|(key, payload)| create(&store, key, payload, None));
    let versions = all_of(creations).await;
    let loads = payloads
        .iter()
        .zip(&versions)
        .map(async |((key, payload), version)| {
            let when = format!("of {} bytes", payload.len());
            assert_loads(&store, key, payload, (*version, None), &when).await;
        });
    all_of(loads).await;
    let listed: HashMap<_, _> = scan_all(&store, 100).await.into_iter().collect();
    for (key, payload) in &payloads {
        let found = listed.get(key).map(|stored| stored.payload.as_slice());
        let length = payload.len();
        assert!(
            found == Some(payload),
            "scan of a record of {length} bytes: other bytes"
        );
    }
}

/// Neither the length nor the beginning of a payload says that it is the same.
pub async fn payload_is_replaced_by_one_of_the_same_length(subject: Subject<'_>) {
    let store = subject.open().await;
    for (number, length) in (0..).zip([1, 100, 5_000, 20_000]) {
        let record = key(number);
        let mut payload = noise(1, length);
        let mut version = create(&store, &record, &payload, None).await;
        for place in [length - 1, length / 2, 0] {
            payload[place] ^= 1;
            version = replace(&store, &record, &payload, None, version).await;
            let when = format!("with byte {place} of {length} changed");
            assert_loads(&store, &record, &payload, (version, None), &when).await;
        }
    }
}

/// Two records may have the same payload, and are still two.
pub async fn equal_payloads_are_records_of_their_own(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut versions = Vec::new();
    for number in 0..3 {
        versions.push(create(&store, &key(number), b"the same", Some(at(1))).await);
    }
    delete(&store, &key(0), versions[0]).await;
    let changed = replace(&store, &key(1), b"another", None, versions[1]).await;
    absent(&store, &key(0)).await;
    assert_loads(&store, &key(1), b"another", (changed, None), "replaced").await;
    let state = (versions[2], Some(at(1)));
    assert_loads(&store, &key(2), b"the same", state, "beside one that went").await;
}

/// The size of what is refused does not matter, however far above the limit.
pub async fn payloads_far_too_large_are_refused(subject: Subject<'_>) {
    let store = subject.open().await;
    let limit = largest_payload(&store).await;
    for size in [
        limit + 1,
        MAX_PAYLOAD + 1,
        2 * MAX_PAYLOAD,
        2 * MAX_PAYLOAD + 10,
        20 * MAX_PAYLOAD,
    ] {
        match store
            .save(&key(1), &vec![1; size], None, Expect::Absent)
            .await
        {
            Err(StoreError::TooLarge {
                size: told,
                limit: least,
            }) => {
                assert_eq!((told, least), (size, limit), "TooLarge: size and limit");
            }
            Err(error) => panic!(
                "save of {size} bytes: expected TooLarge, got {}",
                explained(&error)
            ),
            Ok(_) => {
                panic!("save of {size} bytes: expected TooLarge, but it was answered with success")
            }
        }
        absent(&store, &key(1)).await;
    }
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
