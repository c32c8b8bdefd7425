//! What the API lists, for a person to read.

use hallway_evidence::Timestamp;
use serde_json::{Map, Value};

use super::quoted;

/// Prints a list one row a line, and anything else one field a line.
pub(super) fn print(value: &Value) {
    let rows = value["items"].as_array().or_else(|| value.as_array());
    match (rows, value) {
        (Some(rows), _) if rows.is_empty() => eprintln!("There is none."),
        (Some(rows), _) => print_rows(rows, ""),
        (None, Value::Object(fields)) => {
            for (name, field) in fields {
                match field.as_array() {
                    Some(rows) if rows.iter().any(Value::is_object) => {
                        println!("{name}");
                        print_rows(rows, "  ");
                    }
                    _ => println!("{name:<12}{}", text(name, field)),
                }
            }
        }
        (None, other) => println!("{}", text("", other)),
    }
}

fn print_rows(rows: &[Value], indent: &str) {
    let empty = Map::new();
    let fields = |row: &Value| -> Vec<String> {
        let fields = row.as_object().unwrap_or(&empty);
        let shown = fields.iter().filter(|(name, _)| *name != "evidence");
        shown.map(|(name, field)| text(name, field)).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(fields).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{indent}{}", line.join("  ").trim_end());
    }
}

/// A field as text; times by their name's ending.
pub(super) fn text(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => quoted(text),
        Value::Number(ms) if name.ends_with("_ms") => ms
            .as_u64()
            .map_or_else(|| ms.to_string(), |ms| Timestamp::from_ms(ms).to_string()),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{} {}", quoted(name), text(name, field)))
                .collect();
            fields.join(", ")
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text("", item)).collect();
            items.join(",")
        }
        other => quoted(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal_and_times_are_read() {
        assert_eq!(text("title", &json!("a\u{1b}[2J")), r#""a\u{1b}[2J""#);
        assert_eq!(text("ends_ms", &json!(0)), "1970-01-01 00:00:00 UTC");
        assert_eq!(
            text("rights", &json!(["read:a", "connect:b"])),
            "read:a,connect:b"
        );
        assert_eq!(text("joined_ms", &Value::Null), "-");
        assert_eq!(
            text(
                "needs",
                &json!({ "key": "L1", "hours": "mon 08:00-18:00 UTC" })
            ),
            "hours mon 08:00-18:00 UTC, key L1"
        );
    }
}
