//! The way back from the authorization endpoint: every check, and their order.

use std::time::Duration;

use proptest::prelude::*;
use rc_auth_core::{
    AuthorizationRequest, CallbackError, CodeExchange, Entropy, MAX_CALLBACK_QUERY, Now, OAuthApp,
    PendingAuthorization, Secret, Timestamp, callback_attempt,
};

const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn app() -> OAuthApp {
    app_at("https://app.example.com/oauth/callback")
}

fn app_at(redirect_uri: &str) -> OAuthApp {
    let secret = Some(Secret::new("example-secret"));
    OAuthApp::new(
        "example-client",
        secret,
        redirect_uri,
        OAuthApp::DEFAULT_SERVER,
    )
    .expect("a good app")
}

fn now() -> Now {
    Now {
        wall: Timestamp::from_unix_millis(1_800_000_000_000),
        mono: Duration::from_secs(1),
    }
}

fn later(by: Duration) -> Now {
    Now {
        wall: now().wall.saturating_add(by),
        ..now()
    }
}

fn pending() -> PendingAuthorization {
    let mut entropy = [1; 64];
    entropy[32..].fill(2);
    let (url, pending) = AuthorizationRequest::new(&app()).start(&Entropy::new(entropy), now());
    assert!(url.contains(STATE), "{url}");
    pending
}

fn finish(query: &str) -> Result<CodeExchange, CallbackError> {
    pending().finish(query, now())
}

fn refusal(query: &str) -> CallbackError {
    finish(query).expect_err("a callback that has to be refused")
}

fn code_sent(exchange: &CodeExchange) -> String {
    let request = exchange.request(&app()).expect("the same app");
    url::form_urlencoded::parse(request.body())
        .find_map(|(name, value)| (name == "code").then(|| value.into_owned()))
        .expect("a code")
}

#[test]
fn a_good_callback_gives_its_code() {
    for query in [
        format!("code=abc&state={STATE}"),
        format!("state={STATE}&code=abc&expires_in=60"),
        format!("code=abc&state={STATE}&iss=https://platform.ringcentral.com"),
        format!("code=abc&state={STATE}&iss=https%3A%2F%2Fplatform.ringcentral.com"),
        format!("&&code=%61%62%63&&state={STATE}&"),
        format!("co%64e=abc&st%61te={STATE}"),
        format!("code=abc&state={STATE}&error="),
        format!("code=abc&state={STATE}&unknown=1&unknown=2&error_description=x"),
    ] {
        let exchange = finish(&query).expect(&query);
        assert_eq!(code_sent(&exchange), "abc", "{query}");
    }
}

#[test]
fn each_broken_callback_is_refused_for_its_own_reason() {
    let duplicate = |parameter| CallbackError::Duplicate { parameter };
    for (query, reason) in [
        (String::new(), CallbackError::MissingState),
        ("code=abc".to_owned(), CallbackError::MissingState),
        (
            "error=access_denied".to_owned(),
            CallbackError::MissingState,
        ),
        ("code=abc&state=".to_owned(), CallbackError::StateMismatch),
        (
            "code=abc&state=other".to_owned(),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state={STATE}x"),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state={}", &STATE[1..]),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state={}", STATE.to_lowercase()),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state=%20{STATE}"),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state={STATE}%00"),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&state={STATE}%FF"),
            CallbackError::StateMismatch,
        ),
        (
            format!("code=abc&State={STATE}"),
            CallbackError::MissingState,
        ),
        (
            format!("code=abc&state={STATE}&state={STATE}"),
            duplicate("state"),
        ),
        (
            format!("code=abc&code=abc&state={STATE}"),
            duplicate("code"),
        ),
        (
            format!("c%6Fde=abc&code=abc&state={STATE}"),
            duplicate("code"),
        ),
        (format!("error=a&error=a&state={STATE}"), duplicate("error")),
        (
            format!("code=a&iss=a&iss=a&state={STATE}"),
            duplicate("iss"),
        ),
        (format!("state={STATE}"), CallbackError::MissingCode),
        (format!("code=&state={STATE}"), CallbackError::MissingCode),
        (
            format!("code&state={STATE}&error="),
            CallbackError::MissingCode,
        ),
        (
            format!("code=a&state={STATE}&iss="),
            CallbackError::IssuerMismatch,
        ),
        (
            format!("code=a&state={STATE}&iss=https://platform.ringcentral.com/"),
            CallbackError::IssuerMismatch,
        ),
        (
            format!("error=access_denied&state={STATE}&iss=https://evil.example"),
            CallbackError::IssuerMismatch,
        ),
    ] {
        assert_eq!(refusal(&query), reason, "{query}");
    }
}

