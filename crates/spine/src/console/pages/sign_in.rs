//! The address of the sign-in page, and of the page to which a visitor returns.

/// The address of the sign-in page for a visitor who asked for `path`.
pub fn sign_in_path(path: &str) -> String {
    match own_path(path) {
        "/" => "/".to_owned(),
        path => format!("/?then={path}"),
    }
}

/// `path` if it is the path of a page of this console, else the first page. So nobody can make a link that
/// leads to another site after the sign-in.
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
    fn a_sign_in_leads_to_no_other_site() {
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
