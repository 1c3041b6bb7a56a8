//! Message stores: reading, marking and deleting.

use serde_json::Value;

use crate::stage::{ADA, EXTENSION, GRACE, Stage, company, json, refusal, refused, secs};

const DAY: u64 = 86_400;

fn store() -> String {
    format!("{EXTENSION}/message-store")
}

fn list(stage: &mut Stage, access: &str, query: &str) -> Vec<Value> {
    let response = stage.send("GET", &format!("{}?{query}", store()), access, "");
    assert_eq!(response.status(), 200, "{query}");
    json(&response)["records"]
        .as_array()
        .expect("records")
        .clone()
}

/// The store as of ten days.
fn everything(stage: &mut Stage, access: &str) -> Vec<Value> {
    list(stage, access, "dateFrom=2020-01-01")
}

fn uri(message: &Value) -> String {
    message["uri"].as_str().expect("an address").to_owned()
}

#[test]
fn the_last_day_is_shown_unless_dates_are_given() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let all = everything(&mut stage, &access);
    assert_eq!(all.len(), 30);
    assert!(all.is_sorted_by(|a, b| a["creationTime"].as_str() >= b["creationTime"].as_str()));
    let of_today = list(&mut stage, &access, "");
    assert!(
        (2..=5).contains(&of_today.len()),
        "{} messages a day",
        of_today.len()
    );
    assert_eq!(of_today, all[..of_today.len()]);
    let (newest, oldest) = (&all[3]["creationTime"], &all[9]["creationTime"]);
    let period = format!(
        "dateFrom={}&dateTo={}",
        oldest.as_str().expect("text"),
        newest.as_str().expect("text")
    );
    assert_eq!(list(&mut stage, &access, &period), all[3..=9]);
}

#[test]
fn messages_stay_the_same_while_time_passes_and_new_ones_come() {
    let mut stage = Stage::of(company());
    let before = stage.access_of(ADA);
    let before = everything(&mut stage, &before);
    stage.pass(secs(DAY));
    let after = stage.access_of(ADA);
    let after = everything(&mut stage, &after);
    let new = after
        .iter()
        .position(|one| *one == before[0])
        .expect("still there");
    assert!(new > 0);
    assert_eq!(after[new..], before[..30 - new]);
}

#[test]
fn messages_are_marked_and_the_mark_stays() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let unread = list(&mut stage, &access, "readStatus=Unread&dateFrom=2020-01-01");
    assert!(!unread.is_empty() && unread.len() < 30);
    let uri = uri(&unread[0]);
    stage.pass(secs(1));
    let marked = stage.send("PUT", &uri, &access, r#"{"readStatus":"Read","x":1}"#);
    assert_eq!(marked.status(), 200);
    assert_eq!(json(&marked)["readStatus"], "Read");
    assert_eq!(json(&marked)["lastModifiedTime"], stage.now.to_string());
    assert_eq!(json(&marked)["creationTime"], unread[0]["creationTime"]);
    stage.pass(secs(60));
    assert_eq!(json(&stage.send("GET", &uri, &access, "")), json(&marked));
    let left = list(&mut stage, &access, "readStatus=Unread&dateFrom=2020-01-01");
    assert_eq!(left.len(), unread.len() - 1);
}

#[test]
fn deleted_messages_are_gone() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let all = everything(&mut stage, &access);
    let uri = uri(&all[1]);
    let response = stage.send("DELETE", &uri, &access, "");
    assert_eq!(
        (response.status().as_u16(), response.body().len()),
        (204, 0)
    );
    for (method, body) in [
        ("GET", ""),
        ("PUT", r#"{"readStatus":"Read"}"#),
        ("DELETE", ""),
    ] {
        let response = stage.send(method, &uri, &access, body);
        assert_eq!(
            refusal(&response),
            refused(404, "CMN-102", "CMN-102"),
            "{method}"
        );
        assert_eq!(json(&response)["errors"][0]["parameterName"], "messageId");
    }
    let left = everything(&mut stage, &access);
    assert_eq!(left.len(), 29);
    assert!(left.iter().all(|one| one["id"] != all[1]["id"]));
}

#[test]
fn a_deleted_message_never_comes_back() {
    let mut stage = Stage::of(company());
    for day in 0..20 {
        let access = stage.access_of(ADA);
        for message in everything(&mut stage, &access) {
            assert_eq!(
                stage.send("DELETE", &uri(&message), &access, "").status(),
                204
            );
        }
        assert_eq!(
            everything(&mut stage, &access),
            Vec::<Value>::new(),
            "day {day}"
        );
        stage.pass(secs(DAY));
    }
}

