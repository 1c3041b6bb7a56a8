//! The control API takes what its description says, and nothing else.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    described::{Operation, declared, document, named, operations, text, values},
    schema::{fits, resolve},
};

#[test]
fn members_of_control_bodies_that_are_not_described_are_refused() {
    let document = document();
    for operation in operations(&document) {
        if !operation.is_control() {
            continue;
        }
        let mut body = operation.example().cloned().unwrap_or_else(|| json!({}));
        body["undescribed"] = json!(1);
        if let Some(schema) = operation.body_schema() {
            let result = fits(&document, schema, &body);
            assert!(result.is_err(), "{}", operation.name());
            assert!(closed(&document, schema), "{}", operation.name());
        }
        let response = operation.scene().with_body(body.to_string()).play();
        declared(&document, &operation, 400, &response);
        let sentence = crate::stage::json(&response)["error"].to_string();
        assert!(sentence.contains("undescribed"), "{sentence}");
    }
}

/// Whether every object of a schema says `additionalProperties: false`.
fn closed(document: &Value, schema: &Value) -> bool {
    if let Some(reference) = schema.get("$ref") {
        return closed(document, resolve(document, reference).expect("a reference"));
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().all(|choice| closed(document, choice));
    }
    schema["type"] != "object" || schema["additionalProperties"] == false
}

#[test]
fn every_described_fault_and_switch_is_taken() {
    let document = document();
    let add = named(&document, "addFault");
    let schemas = &document["components"]["schemas"];
    for fault in schemas["PlainFault"]["properties"]["fault"]["enum"]
        .as_array()
        .expect("names")
    {
        for target in schemas["FaultTarget"]["enum"].as_array().expect("targets") {
            let body = json!({ "fault": fault, "target": target });
            taken(&document, &add, &body);
        }
    }
    for body in [
        json!({ "fault": "delay", "milliseconds": 5, "nth": 2, "login": "ada@acme.example" }),
        json!({ "fault": "truncate", "bytes": 0, "method": "GET", "path": "/restapi/*" }),
        json!({ "fault": "replace", "status": 503, "body": "x", "headers": { "Retry-After": "1" },
            "carried_out": true, "probability": 0.5, "seconds": 3, "times": 2 }),
        json!({ "fault": "drop-after", "times": 0 }),
    ] {
        taken(&document, &add, &body);
    }
    let change = named(&document, "changeSwitches");
    for (name, schema) in schemas["Switches"]["properties"]
        .as_object()
        .expect("switches")
    {
        for value in alternatives(schema) {
            taken(&document, &change, &json!({ name: value }));
        }
    }
}

fn taken(document: &Value, operation: &Operation, body: &Value) {
    let schema = operation.body_schema().expect("a schema");
    assert_eq!(fits(document, schema, body), Ok(()), "{body}");
    let response = operation.scene().with_body(body.to_string()).play();
    declared(document, operation, 200, &response);
}

/// A few values that the schema of a switch allows.
fn alternatives(schema: &Value) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().flat_map(alternatives).collect();
    }
    match schema["type"].as_str() {
        Some("boolean") => vec![json!(true), json!(false)],
        Some("object") => {
            let members = schema["properties"].as_object().expect("members");
            let first = |schema| alternatives(schema).into_iter().next_back();
            let all: serde_json::Map<String, Value> = members
                .iter()
                .filter_map(|(name, schema)| Some((name.clone(), first(schema)?)))
                .collect();
            vec![Value::Object(all)]
        }
        Some(_) | None => vec![json!(7)],
    }
}

#[test]
fn pages_may_not_use_the_control_api_and_unknown_namespaces_are_declared() {
    let document = document();
    for operation in operations(&document) {
        if !operation.is_control() {
            continue;
        }
        let mut of_a_page = operation
            .scene()
            .with_header("origin", "http://page.example");
        declared(&document, &operation, 403, &of_a_page.play());
        let mut elsewhere = operation.scene().with_header("x-sim-namespace", "nowhere");
        let response = elsewhere.play();
        let expected = match operation.path.starts_with("/sim/namespaces")
            || operation.path == "/sim/snapshot"
        {
            true => StatusCode::OK,
            false => StatusCode::NOT_FOUND,
        };
        declared(&document, &operation, expected.as_u16(), &response);
    }
}

#[test]
fn conflicts_and_people_who_are_not_there_are_declared() {
    let document = document();
    let add = named(&document, "addNamespace");
    let mut scene = add.scene();
    declared(&document, &add, 200, &scene.play());
    declared(&document, &add, 409, &scene.play());
    for id in ["enableUser", "createPersonalJwt"] {
        let operation = named(&document, id);
        let mut body = operation.example().expect("an example").clone();
        body["login"] = json!("nobody@acme.example");
        let response = operation.scene().with_body(body.to_string()).play();
        declared(&document, &operation, 404, &response);
    }
}

#[test]
fn parameters_of_events_are_those_that_are_described() {
    let document = document();
    let list = named(&document, "listEvents");
    let query = list.parameters.iter().filter(|one| one["in"] == "query");
    for parameter in query {
        let values = match parameter["schema"].get("enum") {
            Some(_) => values(&parameter["schema"]),
            None => vec!["1".to_owned()],
        };
        for value in values {
            let uri = format!("/sim/events?{}={value}", text(parameter, "name"));
            declared(&document, &list, 200, &list.scene().at(&uri).play());
        }
    }
    let response = list.scene().at("/sim/events?undescribed=1").play();
    declared(&document, &list, 400, &response);
}
