//! The name of a browser or program, from its user agent.

/// The most characters of an unknown program's name.
const MAX_NAME_CHARS: usize = 40;

/// Browsers by their mark in the user agent. A browser with marks of others comes before these.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chromium"),
    ("Chrome/", "Chromium"),
    ("Safari/", "Safari"),
];

/// Systems in the same way.
const SYSTEMS: [(&str, &str); 9] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("macOS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("FreeBSD", "FreeBSD"),
    ("Linux", "Linux"),
];

/// `Chromium on Linux`, `hallway command on Linux`; for an unknown program the beginning of its user agent.
/// The program chooses its user agent, so no decision depends on it.
pub fn program(user_agent: &str) -> String {
    let marked = |marks: &[(&str, &'static str)]| {
        let found = marks.iter().find(|(mark, _)| user_agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    let name = if user_agent.starts_with("hallway/") {
        "hallway command"
    } else if let Some(browser) = marked(&BROWSERS) {
        browser
    } else {
        // The first product, without its version (RFC 9110, 10.1.5).
        let first = user_agent.split([' ', '/']).next().unwrap_or_default();
        if first.is_empty() {
            return "a program without a name".to_owned();
        }
        return first.chars().take(MAX_NAME_CHARS).collect();
    };
    match marked(&SYSTEMS) {
        Some(system) => format!("{name} on {system}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_called_as_people_know_them() {
        for (agent, name) in [
            ("hallway/0.1.0 (Linux)", "hallway command on Linux"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 HeadlessChrome/149.0.0.0 Safari/537.36",
                "Chromium on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/149.0.0.0 Safari/537.36 Edg/149.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like \
                 Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0",
                "Firefox on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("python-requests/2.32", "python-requests"),
            ("", "a program without a name"),
            ("<script>alert(1)</script>", "<script>alert(1)<"),
        ] {
            assert_eq!(program(agent), name, "{agent}");
        }
        assert_eq!(program(&"x".repeat(500)).len(), MAX_NAME_CHARS);
    }
}
