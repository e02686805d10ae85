//! The TOML file.

use std::path::Path;

use toml::{Table, Value};

use super::{Mistakes, Setting, Source};

pub(super) fn read(path: &Path, mistakes: &mut Mistakes) -> Vec<Setting> {
    let source = Source::File(path.to_owned());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            mistakes.add("", source, format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            mistakes.add("", source, format!("is not TOML: {}", error.to_string().trim_end()));
            return Vec::new();
        }
    };
    let mut settings = Vec::new();
    flatten("", table, &source, &mut settings, mistakes);
    settings
}

/// Tables become the part of the key before the dot.
fn flatten(
    prefix: &str,
    table: Table,
    source: &Source,
    settings: &mut Vec<Setting>,
    mistakes: &mut Mistakes,
) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let value = match value {
            Value::Table(table) => {
                flatten(&format!("{key}."), table, source, settings, mistakes);
                continue;
            }
            Value::String(text) => text,
            Value::Integer(number) => number.to_string(),
            other => {
                mistakes.add(
                    &key,
                    source.clone(),
                    format!("a string or a whole number, not a {}", other.type_str()),
                );
                continue;
            }
        };
        // The port alone is the environment's way; in a file it stands in `listen`.
        if key == "port" {
            mistakes.add(&key, source.clone(), "there is no such key; the port stands in listen");
            continue;
        }
        settings.push(Setting { key, value, source: source.clone() });
    }
}
