//! Every request, as it goes over the wire.

use std::{fmt::Write, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use rc_auth_core::{
    AuthorizationRequest, CodeExchange, Entropy, Gate, GrantMachine, GrantRecord, Held, Input,
    Loaded, Now, OAuthApp, Output, RecordVersion, RefreshPolicy, Secret, Timestamp, TokenPair,
    TokenSet, Want, jwt_request, revocation_request,
};

const NOW: Now = Now {
    wall: Timestamp::from_unix_millis(1_800_000_000_000),
    mono: Duration::from_secs(1),
};

fn confidential() -> OAuthApp {
    app(Some(Secret::new("example-secret")))
}

fn public() -> OAuthApp {
    app(None)
}

fn app(secret: Option<Secret>) -> OAuthApp {
    let redirect_uri = "https://app.example.com/oauth/callback?from=RingCentral";
    OAuthApp::new(
        "example-client",
        secret,
        redirect_uri,
        OAuthApp::DEFAULT_SERVER,
    )
    .expect("a good app")
}

/// The request in full. Credentials are printed here on purpose: they are the test's own.
fn wire(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        let value = value.to_str().expect("visible characters");
        writeln!(text, "{name}: {value}").expect("a string grows");
    }
    let body = str::from_utf8(request.body()).expect("a form");
    text + "\n" + &body.replace('&', "\n&")
}

fn exchange(app: &OAuthApp) -> CodeExchange {
    let mut entropy = [1; 64];
    entropy[32..].fill(2);
    let (url, pending) = AuthorizationRequest::new(app).start(&Entropy::new(entropy), NOW);
    let url = url::Url::parse(&url).expect("a URL");
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .expect("a state")
        .1;
    let query = format!("code=example%2Fcode&state={state}");
    pending.finish(&query, NOW).expect("a good callback")
}

/// The refresh request that the machine puts out.
fn refresh_request(app: OAuthApp) -> Request<Bytes> {
    let body =
        Bytes::from_static(br#"{"access_token":"a","refresh_token":"example+refresh/token="}"#);
    let set = TokenSet::from_response(&http::Response::new(body), NOW.wall).expect("tokens");
    let chain = rc_auth_core::ChainId::new([1; 16]);
    let version = RecordVersion::new([1; 16]);
    let record = GrantRecord::signed_in(chain, TokenPair::new(set), NOW.wall);
    let mut machine = GrantMachine::new(
        app.into(),
        RefreshPolicy::default().into(),
        &Entropy::new([1; 8]),
    );
    let id = record.id();
    let held = Some(Box::new(Held { record, version }));
    for input in [
        Input::Want(Want::NewerThan(id)),
        Input::Loaded(Ok(Loaded {
            held,
            silent_for: Duration::ZERO,
        })),
        Input::Gate(Gate::Open(Entropy::new([2; 16]))),
        Input::Saved(Ok(RecordVersion::new([2; 16]))),
    ] {
        machine
            .handle_input(input, NOW)
            .expect("an input that was asked for");
    }
    while let Some(output) = machine.poll_output() {
        if let Output::Send { request, timeout } = output {
            assert_eq!(timeout, RefreshPolicy::default().request_timeout);
            return *request;
        }
    }
    panic!("nothing was sent");
}

#[test]
fn authorization_url() {
    let plain = AuthorizationRequest::new(&public())
        .start(&Entropy::new([1; 64]), NOW)
        .0;
    let (app, entropy) = (confidential(), Entropy::new([1; 64]));
    let full = AuthorizationRequest::new(&app)
        .scope("ReadAccounts SMS")
        .prompt("login")
        .prompt("login consent")
        .login_hint("user+1@example.com")
        .ui_locales("de-DE fr")
        .brand_id("1210");
    let full = full.start(&entropy, NOW).0;
    insta::assert_snapshot!(
        [plain, full]
            .map(|url| url.replace(['?', '&'], "\n  "))
            .join("\n")
    );
}

#[test]
fn authorization_urls_never_hold_verifier_or_secret() {
    let mut entropy = [1; 64];
    entropy[32..].fill(2);
    let app = confidential();
    let (url, _) = AuthorizationRequest::new(&app).start(&Entropy::new(entropy), NOW);
    for secret in ["AgICAgIC", "example-secret"] {
        assert!(!url.contains(secret), "{url}");
    }
}

#[test]
fn code_confidential() {
    let app = confidential();
    insta::assert_snapshot!(wire(&exchange(&app).request(&app).expect("the same app")));
}

#[test]
fn code_public() {
    let app = public();
    insta::assert_snapshot!(wire(&exchange(&app).request(&app).expect("the same app")));
}

#[test]
fn refresh_confidential() {
    insta::assert_snapshot!(wire(&refresh_request(confidential())));
}

#[test]
fn refresh_public() {
    insta::assert_snapshot!(wire(&refresh_request(public())));
}

#[test]
fn jwt_confidential() {
    insta::assert_snapshot!(wire(&jwt_request(
        &confidential(),
        &Secret::new("e30.e30.c2ln")
    )));
}

#[test]
fn jwt_public() {
    insta::assert_snapshot!(wire(&jwt_request(&public(), &Secret::new("e30.e30.c2ln"))));
}

#[test]
fn revoke_confidential() {
    insta::assert_snapshot!(wire(&revocation_request(
        &confidential(),
        &Secret::new("t&k=1")
    )));
}

#[test]
fn revoke_public() {
    insta::assert_snapshot!(wire(&revocation_request(&public(), &Secret::new("t&k=1"))));
}

#[test]
fn no_request_carries_a_secret_in_its_url_or_two_kinds_of_client_authentication() {
    for app in [confidential(), public()] {
        let token = Secret::new("s3cr3t");
        for request in [
            exchange(&app).request(&app).expect("the same app"),
            refresh_request(app.clone()),
            jwt_request(&app, &token),
            revocation_request(&app, &token),
        ] {
            assert_eq!(request.uri().query(), None);
            let fields = |name: &str| {
                let form = url::form_urlencoded::parse(request.body());
                form.filter(|(field, _)| field == name).count()
            };
            assert_eq!(fields("client_secret"), 0);
            assert_eq!(fields("client_id"), usize::from(app.is_public()));
            assert!(fields("grant_type") <= 1);
            let authorization = request.headers().get(header::AUTHORIZATION);
            assert_eq!(authorization.is_none(), app.is_public());
            assert!(authorization.is_none_or(http::HeaderValue::is_sensitive));
        }
    }
}

#[test]
fn a_chain_without_a_machine_is_refreshed_by_the_same_request() {
    for app in [confidential(), public()] {
        let token = Secret::new("example+refresh/token=");
        let alone = rc_auth_core::refresh_request(&app, &token);
        assert_eq!(wire(&alone), wire(&refresh_request(app)));
    }
}
