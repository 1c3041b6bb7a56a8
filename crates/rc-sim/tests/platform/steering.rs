//! What a test does to the platform while it runs: clock, switches, sessions, users, reset.

use http::header::DATE;
use serde_json::{Value, json};

use crate::stage::{ADA, GRACE, Pair, Stage, json, pair, refusal, refused, secs};

fn get(stage: &mut Stage, path: &str) -> Value {
    let (status, body) = stage.control("GET", path, &Value::Null, &[]);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn post(stage: &mut Stage, path: &str, body: Value) -> Value {
    let (status, answer) = stage.control("POST", path, &body, &[]);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn sign_in_as(stage: &mut Stage, login: &str) -> Pair {
    let url = stage.authorize_url(&[]);
    let callback = stage.platform.sign_in(&url, login, stage.now);
    let code = callback.expect("a callback").param("code").expect("a code");
    pair(&stage.exchange(&code))
}

fn date(stage: &mut Stage) -> String {
    let response = stage.get("/restapi", &[]);
    response.headers()[DATE].to_str().expect("text").to_owned()
}

#[test]
fn a_frozen_clock_stands_until_it_is_let_go() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let stopped = stage.now;
    let shown = post(&mut stage, "clock/freeze", Value::Null);
    assert_eq!(
        shown,
        json!({ "now": stopped.to_string(), "frozen": true, "skew_milliseconds": 0 })
    );
    stage.pass(secs(100_000));
    assert_eq!(stage.call(&mine.access).status(), 200);
    assert_eq!(date(&mut stage), stopped.http_date());
    post(&mut stage, "clock/advance", json!({ "seconds": 3599 }));
    assert_eq!(stage.call(&mine.access).status(), 200);
    let shown = post(&mut stage, "clock/unfreeze", Value::Null);
    assert_eq!(shown["frozen"], false);
    assert_eq!(shown["now"], stopped.plus(secs(3599)).to_string());
    assert_eq!(get(&mut stage, "clock"), shown);
    assert_eq!(stage.call(&mine.access).status(), 200);
    stage.pass(secs(1));
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-128");
    assert_eq!(date(&mut stage), stopped.plus(secs(3600)).http_date());
}

#[test]
fn skew_is_told_and_changes_no_life() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let now = stage.now;
    let shown = post(
        &mut stage,
        "clock/skew",
        json!({ "milliseconds": 7_200_000 }),
    );
    assert_eq!(
        (&shown["now"], &shown["skew_milliseconds"]),
        (&json!(now.to_string()), &json!(7_200_000))
    );
    let told = now.plus(secs(7200)).http_date();
    assert_eq!(date(&mut stage), told);
    assert_eq!(stage.call(&mine.access).status(), 200);
    post(&mut stage, "faults", json!({ "fault": "limited-mode" }));
    let replaced = stage.refresh("x");
    assert_eq!(
        (replaced.status().as_u16(), &replaced.headers()[DATE]),
        (503, &http::HeaderValue::try_from(&*told).expect("a date"))
    );
    let url = stage.authorize_url(&[("scope", "openid")]);
    let callback = stage.platform.sign_in(&url, ADA, now).expect("a callback");
    let body = json(&stage.exchange(&callback.param("code").expect("a code")));
    assert_eq!(body["expires_in"], 3599);
    let said = crate::signing::claims(body["id_token"].as_str().expect("an ID token"));
    assert_eq!(said["iat"], now.millis() / 1000 + 7200);
    assert_eq!(said["auth_time"], said["iat"]);

    post(&mut stage, "clock/skew", json!({ "milliseconds": -60_000 }));
    stage.pass(secs(60));
    assert_eq!(date(&mut stage), now.http_date());
    let request = http::Request::get("/sim/clock").body(bytes::Bytes::new());
    let answer = stage
        .platform
        .control(&request.expect("a request"), stage.now);
    assert_eq!(answer.headers()[DATE], now.http_date().as_str());
}

#[test]
fn switches_are_changed_one_by_one() {
    let mut stage = Stage::new();
    let before = get(&mut stage, "switches");
    let patch = json!({ "limits": { "light": 3 }, "session_limits": { "idle_seconds": 60 } });
    let (status, after) = stage.control("PATCH", "switches", &patch, &[]);
    assert_eq!(status, 200);
    let mut expected = before;
    expected["limits"]["light"] = json!(3);
    expected["session_limits"]["idle_seconds"] = json!(60);
    assert_eq!(after, expected);
    assert_eq!(get(&mut stage, "switches"), expected);
    let patch = json!({ "session_limits": { "idle_seconds": null } });
    let (_, after) = stage.control("PATCH", "switches", &patch, &[]);
    assert_eq!(after["session_limits"]["idle_seconds"], Value::Null);
    assert_eq!(after["limits"]["light"], 3);
}

