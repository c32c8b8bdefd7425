//! The mistakes in the text of `hallway.toml`. A message repeats no value, because it may be a
//! password.

use std::fmt;
use std::ops::Range;

use hallway_spine::door_name::DoorName;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Deserializer, Error};

use super::Config;
use crate::doors;

/// The most problems that are told at once.
const MOST_PROBLEMS: usize = 16;

/// The mistakes in a configuration, by line.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// The line, counted from 1; `None` if the mistake is not on one line.
    line: Option<usize>,
    /// The setting, with its sections.
    setting: Option<String>,
    /// The mistake.
    what: String,
}

/// Reads a configuration.
///
/// # Errors
/// All mistakes, in the order of their lines.
pub(crate) fn read(text: &str) -> Result<Config, Problems> {
    let (mut document, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        let tell = |error: &Error| Problem::new(text, error, None);
        return Err(Problems::of(broken.iter().map(tell).collect()));
    }
    let mut problems = Vec::new();
    let mut taken_out: Vec<Vec<String>> = Vec::new();
    // Each mistake is noted and taken out of the document, and the rest is read again.
    while problems.len() < MOST_PROBLEMS {
        let error = match Config::deserialize(Deserializer::from(document.clone())) {
            Ok(config) => {
                problems.extend(strange_doors(text, document.get_ref()));
                if problems.is_empty() {
                    return Ok(config);
                }
                break;
            }
            Err(error) => error,
        };
        let path = error.span().and_then(|at| path_to(document.get_ref(), &at));
        let follows = path.as_ref().is_some_and(|path| {
            error.message().starts_with("missing field")
                && taken_out.iter().any(|taken| taken.starts_with(path))
        });
        if !follows {
            problems.push(Problem::new(text, &error, path.as_deref()));
        }
        let Some(path) = path.filter(|path| take_out(document.get_mut(), path)) else {
            break;
        };
        taken_out.push(path);
    }
    Err(Problems::of(problems))
}

/// Policies for doors that do not exist, or through which no people come.
fn strange_doors(text: &str, table: &DeTable<'_>) -> Vec<Problem> {
    let written = section(table, "policy").and_then(|policy| section(policy, "doors"));
    let of_people: Vec<_> = doors::ALL.of_people().collect();
    let problem = |name: &Spanned<DeString<'_>>| {
        let strange = DoorName::check_policy(name.get_ref(), &of_people).err()?;
        Some(Problem {
            line: line_of(text, &name.span()),
            setting: Some("policy.doors".to_owned()),
            what: strange.to_string(),
        })
    };
    let written = written.into_iter().flatten();
    written.filter_map(|(name, _)| problem(name)).collect()
}

fn section<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    table.get(name)?.get_ref().as_table()
}

/// The line on which `at` begins, counted from 1.
fn line_of(text: &str, at: &Range<usize>) -> Option<usize> {
    let before = text.get(..at.start)?;
    Some(before.matches('\n').count() + 1)
}

/// The setting at `at`: its sections and its name. A setting within a list counts as the list.
fn path_to(table: &DeTable<'_>, at: &Range<usize>) -> Option<Vec<String>> {
    let holds = |range: Range<usize>| range.contains(&at.start) || range == *at;
    for (key, value) in table {
        let name = || key.get_ref().to_string();
        let deeper = match value.get_ref() {
            DeValue::Table(table) => path_to(table, at),
            DeValue::Array(list) => {
                let is_within = |item: &Spanned<DeValue<'_>>| {
                    let table = item.get_ref().as_table();
                    holds(item.span()) || table.is_some_and(|table| path_to(table, at).is_some())
                };
                list.iter().any(is_within).then(Vec::new)
            }
            _ => None,
        };
        if let Some(deeper) = deeper {
            return Some([vec![name()], deeper].concat());
        }
        if holds(key.span()) || holds(value.span()) {
            return Some(vec![name()]);
        }
    }
    None
}

/// Takes the setting out of the document, and returns whether it was there.
fn take_out(table: &mut DeTable<'_>, path: &[String]) -> bool {
    match path {
        [] => false,
        [name] => table.remove(name.as_str()).is_some(),
        [name, deeper @ ..] => match table.get_mut(name.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => take_out(table, deeper),
            _ => false,
        },
    }
}

impl Problems {
    fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.truncate(MOST_PROBLEMS);
        Self(problems)
    }
}

impl Problem {
    fn new(text: &str, error: &Error, path: Option<&[String]>) -> Self {
        // A name in quotes may be any text.
        let is_plain = |name: &String| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        Self {
            line: error.span().and_then(|at| line_of(text, &at)),
            setting: path
                .filter(|path| path.iter().all(is_plain))
                .map(|path| path.join(".")),
            what: without_value(error.message()),
        }
    }
}

