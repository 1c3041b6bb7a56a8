//! The company's extensions and their numbers.

use std::collections::HashSet;

use serde_json::Value;

use crate::stage::{ADA, EXTENSION, GRACE, Stage, company, json, refusal, refused};

const LIST: &str = "/restapi/v1.0/account/~/extension";

fn records(body: &Value) -> &[Value] {
    body["records"].as_array().expect("records")
}

fn list(stage: &mut Stage, access: &str, query: &str) -> Value {
    let response = stage.send("GET", &format!("{LIST}?{query}"), access, "");
    assert_eq!(response.status(), 200, "{query}");
    json(&response)
}

#[test]
fn users_come_first_and_colleagues_fill_the_company_up() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(GRACE);
    let body = list(&mut stage, &access, "");
    let records = records(&body);
    assert_eq!(records.len(), 60);
    assert_eq!(records[0]["id"], 12_133_895_101_u64);
    assert_eq!(records[1]["name"], "Grace Sample");
    let ids: HashSet<u64> = records
        .iter()
        .filter_map(|one| one["id"].as_u64())
        .collect();
    assert_eq!(ids.len(), 60);
    assert!(ids.iter().all(|id| *id > u64::from(u32::MAX)));
    let numbers: HashSet<&str> = records
        .iter()
        .filter_map(|one| one["contact"]["businessPhone"].as_str())
        .collect();
    assert_eq!(numbers.len(), 60);
    for number in numbers {
        assert!(number.len() == 12 && &number[5..10] == "55501", "{number}");
    }
}

#[test]
fn every_extension_of_the_list_is_at_its_address() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let body = list(&mut stage, &access, "");
    for record in records(&body) {
        let uri = record["uri"].as_str().expect("an address");
        let one = json(&stage.send("GET", uri, &access, ""));
        assert_eq!((&one["id"], &one["name"]), (&record["id"], &record["name"]));
        assert_eq!(one["contact"], record["contact"]);
    }
}

#[test]
fn pages_are_linked_with_absolute_addresses_and_totals() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    let mut next = Some(format!(
        "https://platform.example{LIST}?perPage=25&status=Enabled&status=Disabled"
    ));
    let mut seen = Vec::new();
    while let Some(uri) = next {
        assert!(
            uri.starts_with("https://platform.example/restapi/"),
            "{uri}"
        );
        let body = json(&stage.send("GET", &uri, &access, ""));
        seen.extend(records(&body).iter().filter_map(|one| one["id"].as_u64()));
        assert_eq!(body["paging"]["totalElements"], 56);
        assert_eq!(body["paging"]["totalPages"], 3);
        assert!(
            body["navigation"]["lastPage"]["uri"]
                .as_str()
                .expect("last")
                .contains("page=3")
        );
        next = body["navigation"]["nextPage"]["uri"]
            .as_str()
            .map(String::from);
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 56);
}

#[test]
fn a_page_behind_the_last_is_empty() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for page in ["9", "18446744073709551615"] {
        let body = list(&mut stage, &access, &format!("page={page}"));
        assert!(records(&body).is_empty());
        assert!(body["navigation"].get("nextPage").is_none());
        let previous = body["navigation"]["previousPage"]["uri"].as_str();
        assert!(previous.expect("a link").contains("page=1&"));
    }
}

#[test]
fn filters_narrow_the_list_and_bad_ones_are_named() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(ADA);
    for (query, field, value) in [
        ("status=Disabled", "status", "Disabled"),
        ("type=Department", "type", "Department"),
    ] {
        let body = list(&mut stage, &access, query);
        assert!(!records(&body).is_empty());
        assert!(records(&body).iter().all(|one| one[field] == value));
    }
    for (query, name) in [
        ("status=Gone", "status"),
        ("type=user", "type"),
        ("page=0", "page"),
        ("page=+1", "page"),
        ("page=x", "page"),
        ("perPage=0", "perPage"),
        ("perPage=1001", "perPage"),
        ("perPage=max", "perPage"),
    ] {
        let response = stage.send("GET", &format!("{LIST}?{query}"), &access, "");
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
fn only_the_direct_number_sends_messages() {
    let mut stage = Stage::of(company());
    let access = stage.access_of(GRACE);
    let body = json(&stage.send("GET", &format!("{EXTENSION}/phone-number"), &access, ""));
    let senders: Vec<&Value> = records(&body)
        .iter()
        .filter(|number| {
            number["features"]
                .as_array()
                .expect("features")
                .contains(&"SmsSender".into())
        })
        .collect();
    assert_eq!(senders.len(), 1);
    assert_eq!(senders[0]["phoneNumber"], "+16505550102");
    assert_eq!(senders[0]["usageType"], "DirectNumber");
    assert!(
        records(&body)
            .iter()
            .any(|number| number["usageType"] == "MainCompanyNumber")
    );
}

#[test]
fn another_seed_is_another_company() {
    let names = |seed| {
        let mut config = company();
        config.seed = seed;
        let mut stage = Stage::of(config);
        let access = stage.access_of(ADA);
        let body = list(&mut stage, &access, "");
        records(&body)
            .iter()
            .map(|one| one["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(7), names(7));
    assert_ne!(names(7), names(8));
}