#[test]
fn a_switch_that_nobody_knows_is_named_and_nothing_is_switched() {
    let mut stage = Stage::new();
    let before = get(&mut stage, "switches");
    for (patch, name) in [
        (json!({ "strict": true }), "strict"),
        (
            json!({ "code_life_seconds": 5, "code_life": 7 }),
            "code_life",
        ),
        (json!({ "limits": { "medium_rate": 1 } }), "medium_rate"),
        (json!({ "session_limits": { "idle": 1 } }), "idle"),
        (json!({ "token_life": { "access": 1 } }), "access"),
        (json!({ "refresh_replay": "lenient" }), "lenient"),
        (
            json!({ "refresh_replay": { "grace": { "unused": 1 } } }),
            "unused",
        ),
        (json!({ "sign_in_pages": "three" }), "three"),
        (json!({ "limits": { "auth": -5 } }), "-5"),
    ] {
        let (status, answer) = stage.control("PATCH", "switches", &patch, &[]);
        let message = answer["error"].as_str().expect("a sentence");
        assert_eq!(status, 400, "{patch}");
        assert!(message.contains(&format!("`{name}`")), "{patch}: {message}");
        assert_eq!(get(&mut stage, "switches"), before, "{patch}");
    }
    for patch in [json!([]), json!("strict"), json!(null)] {
        assert_eq!(stage.control("PATCH", "switches", &patch, &[]).0, 400);
    }
    assert_eq!(stage.control("PUT", "switches", &json!({}), &[]).0, 405);
}

#[test]
fn strict_at_run_time_takes_effect_at_once_and_back() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second, "grace");
    let strict = json!({ "refresh_replay": "strict" });
    assert_eq!(stage.control("PATCH", "switches", &strict, &[]).0, 200);
    assert_eq!(refusal(&stage.refresh(&first.refresh)).2, "OAU-213");
    assert_eq!(stage.live_sessions(), 0, "it counts as theft");

    let grace =
        json!({ "refresh_replay": { "grace": { "unused_seconds": 5, "used_seconds": 0 } } });
    assert_eq!(stage.control("PATCH", "switches", &grace, &[]).0, 200);
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    stage.pass(secs(5));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);
    stage.pass(secs(1));
    assert_eq!(refusal(&stage.refresh(&first.refresh)).2, "OAU-213");
    assert_eq!(stage.call(&second.access).status(), 200);
}

#[test]
fn sessions_are_listed_with_whose_they_are() {
    let mut stage = Stage::new();
    let ada = stage.sign_in();
    let code = stage.code();
    let answer = json(&stage.exchange(&code));
    let grace = sign_in_as(&mut stage, GRACE);
    stage.refresh(&grace.refresh);
    stage.platform.end_session(&ada.refresh);
    let listed = get(&mut stage, "sessions");
    let listed = listed["sessions"].as_array().expect("sessions");
    assert_eq!(listed.len(), 2);
    assert_eq!(
        listed[0],
        json!({
            "session_id": answer["session_id"], "endpoint_id": answer["endpoint_id"],
            "client_id": stage.client_id(), "login": ADA, "scope": answer["scope"],
            "started_at": stage.now.to_string(), "refreshes": 0,
        })
    );
    assert_eq!(
        (&listed[1]["login"], &listed[1]["refreshes"]),
        (&json!(GRACE), &json!(1))
    );
    stage.pass(secs(8 * 86_400));
    assert_eq!(
        get(&mut stage, "sessions"),
        json!({ "sessions": [] }),
        "expired"
    );
}

