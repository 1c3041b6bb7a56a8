//! What every public error says to the person who reads it.

use bytes::Bytes;
use http::Response;
use rc_auth_core::{
    AppChanged, AuthorizationRequest, CallbackError, EndReason, Endpoint, Entropy, InvalidApp,
    InvalidBudget, InvalidPending, InvalidPolicy, MAX_CALLBACK_QUERY, Now, OAuthApp, Refusal,
    Timestamp, TokenSet, Trouble, UnexpectedInput,
};

const NOW: Now = Now {
    wall: Timestamp::from_unix_millis(1_800_000_000_000),
    mono: std::time::Duration::ZERO,
};

fn answer(status: u16, body: &'static str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("RCRequestId", "0a1b2c3d-5550-1000")
        .body(Bytes::from_static(body.as_bytes()))
        .expect("a plain response")
}

fn lines<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values
        .into_iter()
        .map(|value| value.to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn configuration() {
    let app = lines([
        InvalidApp::ClientId,
        InvalidApp::Secret,
        InvalidApp::RedirectUri,
        InvalidApp::Server,
        InvalidApp::Issuer,
    ]);
    let policy = lines([
        InvalidPolicy::DeadlineTooShort,
        InvalidPolicy::DeadlineTooLong,
        InvalidPolicy::Delay,
    ]);
    insta::assert_snapshot!(lines([app, policy, InvalidBudget.to_string()]));
}

#[test]
fn callbacks() {
    let app = OAuthApp::new(
        "example-client",
        None,
        "https://app.example.com/cb",
        OAuthApp::DEFAULT_SERVER,
    );
    let app = app.expect("a good app");
    let (url, pending) = AuthorizationRequest::new(&app).start(&Entropy::new([1; 64]), NOW);
    let (_, state) = url.split_once("state=").expect("a state");
    let state = state.split('&').next().expect("a state");
    let refused = pending.finish(&format!("error=access_denied&state={state}"), NOW);
    let errors = [
        CallbackError::TooLong {
            bytes: MAX_CALLBACK_QUERY + 1,
        },
        CallbackError::Duplicate { parameter: "code" },
        CallbackError::MissingState,
        CallbackError::StateMismatch,
        CallbackError::Expired,
        CallbackError::IssuerMismatch,
        CallbackError::MissingIssuer,
        refused.expect_err("the platform said no"),
        CallbackError::MissingCode,
    ];
    let rest = [
        InvalidPending.to_string(),
        AppChanged.to_string(),
        UnexpectedInput.to_string(),
    ];
    insta::assert_snapshot!(lines([lines(errors), lines(rest)]));
}

#[test]
fn answers() {
    let modern =
        r#"{"error":"invalid_grant","error_description":"x","errors":[{"errorCode":"OAU-213"}]}"#;
    let errors = [
        answer(400, modern),
        answer(400, r#"{"error":"invalid_client"}"#),
        answer(400, r#"{"error":"Secret Echo"}"#),
        answer(401, r#"{"errorCode":"TokenInvalid"}"#),
        answer(
            429,
            r#"{"errorCode":"CMN-301","errors":[{"errorCode":"CMN-301"}]}"#,
        ),
        answer(503, "<html>"),
        answer(200, "<html>"),
        answer(200, "{}"),
    ]
    .map(|answer| TokenSet::from_response(&answer, NOW.wall).expect_err("an error"));
    insta::assert_snapshot!(lines(errors));
}

#[test]
fn troubles() {
    let refusal = Refusal::from_response(&answer(401, r#"{"error":"invalid_client"}"#));
    let verdict = refusal.verdict(Endpoint::Token);
    insta::assert_snapshot!(lines([
        Trouble::Unreachable,
        Trouble::NoAnswer,
        Trouble::Unreadable,
        Trouble::Refused {
            refusal: Box::new(refusal),
            verdict
        },
        Trouble::RateLimited,
        Trouble::Store,
        Trouble::Record,
    ]));
}

#[test]
fn ends() {
    let reasons = [
        EndReason::Absent,
        EndReason::TokenDead,
        EndReason::SignedOut,
        EndReason::NotRefreshable,
        EndReason::Indeterminate,
    ];
    insta::assert_snapshot!(lines(reasons.map(EndReason::explanation)));
}
