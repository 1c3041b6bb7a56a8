//! The part of JSON Schema that the platform's description uses.

use serde_json::{Map, Value};

/// Keywords that restrict nothing, or nothing that is checked here.
const REMARKS: [&str; 4] = ["description", "default", "format", "pattern"];

/// Whether a value fits a schema of `document`; otherwise where it does not, and why.
///
/// Stricter than JSON Schema: where members are listed and `additionalProperties` is left out, others do not fit.
/// A keyword that is not understood is an error, so that nothing is checked less than it seems.
pub(crate) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    fits_at(document, schema, value, "")
}

fn fits_at(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = schema.as_object().ok_or("a schema is an object")?;
    for (keyword, wanted) in schema {
        let refusal = |why: String| Err(format!("{at}: {why}"));
        let number = |wanted: &Value| wanted.as_f64().ok_or("a bound is a number");
        match keyword.as_str() {
            "$ref" => fits_at(document, resolve(document, wanted)?, value, at)?,
            "type" if !is_of(wanted, value) => return refusal(format!("{value} is no {wanted}")),
            "enum" if !wanted.as_array().is_some_and(|all| all.contains(value)) => {
                return refusal(format!("{value} is not one of {wanted}"));
            }
            "oneOf" => {
                let choices = wanted.as_array().ok_or("oneOf is a list")?;
                let results: Vec<_> = choices
                    .iter()
                    .map(|choice| fits_at(document, choice, value, at))
                    .collect();
                let fitting = results.iter().filter(|result| result.is_ok()).count();
                if fitting != 1 {
                    return refusal(format!("{fitting} of oneOf fit: {results:?}"));
                }
            }
            "required" => {
                for name in wanted.as_array().ok_or("required is a list")? {
                    let name = name.as_str().ok_or("a name is a text")?;
                    if value.is_object() && value.get(name).is_none() {
                        return refusal(format!("{name} is missing"));
                    }
                }
            }
            "properties" | "additionalProperties" => {
                if let Value::Object(members) = value {
                    members_fit(document, schema, members, at)?;
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits_at(document, wanted, item, &format!("{at}/{index}"))?;
                }
            }
            "minimum"
                if value
                    .as_f64()
                    .is_some_and(|is| number(wanted).is_ok_and(|w| is < w)) =>
            {
                return refusal(format!("{value} is too little"));
            }
            "maximum"
                if value
                    .as_f64()
                    .is_some_and(|is| number(wanted).is_ok_and(|w| is > w)) =>
            {
                return refusal(format!("{value} is too much"));
            }
            "minItems" | "minLength" if length(value) < wanted.as_u64() => {
                return refusal(format!("{value} is too short"));
            }
            "maxItems" | "maxLength" if length(value) > wanted.as_u64() => {
                return refusal(format!("{value} is too long"));
            }
            "type" | "enum" | "minimum" | "maximum" | "minItems" | "maxItems" | "minLength"
            | "maxLength" => {}
            remark if REMARKS.contains(&remark) => {}
            unknown => return refusal(format!("the keyword {unknown} is not understood")),
        }
    }
    Ok(())
}

fn members_fit(
    document: &Value,
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let listed = schema.get("properties");
    for (name, member) in members {
        let place = format!("{at}/{name}");
        match (
            listed.and_then(|listed| listed.get(name)),
            schema.get("additionalProperties"),
        ) {
            (Some(schema), _) => fits_at(document, schema, member, &place)?,
            (None, Some(Value::Bool(true))) => {}
            (None, Some(schema @ Value::Object(_))) => fits_at(document, schema, member, &place)?,
            (None, _) => return Err(format!("{place}: this member is not described")),
        }
    }
    Ok(())
}

/// What a local reference stands for.
pub(crate) fn resolve<'a>(document: &'a Value, reference: &Value) -> Result<&'a Value, String> {
    let pointer = reference
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| document.pointer(pointer))
        .ok_or_else(|| format!("{reference} leads nowhere"))
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(any) => any.iter().any(|one| is_of(one, value)),
        Value::String(name) => match name.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            _ => false,
        },
        _ => false,
    }
}

/// Items of a list, characters of a text.
fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    u64::try_from(length).ok()
}

#[test]
fn what_does_not_fit_is_told_from_what_does() {
    use serde_json::json;

    let document = json!({ "named": { "type": "string", "enum": ["a", "b"] } });
    let of = |properties: Value| json!({ "type": "object", "properties": properties });
    let reference = json!({ "$ref": "#/named" });
    let bounded = json!({ "type": "integer", "minimum": 1, "maximum": 3 });
    let texts = json!({ "type": "array", "minItems": 1, "items": { "type": "string" } });
    let either = json!({ "oneOf": [{ "type": "string" }, { "type": ["integer", "null"] }] });
    let both = json!({ "oneOf": [{ "type": "number" }, { "type": "integer" }] });
    let closed = json!({ "type": "object", "required": ["x"], "properties": { "x": reference },
        "additionalProperties": false });
    let open = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    for (schema, value, expected) in [
        (&reference, json!("a"), true),
        (&reference, json!("c"), false),
        (&bounded, json!(3), true),
        (&bounded, json!(0), false),
        (&bounded, json!(4), false),
        (&bounded, json!(1.5), false),
        (&texts, json!(["x"]), true),
        (&texts, json!([]), false),
        (&texts, json!([1]), false),
        (&either, json!("x"), true),
        (&either, Value::Null, true),
        (&either, json!(true), false),
        (&both, json!(1), false),
        (&closed, json!({ "x": "a" }), true),
        (&closed, json!({}), false),
        (&closed, json!({ "x": "c" }), false),
        (&closed, json!({ "x": "a", "y": 1 }), false),
        (&open, json!({ "any": "text" }), true),
        (&open, json!({ "any": 1 }), false),
        (&of(json!({})), json!({ "undescribed": 1 }), false),
        (&json!({ "not": {} }), json!(1), false),
        (&json!({ "$ref": "#/nowhere" }), json!(1), false),
    ] {
        let result = fits(&document, schema, &value);
        assert_eq!(result.is_ok(), expected, "{schema} {value}: {result:?}");
    }
}