/// The message of serde, without the unexpected value.
fn without_value(message: &str) -> String {
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| {
        let expected = expected.replace('`', "");
        match expected.as_str() {
            "path string" => "a path".to_owned(),
            section if section.starts_with("struct ") => "a section".to_owned(),
            _ => expected,
        }
    });
    let begins = |start: &str| message.starts_with(start);
    match expected {
        Some(expected) if begins("unknown field") => {
            format!("there is no such setting; here stands {expected}")
        }
        Some(expected)
            if begins("invalid type") || begins("invalid value") || begins("unknown variant") =>
        {
            format!("it must be {expected}")
        }
        _ => hallway_client::without_user(message.lines().next().unwrap_or_default()),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        if let Some(setting) = &self.setting {
            write!(f, "{setting}: ")?;
        }
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn no_value_is_repeated() {
        for text in [
            "database = 'postgres://me:SECRET@db:99999/realm'",
            "database = 'mysql://me:SECRET@db/realm'",
            "database = \"postgres://me:SECRET@db/realm",
            "database = postgres://me:SECRET@db/realm",
            "database = ['postgres://me:SECRET@db/realm']",
            "limits = 'postgres://me:SECRET@db/realm'",
            "device.payload_bytes = 'postgres://me:SECRET@db/realm'",
            "'postgres://me:SECRET@db/realm' = 1",
            "postgres://me:SECRET@db/realm = 1",
            "[metadata]\nurl = 'http://me:SECRET@mds.example/'",
            "[policy.owner]\nattestation = 'http://me:SECRET@mds.example/'",
            "[[witnesses]]\nkey = 'x'\nurl = 'https://me:SECRET@w.example'",
            "[[witnesses]]\nkey = 'https://me:SECRET@w.example'\nurl = 'https://w.example'",
            "public_url = 'https://me:SECRET@gate.example'",
            "realm = 'https://me:SECRET@gate.example'",
            "listen = 'https://me:SECRET@gate.example'",
            "[hall]\n[[hall.stores]]\nhall = 'a'\nname = 'b'\n[hall.stores.bucket]\nregion = 'r'\n\
             name = 'n'\naccess_key = 'k'\nsecret_key_file = 'f'\n\
             endpoint = 'https://me:SECRET@s3.example'",
        ] {
            let told = told(text);
            assert!(!told.contains("SECRET"), "{text}: {told}");
            assert!(told.starts_with("line "), "{text}: {told}");
        }
    }

    #[test]
    fn a_policy_for_a_door_without_people_is_told_with_its_line() {
        assert_eq!(
            told(
                "[policy.doors.web]\n[policy.doors.'postgres://me:SECRET@db']\n[device]\nqueued_days = -1"
            ),
            "line 2, policy.doors: people come through these doors: web, hall\n\
             line 4, device.queued_days: it must be a whole number from 0 to 3650"
        );
        assert!(read("[policy.doors.hall]\n").is_ok());
        assert!(read("[policy.doors.device]\n").is_err());
    }

    #[test]
    fn all_mistakes_are_told_in_the_order_of_the_lines() {
        assert_eq!(
            told(
                "realm = 'gate.example:443'\nlisten = 'localhost:8080'\n\
                 web.session_hours = 0\ndevice.payload_bytes = '64M'\n[tls]\ncertificate = 1\nkey = 'k'\n\
                 [hall]\nlisten = '127.0.0.1:99999'\nmax_hours = 745"
            )
            .lines()
            .map(|line| line.split_once(": ").unwrap_or((line, "")).0)
            .collect::<Vec<_>>(),
            [
                "line 1, realm",
                "line 2, listen",
                "line 3, web.session_hours",
                "line 4, device.payload_bytes",
                "line 6, tls.certificate",
                "line 9, hall.listen",
                "line 10, hall.max_hours",
            ]
        );
    }

    #[test]
    fn the_expected_value_is_named() {
        for (text, expected) in [
            (
                "listen = 'localhost:8080'",
                "line 1, listen: it must be an IP address and a port, such as 127.0.0.1:8080",
            ),
            (
                "\n[device]\npayload_bytes = '64M'",
                "line 3, device.payload_bytes: it must be a whole number from 1 to 1073741824",
            ),
            (
                "[web]\nsession_hours = 0",
                "line 2, web.session_hours: it must be a whole number from 1 to 8760",
            ),
            ("objects = 5", "line 1, objects: it must be a path"),
            ("limits = 5", "line 1, limits: it must be a section"),
        ] {
            assert_eq!(told(text), expected);
        }
        let misspelt = told("[web]\nsession_hour = 1");
        let begins =
            "line 2, web.session_hour: there is no such setting; here stands session_hours";
        assert!(misspelt.starts_with(begins), "{misspelt}");
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let many: String = (0..100).map(|number| format!("a{number} = 1\n")).collect();
        assert_eq!(told(&many).lines().count(), MOST_PROBLEMS);
    }
}
