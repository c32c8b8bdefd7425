//! Prints the API's lists as tables, for a person to read.

use hallway_evidence::{Printable, Timestamp};
use serde_json::Value;

/// A column: the members that it may show, of which the first that a row has counts, and its
/// heading.
pub(crate) type Column = (&'static [&'static str], &'static str);

/// The text of an empty cell.
const NOTHING: &str = "-";

/// Prints a list, one row per line, or the sentence `none` if it is empty. Columns that are empty
/// in every row are left out.
pub(crate) fn print(list: &Value, columns: &[Column], none: &str) {
    let rows = list["items"].as_array().or_else(|| list.as_array());
    let rows = rows.map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        eprintln!("{none}");
    }
    for line in lines(rows, columns) {
        println!("{line}");
    }
}

/// The lines of a table with its headings; none if there are no rows.
pub(crate) fn lines(rows: &[Value], columns: &[Column]) -> Vec<String> {
    let cells = |(names, heading): &Column| {
        let mut cells: Vec<String> = rows.iter().map(|row| cell(row, names)).collect();
        let is_shown = cells.iter().any(|cell| cell != NOTHING);
        cells.insert(0, (*heading).to_owned());
        is_shown.then_some(cells)
    };
    let columns: Vec<Vec<String>> = columns.iter().filter_map(cells).collect();
    let width = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = columns.iter().map(|c| width(c).unwrap_or(0)).collect();
    let height = columns.first().map_or(0, Vec::len);
    (0..height)
        .map(|at| {
            let cells = columns.iter().zip(&widths);
            let line: Vec<String> = cells
                .map(|(column, width)| format!("{:<width$}", column[at]))
                .collect();
            line.join("  ").trim_end().to_owned()
        })
        .collect()
}

fn cell(row: &Value, names: &[&str]) -> String {
    let found = names.iter().find(|name| !row[**name].is_null());
    found.map_or_else(|| NOTHING.to_owned(), |name| text(name, &row[*name]))
}

/// A field as text: a number whose name ends with `_ms` is a time.
pub(crate) fn text(name: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => Printable(text).to_string(),
        Value::Number(ms) if name.ends_with("_ms") => ms
            .as_u64()
            .map_or_else(|| ms.to_string(), |ms| Timestamp::from_ms(ms).to_string()),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{} {}", Printable(name), text(name, field)))
                .collect();
            fields.join(", ")
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text("", item)).collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    if text.is_empty() {
        NOTHING.to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal_and_times_are_read() {
        assert_eq!(text("title", &json!("a\u{1b}[2J")), r"a\u001b[2J");
        assert_eq!(text("ends_ms", &json!(0)), "1970-01-01 00:00:00 UTC");
        assert_eq!(
            text("rights", &json!(["read:a", "connect:b"])),
            "read:a,connect:b"
        );
        for nothing in [Value::Null, json!([]), json!({}), json!("")] {
            assert_eq!(text("joined_ms", &nothing), "-");
        }
        assert_eq!(
            text(
                "needs",
                &json!({ "key": "L1", "hours": "mon 08:00-18:00 UTC" })
            ),
            "hours mon 08:00-18:00 UTC, key L1"
        );
    }

    #[test]
    fn columns_are_aligned_and_those_without_anything_left_out() {
        let rows = [
            json!({ "name": "a", "ends_ms": 0, "needs": {} }),
            json!({ "name": "longer", "ends_ms": 0, "ended_ms": 1000, "needs": {} }),
        ];
        let columns: [Column; 4] = [
            (&["name"], "HALL"),
            (&["needs"], "DEMANDS"),
            (&["ended_ms", "ends_ms"], "UNTIL"),
            (&["home"], "FROM"),
        ];
        assert_eq!(
            lines(&rows, &columns),
            [
                "HALL    UNTIL",
                "a       1970-01-01 00:00:00 UTC",
                "longer  1970-01-01 00:00:01 UTC",
            ]
        );
        assert!(lines(&[], &columns).is_empty());
    }
}