#[test]
fn sessions_are_ended_by_each_key() {
    let mut stage = Stage::new();
    let tokens = [ADA, ADA, ADA, GRACE].map(|login| sign_in_as(&mut stage, login));
    let alive = |stage: &mut Stage| {
        tokens
            .each_ref()
            .map(|one| stage.call(&one.access).status() == 200)
    };
    let end = |stage: &mut Stage, body: Value| post(stage, "sessions/end", body)["ended"].clone();
    let listed = get(&mut stage, "sessions");
    let id = listed["sessions"][1]["session_id"].clone();
    for (body, ended) in [
        (json!({ "token": tokens[0].access }), 1),
        (json!({ "token": tokens[0].refresh }), 0),
        (json!({ "session_id": id }), 1),
        (json!({ "session_id": id }), 0),
        (json!({ "token": "x" }), 0),
        (json!({ "login": "nobody@acme.example" }), 0),
    ] {
        assert_eq!(end(&mut stage, body.clone()), ended, "{body}");
    }
    assert_eq!(alive(&mut stage), [false, false, true, true]);
    assert_eq!(refusal(&stage.refresh(&tokens[1].refresh)).2, "OAU-211");
    let two = json!({ "login": ADA, "token": "x" });
    assert_eq!(stage.control("POST", "sessions/end", &two, &[]).0, 400);
    assert_eq!(end(&mut stage, json!({ "login": "ADA@acme.example" })), 1);
    assert_eq!(alive(&mut stage), [false, false, false, true]);
    assert_eq!(end(&mut stage, json!({})), 1);
    assert_eq!(alive(&mut stage), [false; 4]);
}

#[test]
fn a_disabled_user_cannot_refresh_until_enabled_again() {
    let mut stage = Stage::new();
    let (ada, grace) = (stage.sign_in(), sign_in_as(&mut stage, GRACE));
    let url = stage.authorize_url(&[]);
    let set = |stage: &mut Stage, enabled| {
        let body = json!({ "login": "ada@ACME.example", "enabled": enabled });
        assert_eq!(post(stage, "users", body.clone()), body);
    };
    set(&mut stage, false);
    assert_eq!(refusal(&stage.refresh(&ada.refresh)).2, "OAU-141");
    let refused_page = stage
        .platform
        .sign_in(&url, ADA, stage.now)
        .expect_err("no callback");
    assert!(refused_page.to_string().contains("OAU-141"));
    pair(&stage.refresh(&grace.refresh));
    set(&mut stage, true);
    pair(&stage.refresh(&ada.refresh));
    stage.sign_in();
    let nobody = json!({ "login": "nobody@acme.example", "enabled": false });
    let (status, answer) = stage.control("POST", "users", &nobody, &[]);
    assert_eq!(status, 404);
    assert!(answer["error"].to_string().contains("nobody@acme.example"));
}

#[test]
fn a_reset_forgets_what_happened_and_what_was_changed() {
    let mut stage = Stage::new();
    let switches = get(&mut stage, "switches");
    let mine = stage.sign_in();
    let jwt = post(&mut stage, "personal-jwts", json!({ "login": ADA }));
    post(&mut stage, "clock/advance", json!({ "seconds": 60 }));
    post(&mut stage, "clock/skew", json!({ "milliseconds": 5 }));
    post(&mut stage, "clock/freeze", Value::Null);
    post(&mut stage, "limits", json!({ "enabled": true }));
    post(
        &mut stage,
        "users",
        json!({ "login": ADA, "enabled": false }),
    );
    post(
        &mut stage,
        "faults",
        json!({ "fault": "unavailable", "times": 9 }),
    );
    post(&mut stage, "signing-key/rotate", Value::Null);
    assert_eq!(
        post(&mut stage, "reset", Value::Null),
        json!({ "reset": true })
    );

    assert_eq!(get(&mut stage, "switches"), switches);
    assert_eq!(
        get(&mut stage, "clock"),
        json!({ "now": stage.now.to_string(), "frozen": false, "skew_milliseconds": 0 })
    );
    assert_eq!(get(&mut stage, "faults"), json!({ "faults": [] }));
    assert_eq!(
        get(&mut stage, "events"),
        json!({ "events": [], "last": 0 })
    );
    assert_eq!(get(&mut stage, "sessions"), json!({ "sessions": [] }));
    assert_eq!(get(&mut stage, "counters")["codes"], 0);
    assert_eq!(
        refusal(&stage.refresh(&mine.refresh)),
        refused(400, "invalid_grant", "OAU-213")
    );
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let made = jwt["jwt"].as_str().expect("a JWT");
    let response = stage.token(&[("grant_type", grant), ("assertion", made)]);
    assert_eq!(refusal(&response).2, "OAU-213");
    let url = stage.authorize_url(&[]);
    let page = crate::stage::location(&stage.get(&url, &[]));
    let body = [("login", ADA), ("password", "Engine-1843")];
    let consent = stage.post_form(&page, &body, None);
    assert_eq!(consent.status(), 200, "asked for consent again");
}
