//! The control API.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::stage::{Stage, pair, refusal, secs};

fn control(stage: &mut Stage, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("/sim/{path}"));
    let request = request.body(Bytes::from(body)).expect("a request");
    let response = stage.platform.control(&request, stage.now);
    (response.status().as_u16(), crate::stage::json(&response))
}

fn post(stage: &mut Stage, path: &str, body: &Value) -> (u16, Value) {
    control(stage, Method::POST, path, body)
}

#[test]
fn advances_the_clock() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let (status, body) = post(&mut stage, "clock/advance", &json!({ "seconds": 3600 }));
    assert_eq!(status, 200);
    assert_eq!(body["now"], stage.now.plus(secs(3600)).to_string());
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-128");
}

#[test]
fn expires_access_tokens_and_ends_sessions() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    assert_eq!(
        post(&mut stage, "access-tokens/expire", &Value::Null).1,
        json!({ "expired": 1 })
    );
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-128");
    let nobody = json!({ "login": "grace@acme.example" });
    assert_eq!(
        post(&mut stage, "sessions/end", &nobody).1,
        json!({ "ended": 0 })
    );
    assert_eq!(
        post(&mut stage, "sessions/end", &Value::Null).1,
        json!({ "ended": 1 })
    );
    assert_eq!(refusal(&stage.call(&mine.access)).2, "OAU-213");
}

#[test]
fn queues_every_kind_of_fault_and_clears_them() {
    let mut stage = Stage::new();
    for fault in [
        json!({ "target": "token", "fault": "drop-before" }),
        json!({ "target": "revoke", "fault": "drop-after", "times": 2 }),
        json!({ "target": "api", "fault": "delay", "milliseconds": 1500 }),
        json!({ "target": "token", "fault": "truncate", "bytes": 10 }),
    ] {
        let (status, body) = post(&mut stage, "faults", &fault);
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(
        control(&mut stage, Method::DELETE, "faults", &Value::Null).0,
        200
    );
    let mine = stage.sign_in();
    let replace = json!({
        "target": "token", "fault": "replace", "status": 503,
        "headers": { "Retry-After": "7" }, "body": "<h1>busy</h1>",
    });
    assert_eq!(post(&mut stage, "faults", &replace).0, 200);
    let response = stage.refresh(&mine.refresh);
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (503, &b"<h1>busy</h1>"[..])
    );
    assert_eq!(response.headers()["retry-after"], "7");
    pair(&stage.refresh(&mine.refresh));
}

#[test]
fn switches_limits_and_counts() {
    let mut stage = Stage::new();
    assert_eq!(
        post(&mut stage, "limits", &json!({ "enabled": true })).0,
        200
    );
    for _ in 0..6 {
        stage.refresh("unknown");
    }
    let (status, counters) = control(&mut stage, Method::GET, "counters", &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(counters["token_refresh"]["received"], 6);
    assert_eq!(counters["token_refresh"]["refused"], 5);
    assert_eq!(counters["token_refresh"]["limited"], 1);
    assert_eq!(counters["live_sessions"], 0);
}

#[test]
fn refuses_what_it_does_not_understand() {
    let mut stage = Stage::new();
    for (path, body, status) in [
        ("clock/advance", json!({ "seconds": -1 }), 400),
        ("clock/advance", json!({ "minutes": 1 }), 400),
        ("clock/advance", Value::Null, 400),
        ("faults", json!({ "target": "token" }), 400),
        (
            "faults",
            json!({ "target": "moon", "fault": "drop-before" }),
            400,
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "replace", "status": 99 }),
            400,
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "replace", "status": 100 }),
            400,
        ),
        (
            "faults",
            json!({ "target": "api", "fault": "replace", "status": 200, "headers": { "Content-Length": "5" } }),
            400,
        ),
        ("unknown", Value::Null, 404),
    ] {
        let (answered, body) = post(&mut stage, path, &body);
        assert_eq!(answered, status, "{path}");
        assert!(body["error"].is_string());
    }
}

#[test]
fn members_it_does_not_know_are_named_and_nothing_is_done() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    for (path, body, member) in [
        (
            "faults",
            json!({ "target": "token", "fault": "drop-before", "grant": "refresh_token" }),
            "grant",
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "drop-after", "client": "x" }),
            "client",
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "delay", "milliseconds": 1, "bytes": 1 }),
            "bytes",
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "truncate", "bytes": 1, "time": 2 }),
            "time",
        ),
        (
            "faults",
            json!({ "target": "token", "fault": "replace", "status": 503, "header": {} }),
            "header",
        ),
        ("limits", json!({ "enabled": true, "auth": 5 }), "auth"),
        (
            "sessions/end",
            json!({ "user": "ada@acme.example" }),
            "user",
        ),
        (
            "access-tokens/expire",
            json!({ "login": "grace@acme.example" }),
            "login",
        ),
    ] {
        let (status, answer) = post(&mut stage, path, &body);
        let message = answer["error"].as_str().expect("a sentence");
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(
            message.contains(&format!("unknown field `{member}`")),
            "{message}"
        );
    }
    let body = json!({ "target": "api" });
    let (status, answer) = control(&mut stage, Method::DELETE, "faults", &body);
    assert_eq!((status, answer["error"].is_string()), (400, true));
    assert_eq!(stage.call(&mine.access).status(), 200);
    assert_eq!(stage.platform.counters(stage.now).live_sessions, 1);
    pair(&stage.refresh(&mine.refresh));
    assert_eq!(stage.platform.counters(stage.now).token_refresh.faults, 0);
}

