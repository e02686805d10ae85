//! The interface as an `OpenAPI` document, and as a page for people; both are made of the same list and the same
//! schemas.

mod page;

use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use tidings_protocol::schemas::schemas;
use tidings_protocol::socket_events::{self as socket, FROM_CLIENT, FROM_SERVER, ServerEvent};

use super::home::CSP;
use super::{Access, Gives, OPERATIONS, Operation, Parameter, Sort};
use crate::extract::NoQuery;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static PAGE: LazyLock<String> = LazyLock::new(page::page);

pub(super) async fn get_openapi(_: NoQuery) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

pub(super) async fn get_docs(_: NoQuery) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, CSP)], PAGE.as_str())
}

/// `OpenAPI` 3.1. What sockets say stands beside it, under `x-events`: the specification has no place for it.
fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidings",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST half of the interface. Messages come over Socket.IO at /socket.io/; x-events has what is said there.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "headers": HEADERS.map(|(name, about)| (name.to_owned(), json!({ "description": about, "schema": { "type": "string" } }))).into_iter().collect::<Map<_, _>>(),
            "securitySchemes": { "accessToken": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        },
        "x-events": { "server": from_server(), "client": from_client() },
    })
}

fn from_server() -> Map<String, Value> {
    let events = FROM_SERVER.iter().map(|event| {
        let described = json!({
            "summary": event.summary,
            "sort": sort(*event),
            "payload": event.payload.map_or_else(|| json!({ "type": "object" }), reference),
        });
        (event.name.to_owned(), described)
    });
    events.collect()
}

fn from_client() -> Map<String, Value> {
    let events = FROM_CLIENT.iter().map(|event| {
        let described = json!({
            "summary": event.summary,
            "payload": reference(event.payload),
            "ack": { "anyOf": [reference(event.ack), reference("RefusedAck")] },
        });
        (event.name.to_owned(), described)
    });
    events.collect()
}

fn sort(event: ServerEvent) -> &'static str {
    match event.sort {
        socket::Sort::Durable => "durable",
        socket::Sort::Signal => "signal",
        socket::Sort::Connection => "connection",
    }
}

fn described(operation: &Operation) -> Value {
    let in_path = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let parameters = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .chain(operation.parameters.iter().map(outside_the_path));
    let mut responses: Map<String, Value> = operation
        .statuses
        .iter()
        .zip(["Done", "It was done before"])
        .map(|(status, about)| (status.to_string(), success(operation, about)))
        .collect();
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "A problem (RFC 9457); its code says which",
            "headers": headers(&["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"]),
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        }),
    );
    let mut described = json!({
        "tags": [group_of(operation.path)],
        "summary": operation.summary,
        "operationId": name_of(operation),
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(takes) = operation.takes {
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(takes) } },
        });
    }
    match operation.access {
        Access::Anybody => {}
        Access::Users => described["security"] = json!([{ "accessToken": [] }]),
        Access::Operators => described["description"] = "For operators: a 404 to others.".into(),
    }
    described
}

/// What belongs together.
fn group_of(path: &str) -> &'static str {
    let last = path.rsplit('/').next().unwrap_or_default();
    match path.split('/').nth(2) {
        _ if ["read", "delivered", "unread"].contains(&last) => "Reading",
        _ if last == "messages" => "Messages",
        Some("auth") => "Accounts and sessions",
        Some("users") => "People",
        Some("conversations") => "Conversations",
        Some("messages") => "Messages",
        Some("sync") => "Catching up",
        _ => "The server",
    }
}

/// `getConversationsIdMessages`: what generators make functions of.
fn name_of(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = operation.method.to_owned();
    for word in words.filter(|word| *word != "api") {
        let (first, rest) = word.split_at(1);
        name += &first.to_ascii_uppercase();
        name += rest;
    }
    name
}

fn outside_the_path(parameter: &Parameter) -> Value {
    let (place, schema) = match parameter.sort {
        Sort::Text => ("query", json!({ "type": "string" })),
        Sort::Number => ("query", json!({ "type": "integer", "minimum": 0 })),
        Sort::Flag => ("query", json!({ "type": "boolean" })),
        Sort::OneOf(words) => ("query", json!({ "type": "string", "enum": words })),
        Sort::Header => ("header", json!({ "type": "string" })),
    };
    json!({ "name": parameter.name, "in": place, "required": parameter.is_needed, "schema": schema })
}

fn success(operation: &Operation, about: &str) -> Value {
    let mut names = vec!["X-Request-Id"];
    if operation.access == Access::Users {
        names.extend(["RateLimit", "RateLimit-Policy"]);
    }
    if operation.statuses.len() > 1 || operation.parameters.iter().any(|one| one.sort == Sort::Header) {
        names.push("Idempotent-Replayed");
    }
    let mut success = json!({ "description": about, "headers": headers(&names) });
    match operation.gives {
        Gives::Nothing => {}
        Gives::Shape(name) => {
            success["content"] = json!({ "application/json": { "schema": reference(name) } });
        }
        Gives::Media(media) => success["content"] = json!({ media: {} }),
    }
    success
}

