//! What is stored of a grant, in every state. A changed snapshot is a changed format.

use bytes::Bytes;
use http::Response;
use rc_auth_core::{
    AttemptId, ChainId, EndReason, Generation, GrantRecord, Intent, RecordState, Secret, Timestamp,
    TokenPair, TokenSet,
};

fn pair() -> TokenPair {
    let body = r#"{"access_token":"example-access","token_type":"bearer","expires_in":3600,
        "refresh_token":"example-refresh","refresh_token_expires_in":604800,"scope":"ReadAccounts SMS",
        "owner_id":"12133895004","endpoint_id":"e-1","session_id":"s-1","session_expires_in":86400}"#;
    let arrived = Timestamp::from_unix_millis(1_800_000_000_000);
    let set = TokenSet::from_response(&Response::new(Bytes::from(body)), arrived);
    TokenPair::new(set.expect("tokens"))
}

fn in_state(state: RecordState) -> String {
    let record = GrantRecord {
        chain: ChainId::new([0xc1; 16]),
        generation: Generation::new(7),
        state,
    };
    let text = serde_json::to_string_pretty(&record).expect("a record serializes");
    let read: GrantRecord = serde_json::from_str(&text).expect("its own text");
    assert_eq!(read, record);
    text
}

const ATTEMPT: AttemptId = AttemptId::new([0xa7; 16]);

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
    let record = GrantRecord::signed_in(ChainId::new([0xc1; 16]), pair());
    assert_eq!(record.generation, Generation::FIRST);
    insta::assert_snapshot!(in_state(record.state));
}

#[test]
fn refreshing() {
    let intent = Intent {
        attempt: ATTEMPT,
        unanswered: 1,
    };
    insta::assert_snapshot!(in_state(RecordState::Refreshing {
        pair: pair(),
        intent
    }));
}

#[test]
fn signed_out() {
    let token = Some(Secret::new("example-refresh"));
    insta::assert_snapshot!(in_state(RecordState::SignedOut { token, failures: 2 }));
}

#[test]
fn ended() {
    let reasons = [
        EndReason::Absent,
        EndReason::TokenDead,
        EndReason::SignedOut,
        EndReason::NotRefreshable,
        EndReason::Indeterminate,
    ];
    let texts = reasons.map(|reason| in_state(RecordState::Ended { reason }));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn records_print_no_tokens() {
    let intent = Intent {
        attempt: ATTEMPT,
        unanswered: 0,
    };
    let state = RecordState::Refreshing {
        pair: pair(),
        intent,
    };
    let printed = format!("{state:?} {state:#?}");
    assert!(
        !printed.contains("example-access") && !printed.contains("example-refresh"),
        "{printed}"
    );
}

#[test]
fn the_refresh_token_is_what_a_chain_is_revoked_by() {
    let record = GrantRecord::signed_in(ChainId::new([1; 16]), pair());
    assert_eq!(
        record.revocable().map(Secret::expose),
        Some("example-refresh")
    );
}
