//! Which requests a fault strikes, how often, and the faults that go by a name.

use http::{Method, Response};
use rc_sim::{Fault, FaultRule, Preset, Target};
use serde_json::{Value, json};

use crate::stage::{ADA, EXTENSION, GRACE, Stage, basic, form, secs};

const UNKNOWN: [(&str, &str); 2] = [("grant_type", "refresh_token"), ("refresh_token", "x")];

fn add(stage: &mut Stage, fault: &Value) -> u64 {
    let (status, body) = stage.control("POST", "faults", fault, &[]);
    assert_eq!(status, 200, "{fault}: {body}");
    body["id"].as_u64().expect("an id")
}

/// A fault that is easily told apart from every other answer.
fn teapot(matchers: Value) -> Value {
    let mut fault = json!({ "fault": "replace", "status": 418, "body": "{}", "times": 100 });
    if let (Some(all), Value::Object(more)) = (fault.as_object_mut(), matchers) {
        all.extend(more);
    }
    fault
}

fn struck<B>(response: &Response<B>) -> bool {
    response.status() == 418
}

/// Whether the next refresh of the confidential app is struck.
fn strikes(stage: &mut Stage) -> bool {
    struck(&stage.token(&UNKNOWN))
}

#[test]
fn by_target() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    let authorize = stage.authorize_url(&[]);
    for (target, expected) in [
        ("token", [true, false, false, false, false, false]),
        ("revoke", [false, true, false, false, false, false]),
        ("api", [false, false, true, true, false, false]),
        ("authorize", [false, false, false, false, true, false]),
        ("discovery", [false, false, false, false, false, true]),
    ] {
        add(&mut stage, &teapot(json!({ "target": target })));
        let answers = [
            stage.token(&UNKNOWN),
            stage.revoke("x"),
            stage.call(&access),
            stage.get("/restapi/oauth/userinfo", &[]),
            stage.get(&authorize, &[]),
            stage.get("/restapi/oauth/jwks", &[]),
        ];
        assert_eq!(answers.map(|answer| struck(&answer)), expected, "{target}");
        assert!(!struck(&stage.get("/login", &[])), "pages never break");
        stage.platform.clear_faults();
    }
}

#[test]
fn by_grant_type_and_client_id() {
    let mut stage = Stage::new();
    let code = [("grant_type", "authorization_code"), ("code", "x")];
    add(
        &mut stage,
        &teapot(json!({ "grant_type": "refresh_token" })),
    );
    assert!(!struck(&stage.token(&code)));
    assert!(strikes(&mut stage));
    stage.platform.clear_faults();

    let public = stage.public_client_id();
    add(&mut stage, &teapot(json!({ "client_id": public })));
    assert!(!strikes(&mut stage));
    let mut pairs = UNKNOWN.to_vec();
    pairs.push(("client_id", &public));
    assert!(struck(&stage.post_form(
        "/restapi/oauth/token",
        &pairs,
        None
    )));
    let url = stage.authorize_url(&[]);
    assert!(!struck(&stage.get(&url, &[])));
    let query = form(&[("client_id", &public)]);
    assert!(struck(
        &stage.get(&format!("/restapi/oauth/authorize?{query}"), &[])
    ));
    stage.platform.clear_faults();

    let id = stage.client_id();
    add(&mut stage, &teapot(json!({ "client_id": id })));
    let wrong = basic(&id, "wrong");
    let answer = stage.post_form("/restapi/oauth/token", &UNKNOWN, Some(&wrong));
    assert!(struck(&answer), "before anything of it is checked");
}

#[test]
fn by_client_id_of_an_access_token() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    let (id, public) = (stage.client_id(), stage.public_client_id());
    add(&mut stage, &teapot(json!({ "client_id": public })));
    assert!(!struck(&stage.call(&access)));
    add(&mut stage, &teapot(json!({ "client_id": id })));
    assert!(struck(&stage.call(&access)));
}

#[test]
fn by_login_of_code_refresh_token_access_token_and_jwt() {
    let mut stage = Stage::new();
    let access = [ADA, GRACE].map(|login| stage.access_of(login));
    let url = stage.authorize_url(&[]);
    let codes = [ADA, GRACE].map(|login| {
        let callback = stage.platform.sign_in(&url, login, stage.now);
        callback.expect("a callback").param("code").expect("a code")
    });
    let jwts = [ADA, GRACE].map(|login| stage.platform.personal_jwt(login).expect("a user"));
    add(
        &mut stage,
        &teapot(json!({ "login": "GRACE@acme.example" })),
    );
    assert_eq!(
        access.each_ref().map(|it| struck(&stage.call(it))),
        [false, true]
    );
    assert_eq!(
        access.each_ref().map(|it| struck(&stage.revoke(it))),
        [false, true]
    );
    assert_eq!(
        codes.map(|code| struck(&stage.exchange(&code))),
        [false, true]
    );
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let by_jwt =
        jwts.map(|jwt| struck(&stage.token(&[("grant_type", grant), ("assertion", &jwt)])));
    assert_eq!(by_jwt, [false, true]);
    let mine = stage.sign_in();
    assert!(!struck(&stage.refresh(&mine.refresh)));
    assert!(!strikes(&mut stage), "nobody's");
    add(&mut stage, &teapot(json!({ "login": ADA })));
    assert!(struck(&stage.refresh(&mine.refresh)));
}

