use crate::{
    Expect, StoreError,
    conformance::{
        Subject,
        steps::{create, explained, key, largest_payload, present},
    },
};

const SECRET: &str = "example-secret-payload";

/// Whether the secret shows, as text, as a list of numbers, or in hexadecimal.
fn shows_secret(text: &str) -> bool {
    let numbers = format!("{:?}", &SECRET.as_bytes()[..8]);
    let numbers = numbers.trim_matches(['[', ']']);
    let hex: String = SECRET
        .bytes()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text.contains(SECRET) || text.contains(numbers) || text.to_lowercase().contains(&hex)
}

pub async fn debug_hides_payloads(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), SECRET.as_bytes(), None).await;
    let stored = present(&store, &key(1)).await;
    let listed = store.scan(None, 10).await.expect("scan works");
    for shown in [
        format!("{store:?}"),
        format!("{store:#?}"),
        format!("{stored:?} {listed:?}"),
    ] {
        assert!(!shows_secret(&shown), "{shown}");
    }
}

pub async fn errors_hide_payloads(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), SECRET.as_bytes(), None).await;
    let large = SECRET.repeat(largest_payload(&store).await / SECRET.len() + 1);
    let conflict = store
        .save(&key(1), SECRET.as_bytes(), None, Expect::Absent)
        .await;
    let too_large = store
        .save(&key(2), large.as_bytes(), None, Expect::Absent)
        .await;
    assert!(
        matches!(conflict, Err(StoreError::Conflict)),
        "{conflict:?}"
    );
    assert!(
        matches!(too_large, Err(StoreError::TooLarge { .. })),
        "{too_large:?}"
    );
    for error in [conflict, too_large].into_iter().filter_map(Result::err) {
        let shown = format!("{} {error:?}", explained(&error));
        assert!(!shows_secret(&shown), "{shown}");
    }
}