#[test]
fn the_text_is_an_attachment_that_takes_the_token_in_the_query() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let message = everything(&mut stage, &access).remove(0);
    let content = message["attachments"][0]["uri"]
        .as_str()
        .expect("an address");
    for response in [
        stage.send("GET", content, &access, ""),
        stage.get(&format!("{content}?access_token={access}"), &[]),
    ] {
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/plain;charset=utf-8"
        );
        assert_eq!(response.body(), message["subject"].as_str().expect("text"));
    }
    assert_eq!(
        refusal(&stage.get(content, &[])),
        refused(401, "AGW-401", "AGW-401")
    );
    let forged = stage.get(&format!("{content}?access_token=x"), &[]);
    assert_eq!(refusal(&forged), refused(401, "TokenInvalid", "OAU-149"));
    let other = stage.send("GET", &format!("{}/content/1", uri(&message)), &access, "");
    assert_eq!(refusal(&other), refused(404, "CMN-102", "CMN-102"));
    assert_eq!(json(&other)["errors"][0]["parameterName"], "attachmentId");
}

#[test]
fn messages_of_others_are_found_by_nobody_in_the_own_store() {
    let mut stage = Stage::of(company());
    let (ada, grace) = (stage.access_of(ADA), stage.access_of(GRACE));
    let adas = everything(&mut stage, &ada).remove(0);
    let own = format!("{}/{}", store(), adas["id"]);
    assert_eq!(stage.send("GET", &own, &ada, "").status(), 200);
    assert_eq!(stage.send("GET", &own, &grace, "").status(), 404);
    for id in [
        "0",
        "x",
        "1000000000000",
        "18446744073709551615",
        "99999999999999999999",
    ] {
        let response = stage.send("GET", &format!("{}/{id}", store()), &ada, "");
        assert_eq!(
            refusal(&response),
            refused(404, "CMN-102", "CMN-102"),
            "{id}"
        );
    }
}

#[test]
fn filters_and_pages() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for (query, count) in [
        ("direction=Inbound", 30),
        ("direction=Outbound", 0),
        ("messageType=SMS", 30),
        ("messageType=Fax&messageType=VoiceMail", 0),
        ("readStatus=Read&readStatus=Unread", 30),
        ("perPage=7&page=5", 2),
    ] {
        let query = format!("{query}&dateFrom=2020-01-01");
        assert_eq!(list(&mut stage, &access, &query).len(), count, "{query}");
    }
    let body = json(&stage.send(
        "GET",
        &format!("{}?perPage=7&dateFrom=2020-01-01", store()),
        &access,
        "",
    ));
    assert_eq!(body["paging"]["totalPages"], 5);
    assert_eq!(body["paging"]["totalElements"], 30);
    for (query, name) in [
        ("direction=In", "direction"),
        ("messageType=MMS", "messageType"),
        ("readStatus=read", "readStatus"),
        ("dateFrom=x", "dateFrom"),
        ("dateTo=x", "dateTo"),
        ("page=0", "page"),
        ("perPage=2000", "perPage"),
    ] {
        let response = stage.send("GET", &format!("{}?{query}", store()), &access, "");
        assert_eq!(
            refusal(&response),
            refused(400, "CMN-101", "CMN-101"),
            "{query}"
        );
        assert_eq!(
            json(&response)["errors"][0]["parameterName"],
            name,
            "{query}"
        );
    }
}

#[test]
fn bad_marks_are_refused_and_change_nothing() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let message = everything(&mut stage, &access).remove(0);
    for (body, code) in [
        ("", "CMN-103"),
        ("readStatus=Read", "CMN-103"),
        (r#"{"readStatus":"Read""#, "CMN-103"),
        ("[]", "CMN-101"),
        ("{}", "CMN-101"),
        (r#"{"readStatus":true}"#, "CMN-101"),
        (r#"{"readStatus":"read"}"#, "CMN-101"),
    ] {
        let response = stage.send("PUT", &uri(&message), &access, body);
        assert_eq!(refusal(&response), refused(400, code, code), "{body}");
    }
    assert_eq!(
        json(&stage.send("GET", &uri(&message), &access, "")),
        message
    );
}
