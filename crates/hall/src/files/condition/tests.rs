use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::dav::IF;
use crate::files::Kind;

/// A date, and unix milliseconds within its second.
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_MS: i64 = 784_111_777_500;
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn entry() -> Entry {
    Entry {
        name: "a".to_owned(),
        kind: Kind::File,
        bytes: 10,
        modified_ms: Some(DATE_MS),
        etag: Some("tag".to_owned()),
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::try_from(*value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

fn changes(pairs: &[(&'static str, &str)], present: Option<&Entry>) -> bool {
    let condition = Condition::of(&headers(pairs)).unwrap();
    condition.check(present).is_ok()
}

fn reads(pairs: &[(&'static str, &str)]) -> Verdict {
    Condition::of(&headers(pairs)).unwrap().of_read(&entry())
}

#[test]
fn a_change_goes_by_what_is_there() {
    let there = entry();
    for (name, value, on_it, on_nothing) in [
        ("if-match", "*", true, false),
        ("if-match", "\"tag\"", true, false),
        ("if-match", "\"x\", \"tag\"", true, false),
        ("if-match", " , \"x\",,\"tag\" ,", true, false),
        ("if-match", "\"x,\",\"tag\"", true, false),
        ("if-match", "\"x\"", false, false),
        ("if-match", "W/\"tag\"", false, false),
        ("if-none-match", "*", false, true),
        ("if-none-match", "\"tag\"", false, true),
        ("if-none-match", "\"x\", W/\"tag\"", false, true),
        ("if-none-match", "\"x\"", true, true),
        ("if-unmodified-since", DATE, true, true),
        ("if-unmodified-since", BEFORE, false, true),
        (
            "if-unmodified-since",
            "Sunday, 06-Nov-94 08:49:36 GMT",
            false,
            true,
        ),
        (
            "if-unmodified-since",
            "Sun Nov  6 08:49:36 1994",
            false,
            true,
        ),
        ("if-unmodified-since", "yesterday", true, true),
        (
            "if-unmodified-since",
            "Fri, 01 Jan 1960 00:00:00 GMT",
            false,
            true,
        ),
        (
            "if-unmodified-since",
            "Sun, 06 Nov 1994 08:48:60 GMT",
            false,
            true,
        ),
        // For GET and HEAD only.
        ("if-modified-since", DATE, true, true),
    ] {
        let pairs = [(name, value)];
        assert_eq!(changes(&pairs, Some(&there)), on_it, "{name}: {value}");
        assert_eq!(changes(&pairs, None), on_nothing, "{name}: {value}");
    }
}

#[test]
fn several_conditions_count_in_their_order() {
    let there = entry();
    let changes = |pairs: &[(&'static str, &str)]| changes(pairs, Some(&there));
    // 13.1.4: the date does not count beside If-Match.
    assert!(changes(&[
        ("if-match", "\"tag\""),
        ("if-unmodified-since", BEFORE)
    ]));
    assert!(!changes(&[
        ("if-match", "\"x\""),
        ("if-unmodified-since", DATE)
    ]));
    assert!(!changes(&[("if-match", "*"), ("if-none-match", "\"tag\"")]));
    assert!(changes(&[("if-match", "*"), ("if-none-match", "\"x\"")]));
    // Lines of one header are one list; dates are no list.
    assert!(changes(&[("if-match", "\"x\""), ("if-match", "\"tag\"")]));
    assert!(!changes(&[
        ("if-none-match", "\"x\""),
        ("if-none-match", "\"tag\"")
    ]));
    let twice = [
        ("if-unmodified-since", BEFORE),
        ("if-unmodified-since", BEFORE),
    ];
    assert!(changes(&twice));
}

#[test]
fn a_read_goes_by_what_the_asker_has() {
    use Verdict::{Failed, NotModified, Proceed};
    for (pairs, verdict) in [
        (&[("if-match", "\"tag\"")][..], Proceed),
        (&[("if-match", "*")], Proceed),
        (&[("if-match", "W/\"tag\"")], Failed),
        (&[("if-unmodified-since", BEFORE)], Failed),
        (&[("if-unmodified-since", DATE)], Proceed),
        (&[("if-none-match", "\"x\", W/\"tag\"")], NotModified),
        (&[("if-none-match", "*")], NotModified),
        (&[("if-none-match", "\"x\"")], Proceed),
        (&[("if-modified-since", DATE)], NotModified),
        (&[("if-modified-since", BEFORE)], Proceed),
        (&[("if-modified-since", "x")], Proceed),
        // 13.1.3: the date does not count beside If-None-Match.
        (
            &[("if-none-match", "\"x\""), ("if-modified-since", DATE)],
            Proceed,
        ),
        (
            &[("if-match", "\"x\""), ("if-none-match", "\"tag\"")],
            Failed,
        ),
    ] {
        assert_eq!(reads(pairs), verdict, "{pairs:?}");
    }
}

#[test]
fn malformed_conditions_are_refused() {
    for value in [
        "",
        "tag",
        "\"tag",
        "\"a\" \"b\"",
        "*, \"tag\"",
        "W/tag",
        "w/\"tag\"",
        "\"a b\"",
    ] {
        for name in ["if-match", "if-none-match"] {
            let refused = Condition::of(&headers(&[(name, value)])).unwrap_err();
            assert_eq!(refused.status, 412, "{name}: {value}");
        }
    }
    for value in [
        "",
        "()",
        "(x)",
        "<a>",
        "(<a>",
        "([\"tag\"]) <b> ([\"tag\"])",
        "([tag])",
        "(Not)",
        "<\u{1}> ([\"tag\"])",
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes());
        let Ok(value) = value else { continue };
        let headers = HeaderMap::from_iter([(IF, value.clone())]);
        assert_eq!(States::of(&headers).unwrap_err().status, 412, "{value:?}");
    }
    let many = "([\"tag\"])".repeat(65);
    assert!(States::of(&headers(&[("if", &many)])).is_err());
}

#[test]
fn one_list_of_states_has_to_hold_whole() {
    let (there, held) = (entry(), |value: &str, present: Option<&Entry>| {
        let states = States::of(&headers(&[("if", value), ("host", "x")]));
        let states = states.unwrap().unwrap();
        let (here, elsewhere) = states.apart(|place| place == "/files/data/a");
        assert!(elsewhere.is_empty());
        let condition = Condition::default().with_states(here);
        assert!(!condition.is_any());
        condition.check(present).is_ok()
    });
    for (value, on_it, on_nothing) in [
        ("([\"tag\"])", true, false),
        ("([\"x\"])", false, false),
        ("([W/\"tag\"])", false, false),
        ("(Not [\"tag\"])", false, true),
        ("([\"x\"]) (not <DAV:no-lock>)", true, true),
        ("(<urn:uuid:1> [\"tag\"])", false, false),
        ("(<urn:uuid:1>)([\"tag\"])", true, false),
        ("(Not <urn:uuid:1>[\"tag\"])", true, false),
        (
            "<https://x/files/data/a> ([\"x\"]) ([\"tag\"])",
            true,
            false,
        ),
        ("<https://x/files/d%61ta/%61> ([\"tag\"])", true, false),
    ] {
        assert_eq!(held(value, Some(&there)), on_it, "{value}");
        assert_eq!(held(value, None), on_nothing, "{value}");
    }
}

#[test]
fn states_of_other_files_go_along_to_another_party() {
    let value = "<https://x/here/a> (Not [\"tag\"] <t>) ([W/\"u\"]) </else> ([\"v\"])";
    let states = States::of(&headers(&[("if", value), ("host", "x")]));
    let states = states.unwrap().unwrap();
    let there = states.moved(|place| Some(format!("/there{}", place.strip_prefix("/here")?)));
    let written = there.to_string();
    assert_eq!(
        written.trim(),
        "</there/a> (Not [\"tag\"]<t>) </there/a> ([W/\"u\"]) </> ([\"v\"])"
    );
    let again = States::of(&headers(&[("if", &written)])).unwrap().unwrap();
    assert_eq!(again, there);
}

#[test]
fn files_of_another_server_are_not_taken_for_our_own() {
    for (host, place) in [
        ("x", "https://other.example/files/data/a"),
        ("x", "//other.example/files/data/a"),
        ("x", "https://x:8443/files/data/a"),
        ("", "https://x/files/data/a"),
    ] {
        let value = format!("<{place}> ([\"tag\"])");
        let states = States::of(&headers(&[("if", &value), ("host", host)]));
        let states = states.unwrap().unwrap();
        let (here, elsewhere) = states.apart(|place| place == "/files/data/a");
        assert!(here.is_empty());
        assert_eq!(elsewhere[0].0, "/", "{place}");
    }
}

#[test]
fn a_file_without_a_date_is_not_judged_by_date() {
    let undated = Entry {
        modified_ms: None,
        ..entry()
    };
    assert!(!changes(&[("if-unmodified-since", DATE)], Some(&undated)));
    let condition = Condition::of(&headers(&[("if-modified-since", DATE)])).unwrap();
    assert_eq!(condition.of_read(&undated), Verdict::Proceed);
}

#[test]
fn the_beginning_of_1970_is_a_date_and_so_are_those_before_it() {
    let (begin, eve) = (
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
    );
    for (modified_ms, on_begin, on_eve) in [(0, true, false), (-1, true, true), (999, true, false)]
    {
        let dated = Entry {
            modified_ms: Some(modified_ms),
            ..entry()
        };
        for (date, holds) in [(begin, on_begin), (eve, on_eve)] {
            let unmodified = [("if-unmodified-since", date)];
            assert_eq!(
                changes(&unmodified, Some(&dated)),
                holds,
                "{modified_ms} {date}"
            );
            let condition = Condition::of(&headers(&[("if-modified-since", date)])).unwrap();
            let not_modified = condition.of_read(&dated) == Verdict::NotModified;
            assert_eq!(not_modified, holds, "{modified_ms} {date}");
        }
    }
}

/// A state in a list: whether it is negated, and a token (locked or not) or a version (there or
/// not).
type Stated = (bool, u8);

proptest! {
    #[test]
    fn what_is_left_without_locks_holds_as_the_whole_did(
        lists in prop::collection::vec(prop::collection::vec((any::<bool>(), 0u8..4), 1..4), 1..4),
    ) {
        let names = ["<urn:locked>", "<urn:free>", "[\"tag\"]", "[\"x\"]"];
        let written = |(negated, state): &Stated| {
            let not = if *negated { "Not " } else { "" };
            format!("{not}{}", names[usize::from(*state)])
        };
        let list = |states: &Vec<Stated>| {
            format!("({})", states.iter().map(written).collect::<Vec<_>>().join(" "))
        };
        let value = lists.iter().map(list).collect::<Vec<_>>().join(" ");
        let holds = |(negated, state): &Stated| matches!(state, 0 | 2) != *negated;
        let expected = lists.iter().any(|states| states.iter().all(holds));
        let states = States::of(&headers(&[("if", &value)])).unwrap().unwrap();
        let left = states.where_locked(|place, token| place.is_none() && token == "urn:locked");
        let holds = match left {
            Left::Nothing => true,
            Left::Failed => false,
            Left::Versions(states) => {
                prop_assert_eq!(states.tokens().count(), 0);
                let (here, _) = states.apart(|_| true);
                here.iter().any(|list| list.holds(Some(&entry())))
            }
        };
        prop_assert_eq!(holds, expected, "{}", value);
    }
}

proptest! {
    /// Whatever is written, it is refused or means the same when it is written again.
    #[test]
    fn any_text_is_refused_or_understood(
        text in "[()<>\\[\\]\"*, WNotnt/a-c]{0,40}", other in "[ -~]{0,40}",
    ) {
        for text in [text, other] {
            for name in ["if-match", "if-none-match", "if-unmodified-since"] {
                let pairs = [(name, text.as_str())];
                let read = Condition::of(&headers(&pairs));
                if let Err(problem) = &read {
                    prop_assert_eq!(problem.status, 412);
                }
            }
            if let Ok(Some(states)) = States::of(&headers(&[("if", text.as_str())])) {
                let written = states.to_string();
                let again = States::of(&headers(&[("if", written.as_str())]));
                prop_assert_eq!(again.unwrap(), Some(states), "{}", written);
            }
        }
    }
}
