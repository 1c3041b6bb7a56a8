//! Text messages: validated, stored, never sent.

use serde_json::{Value, json};

use crate::stage::{ADA, EXTENSION, GRACE, Stage, company, refusal, refused, secs};

const ADAS: &str = "+16505550101";
const GRACES: &str = "+16505550102";
const OUTSIDE: &str = "+12125550199";

fn sms(from: &str, to: &[&str], text: &str) -> String {
    let to: Vec<Value> = to.iter().map(|to| json!({ "phoneNumber": to })).collect();
    json!({ "from": { "phoneNumber": from }, "to": to, "text": text }).to_string()
}

fn send(stage: &mut Stage, access: &str, body: &str) -> Value {
    let response = stage.send("POST", &format!("{EXTENSION}/sms"), access, body);
    assert_eq!(response.status(), 200, "{body}");
    crate::stage::json(&response)
}

fn store(stage: &mut Stage, access: &str, query: &str) -> Vec<Value> {
    let uri = format!("{EXTENSION}/message-store?{query}");
    let body = crate::stage::json(&stage.send("GET", &uri, access, ""));
    body["records"].as_array().expect("records").clone()
}

#[test]
fn a_message_is_recorded_and_readable_at_its_address() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let sent = send(
        &mut stage,
        &access,
        &sms(ADAS, &[OUTSIDE], "Hello \u{1f916}"),
    );
    assert_eq!(sent["messageStatus"], "Queued");
    assert_eq!(sent["direction"], "Outbound");
    stage.pass(secs(5));
    let uri = sent["uri"].as_str().expect("an address");
    assert_eq!(
        crate::stage::json(&stage.send("GET", uri, &access, "")),
        sent
    );
    let content = sent["attachments"][0]["uri"].as_str().expect("an address");
    assert_eq!(
        stage.send("GET", content, &access, "").body(),
        "Hello \u{1f916}"
    );
    assert_eq!(store(&mut stage, &access, "direction=Outbound"), [sent]);
    let recorded: Vec<_> = stage.platform.messages().collect();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].text, "Hello \u{1f916}");
    assert_eq!(recorded[0].to, [OUTSIDE]);
    assert!(recorded[0].id > u64::from(u32::MAX));
}

#[test]
fn a_colleague_gets_it_unread() {
    let mut stage = Stage::of(company());
    let (ada, grace) = (stage.access_of(ADA), stage.access_of(GRACE));
    stage.pass(secs(1));
    let sent = send(
        &mut stage,
        &ada,
        &sms(ADAS, &[GRACES, OUTSIDE, GRACES], "Tea?"),
    );
    let inbox = store(&mut stage, &grace, "direction=Inbound&readStatus=Unread");
    let received = &inbox[0];
    assert_eq!(received["subject"], "Tea?");
    assert_eq!(received["from"]["phoneNumber"], ADAS);
    assert_eq!(received["from"]["name"], "Ada Example");
    assert_eq!(received["to"], sent["to"]);
    assert_ne!(received["id"], sent["id"]);
    let copies = inbox.iter().filter(|one| one["subject"] == "Tea?").count();
    assert_eq!(copies, 1, "a receiver named twice gets it once");
    let uri = received["uri"].as_str().expect("an address");
    assert!(uri.contains("/extension/12133895102/"));
    let marked = stage.send("PUT", uri, &grace, r#"{"readStatus":"Read"}"#);
    assert_eq!(crate::stage::json(&marked)["readStatus"], "Read");
    assert_eq!(stage.send("DELETE", uri, &grace, "").status(), 204);
    assert_eq!(stage.send("GET", uri, &grace, "").status(), 404);
    let senders = sent["uri"].as_str().expect("an address");
    assert_eq!(
        stage.send("GET", senders, &ada, "").status(),
        200,
        "the sender keeps it"
    );
}

#[test]
fn a_generated_colleague_gets_it_too() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let list = stage.send("GET", "/restapi/v1.0/account/~/extension", &access, "");
    let colleague = crate::stage::json(&list)["records"][42].clone();
    let number = colleague["contact"]["businessPhone"]
        .as_str()
        .expect("text");
    stage.pass(secs(1));
    send(&mut stage, &access, &sms(ADAS, &[number], "Welcome"));
    let uri = format!("{}/message-store", colleague["uri"].as_str().expect("text"));
    let inbox = crate::stage::json(&stage.send("GET", &uri, &access, ""));
    assert_eq!(inbox["records"][0]["subject"], "Welcome");
    assert_eq!(inbox["records"][0]["to"][0]["name"], colleague["name"]);
}

