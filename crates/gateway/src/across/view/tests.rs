//! Every page, full and empty: its size, its structure, and what a strict policy forbids in it.
//!
//! With `HALLWAY_CONSOLE_PAGES=DIR` in the environment the pages are also written to DIR, to be
//! looked at in a browser.

use std::collections::HashSet;

use super::sample;

/// A page must stay below this: HTML alone, uncompressed.
const MAX_PAGE_BYTES: usize = 60_000;

/// The values of `attribute` in `html`.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    html.match_indices(&opening)
        .filter_map(|(at, _)| html[at + opening.len()..].split('"').next())
        .collect()
}

#[test]
fn every_page_is_small_and_well_formed() {
    let directory = std::env::var_os("HALLWAY_CONSOLE_PAGES");
    for (name, html) in sample::pages() {
        if let Some(directory) = &directory {
            let path = std::path::Path::new(directory).join(format!("{name}.html"));
            std::fs::write(path, &html).unwrap();
        }
        assert!(
            html.len() < MAX_PAGE_BYTES,
            "{name} has {} bytes",
            html.len()
        );
        assert_eq!(html.matches("<main ").count(), 1, "{name}");
        assert!(html.contains("<html lang=\"en\">"), "{name}");
        assert!(html.ends_with("</html>"), "{name}");
        if name != "join" {
            assert_eq!(html.matches("<h1").count(), 1, "{name}");
        }
        for tag in [
            "section", "table", "form", "div", "p", "a", "dl", "ol", "ul", "button",
        ] {
            let opened = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} ")).count();
            let closed = html.matches(&format!("</{tag}>")).count();
            assert_eq!(opened, closed, "{name}: <{tag}>");
        }
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, html) in sample::pages() {
        for attribute in ["style", "onclick", "onload", "onsubmit", "onerror"] {
            assert!(values(&html, attribute).is_empty(), "{name}: {attribute}");
        }
        assert!(!html.contains("<style"), "{name}");
        for script in html.match_indices("<script") {
            assert!(
                html[script.0..].starts_with("<script src=\"/static/"),
                "{name}"
            );
        }
        for attribute in ["src", "href", "action"] {
            for value in values(&html, attribute) {
                assert!(
                    value.starts_with('/') && !value.starts_with("//") || value.starts_with('#'),
                    "{name}: {value}"
                );
            }
        }
    }
}

#[test]
fn labels_and_links_within_a_page_find_their_target() {
    for (name, html) in sample::pages() {
        let ids = values(&html, "id");
        let unique: HashSet<_> = ids.iter().copied().collect();
        // The sample repeats one row's identifiers; ids made from them repeat with it.
        for target in values(&html, "for") {
            assert!(unique.contains(target), "{name}: label for {target}");
        }
        for target in values(&html, "href") {
            if let Some(id) = target.strip_prefix('#') {
                assert!(unique.contains(id), "{name}: link to #{id}");
            }
        }
        for control in html
            .match_indices("<input ")
            .chain(html.match_indices("<textarea "))
        {
            let tag = html[control.0..].split('>').next().unwrap_or_default();
            assert!(
                tag.contains("type=\"hidden\"") || tag.contains(" id=\""),
                "{name}: {tag} has no label"
            );
        }
        for image in html.match_indices("<img ") {
            let tag = html[image.0..].split('>').next().unwrap_or_default();
            assert!(tag.contains(" alt=\""), "{name}: {tag}");
        }
    }
}

#[test]
fn empty_pages_say_what_to_do_next() {
    let pages = sample::pages();
    for (page, expected) in [
        ("overview-empty", "What to do next"),
        ("keys-one", "You have only one key"),
        ("people-alone", "Invite somebody you trust"),
        ("halls-empty", "Make one below"),
        ("hall-fresh", "Say below who may enter"),
        ("store-closed", "Open it with a touch"),
        ("devices-empty", "hallway device run"),
        ("devices-no-maker", "Add a maker"),
        ("transactions-empty", "appears here by itself"),
        ("evidence-empty", "first entry"),
        ("makers-empty", "hallway device provision"),
        ("metadata-empty", "put statements into the folder"),
        ("metadata-nothing", "Nothing is known about models"),
        ("witnesses-empty", "name a witness under"),
        ("refusals-empty", "Nothing has been refused"),
    ] {
        let (_, html) = pages.iter().find(|(name, _)| *name == page).unwrap();
        assert!(html.contains(expected), "{page} does not say: {expected}");
    }
}

#[test]
fn the_last_key_has_no_button_to_remove_it() {
    for (name, html) in sample::pages() {
        match name {
            "keys-one" => assert!(!html.contains("remove_key"), "{name}"),
            "keys" => assert_eq!(html.matches("data-act=\"web.remove_key\"").count(), 2),
            _ => {}
        }
    }
}

#[test]
fn a_failing_step_is_marked_where_it_fails() {
    for (name, html) in sample::pages() {
        let failed = html.matches("class=\"failed\"").count();
        assert_eq!(failed, usize::from(name == "explanation-failing"), "{name}");
    }
}

#[test]
fn what_people_type_is_escaped() {
    use askama::Template;
    let mut frame = sample::frame(None);
    if let Some(viewer) = &mut frame.viewer {
        viewer.name = "<script>alert(1)</script>\"'".to_owned();
    }
    let html = hallway_door_device::view::ClaimPage { frame, makers: 1 }
        .render()
        .unwrap();
    assert!(!html.contains("<script>alert"));
}

/// Relative luminance of `#rrggbb` (WCAG 2.2, 3: definitions).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn colours_have_the_contrast_that_wcag_aa_asks_for() {
    let css = include_str!("../../../../spine/static/console.css");
    let dark_at = css.find("prefers-color-scheme: dark").unwrap();
    for (scheme, css) in [("light", &css[..dark_at]), ("dark", &css[dark_at..])] {
        let colour = |name: &str| {
            let declaration = format!("--{name}: ");
            let at = css.find(&declaration).unwrap() + declaration.len();
            luminance(&css[at..at + 7])
        };
        let ratio = |one: &str, other: &str| {
            let (a, b) = (colour(one), colour(other));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for text in ["ink", "soft", "accent", "good", "warning", "bad"] {
            for ground in ["paper", "wash"] {
                let ratio = ratio(text, ground);
                assert!(ratio >= 4.5, "{scheme}: {text} on {ground} has {ratio:.2}");
            }
        }
        assert!(ratio("on-accent", "accent") >= 4.5, "{scheme}: buttons");
        // The edge of a control needs 3 to 1 (WCAG 2.2, 1.4.11).
        assert!(ratio("edge", "paper") >= 3.0, "{scheme}: edges");
    }
}