#[test]
fn refuses_web_pages() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = Request::post("/sim/sessions/end").header(name, value);
        let request = request.body(Bytes::new()).expect("a request");
        let answer = stage.platform.control(&request, stage.now);
        assert_eq!(answer.status(), 403, "{name}: {value}");
        assert_eq!(stage.call(&mine.access).status(), 200);
    }
    let request = Request::get("/sim/counters").header("sec-fetch-site", "none");
    let request = request.body(Bytes::new()).expect("a request");
    let opened_by_a_user = stage.platform.control(&request, stage.now);
    assert_eq!(opened_by_a_user.status(), 200);
}

#[test]
fn a_known_path_names_its_methods_and_an_unknown_one_is_not_found() {
    let mut stage = Stage::new();
    for (method, path, allowed) in [
        (Method::POST, "counters", "GET"),
        (Method::GET, "clock/advance", "POST"),
        (Method::PUT, "faults", "GET or POST or DELETE"),
        (Method::GET, "faults/1", "DELETE"),
        (Method::DELETE, "namespaces", "GET or POST"),
    ] {
        let (status, answer) = control(&mut stage, method, path, &Value::Null);
        let message = answer["error"].as_str().expect("a sentence");
        assert_eq!(status, 405, "{path}");
        assert!(
            message.starts_with(&format!("this takes {allowed},")),
            "{message}"
        );
    }
    for path in [
        "",
        "faults/",
        "faults/1/2",
        "Clock",
        "clock/",
        "namespaces/",
    ] {
        let (status, _) = control(&mut stage, Method::DELETE, path, &Value::Null);
        assert_eq!(status, 404, "{path}");
    }
}

#[test]
fn bodies_that_are_no_json_and_members_where_none_are_taken_are_refused() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    for path in [
        "sessions/end",
        "users",
        "limits",
        "faults",
        "clock/skew",
        "reset",
    ] {
        let request = Request::post(format!("/sim/{path}")).body(Bytes::from("{\"login\":"));
        let answer = stage
            .platform
            .control(&request.expect("a request"), stage.now);
        assert_eq!(answer.status(), 400, "{path}");
    }
    for path in [
        "reset",
        "clock/freeze",
        "clock/unfreeze",
        "signing-key/rotate",
    ] {
        let (status, answer) = post(&mut stage, path, &json!({ "really": true }));
        assert_eq!(status, 400, "{path}");
        assert!(answer["error"].to_string().contains("`really`"), "{answer}");
    }
    let clock = control(&mut stage, Method::GET, "clock", &Value::Null).1;
    assert_eq!(clock["frozen"], false);
    assert_eq!(stage.call(&mine.access).status(), 200);
}

#[test]
fn answers_are_not_stored_and_have_the_platforms_date() {
    let mut stage = Stage::new();
    stage.platform.advance(secs(3600));
    let request = Request::get("/sim/credentials").body(Bytes::new());
    let answer = stage
        .platform
        .control(&request.expect("a request"), stage.now);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let date = stage.now.plus(secs(3600)).http_date();
    assert_eq!(answer.headers()["date"], date.as_str());
}

#[test]
fn faults_that_could_never_strike_are_refused_by_name() {
    let mut stage = Stage::new();
    for (body, named) in [
        (json!({ "fault": "nope" }), "limited-mode"),
        (
            json!({ "fault": "unavailable", "method": "get" }),
            "capitals",
        ),
        (
            json!({ "fault": "unavailable", "client_id": "nobody" }),
            "client_id",
        ),
        (
            json!({ "fault": "unavailable", "login": "nobody" }),
            "login",
        ),
        (json!({ "fault": "unavailable", "path": "" }), "path"),
        (json!({ "fault": "unavailable", "nth": 0 }), "nth"),
        (json!({ "fault": "unavailable", "seconds": 0 }), "seconds"),
    ] {
        let (status, answer) = post(&mut stage, "faults", &body);
        let message = answer["error"].as_str().expect("a sentence");
        assert!(
            status == 400 && message.contains(named),
            "{body}: {message}"
        );
    }
}

#[test]
fn clocks_stay_within_a_hundred_years_and_queries_are_not_overlooked() {
    let mut stage = Stage::new();
    for (path, body) in [
        ("clock/advance", json!({ "seconds": u64::MAX })),
        ("clock/skew", json!({ "milliseconds": i64::MIN })),
    ] {
        assert_eq!(post(&mut stage, path, &body).0, 400, "{path}");
    }
    let (status, answer) = control(&mut stage, Method::GET, "counters?x=1", &Value::Null);
    assert_eq!(status, 400);
    assert!(answer["error"].to_string().contains('x'), "{answer}");
}
