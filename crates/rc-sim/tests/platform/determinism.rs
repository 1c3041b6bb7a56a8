//! Same seed and same inputs, same bytes; and no input at all makes the platform panic.

use bytes::Bytes;
use http::{Method, Request};
use proptest::prelude::*;
use rc_sim::{Config, Platform, Timestamp};

use crate::stage::{ADA, REDIRECT_URI, Stage, demo, secs};

/// Everything a longer conversation answers.
fn conversation(config: Config) -> Vec<u8> {
    let mut stage = Stage::of(config);
    let mut bytes = Vec::new();
    let code = stage.code();
    let first = stage.exchange(&code);
    let token = crate::stage::pair(&first);
    let mut answers = vec![
        first,
        stage.call(&token.access),
        stage.refresh(&token.refresh),
    ];
    stage.pass(secs(30));
    answers.extend([stage.refresh(&token.refresh), stage.call(&token.access)]);
    answers.push(stage.revoke(&token.refresh));
    for answer in answers {
        bytes.extend(format!("{:?}", answer.headers()).into_bytes());
        bytes.extend_from_slice(answer.body());
    }
    bytes
}

#[test]
fn the_same_seed_and_inputs_give_the_same_bytes() {
    assert_eq!(conversation(demo()), conversation(demo()));
}

#[test]
fn another_seed_gives_other_ids_secrets_and_tokens() {
    let mut other = Config::demo(8, REDIRECT_URI);
    other.switches.limits.enabled = false;
    let app = |config: &Config| {
        let app = config.confidential_app().expect("demo app");
        (
            app.client_id().to_owned(),
            app.client_secret().map(str::to_owned),
        )
    };
    assert_ne!(app(&demo()).0, app(&other).0);
    assert_ne!(app(&demo()).1, app(&other).1);
    assert_ne!(conversation(demo()), conversation(other));
}

#[test]
fn debug_tells_no_secret() {
    let mut stage = Stage::new();
    let token = stage.sign_in();
    let config = demo();
    let secret = config
        .confidential_app()
        .and_then(|app| app.client_secret())
        .expect("secret");
    let printed = format!("{:?} {:?}", stage.platform, config);
    assert!(printed.contains(ADA));
    for secret in [secret, "Engine-1843", &token.access, &token.refresh] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

fn ask(
    platform: &mut Platform,
    method: &Method,
    uri: &str,
    body: &str,
    authorization: &str,
) -> u16 {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", authorization)
        .body(Bytes::copy_from_slice(body.as_bytes()));
    // What is no request never reaches the platform.
    let Ok(request) = request else { return 400 };
    let now = Timestamp::from_millis(1_800_000_000_000);
    let status = platform.respond(&request, now).status().as_u16();
    platform.control(&request, now);
    status
}

/// Pairs whose names are the platform's and whose values are anything.
fn parameters() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = prop::sample::select(vec![
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "scope",
        "prompt",
        "code_challenge",
        "code_challenge_method",
        "login_hint",
        "grant_type",
        "code",
        "code_verifier",
        "refresh_token",
        "access_token_ttl",
        "refresh_token_ttl",
        "endpoint_id",
        "token",
        "login",
        "password",
        "ticket",
        "action",
        "client_secret",
    ]);
    let config = demo();
    let client_id = config
        .confidential_app()
        .expect("demo app")
        .client_id()
        .to_owned();
    let values = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            client_id,
            REDIRECT_URI.to_owned(),
            "code".into(),
            "refresh_token".into(),
            "allow".into(),
            "authorization_code".into(),
            "S256".into(),
            "0.1.x".into(),
            "-1".into(),
            "none".into(),
            "99999999999999999999".into(),
            "9223372036854775807".into(),
        ]),
    ];
    prop::collection::vec((names.prop_map(String::from), values), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_parameters_make_it_panic_or_blame_itself(pairs in parameters(), raw in any::<String>()) {
        let mut platform = Platform::new(demo());
        let app = demo();
        let app = app.confidential_app().expect("demo app");
        let basic = crate::stage::basic(app.client_id(), app.client_secret().expect("secret"));
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let form = crate::stage::form(&pairs);
        for path in ["oauth/authorize", "oauth/token", "oauth/revoke", "v1.0/account/~/extension/~/sms"] {
            for method in [Method::GET, Method::POST] {
                for body in [&form, &raw] {
                    let status = ask(&mut platform, &method, &format!("/restapi/{path}?{form}"), body, &basic);
                    prop_assert!(status < 500, "{method} {path}: {status}");
                }
            }
        }
        for path in ["/login", "/login/consent"] {
            let status = ask(&mut platform, &Method::POST, &format!("{path}?{form}"), &form, "");
            prop_assert!(status < 500, "{path}: {status}");
        }
    }

    #[test]
    fn no_header_path_or_control_body_makes_it_panic(header in "\\PC*", path in "[!-~]*", body in any::<String>()) {
        let mut platform = Platform::new(demo());
        for path in [format!("/{path}"), format!("/restapi/v1.0/{path}"), "/sim/faults".into(), "/sim/clock/advance".into()] {
            for authorization in [&header, &format!("Basic {header}"), &format!("Bearer {header}")] {
                let status = ask(&mut platform, &Method::POST, &path, &body, authorization);
                prop_assert!(status < 500, "{path}: {status}");
            }
        }
    }
}
