//! The API's description, OpenAPI 3.1, made from the list of routes.

use axum::http::Method;
use hallway_api::Code;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::bounds::{Bounds, Takes};
use super::route::{Access, Kind, Route};

/// Describes every route of the API (pages of the console are left out).
pub fn describe(routes: &[Route], origin: &str) -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths = Map::<String, Value>::new();
    for route in routes.iter().filter(|route| route.kind == Kind::Api) {
        let mut operation = json!({
            "summary": route.summary,
            "operationId": operation_id(&route.method, route.path),
            "responses": {
                "default": { "description": "What went wrong", "content": problem() }
            },
        });
        for (status, why) in bounds(&route.bounds) {
            operation["responses"][status] = match status {
                "429" | "503" => {
                    json!({ "description": why, "content": problem(), "headers": { "Retry-After": {
                        "description": "Seconds", "schema": { "type": "integer" } } } })
                }
                _ => json!({ "description": why, "content": problem() }),
            };
        }
        let mut description = route.bounds.to_string();
        if let Some(response) = &route.response {
            operation["responses"]["200"] = json!({ "description": "Done", "content": content(response(&mut schemas).to_value()) });
        } else {
            operation["responses"]["200"] = json!({ "description": "Done" });
        }
        if let Some(request) = &route.request {
            operation["requestBody"] =
                json!({ "required": true, "content": content(request(&mut schemas).to_value()) });
        }
        let parameters: Vec<Value> = parameters(route.path)
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Access::Person(role) = route.access {
            operation["security"] = json!([{ "session": [] }, { "bearer": [] }]);
            description = format!("Needs the role {role}. {description}");
        }
        operation["description"] = json!(description);
        let methods = paths
            .entry(route.path.replace("{*", "{"))
            .or_insert_with(|| Value::Object(Map::new()));
        methods[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let mut components = schemas.take_definitions(true);
    components.insert("Code".to_owned(), code_schema());
    components.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hallway gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One FIDO2 key opens every door. Acts take two steps: ask for a statement, \
                            answer it with a WebAuthn assertion over its SHA-256.",
        },
        "servers": [{ "url": origin }],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "hallway" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

/// The answers when a request exceeds the bounds of a route.
fn bounds(bounds: &Bounds) -> impl Iterator<Item = (&'static str, &'static str)> {
    let slow = ("408", "The body came too slowly");
    let takes = !matches!(bounds.body, Takes::Nothing);
    let always = [
        ("413", "The body is too long"),
        ("429", "The caller has as many requests under way as may be"),
        (
            "503",
            "All callers have, or the answer is not ready in time",
        ),
    ];
    takes.then_some(slow).into_iter().chain(always)
}

fn content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn problem() -> Value {
    json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

/// RFC 9457, with the member `code`.
fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": {
                "description": "Stable, for programs. A partner or an agent may refuse with another one",
                "anyOf": [{ "$ref": "#/components/schemas/Code" }, { "type": "string" }],
            },
            "detail": { "type": "string", "description": "What happened, to what, what to do" },
        },
    })
}

/// Each code with which this gateway refuses.
fn code_schema() -> Value {
    let names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({ "type": "string", "enum": names })
}

fn operation_id(method: &Method, path: &str) -> String {
    let words = path
        .split(['/', '{', '}', '*', '-', '.'])
        .filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase())
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("_")
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
}
