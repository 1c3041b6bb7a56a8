//! Call logs: ten thousand calls that stay the same while time passes.

use std::collections::HashSet;

use serde_json::Value;

use crate::stage::{ADA, EXTENSION, GRACE, Stage, company, json, refusal, refused, secs};

const COMPANY: &str = "/restapi/v1.0/account/~/call-log";

fn own() -> String {
    format!("{EXTENSION}/call-log")
}

fn list(stage: &mut Stage, access: &str, uri: &str) -> Value {
    let response = stage.send("GET", uri, access, "");
    assert_eq!(response.status(), 200, "{uri}");
    json(&response)
}

fn records(body: &Value) -> &[Value] {
    body["records"].as_array().expect("records")
}

fn texts<'a>(body: &'a Value, field: &str) -> Vec<&'a str> {
    records(body)
        .iter()
        .map(|one| one[field].as_str().expect("text"))
        .collect()
}

/// All records from a first page on, by `nextPage`.
fn follow(stage: &mut Stage, access: &str, uri: String) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = Some(uri);
    while let Some(uri) = next {
        let body = list(stage, access, &uri);
        all.extend_from_slice(records(&body));
        next = body["navigation"]["nextPage"]["uri"]
            .as_str()
            .map(String::from);
    }
    all
}

#[test]
fn a_log_has_ten_thousand_calls_newest_first() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for log in [own(), COMPANY.into()] {
        let all = follow(
            &mut stage,
            &access,
            format!("https://platform.example{log}?perPage=max"),
        );
        assert_eq!(all.len(), 10_000);
        let ids: HashSet<&str> = all.iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(all.is_sorted_by(|a, b| a["startTime"].as_str() >= b["startTime"].as_str()));
        assert!(all[0]["startTime"].as_str() < Some(stage.now.to_string().as_str()));
    }
}

#[test]
fn calls_stay_the_same_while_time_passes() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let before = list(&mut stage, &access, &own());
    stage.pass(secs(52 * 60));
    let after = list(&mut stage, &access, &own());
    let (before, after) = (records(&before), records(&after));
    let new = after
        .iter()
        .position(|one| one["id"] == before[0]["id"])
        .expect("still there");
    assert!((1..=3).contains(&new), "{new} new calls in 52 minutes");
    assert_eq!(after[new..], before[..100 - new]);
}

#[test]
fn the_calls_of_an_extension_are_in_the_log_of_the_company() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let company = follow(&mut stage, &access, format!("{COMPANY}?perPage=max"));
    let of_grace: Vec<&str> = company
        .iter()
        .filter(|one| one["extension"]["id"] == 12_133_895_102_u64)
        .filter_map(|one| one["id"].as_str())
        .collect();
    let grace = stage.access_of(GRACE);
    let own = list(&mut stage, &grace, &format!("{}?perPage=max", own()));
    assert!(of_grace.len() > 100);
    assert_eq!(of_grace, texts(&own, "id")[..of_grace.len()]);
}

#[test]
fn totals_are_left_out_and_links_keep_the_filters() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let uri = format!(
        "https://platform.example{}?type=Voice&page=2&perPage=10&direction=Inbound",
        own()
    );
    let body = list(&mut stage, &access, &uri);
    let paging = &body["paging"];
    assert_eq!(
        (&paging["page"], &paging["perPage"]),
        (&2.into(), &10.into())
    );
    assert_eq!(
        (&paging["pageStart"], &paging["pageEnd"]),
        (&10.into(), &19.into())
    );
    assert!(paging.get("totalPages").is_none() && paging.get("totalElements").is_none());
    let navigation = &body["navigation"];
    assert!(navigation.get("lastPage").is_none());
    for (name, page) in [("firstPage", 1), ("previousPage", 1), ("nextPage", 3)] {
        let expected = format!(
            "https://platform.example/restapi/v1.0/account/12133895004/extension/12133895101/call-log?type=Voice&direction=Inbound&page={page}&perPage=10"
        );
        assert_eq!(navigation[name]["uri"], expected.as_str());
    }
}