fn headers(names: &[&str]) -> Value {
    let named = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })));
    Value::Object(named.collect())
}

/// Headers of answers, and what they say.
const HEADERS: [(&str, &str); 5] = [
    ("X-Request-Id", "As the server's log names the request"),
    ("RateLimit", "How it stands: what may be done at once, and when more may"),
    ("RateLimit-Policy", "The limit that was counted for"),
    ("Retry-After", "Try again after so many seconds"),
    ("Idempotent-Replayed", "true: this was done before"),
];

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every schema that is pointed to, anywhere.
    fn pointed<'a>(value: &'a Value, found: &mut HashSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| pointed(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| pointed(value, found)),
            _ => {}
        }
    }

    #[test]
    fn whatever_the_document_points_to_is_in_it() {
        let mut found = HashSet::new();
        pointed(&DOCUMENT, &mut found);
        assert!(found.len() > 40, "{found:?}");
        for path in found {
            assert!(DOCUMENT.pointer(path.trim_start_matches('#')).is_some(), "{path}");
        }
        for name in PAGE.split("href=\"#").skip(1).filter_map(|part| part.split('"').next()) {
            assert!(PAGE.contains(&format!("id=\"{name}\"")), "{name}");
        }
    }

    #[test]
    fn every_operation_is_on_the_page() {
        for operation in OPERATIONS {
            assert!(PAGE.contains(&format!("id=\"{}\"", name_of(operation))), "{}", operation.path);
        }
    }

    /// The reference is made of the table: `UPDATE_REFERENCE=1 cargo test` writes it.
    #[test]
    fn the_reference_has_every_event() {
        let mut text = "# Events\n\nWhat is said on the socket. This page is made of the table in \
                        `crates/tidings-protocol/src/socket_events.rs` and of the shapes; a\ntest compares them. \
                        [api.md](../api.md#the-socket) says when what is said, and what a client does.\n\n\
                        ## From the server\n\nA `durable` event stands at a position of its stream: its fields are \
                        those of `Frame` and its own. A `signal` is over\nby itself; what is of the `connection` \
                        is about this socket alone.\n\n| event | sort | when | shape |\n| --- | --- | --- | --- |\n"
            .to_owned();
        let link = |name: &str| format!("[{name}](#{})", name.to_lowercase());
        let mut shapes = BTreeSet::from(["Frame", "RefusedAck"]);
        for event in &FROM_SERVER {
            let ServerEvent { name, summary, payload, .. } = event;
            shapes.extend(payload);
            let (sort, payload) = (sort(*event), payload.map_or_else(|| "`{}`".to_owned(), link));
            text += &format!("| `{name}` | {sort} | {summary} | {payload} |\n");
        }
        text += "\n## From the client\n\nEach takes one object and an ack. The ack of what is refused is \
                 [RefusedAck](#refusedack).\n\n| event | what for | shape | ack |\n| --- | --- | --- | --- |\n";
        for event in &FROM_CLIENT {
            shapes.extend([event.payload, event.ack]);
            let (name, summary) = (event.name, event.summary);
            text += &format!("| `{name}` | {summary} | {} | {} |\n", link(event.payload), link(event.ack));
        }
        let all = schemas();
        let find = |name: &str| match name {
            "Frame" => all.iter().find(|(name, _)| name.starts_with("Frame")).unwrap().1,
            name => &all[name],
        };
        let mut waiting: Vec<String> = shapes.iter().map(|name| (*name).to_owned()).collect();
        let mut found = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if found.insert(name.clone()) {
                let mut pointers = HashSet::new();
                pointed(find(&name), &mut pointers);
                let names = pointers.iter().filter_map(|path| path.rsplit('/').next());
                waiting.extend(names.filter(|name| *name != "EventBody").map(str::to_owned));
            }
        }
        text += "\n## Shapes\n";
        for name in &found {
            let schema = find(name);
            let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
            text += &format!("\n### {name}\n\n{about}\n\n| field | type | |\n| --- | --- | --- |\n");
            let parts = schema["allOf"].as_array().into_iter().flatten();
            for part in parts.filter_map(|part| part["$ref"].as_str()?.rsplit('/').next()) {
                if part != "EventBody" {
                    text += &format!("| | {} | its fields too |\n", link(part));
                }
            }
            for (field, shape) in page::fields(schema) {
                let about = shape["description"].as_str().unwrap_or_default().replace('\n', " ");
                text += &format!("| `{field}` | {} | {about} |\n", page::kind(shape, &link));
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/events.md");
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let written = fs::read_to_string(path).unwrap();
        assert_eq!(written, text, "UPDATE_REFERENCE=1 cargo test -p tidings-gateway");
    }
}