#[test]
fn an_administrator_sends_for_others_only_from_their_numbers() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let path = "/restapi/v1.0/account/~/extension/12133895102/sms";
    let own = stage.send("POST", path, &access, &sms(ADAS, &[OUTSIDE], "x"));
    assert_eq!(refusal(&own), refused(400, "CMN-101", "CMN-101"));
    let graces = stage.send("POST", path, &access, &sms(GRACES, &[OUTSIDE], "x"));
    assert_eq!(graces.status(), 200);
}

#[test]
fn the_longest_and_the_most_are_taken() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let text = "\u{e9}".repeat(1_000);
    let sent = send(&mut stage, &access, &sms(ADAS, &[OUTSIDE; 10], &text));
    assert_eq!(sent["to"].as_array().map(Vec::len), Some(10));
    assert_eq!(sent["subject"], text);
}

#[test]
fn unknown_members_are_ignored() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let body = json!({
        "from": { "phoneNumber": ADAS, "x": 1 },
        "to": [{ "phoneNumber": OUTSIDE, "y": [] }],
        "text": "x",
        "country": { "isoCode": "US" },
    });
    send(&mut stage, &access, &body.to_string());
}

#[test]
fn bad_messages_are_refused_by_name_and_not_stored() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let from = json!({ "phoneNumber": ADAS });
    let to = json!([{ "phoneNumber": OUTSIDE }]);
    let with = |from: &Value, to: Value, text: Value| {
        json!({ "from": from, "to": to, "text": text }).to_string()
    };
    let texts = |text: Value| with(&from, to.clone(), text);
    let receivers = |to: Value| with(&from, to, "x".into());
    let senders = |from: Value| with(&from, to.clone(), "x".into());
    let mut cases = vec![
        ("[]".to_owned(), "from"),
        ("1".to_owned(), "from"),
        ("{}".to_owned(), "from"),
        (json!({ "from": from, "text": "x" }).to_string(), "to"),
        (json!({ "from": from, "to": to }).to_string(), "text"),
    ];
    for from in [
        json!(ADAS),
        json!({}),
        json!({ "phoneNumber": 1 }),
        json!(null),
        json!([]),
    ] {
        cases.push((senders(from), "from"));
    }
    // Not E.164, a colleague's, the company's own (which sends no messages), and nobody's.
    for from in [
        "6505550101",
        "+1650555010x",
        GRACES,
        "+16505550100",
        OUTSIDE,
    ] {
        cases.push((senders(json!({ "phoneNumber": from })), "from"));
    }
    for to in [
        json!([]),
        json!({ "phoneNumber": OUTSIDE }),
        json!([OUTSIDE]),
        json!([{}]),
        json!(null),
    ] {
        cases.push((receivers(to), "to"));
    }
    for number in [
        "",
        "+",
        "12125550199",
        "+02125550199",
        "+1 212 555 0199",
        "+1234567890123456",
    ] {
        cases.push((
            receivers(json!([{ "phoneNumber": OUTSIDE }, { "phoneNumber": number }])),
            "to",
        ));
    }
    cases.push((sms(ADAS, &[OUTSIDE; 11], "x"), "to"));
    for text in [
        json!(""),
        json!(1),
        json!(null),
        json!(["x"]),
        json!("x".repeat(1_001)),
    ] {
        cases.push((texts(text), "text"));
    }
    for (body, name) in cases {
        let response = stage.send("POST", &format!("{EXTENSION}/sms"), &access, &body);
        assert_eq!(
            refusal(&response),
            refused(400, "CMN-101", "CMN-101"),
            "{body}"
        );
        let error = &crate::stage::json(&response)["errors"][0];
        assert_eq!(error["parameterName"], name, "{body}");
    }
    assert_eq!(stage.platform.messages().count(), 0);
    assert!(store(&mut stage, &access, "direction=Outbound").is_empty());
}

#[test]
fn what_is_no_json_is_cmn_103() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for body in [
        "",
        "not json",
        "{",
        "from=1&to=2",
        "{\"from\":}",
        "\u{feff}{}",
    ] {
        let response = stage.send("POST", &format!("{EXTENSION}/sms"), &access, body);
        assert_eq!(
            refusal(&response),
            refused(400, "CMN-103", "CMN-103"),
            "{body}"
        );
    }
}

#[test]
fn only_the_newest_messages_are_kept() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let body = sms(ADAS, &[OUTSIDE], "x");
    let first = send(&mut stage, &access, &body);
    let second = send(&mut stage, &access, &body);
    for _ in 2..5_001 {
        send(&mut stage, &access, &body);
    }
    for (message, status) in [(first, 404), (second, 200)] {
        let uri = message["uri"].as_str().expect("an address");
        assert_eq!(stage.send("GET", uri, &access, "").status(), status);
    }
    assert_eq!(stage.platform.messages().count(), 1_000);
}
