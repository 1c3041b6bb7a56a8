//! The journal: what it tells of requests, and how events are found.

use serde_json::{Value, json};

use crate::stage::{EXTENSION, Stage, pair};

fn get(stage: &mut Stage, path: &str) -> Value {
    let (status, body) = stage.control("GET", path, &Value::Null, &[]);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// The numbers of the events that a query finds.
fn numbers(stage: &mut Stage, query: &str) -> Vec<u64> {
    let body = get(stage, &format!("events?{query}"));
    let events = body["events"].as_array().expect("events").iter();
    events
        .map(|event| event["number"].as_u64().expect("a number"))
        .collect()
}

#[test]
fn events_are_found_by_each_filter() {
    let mut stage = Stage::new();
    let id = stage.client_id();
    let mine = stage.sign_in(); // 1 authorize, 2 and 3 pages, 4 token
    stage.call(&mine.access); // 5
    let lost = json!({ "fault": "answer-lost", "target": "token" });
    assert_eq!(stage.control("POST", "faults", &lost, &[]).0, 200);
    let refreshed = pair(&stage.refresh(&mine.refresh)); // 6
    stage.call("garbage"); // 7
    stage.get("/restapi/oauth/jwks", &[]); // 8
    stage.revoke(&refreshed.access); // 9
    stage.refresh(&mine.refresh); // 10
    stage.get("/nowhere", &[]); // 11
    for (query, found) in [
        ("", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..]),
        ("after=9", &[10, 11]),
        ("after=11", &[]),
        ("after=18446744073709551615", &[]),
        ("kind=authorize", &[1]),
        ("kind=sign-in", &[2, 3]),
        ("kind=token", &[4, 6, 10]),
        ("kind=api", &[5, 7]),
        ("kind=discovery", &[8]),
        ("kind=revoke", &[9]),
        ("kind=other", &[11]),
        ("grant_type=refresh_token", &[6, 10]),
        (&format!("client_id={id}"), &[1, 2, 3, 4, 5, 6, 9, 10]),
        ("client_id=unknown", &[]),
        ("login=ADA@acme.example", &[3, 4, 5, 6, 9]),
        ("login=grace@acme.example", &[]),
        ("path=/login*", &[2, 3]),
        ("path=/login", &[2]),
        ("status=401", &[7]),
        ("code=OAU-149", &[7]),
        ("code=OAU-211", &[10]),
        ("kind=token&status=400&after=4", &[10]),
        ("kind=token&wait_seconds=1", &[4, 6, 10]),
    ] {
        assert_eq!(numbers(&mut stage, query), found, "{query}");
    }
    let lost = &get(&mut stage, "events?after=5")["events"][0];
    assert_eq!(lost["fault"], "drop-after");
    assert_eq!(lost["request_id"].as_str().map(str::len), Some(32));
    assert_eq!(lost["at"], stage.now.millis());
    for query in [
        "kind=web",
        "status=x",
        "after=-1",
        "user=ada",
        "wait_seconds=soon",
    ] {
        let answer = stage.control("GET", &format!("events?{query}"), &Value::Null, &[]);
        assert_eq!(answer.0, 400, "{query}");
        let name = query.split('=').next().expect("a name");
        assert!(answer.1["error"].to_string().contains(name), "{query}");
    }
}

#[test]
fn events_tell_no_secret() {
    let mut stage = Stage::new();
    let callback = stage.callback();
    let code = callback.param("code").expect("a code");
    let mine = pair(&stage.exchange(&code));
    stage.get(&format!("{EXTENSION}?access_token={}", mine.access), &[]);
    stage.revoke(&mine.refresh);
    let told = get(&mut stage, "events").to_string();
    let basic = stage.basic();
    for secret in [
        &code,
        &mine.access,
        &mine.refresh,
        &basic,
        "Engine-1843",
        "st at",
        "st+at",
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[test]
fn only_the_last_events_are_kept_and_numbers_go_on() {
    let mut stage = Stage::new();
    for _ in 0..10_002 {
        stage.get("/nowhere", &[]);
    }
    let first = get(&mut stage, "events");
    assert_eq!(first["last"], 10_002);
    assert_eq!(
        first["events"].as_array().map(Vec::len),
        Some(1_000),
        "a page"
    );
    assert_eq!(first["events"][0]["number"], 3);
    assert_eq!(numbers(&mut stage, "after=10000"), [10_001, 10_002]);
}