/// A sign-in of an app that requires `iss`, after a trip through its stored bytes.
fn pending_that_requires_iss() -> PendingAuthorization {
    let app = app().require_iss(true);
    let (_, pending) = AuthorizationRequest::new(&app).start(&Entropy::new([1; 64]), now());
    let back = PendingAuthorization::from_bytes(&pending.to_bytes()).expect("its own bytes");
    assert_eq!(back, pending);
    back
}

#[test]
fn a_required_iss_that_is_missing_refuses_codes_and_errors() {
    for query in ["code=abc", "error=access_denied"] {
        let refused = pending_that_requires_iss().finish(&format!("{query}&state={STATE}"), now());
        assert_eq!(
            refused.expect_err("no iss"),
            CallbackError::MissingIssuer,
            "{query}"
        );
    }
    let with = |iss: &str| {
        let query = format!("code=abc&state={STATE}&iss={iss}");
        pending_that_requires_iss().finish(&query, now())
    };
    assert!(with("https://platform.ringcentral.com").is_ok());
    assert_eq!(
        with("https://evil.example").expect_err("another issuer"),
        CallbackError::IssuerMismatch
    );
}

#[test]
fn stored_bytes_that_require_iss_cannot_be_read_as_the_version_before() {
    let bytes = pending_that_requires_iss().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("JSON");
    assert!(text.contains("\"v\":2"), "{}", text.len());
    for changed in [
        text.replace("\"v\":2", "\"v\":1"),
        text.replace(",\"iss_required\":true", ""),
    ] {
        assert_ne!(changed, text);
        assert!(PendingAuthorization::from_bytes(changed.as_bytes()).is_err());
    }
}

#[test]
fn an_error_of_the_platform_is_told_even_beside_a_code() {
    for (query, code) in [
        ("error=access_denied", "access_denied"),
        ("error=access_denied&code=abc", "access_denied"),
        (
            "error=consent_required&error_description=x",
            "consent_required",
        ),
        ("error=temporarily_unavailable", "temporarily_unavailable"),
        ("error=%3Cscript%3E", "unknown"),
        ("error=Access+Denied", "unknown"),
    ] {
        let CallbackError::Refused(error) = refusal(&format!("{query}&state={STATE}")) else {
            panic!("{query} is an error of the platform");
        };
        assert_eq!(error.code(), code, "{query}");
        assert_eq!(error.is_access_denied(), code == "access_denied");
        assert_eq!(error.is_temporary(), code == "temporarily_unavailable");
    }
}

#[test]
fn a_sign_in_lasts_ten_minutes_and_does_not_begin_in_the_future() {
    let query = format!("code=abc&state={STATE}");
    let at = |now| pending().finish(&query, now).map(|_| ());
    let ms = Duration::from_millis(1);
    assert_eq!(at(later(PendingAuthorization::LIFETIME - ms)), Ok(()));
    assert_eq!(
        at(later(PendingAuthorization::LIFETIME)),
        Err(CallbackError::Expired)
    );
    assert_eq!(at(later(Duration::MAX)), Err(CallbackError::Expired));
    let earlier = |by| Now {
        wall: now().wall.saturating_sub(by),
        ..now()
    };
    // Replicas' clocks differ a little.
    assert_eq!(at(earlier(Duration::from_secs(60))), Ok(()));
    assert_eq!(
        at(earlier(Duration::from_secs(61))),
        Err(CallbackError::Expired)
    );
}

#[test]
fn checks_come_in_order_and_nothing_is_believed_before_the_state() {
    let old = later(PendingAuthorization::LIFETIME);
    let at = |query: String| pending().finish(&query, old).expect_err("refused");
    let all_wrong = "error=access_denied&iss=https://evil.example";
    assert_eq!(
        at(format!("{all_wrong}&state=other")),
        CallbackError::StateMismatch
    );
    assert_eq!(
        at(format!("{all_wrong}&state={STATE}")),
        CallbackError::Expired
    );
    let long = format!(
        "{all_wrong}&state=other&x={}",
        "x".repeat(MAX_CALLBACK_QUERY)
    );
    assert_eq!(
        at(long.clone()),
        CallbackError::TooLong { bytes: long.len() }
    );
    assert_eq!(
        refusal(&format!("{all_wrong}&state={STATE}")),
        CallbackError::IssuerMismatch
    );
}