#[test]
fn filters_narrow_a_log() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    // The last 36 days: enough of each kind.
    let recent = format!("{}?perPage=1000&dateFrom=2026-12-10", own());
    let all = follow(&mut stage, &access, recent.clone());
    for (query, direction, kind) in [
        ("direction=Inbound", Some("Inbound"), None),
        ("type=Fax", None, Some("Fax")),
        ("type=Fax&direction=Outbound", Some("Outbound"), Some("Fax")),
        ("type=Fax&type=Voice", None, None),
    ] {
        let accepted = |one: &&Value| {
            direction.is_none_or(|direction| one["direction"] == direction)
                && kind.is_none_or(|kind| one["type"] == kind)
        };
        let expected: Vec<&Value> = all.iter().filter(accepted).collect();
        let found = follow(&mut stage, &access, format!("{recent}&{query}"));
        assert!(expected.len() > 40);
        let ids = |one: &Value| one["id"].clone();
        assert!(
            found.iter().map(ids).eq(expected.into_iter().map(ids)),
            "{query}"
        );
    }
}

#[test]
fn dates_narrow_a_log_and_both_ends_belong_to_it() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for log in [own(), COMPANY.into()] {
        let all = list(&mut stage, &access, &log);
        let times = texts(&all, "startTime");
        let uri = format!("{log}?dateFrom={}&dateTo={}", times[60], times[20]);
        let body = list(&mut stage, &access, &uri);
        assert_eq!(texts(&body, "startTime"), times[20..=60]);
        let none = list(&mut stage, &access, &format!("{log}?dateFrom=2999-01-01"));
        assert!(records(&none).is_empty());
        assert!(none["navigation"].get("nextPage").is_none());
        let old = list(&mut stage, &access, &format!("{log}?dateTo=2001-01-01"));
        assert!(records(&old).is_empty(), "only the newest 10,000 are kept");
    }
}

#[test]
fn a_detailed_view_has_legs_and_smaller_pages() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let simple = list(&mut stage, &access, &own());
    assert!(records(&simple).iter().all(|one| one.get("legs").is_none()));
    let detailed = list(
        &mut stage,
        &access,
        &format!("{}?view=Detailed&perPage=max", own()),
    );
    assert_eq!(records(&detailed).len(), 250);
    assert!(
        records(&detailed)
            .iter()
            .all(|one| one["legs"].as_array().is_some_and(|legs| legs.len() == 1))
    );
    assert_eq!(texts(&simple, "id"), texts(&detailed, "id")[..100]);
}

#[test]
fn each_record_is_at_its_address() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for log in [own(), COMPANY.into()] {
        let body = list(&mut stage, &access, &format!("{log}?perPage=3"));
        for record in records(&body) {
            let uri = record["uri"].as_str().expect("an address");
            assert_eq!(&json(&stage.send("GET", uri, &access, "")), record);
        }
        for id in [
            "0",
            "x",
            "999999999999",
            "1000000000000",
            "18446744073709551615",
        ] {
            let response = stage.send("GET", &format!("{log}/{id}"), &access, "");
            assert_eq!(
                refusal(&response),
                refused(404, "CMN-102", "CMN-102"),
                "{id}"
            );
        }
    }
    let company = list(&mut stage, &access, COMPANY);
    let foreign = records(&company)
        .iter()
        .find(|one| one["extension"]["id"] != 12_133_895_101_u64);
    let id = foreign.expect("somebody else's")["id"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(
        stage
            .send("GET", &format!("{}/{id}", own()), &access, "")
            .status(),
        404
    );
}

#[test]
fn bad_parameters_are_named() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for (query, name) in [
        ("dateFrom=yesterday", "dateFrom"),
        ("dateTo=2020-02-30", "dateTo"),
        ("dateFrom=2020-02-02&dateTo=2020-02-01", "dateFrom"),
        ("direction=inbound", "direction"),
        ("direction=Inbound&direction=Sideways", "direction"),
        ("type=Telegram", "type"),
        ("view=Full", "view"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("perPage=0", "perPage"),
        ("perPage=1001", "perPage"),
        ("perPage=MAX", "perPage"),
        ("view=Detailed&perPage=251", "perPage"),
    ] {
        for log in [own(), COMPANY.into()] {
            let response = stage.send("GET", &format!("{log}?{query}"), &access, "");
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
}

#[test]
fn the_call_log_is_heavy() {
    let mut config = company();
    config.switches.limits.enabled = true;
    let mut stage = Stage::of(config);
    let access = stage.access_of(ADA);
    for _ in 0..10 {
        let response = stage.send("GET", &own(), &access, "");
        assert_eq!(response.headers()["x-rate-limit-group"], "heavy");
        assert_eq!(response.status(), 200);
    }
    let response = stage.send("GET", COMPANY, &access, "");
    assert_eq!(refusal(&response), refused(429, "CMN-301", "CMN-301"));
}
