use crate::{
    RecordKey, StoreError, TokenStore, Version,
    conformance::{
        Subject,
        steps::{all_of, create, delete, explained, hard_keys, key, replace},
    },
};

/// More than one statement of most databases can name.
const MANY: u32 = 2_500;

/// What the store answers: one version for each key asked.
pub(super) async fn versions(store: &dyn TokenStore, keys: &[RecordKey]) -> Vec<Option<Version>> {
    let answer: Result<_, StoreError> = store.versions(keys).await;
    let versions = answer.unwrap_or_else(|error| {
        panic!("versions of {} keys: {}", keys.len(), explained(&error));
    });
    let (asked, answered) = (keys.len(), versions.len());
    assert_eq!(asked, answered, "one answer for each key asked");
    versions
}

pub async fn versions_are_in_the_order_asked(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut keys = Vec::new();
    let mut expected = Vec::new();
    for number in 0..20 {
        keys.push(key(number));
        expected.push(Some(create(&store, &key(number), b"payload", None).await));
    }
    assert_eq!(versions(&store, &keys).await, expected);
    keys.reverse();
    expected.reverse();
    assert_eq!(versions(&store, &keys).await, expected);
    assert_eq!(versions(&store, &keys[7..8]).await, expected[7..8]);
    assert_eq!(versions(&store, &[]).await, [], "nothing is asked");
}

pub async fn versions_answers_a_repeated_key_each_time(subject: Subject<'_>) {
    let store = subject.open().await;
    let one = Some(create(&store, &key(1), b"one", None).await);
    let two = Some(create(&store, &key(2), b"two", None).await);
    let keys = [1, 2, 1, 3, 1, 3, 2].map(key);
    let expected = [one, two, one, None, one, None, two];
    assert_eq!(versions(&store, &keys).await, expected);
}

pub async fn versions_of_absent_records_are_none(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = [1, 2, 3].map(key);
    assert_eq!(versions(&store, &keys).await, [None; 3]);
    let gone = create(&store, &key(1), b"one", None).await;
    let stays = create(&store, &key(2), b"two", None).await;
    delete(&store, &key(1), gone).await;
    let expected = [None, Some(stays), None];
    assert_eq!(versions(&store, &keys).await, expected, "1 is deleted");
}

pub async fn versions_sees_every_answered_write(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = [key(1)];
    for _ in 0..10 {
        let mut version = create(&store, &key(1), b"same", None).await;
        assert_eq!(versions(&store, &keys).await, [Some(version)], "created");
        for _ in 0..3 {
            version = replace(&store, &key(1), b"same", None, version).await;
            assert_eq!(versions(&store, &keys).await, [Some(version)], "replaced");
        }
        delete(&store, &key(1), version).await;
        assert_eq!(versions(&store, &keys).await, [None], "deleted");
    }
}

pub async fn versions_answers_thousands_of_keys(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys: Vec<RecordKey> = (0..MANY).map(key).collect();
    let mut expected = vec![None; keys.len()];
    for index in (0..keys.len()).step_by(50).chain([keys.len() - 1]) {
        expected[index] = Some(create(&store, &keys[index], b"payload", None).await);
    }
    let answered = versions(&store, &keys).await;
    for (number, (answered, expected)) in answered.iter().zip(&expected).enumerate() {
        assert_eq!(answered, expected, "key number {number} of {MANY}");
    }
}

/// More than a statement can have parameters, or than a number of 16 bits counts.
pub async fn versions_answers_more_keys_than_a_statement_names(subject: Subject<'_>) {
    let store = subject.open().await;
    let there = create(&store, &key(3), b"payload", None).await;
    let keys: Vec<RecordKey> = (0..MANY).map(key).collect();
    let expected = |key: &RecordKey| (*key == keys[3]).then_some(there);
    // The same keys again and again, those of the last round backwards.
    let forwards = keys.iter().cycle().take(70_000);
    let asked: Vec<RecordKey> = forwards.chain(keys.iter().rev()).copied().collect();
    let answered = versions(&store, &asked).await;
    for (number, (key, answered)) in asked.iter().zip(answered).enumerate() {
        let count = asked.len();
        assert_eq!(
            answered,
            expected(key),
            "versions: key number {number} of {count}"
        );
    }
}

pub async fn versions_tells_keys_apart_that_are_hard_to(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = hard_keys();
    // Every second one is there: the others must not be taken for it.
    let store = &store;
    let half = keys.iter().enumerate().map(async |(number, key)| {
        let first = number.is_multiple_of(2);
        match first {
            true => Some(create(store, key, b"payload", None).await),
            false => None,
        }
    });
    let expected = all_of(half).await;
    let answered = versions(store, &keys).await;
    for ((key, answered), expected) in keys.iter().zip(answered).zip(&expected) {
        assert_eq!(answered, *expected, "versions of {}", key.to_hex());
    }
    let rest = keys
        .iter()
        .zip(expected)
        .map(async |(key, there)| match there {
            Some(version) => Some(version),
            None => Some(create(store, key, b"payload", None).await),
        });
    let expected = all_of(rest).await;
    assert_eq!(versions(store, &keys).await, expected, "all are there");
}
