//! The platform's own description, and requests made from it.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

use crate::{
    schema::{fits, resolve},
    stage::{ADA, CHALLENGE, EXTENSION, REDIRECT_URI, Stage, company, form, json},
};

/// One operation of the description.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) spec: Value,
    /// Those of the path and its own, resolved.
    pub(crate) parameters: Vec<Value>,
}

pub(crate) fn document() -> Value {
    let request = Request::get("/sim/openapi.json").body(Bytes::new());
    let mut stage = Stage::new();
    let now = stage.now;
    let response = stage.platform.control(&request.expect("a request"), now);
    let body = String::from_utf8_lossy(response.body());
    assert_eq!(response.status(), 200, "{body}");
    json(&response)
}

pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let shared = item["parameters"].as_array();
        for (method, spec) in item.as_object().expect("a path item") {
            if method == "parameters" {
                continue;
            }
            let own = spec["parameters"].as_array();
            let parameters = shared.into_iter().chain(own).flatten();
            operations.push(Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                spec: spec.clone(),
                parameters: parameters.map(|one| resolved(document, one)).collect(),
            });
        }
    }
    operations
}

fn resolved(document: &Value, value: &Value) -> Value {
    match value.get("$ref") {
        Some(reference) => resolve(document, reference).expect("a reference").clone(),
        None => value.clone(),
    }
}

/// A request and the stage that is set for it.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) request: Request<Bytes>,
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn is_control(&self) -> bool {
        self.path.starts_with("/sim/")
    }

    pub(crate) fn is_json(&self) -> bool {
        self.spec["requestBody"]["content"]["application/json"].is_object()
    }

    /// The JSON body of the description's example.
    pub(crate) fn example(&self) -> Option<&Value> {
        self.spec
            .pointer("/requestBody/content/application~1json/example")
    }

    pub(crate) fn body_schema(&self) -> Option<&Value> {
        let content = self.spec.pointer("/requestBody/content")?.as_object()?;
        content.values().next()?.get("schema")
    }

    /// A request that the platform carries out.
    pub(crate) fn scene(&self) -> Scene {
        let mut stage = Stage::of(company());
        // An ID token costs a signature; those who do not look at one do without.
        let scope = match self.path.as_str() {
            "/restapi/oauth/token" | "/restapi/oauth/userinfo" => "openid email profile",
            _ => "",
        };
        let url = stage.authorize_url(&[("scope", scope)]);
        let now = stage.now;
        let callback = stage.platform.sign_in(&url, ADA, now).expect("a callback");
        let code = callback.param("code").expect("a code");
        let body = match self.path.as_str() {
            "/restapi/oauth/token" => form(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT_URI),
            ]),
            _ => String::new(),
        };
        let access = match self.path.as_str() {
            "/restapi/oauth/token" => String::new(),
            _ => crate::stage::pair(&stage.exchange(&code)).access,
        };
        let body = match (&self.method, self.path.as_str()) {
            (_, "/restapi/oauth/revoke") => form(&[("token", &access)]),
            (&Method::POST, "/restapi/oauth/authorize") => authorization(&stage),
            _ => self.example().map_or(body, Value::to_string),
        };
        let uri = self.uri(&mut stage, &access);
        let mut request = Request::builder().method(&self.method).uri(uri);
        if self.spec["requestBody"]["content"]["application/x-www-form-urlencoded"].is_object() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let ways = self.spec["security"].as_array().expect("security");
        if ways.iter().any(|way| way.get("client_secret").is_some()) {
            request = request.header("authorization", stage.basic());
        } else if ways.iter().any(|way| way.get("access_token").is_some()) {
            request = request.header("authorization", format!("Bearer {access}"));
        }
        let request = request.body(Bytes::from(body)).expect("a request");
        Scene { stage, request }
    }

    /// The address, with what stands for its variables.
    fn uri(&self, stage: &mut Stage, access: &str) -> String {
        let mut first = |list: &str| {
            let list = stage.send("GET", &format!("{EXTENSION}/{list}"), access, "");
            let id = &json(&list)["records"][0]["id"];
            id.as_str().map_or(id.to_string(), str::to_owned)
        };
        let mut path = self.path.replace("{accountId}", "~");
        path = path.replace("{extensionId}", "~");
        if path.contains("{callRecordId}") {
            path = path.replace("{callRecordId}", &first("call-log"));
        }
        if path.contains("{messageId}") {
            let message = first("message-store?dateFrom=2020-01-01");
            path = path.replace("{messageId}", &message);
            path = path.replace("{attachmentId}", &message);
        }
        path = path.replace("{id}", "1").replace("{name}", "test-1");
        match (&self.method, self.path.as_str()) {
            (&Method::GET, "/restapi/oauth/authorize") => {
                format!("{path}?{}", authorization(stage))
            }
            (_, "/.well-known/entry-points/initial") => {
                format!("{path}?{}", form(&[("clientId", &stage.client_id())]))
            }
            _ => path,
        }
    }

    /// Whether an answer is one that the description declares; otherwise why not.
    pub(crate) fn declares(
        &self,
        document: &Value,
        response: &Response<Bytes>,
    ) -> Result<(), String> {
        let status = response.status();
        let declared = self.spec["responses"].get(status.as_str());
        let declared = declared.ok_or_else(|| format!("{status} is not declared"))?;
        let declared = resolved(document, declared);
        let body = response.body();
        let Some(content) = declared["content"].as_object() else {
            return match body.is_empty() {
                true => Ok(()),
                false => Err(format!("{status} has a body that is not declared")),
            };
        };
        let media_type = response.headers().get("content-type");
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let essence = media_type.and_then(|value| value.split(';').next());
        let essence = essence.ok_or_else(|| format!("{status} has no media type"))?;
        let content = content
            .get(essence)
            .ok_or_else(|| format!("{status} has the undeclared media type {essence}"))?;
        if essence != "application/json" {
            return Ok(());
        }
        fits(document, &content["schema"], &json(response)).map_err(|why| format!("{status} {why}"))
    }
}

