//! The way to the sign-in page, and back to where somebody wanted to go.

/// Where somebody signs in who wanted to see `path`.
pub fn sign_in_path(path: &str) -> String {
    match own_path(path) {
        "/" => "/".to_owned(),
        path => format!("/?then={path}"),
    }
}

/// `path` if it is the path of a page of this console, else the first page: nobody is led
/// elsewhere after signing in.
pub fn own_path(path: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
    if path.starts_with('/') && !path.starts_with("//") && path.chars().all(plain) {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for path in [
            "https://evil.example",
            "//evil.example",
            "/\\evil",
            "",
            "evil",
            "/a?b=c",
        ] {
            assert_eq!(own_path(path), "/", "{path}");
        }
        assert_eq!(own_path("/evidence/0a_-"), "/evidence/0a_-");
        assert_eq!(sign_in_path("/keys"), "/?then=/keys");
        assert_eq!(sign_in_path("/"), "/");
    }
}
