//! The document for people: a page without a script, of the same list and the same shapes. It is made of names and
//! words of our own only: nothing has to be escaped but what is markup in them.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tidings_protocol::schemas::schemas;
use tidings_protocol::socket_events::{FROM_CLIENT, FROM_SERVER};

use super::super::{Access, Gives, OPERATIONS, Operation, Parameter, Sort};
use super::{group_of, name_of, sort};

/// In this order.
const GROUPS: [&str; 7] =
    ["Accounts and sessions", "People", "Conversations", "Messages", "Reading", "Catching up", "The server"];

pub(super) fn page() -> String {
    let schemas = schemas();
    let mut text = String::from(include_str!("page.html"));
    let sections = GROUPS.iter().copied().chain(["Events of the server", "Events of a client", "Shapes"]);
    text.push_str("<nav>");
    sections.for_each(|name| text += &format!("<a href=\"#{}\">{name}</a>", anchor(name)));
    text.push_str("</nav>\n");
    for group in GROUPS {
        open(&mut text, group);
        for operation in OPERATIONS.iter().filter(|operation| group_of(operation.path) == group) {
            write_operation(&mut text, &schemas, operation);
        }
        text.push_str("</div>\n");
    }
    open(&mut text, "Events of the server");
    for event in &FROM_SERVER {
        write_summary(&mut text, "", sort(*event), event.name, event.summary);
        match event.payload {
            Some(name) => text += &format!("<h4>{}</h4>{}", link(name), table(&schemas, name)),
            None => text.push_str("<p>An empty object.</p>"),
        }
        text.push_str("</div></details>\n");
    }
    text.push_str("</div>\n");
    open(&mut text, "Events of a client");
    for event in &FROM_CLIENT {
        write_summary(&mut text, "", "emit", event.name, event.summary);
        let (payload, ack) = (table(&schemas, event.payload), table(&schemas, event.ack));
        text += &format!(
            "<h4>Takes {}</h4>{payload}<h4>Acknowledged with {}",
            link(event.payload),
            link(event.ack)
        );
        text += &format!(", or {}</h4>{ack}</div></details>\n", link("RefusedAck"));
    }
    text.push_str("</div>\n");
    open(&mut text, "Shapes");
    for (name, schema) in &schemas {
        let about = schema["description"].as_str().unwrap_or_default();
        let first = about.split(['.', ':', '\n']).next().unwrap_or_default();
        let name_and_first = format!("<b></b><code>{name}</code><span>{}</span>", marked(first));
        text +=
            &format!("<details><summary>{name_and_first}</summary><div class=\"inside\" id=\"{name}\"><p>");
        text += &format!("{}</p>{}</div></details>\n", marked(about), table(&schemas, name));
    }
    text.push_str("</div>\n</main>\n</html>\n");
    text
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn open(text: &mut String, name: &str) {
    *text += &format!("<h2 id=\"{}\">{name}</h2>\n<div class=\"group\">\n", anchor(name));
}

/// The line that is seen, and the beginning of what it opens.
fn write_summary(text: &mut String, class: &str, word: &str, name: &str, about: &str) {
    *text += &format!(
        "<details><summary><b class=\"{class}\">{word}</b><code>{name}</code><span>{about}</span></summary>\
         <div class=\"inside\">"
    );
}

fn write_operation(text: &mut String, schemas: &Map<String, Value>, operation: &Operation) {
    let Operation { method, path, summary, access, parameters, takes, statuses, gives } = operation;
    write_summary(text, method, method, path, summary);
    text.push_str(match access {
        Access::Anybody => "",
        Access::Users => "<p>With an access token.</p>",
        Access::Operators => "<p>For those who run the server: a 404 to others.</p>",
    });
    *text += &format!("<pre id=\"{}\">{}</pre>", name_of(operation), curl(operation));
    if !parameters.is_empty() {
        text.push_str("<h4>Parameters</h4><table>");
        for Parameter { name, sort, is_needed } in *parameters {
            let kind = match sort {
                Sort::Text => "text".to_owned(),
                Sort::Number => "a whole number".to_owned(),
                Sort::Flag => "true or false".to_owned(),
                Sort::OneOf(words) => words.join(" or "),
                Sort::Header => "a header".to_owned(),
            };
            let needed = if *is_needed { "needed" } else { "" };
            *text += &format!("<tr><td><code>{name}</code></td><td>{kind}</td><td>{needed}</td></tr>");
        }
        text.push_str("</table>");
    }
    if let Some(takes) = takes {
        *text += &format!("<h4>Takes {}</h4>{}", link(takes), table(schemas, takes));
    }
    let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
    let _ = match gives {
        Gives::Nothing => write!(text, "<h4>Answers {}, without a body</h4>", statuses.join(" or ")),
        Gives::Media(media) => write!(text, "<h4>Answers {}, {media}</h4>", statuses.join(" or ")),
        Gives::Shape(name) => {
            write!(text, "<h4>Answers {}, {}</h4>{}", statuses.join(" or "), link(name), table(schemas, name))
        }
    };
    text.push_str("</div></details>\n");
}

/// To be pasted, with variables for what has to be known.
fn curl(operation: &Operation) -> String {
    let mut line = String::from("curl -s");
    if operation.method != "get" {
        let _ = write!(line, " -X {}", operation.method.to_uppercase());
    }
    if operation.access == Access::Users {
        line.push_str(" -H \"authorization: Bearer $TOKEN\"");
    }
    if operation.takes.is_some() {
        line.push_str(" -H 'content-type: application/json' -d '{…}'");
    }
    let path = operation.path.replace('{', "$").replace('}', "");
    let query = operation.parameters.iter().find(|parameter| parameter.is_needed);
    let query = query.map_or_else(String::new, |parameter| format!("?{}=…", parameter.name));
    format!("{line} \"$SERVER{path}{query}\"")
}

fn link(schema: &str) -> String {
    format!("<a href=\"#{schema}\">{schema}</a>")
}

/// The fields of a shape.
fn table(schemas: &Map<String, Value>, name: &str) -> String {
    let Some(schema) = schemas.get(name) else { return String::new() };
    let mut text = String::new();
    let parts: Vec<_> =
        ["allOf", "anyOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten()).collect();
    let named: Vec<_> =
        parts.iter().filter(|part| part["$ref"].is_string()).map(|part| kind(part, &link)).collect();
    if !named.is_empty() {
        let between = if schema["anyOf"].is_array() { " or " } else { " and " };
        let _ = write!(text, "<p>The fields of {}.</p>", named.join(between));
    }
    text.push_str("<table>");
    for (field, shape) in fields(schema) {
        let about = marked(shape["description"].as_str().unwrap_or_default());
        let _ = write!(
            text,
            "<tr><td><code>{field}</code></td><td>{}</td><td>{about}</td></tr>",
            kind(shape, &link)
        );
    }
    text + "</table>"
}

/// Of a shape and of those that it is made of.
pub(super) fn fields(schema: &Value) -> Vec<(&String, &Value)> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| part["properties"].as_object().into_iter().flatten())).collect()
}

/// The type of a field in words, with links to the shapes that it names.
pub(super) fn kind(shape: &Value, link: &impl Fn(&str) -> String) -> String {
    if let Some(name) = shape["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return link(name);
    }
    if shape["items"].is_object() {
        return format!("list of {}", kind(&shape["items"], link));
    }
    if let Some(alternatives) = shape["anyOf"].as_array() {
        return alternatives.iter().map(|shape| kind(shape, link)).collect::<Vec<_>>().join(" or ");
    }
    match &shape["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

/// Words between backticks as code; what would be markup is none.
fn marked(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}
