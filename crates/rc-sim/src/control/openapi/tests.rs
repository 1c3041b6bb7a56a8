//! The document names exactly what the tables of the platform have.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use super::*;
use crate::{
    control::{COMMANDS, OVER_ALL, PREFIX},
    platform::{limits::Group, route::Route},
    resources::endpoints::{ENDPOINTS, Handler},
    switches::Switches,
};

fn whole() -> Value {
    document().expect("every part is JSON")
}

/// Method, path and description of every operation.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            if method != "parameters" {
                let method = method.to_uppercase().parse().expect("a method");
                operations.push((method, path.clone(), operation.clone()));
            }
        }
    }
    operations
}

fn described(document: &Value, tags: &[&str]) -> BTreeSet<(String, String)> {
    operations(document)
        .into_iter()
        .filter(|(_, _, operation)| {
            let tag = operation["tags"][0].as_str().expect("a tag");
            tags.contains(&tag)
        })
        .map(|(method, path, _)| (method.to_string(), path))
        .collect()
}

/// A path with its variables named alike.
fn anonymous(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        variable if variable.starts_with('{') => "{}",
        segment => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[test]
fn no_two_parts_say_the_same() {
    let count = |value: &Value, pointer: &str| {
        let members = value.pointer(pointer).and_then(Value::as_object);
        members.map_or(0, Map::len)
    };
    let whole = whole();
    for pointer in [
        "/paths",
        "/components/schemas",
        "/components/responses",
        "/components/parameters",
    ] {
        let parts = PARTS.map(|part| serde_json::from_str(part).expect("JSON"));
        let sum: usize = parts.iter().map(|part| count(part, pointer)).sum();
        assert_eq!(count(&whole, pointer), sum, "{pointer}");
    }
}

#[test]
fn every_endpoint_is_described_with_its_group_and_permissions() {
    let whole = whole();
    let expected: BTreeSet<_> = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.method.to_string(), endpoint.template.to_owned()))
        .collect();
    assert_eq!(described(&whole, &["resources"]), expected);
    for endpoint in &ENDPOINTS {
        let method = endpoint.method.as_str().to_lowercase();
        let operation = &whole["paths"][endpoint.template][method];
        let group = match endpoint.group {
            None => "NoThrottling",
            Some(Group::Light) => "Light",
            Some(Group::Medium) => "Medium",
            Some(Group::Heavy) => "Heavy",
            Some(Group::Auth) => "Auth",
        };
        let place = format!("{} {}", endpoint.method, endpoint.template);
        assert_eq!(operation["x-throttling-group"], group, "{place}");
        let app = operation.get("x-app-permission").and_then(Value::as_str);
        let user = operation.get("x-user-permission").and_then(Value::as_str);
        assert_eq!(app, endpoint.app_permission, "{place}");
        assert_eq!(user, endpoint.user_permission, "{place}");
        let ways = operation["security"].as_array().expect("security");
        let expected = match endpoint.handler {
            Handler::Open(_) => 0,
            Handler::Token(_) => 1,
            Handler::Media(_) => 2,
        };
        assert_eq!(ways.len(), expected, "{place}");
    }
}

#[test]
fn every_control_request_is_described_and_no_other() {
    let expected: BTreeSet<_> = COMMANDS
        .iter()
        .chain(OVER_ALL)
        .map(|command| {
            (
                command.method.to_string(),
                format!("{PREFIX}{}", command.path),
            )
        })
        .collect();
    let found: BTreeSet<_> = described(&whole(), &["control"])
        .into_iter()
        .map(|(method, path)| (method, anonymous(&path)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn only_what_is_over_all_namespaces_takes_none() {
    let whole = whole();
    for (_, path, operation) in operations(&whole) {
        let parameters = operation["parameters"].as_array();
        let namespace = "#/components/parameters/namespace";
        let takes_one = parameters
            .is_some_and(|parameters| parameters.iter().any(|one| one["$ref"] == namespace));
        let over_all = ["/sim/namespaces", "/sim/snapshot", "/sim/signing-key"]
            .iter()
            .any(|start| path.starts_with(start));
        assert_eq!(takes_one, path.starts_with(PREFIX) && !over_all, "{path}");
    }
}

#[test]
fn every_oauth_and_discovery_route_is_described_and_no_other() {
    let expected: BTreeSet<(String, String)> = [
        ("GET", "/restapi/oauth/authorize"),
        ("POST", "/restapi/oauth/authorize"),
        ("POST", "/restapi/oauth/token"),
        ("POST", "/restapi/oauth/revoke"),
        ("GET", "/restapi/oauth/userinfo"),
        ("POST", "/restapi/oauth/userinfo"),
        ("GET", "/restapi/oauth/jwks"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/entry-points/initial"),
        ("GET", "/.well-known/entry-points/external"),
    ]
    .into_iter()
    .map(|(method, path)| (method.to_owned(), path.to_owned()))
    .collect();
    assert_eq!(described(&whole(), &["oauth", "discovery"]), expected);
    // Whatever else could be asked for there leads nowhere.
    let paths: BTreeSet<&String> = expected.iter().map(|(_, path)| path).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let route = Route::of(&method.parse().expect("a method"), path);
            let leads_somewhere = !matches!(route, Route::Nothing | Route::Resource);
            let described = expected.contains(&(method.to_owned(), path.clone()));
            assert_eq!(leads_somewhere, described, "{method} {path}");
        }
    }
}

#[test]
fn the_switches_are_described_with_their_defaults() {
    let whole = whole();
    let schema = &whole["components"]["schemas"]["Switches"];
    let defaults = serde_json::to_value(Switches::default()).expect("JSON");
    same_members(schema, &defaults, "switches");
}

fn same_members(schema: &Value, defaults: &Value, place: &str) {
    if let Some(default) = schema.get("default") {
        assert_eq!(default, defaults, "{place}");
        return;
    }
    assert_eq!(schema["additionalProperties"], false, "{place}");
    let names = |value: &Value| -> BTreeSet<String> {
        let members = value.as_object().expect("an object");
        members.keys().cloned().collect()
    };
    assert_eq!(names(&schema["properties"]), names(defaults), "{place}");
    for (name, default) in defaults.as_object().expect("an object") {
        same_members(
            &schema["properties"][name],
            default,
            &format!("{place}.{name}"),
        );
    }
}