#[test]
fn rubbish_of_64_kib_is_refused_unread() {
    let rubbish = format!("code=abc&state={STATE}&x={}", "%FF&".repeat(16 * 1024));
    let bytes = rubbish.len();
    assert_eq!(refusal(&rubbish), CallbackError::TooLong { bytes });
    assert!(callback_attempt(&rubbish).is_none());
}

#[test]
fn a_query_at_the_limit_is_read() {
    let query = format!("code=abc&state={STATE}&x=");
    let query = format!("{query}{}", "x".repeat(MAX_CALLBACK_QUERY - query.len()));
    assert!(finish(&query).is_ok());
    assert!(finish(&(query + "x")).is_err());
}

#[test]
fn the_issuer_may_be_set() {
    let app = app()
        .with_issuer("https://issuer.example/t1")
        .expect("an issuer");
    let start = || {
        AuthorizationRequest::new(&app)
            .start(&Entropy::new([1; 64]), now())
            .1
    };
    let good = format!("code=a&state={STATE}&iss=https://issuer.example/t1");
    let exchange = start().finish(&good, now()).expect("the right issuer");
    assert!(exchange.request(&app).is_ok());
    let other = format!("code=a&state={STATE}&iss=https://platform.ringcentral.com");
    assert_eq!(
        start().finish(&other, now()).err(),
        Some(CallbackError::IssuerMismatch)
    );
}

#[test]
fn callbacks_find_their_attempt_by_name() {
    let pending = pending();
    let name = pending.name();
    assert_eq!(
        callback_attempt(&format!("code=a&state={STATE}")),
        Some(name.clone())
    );
    assert_ne!(callback_attempt("code=a&state=other"), Some(name.clone()));
    assert_eq!(callback_attempt("code=a"), None);
    assert_eq!(callback_attempt("state=a&state=a"), None);
    assert_eq!(name.as_str().len(), 16);
    assert!(!STATE.contains(name.as_str()));
}

#[test]
fn attempts_of_different_entropy_have_nothing_in_common() {
    let start = |byte| {
        AuthorizationRequest::new(&app())
            .start(&Entropy::new([byte; 64]), now())
            .1
    };
    assert_ne!(start(1).name(), start(2).name());
    assert_ne!(start(1).state_digest(), start(2).state_digest());
    let query = format!("code=abc&state={STATE}");
    assert!(start(1).finish(&query, now()).is_ok());
    assert_eq!(
        start(2).finish(&query, now()).err(),
        Some(CallbackError::StateMismatch)
    );
}

#[test]
fn an_exchange_has_the_digest_of_its_attempt() {
    let exchange = finish(&format!("code=abc&state={STATE}")).expect("good");
    assert_eq!(exchange.state_digest(), pending().state_digest());
}

#[test]
fn nothing_prints_state_verifier_or_code() {
    let exchange = finish(&format!("code=c0de-in-clear&state={STATE}")).expect("good");
    let printed = format!("{:?} {:?} {exchange:#?}", pending(), Entropy::new([1; 64]));
    for secret in ["c0de-in-clear", STATE, "AgICAgIC"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let echoed = refusal(&format!("error={STATE}&state={STATE}"));
    assert!(!format!("{echoed} {echoed:?}").contains(STATE));
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("state".to_owned()),
        Just("code".to_owned()),
        Just("iss".to_owned()),
        Just("error".to_owned()),
        Just(STATE.to_owned()),
        Just("=".to_owned()),
        Just("&".to_owned()),
        Just("%".to_owned()),
        "[a-zA-Z0-9_-]{0,8}",
        "%[0-9a-fA-F]{0,2}",
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn no_exchange_without_exactly_the_right_state(parts in proptest::collection::vec(part(), 0..24)) {
        let query = parts.concat();
        if finish(&query).is_ok() {
            let states: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
                .filter(|(name, _)| name == "state")
                .map(|(_, value)| value.into_owned())
                .collect();
            prop_assert_eq!(states, [STATE]);
        }
    }

    #[test]
    fn one_changed_byte_of_the_state_is_another_state(at in 0..STATE.len(), byte in 0x21_u8..0x7f) {
        let mut state = STATE.as_bytes().to_vec();
        state[at] = byte;
        let state: String = url::form_urlencoded::byte_serialize(&state).collect();
        let accepted = finish(&format!("code=abc&state={state}")).is_ok();
        prop_assert_eq!(accepted, state == STATE);
    }

    #[test]
    fn no_query_panics(query in "\\PC{0,200}") {
        let _attempt = callback_attempt(&query);
        prop_assert!(finish(&query).is_err());
    }
}
