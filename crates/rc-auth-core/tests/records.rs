//! What is stored of a grant, in every state. A changed snapshot is a changed format.

use bytes::Bytes;
use http::Response;
use rc_auth_core::{
    About, AttemptId, ChainId, EndReason, Generation, GrantRecord, Intent, Pause, Person,
    RecordState, Secret, Timestamp, TokenPair, TokenSet, Unfinished,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

fn pair() -> TokenPair {
    let body = r#"{"access_token":"example-access","token_type":"bearer","expires_in":3600,
        "refresh_token":"example-refresh","refresh_token_expires_in":604800,"scope":"ReadAccounts SMS",
        "owner_id":"12133895004","endpoint_id":"e-1","session_id":"s-1","session_expires_in":86400}"#;
    let set = TokenSet::from_response(&Response::new(Bytes::from(body)), NOW);
    TokenPair::new(set.expect("tokens"))
}

fn in_state(state: RecordState) -> String {
    let mut about = About::made_at(NOW);
    about.person = Some(Person {
        name: Some("Alice Example".to_owned()),
        extension_number: Some("101".to_owned()),
        owner_id: Some("12133895004".to_owned()),
    });
    about.forced_refreshes = vec![NOW];
    let record = GrantRecord {
        chain: ChainId::new([0xc1; 16]),
        generation: Generation::new(7),
        state,
        about,
    };
    let text = serde_json::to_string_pretty(&record).expect("a record serializes");
    let read: GrantRecord = serde_json::from_str(&text).expect("its own text");
    assert_eq!(read, record);
    text
}

const ATTEMPT: AttemptId = AttemptId::new([0xa7; 16]);

fn intent() -> Intent {
    Intent {
        attempt: ATTEMPT,
        unanswered: 1,
        answered: false,
        first_presented_at: Some(NOW),
        renewals: 0,
        pause: None,
    }
}

#[test]
fn idle() {
    let committed_by = Some(ATTEMPT);
    insta::assert_snapshot!(in_state(RecordState::Idle {
        pair: pair(),
        committed_by
    }));
}

#[test]
fn idle_after_sign_in() {
    let record = GrantRecord::signed_in(ChainId::new([0xc1; 16]), pair(), NOW);
    assert_eq!(record.generation, Generation::FIRST);
    insta::assert_snapshot!(in_state(record.state));
}

#[test]
fn refreshing() {
    insta::assert_snapshot!(in_state(RecordState::Refreshing {
        pair: pair(),
        intent: intent()
    }));
}

#[test]
fn refreshing_with_a_pause_after_an_answer_that_changed_nothing() {
    let intent = Intent {
        answered: true,
        first_presented_at: None,
        renewals: 4,
        pause: Some(Pause {
            millis: 60_000,
            until: NOW,
        }),
        ..intent()
    };
    insta::assert_snapshot!(in_state(RecordState::Refreshing {
        pair: pair(),
        intent
    }));
}

#[test]
fn signed_out() {
    insta::assert_snapshot!(in_state(RecordState::SignedOut {
        token: Some(Secret::new("example-refresh")),
        failures: 2,
        chain_ends_at: Some(NOW),
        unfinished: Some(Unfinished {
            chain: ChainId::new([0xc1; 16]),
            generation: Generation::new(7),
            first_presented_at: Some(NOW),
        }),
        reason: Some(EndReason::Idle),
    }));
}

#[test]
fn ended() {
    let reasons = [
        EndReason::Absent,
        EndReason::TokenDead,
        EndReason::SignedOut,
        EndReason::Idle,
        EndReason::TooOld,
        EndReason::NotRefreshable,
        EndReason::Indeterminate,
    ];
    let texts = reasons.map(|reason| in_state(RecordState::Ended { reason }));
    insta::assert_snapshot!(texts.join("\n"));
}

/// The files are what the first version wrote.
#[test]
fn records_of_the_first_version_are_read() {
    let read = |text: &str| serde_json::from_str::<GrantRecord>(text).expect("an old record");
    let idle = read(include_str!("formats/first/idle.json"));
    assert_eq!(idle.pair(), Some(&pair()));
    assert_eq!(idle.about, About::default());
    let fresh = read(include_str!("formats/first/idle_after_sign_in.json"));
    assert_eq!(fresh.pair(), Some(&pair()));
    let refreshing = read(include_str!("formats/first/refreshing.json"));
    let RecordState::Refreshing { intent, .. } = refreshing.state else {
        panic!("{refreshing:?}");
    };
    assert_eq!((intent.attempt, intent.unanswered), (ATTEMPT, 1));
    assert_eq!((intent.first_presented_at, intent.pause), (None, None));
    let signed_out = read(include_str!("formats/first/signed_out.json"));
    assert_eq!(
        signed_out.revocable().map(Secret::expose),
        Some("example-refresh")
    );
}

#[test]
fn members_that_are_not_known_survive_a_rewrite() {
    let newer = in_state(RecordState::Idle {
        pair: pair(),
        committed_by: None,
    })
    .replace("\"made_at\"", "\"next_year\": {\"x\": [1]},\n  \"made_at\"")
    .replace("\"session_id\"", "\"device\": \"d-1\",\n \"session_id\"");
    let mut record: GrantRecord = serde_json::from_str(&newer).expect("a newer record");
    // As every refresh does: the pair goes from one state into the next.
    let pair = record.pair().cloned().expect("a pair");
    record.state = RecordState::Refreshing {
        pair,
        intent: intent(),
    };
    let rewritten: serde_json::Value = serde_json::to_value(&record).expect("a record");
    assert_eq!(rewritten["next_year"]["x"][0], 1);
    assert_eq!(rewritten["state"]["refreshing"]["pair"]["device"], "d-1");
}

#[test]
fn signing_out_during_a_refresh_keeps_what_was_unfinished() {
    let mut record = GrantRecord::signed_in(ChainId::new([0xc1; 16]), pair(), NOW);
    record.state = RecordState::Refreshing {
        pair: pair(),
        intent: intent(),
    };
    let out = record.signed_out(None).expect("something to revoke");
    let RecordState::SignedOut {
        unfinished,
        chain_ends_at,
        ..
    } = &out.state
    else {
        panic!("{out:?}");
    };
    assert_eq!(unfinished.map(|it| it.generation), Some(Generation::FIRST));
    assert_eq!(*chain_ends_at, pair().refresh_expires_at());
    assert_eq!(out.signed_out(None), None, "signed out twice");
}

#[test]
fn records_print_no_tokens() {
    let state = RecordState::Refreshing {
        pair: pair(),
        intent: intent(),
    };
    let printed = format!("{state:?} {state:#?}");
    assert!(
        !printed.contains("example-access") && !printed.contains("example-refresh"),
        "{printed}"
    );
}

#[test]
fn of_a_person_only_that_there_is_one_is_printed() {
    let mut about = About::made_at(NOW);
    about.person = Some(Person {
        name: Some("Alice Example".to_owned()),
        ..Person::default()
    });
    let printed = format!("{about:?}");
    assert!(printed.contains("Some(Person(…))"), "{printed}");
    assert!(!printed.contains("Alice"), "{printed}");
}

#[test]
fn the_refresh_token_is_what_a_chain_is_revoked_by() {
    let record = GrantRecord::signed_in(ChainId::new([1; 16]), pair(), NOW);
    assert_eq!(
        record.revocable().map(Secret::expose),
        Some("example-refresh")
    );
}