#[test]
fn by_path_and_method() {
    let mut stage = Stage::new();
    let account = "/restapi/v1.0/account/~";
    for (path, expected) in [
        (EXTENSION, [true, false, false]),
        (account, [false, true, false]),
        ("/restapi/v1.0/account/*", [true, true, false]),
        ("/restapi*", [true, true, true]),
        ("*", [true, true, true]),
        ("/restapi/v1.0/account/~/extension/", [false, false, false]),
        ("/restapi/*/account/~", [false, false, false]),
        ("/v1.0/account*", [false, false, false]),
    ] {
        add(&mut stage, &teapot(json!({ "path": path })));
        let answers = [
            stage.get(&format!("{EXTENSION}?x=y"), &[]),
            stage.get(account, &[]),
            stage.get("/restapi", &[]),
        ];
        assert_eq!(answers.map(|answer| struck(&answer)), expected, "{path}");
        stage.platform.clear_faults();
    }
    add(
        &mut stage,
        &teapot(json!({ "method": "PUT", "target": "api" })),
    );
    assert!(!struck(&stage.get(EXTENSION, &[])));
    assert!(struck(&stage.send("PUT", EXTENSION, "x", "")));
}

#[test]
fn everything_that_is_named_has_to_fit() {
    let mut stage = Stage::new();
    let (id, other_id) = (stage.client_id(), stage.public_client_id());
    let fitting = json!({ "target": "token", "grant_type": "refresh_token", "client_id": id, "method": "POST" });
    for (name, other) in [
        ("target", "revoke"),
        ("grant_type", "authorization_code"),
        ("client_id", other_id.as_str()),
        ("method", "GET"),
        ("path", "/restapi"),
        ("login", ADA),
    ] {
        let mut spoiled = fitting.clone();
        spoiled[name] = json!(other);
        add(&mut stage, &teapot(spoiled));
        assert!(!strikes(&mut stage), "{name}");
    }
    add(&mut stage, &teapot(fitting));
    assert!(strikes(&mut stage));
}

#[test]
fn nth_times_and_seconds() {
    let mut stage = Stage::new();
    let series = |stage: &mut Stage, matchers| {
        stage.platform.clear_faults();
        add(stage, &teapot(matchers));
        [(); 6].map(|()| strikes(stage))
    };
    let (yes, no) = (true, false);
    assert_eq!(
        series(&mut stage, json!({ "times": 2 })),
        [yes, yes, no, no, no, no]
    );
    assert_eq!(
        series(&mut stage, json!({ "nth": 3, "times": 2 })),
        [no, no, yes, yes, no, no]
    );
    let once = json!({ "fault": "replace", "status": 418 });
    stage.platform.clear_faults();
    add(&mut stage, &once);
    assert_eq!([(); 3].map(|()| strikes(&mut stage)), [yes, no, no]);

    let lasting = json!({ "fault": "replace", "status": 418, "seconds": 30 });
    add(&mut stage, &lasting);
    for _ in 0..50 {
        assert!(strikes(&mut stage), "without end where it lasts");
    }
    stage.pass(secs(20));
    stage.platform.advance(secs(9));
    assert!(strikes(&mut stage));
    stage.pass(secs(1));
    assert!(!strikes(&mut stage), "by the platform's clock");
    let both = series(&mut stage, json!({ "seconds": 30, "times": 1 }));
    assert_eq!(both, [yes, no, no, no, no, no]);
}

#[test]
fn requests_that_do_not_fit_are_not_counted_by_nth() {
    let mut stage = Stage::new();
    add(&mut stage, &teapot(json!({ "nth": 2, "target": "token" })));
    stage.get(EXTENSION, &[]);
    stage.revoke("x");
    assert!(!strikes(&mut stage));
    assert!(strikes(&mut stage));
}

