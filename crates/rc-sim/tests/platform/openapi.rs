//! The platform answers as its OpenAPI description says.

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    described::{Operation, Scene, declared, document, named, operations, text, values},
    schema::{fits, resolve},
    stage::{Stage, form, refusal},
};

fn resources(document: &Value) -> impl Iterator<Item = Operation> {
    let all = operations(document).into_iter();
    all.filter(|operation| operation.spec["tags"][0] == "resources")
}

#[test]
fn every_operation_is_carried_out_and_answers_as_declared() {
    let document = document();
    for operation in operations(&document) {
        let mut scene = operation.scene();
        if operation.path.ends_with("/{id}") || operation.path == "/sim/faults" {
            let fault = named(&document, "addFault").scene();
            let now = scene.stage.now;
            scene.stage.platform.control(&fault.request, now);
        }
        let expected = match operation.path.as_str() {
            "/restapi/oauth/authorize" => 302,
            _ if operation.method == "DELETE" && !operation.is_control() => 204,
            _ => 200,
        };
        if let Some(schema) = operation.body_schema().filter(|_| !operation.is_json()) {
            let pairs = form_urlencoded::parse(scene.request.body());
            let members = pairs.map(|(name, value)| (name.into_owned(), json!(value)));
            let body = Value::Object(members.collect());
            assert_eq!(fits(&document, schema, &body), Ok(()), "{body}");
        }
        let response = scene.play();
        declared(&document, &operation, expected, &response);
    }
}

#[test]
fn tokens_of_every_grant_and_with_session_limits_are_declared() {
    let document = document();
    let token = named(&document, "token");
    let schema = token.body_schema().expect("a schema");
    let mut stage = Stage::new();
    let limits = json!({ "session_limits": { "absolute_seconds": 9000, "idle_seconds": 900 } });
    stage.platform.patch_switches(limits).expect("switches");
    let pair = stage.sign_in();
    let jwt = stage.platform.personal_jwt(crate::stage::ADA).expect("Ada");
    let jwt_bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    for pairs in [
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", pair.refresh.as_str()),
        ],
        [("grant_type", jwt_bearer), ("assertion", jwt.as_str())],
    ] {
        let body: serde_json::Map<String, Value> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        assert_eq!(fits(&document, schema, &Value::Object(body)), Ok(()));
        let response = stage.token(&pairs);
        declared(&document, &token, 200, &response);
        let info = crate::stage::json(&response);
        for member in [
            "session_expires_in",
            "session_expiration_time",
            "session_idle_timeout",
        ] {
            assert!(info.get(member).is_some(), "{member}");
        }
    }
}

#[test]
fn operation_ids_and_examples_are_sound() {
    let document = document();
    let mut ids = std::collections::BTreeSet::new();
    for operation in operations(&document) {
        let name = operation.name();
        let id = operation.spec["operationId"].as_str().expect("an id");
        assert!(ids.insert(id.to_owned()), "{id} comes twice");
        assert!(operation.spec["summary"].is_string(), "{name}");
        for variable in operation
            .path
            .split('/')
            .filter(|part| part.starts_with('{'))
        {
            let described = operation
                .parameters
                .iter()
                .any(|one| one["in"] == "path" && format!("{{{}}}", text(one, "name")) == variable);
            assert!(described, "{name}: {variable}");
        }
        if let Some(example) = operation.example() {
            let schema = operation.body_schema().expect("a schema");
            assert_eq!(fits(&document, schema, example), Ok(()), "{name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in &references {
        assert_eq!(resolve(&document, reference).err(), None);
    }
    for kind in ["schemas", "responses", "parameters"] {
        for name in document["components"][kind].as_object().expect(kind).keys() {
            let start = format!("#/components/{kind}/{name}");
            let used = references
                .iter()
                .filter_map(Value::as_str)
                .any(|reference| reference == start || reference.starts_with(&format!("{start}/")));
            assert!(used, "{start}");
        }
    }
}

fn collect(value: &Value, references: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").cloned());
            members.values().for_each(|one| collect(one, references));
        }
        Value::Array(items) => items.iter().for_each(|one| collect(one, references)),
        _ => {}
    }
}

#[test]
fn calls_without_a_token_are_refused_as_declared() {
    let document = document();
    for operation in operations(&document) {
        let ways = operation.spec["security"].as_array().expect("security");
        if ways.iter().any(|way| way.get("access_token").is_some()) {
            let response = operation.scene().without_header("authorization").play();
            declared(&document, &operation, 401, &response);
        }
    }
}

