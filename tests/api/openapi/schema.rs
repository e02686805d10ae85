//! Whether a value is what a schema of the document says: as much of JSON Schema as the document uses.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is wrong with a value, by its place; and every field that the schema does not name.
pub(super) fn mismatches(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Checker { document }.check(schema, value, "", &mut found);
    found
}

struct Checker<'a> {
    document: &'a Value,
}

impl<'a> Checker<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => {
                let found = self.document.pointer(path.trim_start_matches('#'));
                self.resolve(found.unwrap_or_else(|| panic!("{path} is not there")))
            }
            None => schema,
        }
    }

    fn check(&self, schema: &'a Value, value: &Value, at: &str, found: &mut Vec<String>) {
        self.check_shape(schema, value, at, found);
        let names = self.names(schema);
        if let Some(object) = value.as_object().filter(|_| !names.is_empty()) {
            let unnamed = object.keys().filter(|name| !names.contains(name.as_str()));
            found.extend(unnamed.map(|name| format!("{at}/{name} is not in the document")));
        }
    }

    fn check_shape(&self, schema: &'a Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolve(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check_shape(part, value, at, found);
        }
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let fits = alternatives.iter().any(|one| {
                let mut wrong = Vec::new();
                self.check_shape(one, value, at, &mut wrong);
                wrong.is_empty()
            });
            if !fits {
                found.push(format!("{at}: no alternative fits {value}"));
            }
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|name| is_a(value, name)) {
            found.push(format!("{at}: {value} is not a {}", types.join(" or ")));
        }
        if schema.get("const").is_some_and(|wanted| wanted != value) {
            found.push(format!("{at}: {value} is not {}", schema["const"]));
        }
        if let Some(object) = value.as_object() {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !object.contains_key(name) {
                    found.push(format!("{at}/{name} is missing"));
                }
            }
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(value) = object.get(name) {
                    self.check(schema, value, &format!("{at}/{name}"), found);
                }
            }
        }
        for (n, value) in value.as_array().into_iter().flatten().enumerate() {
            if schema["items"].is_object() {
                self.check(&schema["items"], value, &format!("{at}/{n}"), found);
            }
        }
    }

    /// The fields that a schema and its parts name.
    fn names(&self, schema: &'a Value) -> BTreeSet<&'a str> {
        let schema = self.resolve(schema);
        let mut names: BTreeSet<&str> =
            schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        for parts in ["allOf", "anyOf"] {
            names.extend(schema[parts].as_array().into_iter().flatten().flat_map(|part| self.names(part)));
        }
        names
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("what is a {name}?"),
    }
}