#[test]
fn a_probability_is_about_kept_and_follows_from_the_seed() {
    let drawn = |seed, probability: f64| {
        let mut config = crate::stage::demo();
        config.seed = seed;
        let mut stage = Stage::of(config);
        let fault =
            json!({ "fault": "replace", "status": 418, "probability": probability, "times": 5000 });
        add(&mut stage, &fault);
        (0..1_000)
            .map(|_| struck(&stage.get("/restapi", &[])))
            .collect::<Vec<bool>>()
    };
    let count = |drawn: &[bool]| drawn.iter().filter(|one| **one).count();
    let first = drawn(7, 0.3);
    // Six standard deviations around 300.
    assert!((213..=387).contains(&count(&first)), "{}", count(&first));
    assert_eq!(first, drawn(7, 0.3));
    assert_ne!(first, drawn(8, 0.3));
    assert_eq!(count(&drawn(7, 0.0)), 0);
    assert_eq!(count(&drawn(7, 1.0)), 1_000);
}

#[test]
fn the_first_that_strikes_decides_and_the_others_have_not_seen_it() {
    let mut stage = Stage::new();
    let first = add(
        &mut stage,
        &teapot(json!({ "target": "token", "times": 1 })),
    );
    let second = add(&mut stage, &json!({ "fault": "unavailable", "nth": 2 }));
    assert!(first < second);
    let statuses = [(); 4].map(|()| stage.token(&UNKNOWN).status().as_u16());
    assert_eq!(statuses, [418, 400, 503, 400]);
}

#[test]
fn faults_are_listed_with_what_they_wait_for_and_removed_one_by_one() {
    let mut stage = Stage::new();
    let matchers = json!({
        "target": "token", "grant_type": "refresh_token", "client_id": stage.client_id(),
        "method": "POST", "path": "/restapi/*", "nth": 2, "probability": 0.5, "times": 7,
        "seconds": 60, "login": null,
    });
    let id = add(&mut stage, &teapot(matchers.clone()));
    let lost = add(&mut stage, &json!({ "fault": "answer-lost", "login": ADA }));
    stage.token(&UNKNOWN);
    let list =
        |stage: &mut Stage| stage.control("GET", "faults", &Value::Null, &[]).1["faults"].clone();
    let listed = list(&mut stage);
    let mut expected = matchers;
    expected["id"] = json!(id);
    expected["fault"] = json!("replace");
    expected["seen"] = json!(1);
    expected["struck"] = json!(0);
    assert_eq!(listed[0], expected);
    assert_eq!(
        (&listed[1]["fault"], &listed[1]["times"]),
        (&json!("drop-after"), &json!(1))
    );
    for removed in [true, false] {
        let answer = stage.control("DELETE", &format!("faults/{id}"), &Value::Null, &[]);
        assert_eq!(answer, (200, json!({ "removed": removed })));
    }
    assert_eq!(list(&mut stage)[0]["id"], lost);
    assert_eq!(
        stage.control("DELETE", "faults/x", &Value::Null, &[]).0,
        400
    );
    stage.control("DELETE", "faults", &Value::Null, &[]);
    assert_eq!(list(&mut stage), json!([]));
    let never = json!({ "fault": "unavailable", "times": 0 });
    assert_eq!(
        stage.control("POST", "faults", &never, &[]),
        (200, json!({ "queued": 0 }))
    );
    assert_eq!(list(&mut stage), json!([]));
}

#[test]
fn matchers_out_of_range_are_refused() {
    let mut stage = Stage::new();
    for (name, value) in [
        ("probability", json!(1.1)),
        ("probability", json!(-0.1)),
        ("method", json!("G T")),
        ("times", json!(-1)),
        ("nth", json!("2")),
        ("seconds", json!(1.5)),
        ("target", json!("pages")),
    ] {
        let fault = teapot(json!({ name: value }));
        assert_eq!(
            stage.control("POST", "faults", &fault, &[]).0,
            400,
            "{fault}"
        );
    }
    let preset = json!({ "fault": "unavailable", "status": 500 });
    assert_eq!(stage.control("POST", "faults", &preset, &[]).0, 400);
    assert_eq!(
        stage.control("GET", "faults", &Value::Null, &[]).1["faults"],
        json!([])
    );
}

#[test]
fn rules_work_from_rust_alike() {
    let mut stage = Stage::new();
    let rule = FaultRule::new(Fault::from(Preset::Unavailable))
        .target(Target::Api)
        .method(Method::GET)
        .path("/restapi*")
        .nth(2)
        .probability(1.0)
        .times(1)
        .lasting(secs(10));
    let id = stage.platform.add_fault(rule, stage.now).expect("room");
    let statuses = [(); 3].map(|()| stage.get("/restapi", &[]).status().as_u16());
    assert_eq!(statuses, [200, 503, 200]);
    assert!(!stage.platform.remove_fault(id), "it is over");
}
