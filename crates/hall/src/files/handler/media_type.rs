//! What browsers are told that a file is. Only types that can't run anything.

/// The media type by the name's ending; bytes, if nothing better is known.
pub(super) fn of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "txt" | "log" | "md" | "toml" | "yaml" | "yml" | "ini" | "conf" | "sql" | "rs" | "py"
        | "sh" | "html" | "htm" | "svg" | "xml" | "js" | "css" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_scripts_are_plain_text() {
        for name in ["a.html", "a.SVG", "a.js", "x.htm"] {
            assert_eq!(of(name), "text/plain; charset=utf-8");
        }
        assert_eq!(of("a.JPG"), "image/jpeg");
        for name in ["a", "", ".", "a.exe", "png"] {
            assert_eq!(of(name), "application/octet-stream");
        }
    }
}