fn authorization(stage: &Stage) -> String {
    form(&[
        ("response_type", "code"),
        ("client_id", &stage.client_id()),
        ("redirect_uri", REDIRECT_URI),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ])
}

impl Scene {
    pub(crate) fn play(&mut self) -> Response<Bytes> {
        let now = self.stage.now;
        if self.request.uri().path().starts_with("/sim/") {
            self.stage.platform.control(&self.request, now)
        } else {
            self.stage.platform.respond(&self.request, now)
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        let value = http::HeaderValue::from_static(value);
        self.request.headers_mut().insert(name, value);
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub(crate) fn at(mut self, uri: &str) -> Self {
        *self.request.uri_mut() = uri.parse().expect("an address");
        self
    }
}

/// Panics unless the answer has this status and is declared.
pub(crate) fn declared(
    document: &Value,
    operation: &Operation,
    status: u16,
    response: &Response<Bytes>,
) {
    let name = operation.name();
    let body = String::from_utf8_lossy(response.body());
    assert_eq!(response.status(), status, "{name}: {body}");
    if let Err(why) = operation.declares(document, response) {
        panic!("{name}: {why}: {body}");
    }
}

/// The operation of an id.
pub(crate) fn named(document: &Value, id: &str) -> Operation {
    let mut all = operations(document).into_iter();
    let found = all.find(|operation| operation.spec["operationId"] == id);
    found.unwrap_or_else(|| panic!("there is no operation {id}"))
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

/// Values that a schema allows, in a query.
pub(crate) fn values(schema: &Value) -> Vec<String> {
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().flat_map(values).collect();
    }
    if let Some(all) = schema["enum"].as_array() {
        return all
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
    }
    match text(schema, "type") {
        "array" => values(&schema["items"]),
        "integer" => {
            let bounds = ["minimum", "maximum"].map(|bound| schema.get(bound));
            bounds.into_iter().flatten().map(Value::to_string).collect()
        }
        _ => vec!["2026-01-01T00:00:00.000Z".to_owned()],
    }
}