#[test]
fn calls_of_an_app_without_permission_are_refused_as_declared() {
    let document = document();
    for operation in resources(&document) {
        if operation.spec.get("x-app-permission").is_none() {
            continue;
        }
        let mut scene = operation.scene();
        let mut config = crate::stage::demo();
        config.apps[0].permissions = vec!["Faxes".into()];
        scene.stage = Stage::of(config);
        let access = scene.stage.access_of(crate::stage::ADA);
        let bearer = format!("Bearer {access}").parse().expect("a header");
        scene.request.headers_mut().insert("authorization", bearer);
        let response = scene.play();
        declared(&document, &operation, 403, &response);
        assert_eq!(refusal(&response).2, "CMN-401", "{}", operation.name());
    }
}

#[test]
fn ids_that_nobody_has_are_answered_as_declared() {
    let document = document();
    for operation in resources(&document) {
        for parameter in operation
            .parameters
            .iter()
            .filter(|one| one["in"] == "path")
        {
            let variable = format!("{{{}}}", text(parameter, "name"));
            let scene = operation.scene();
            let index = operation.path.split('/').position(|part| part == variable);
            let mut parts: Vec<&str> = scene.request.uri().path().split('/').collect();
            parts[index.expect("a variable of the path")] = "987654321";
            let uri = parts.join("/");
            let response = scene.at(&uri).play();
            declared(&document, &operation, 404, &response);
        }
    }
}

#[test]
fn parameters_of_the_query_take_what_is_declared_and_nothing_else() {
    let document = document();
    for operation in resources(&document) {
        for parameter in operation
            .parameters
            .iter()
            .filter(|one| one["in"] == "query")
        {
            let name = text(parameter, "name");
            for (value, status) in values(&parameter["schema"])
                .into_iter()
                .map(|value| (value, 200))
                .chain([("no such value".to_owned(), 400)])
            {
                let scene = operation.scene();
                let path = scene.request.uri().path().to_owned();
                let uri = format!("{path}?{}", form(&[(name, &value)]));
                let response = scene.at(&uri).play();
                declared(&document, &operation, status, &response);
            }
        }
    }
}

#[test]
fn limits_are_told_as_declared() {
    let document = document();
    for operation in operations(&document) {
        let group = operation.spec.get("x-throttling-group");
        let throttled = group.is_some_and(|group| group != "NoThrottling");
        let mut scene = operation.scene();
        let none_left = json!({ "limits": {
            "enabled": true, "light": 0, "medium": 0, "heavy": 0, "auth": 0,
        } });
        scene
            .stage
            .platform
            .patch_switches(none_left)
            .expect("switches");
        let response = scene.play();
        if throttled {
            declared(&document, &operation, 429, &response);
            let wanted = group.and_then(Value::as_str).map(str::to_lowercase);
            let told = response.headers()["x-rate-limit-group"].to_str().ok();
            assert_eq!(told, wanted.as_deref(), "{}", operation.name());
        } else {
            assert_ne!(response.status(), 429, "{}", operation.name());
        }
    }
}

#[test]
fn refusals_of_the_oauth_endpoints_are_declared() {
    let document = document();
    let token = named(&document, "token");
    let refresh = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "unknown"),
    ]);
    let unknown_code = form(&[("grant_type", "authorization_code"), ("code", "unknown")]);
    let wrong_secret = |scene: Scene| {
        let id = scene.stage.client_id();
        let basic = crate::stage::basic(&id, "wrong");
        let mut scene = scene;
        let basic = basic.parse().expect("a header");
        scene.request.headers_mut().insert("authorization", basic);
        scene
    };
    let guide = |mut scene: Scene| {
        let switch = json!({ "error_statuses": "guide-table", "error_shape": "bare" });
        scene
            .stage
            .platform
            .patch_switches(switch)
            .expect("switches");
        scene
    };
    let other_type = |scene: Scene| scene.with_header("content-type", "application/json");
    for (status, mut scene) in [
        (400, token.scene().with_body(refresh)),
        (400, token.scene().with_body(unknown_code.clone())),
        (400, wrong_secret(token.scene())),
        (401, guide(wrong_secret(token.scene()))),
        (403, guide(token.scene().with_body(unknown_code))),
        (415, other_type(token.scene())),
    ] {
        declared(&document, &token, status, &scene.play());
    }
    let revoke = named(&document, "revoke");
    for mut scene in [wrong_secret(revoke.scene()), revoke.scene().with_body("")] {
        declared(&document, &revoke, 400, &scene.play());
    }
    let authorize = named(&document, "authorize");
    let unknown = "/restapi/oauth/authorize?response_type=code&client_id=unknown";
    for accept in ["text/html", "application/json"] {
        let mut scene = authorize.scene().at(unknown).with_header("accept", accept);
        declared(&document, &authorize, 403, &scene.play());
        let scene = authorize.scene().at(unknown).with_header("accept", accept);
        declared(&document, &authorize, 400, &guide(scene).play());
    }
    let initial = named(&document, "initialEntryPoints");
    let nobody = "/.well-known/entry-points/initial?clientId=unknown";
    declared(&document, &initial, 400, &initial.scene().at(nobody).play());
}
