//! File names that are short enough: a name is cut before it gets a suffix.

/// The longest name of a file (NAME_MAX of Linux and of most file systems).
pub(crate) const MAX_NAME_BYTES: usize = 255;

/// The ending of the name of evidence that lies beside its file.
pub(crate) const EVIDENCE: &str = ".evidence";

/// The longest ending of a name that is kept when the name is cut.
const MAX_ENDING_BYTES: usize = 16;

/// `name` and then `suffix`. The name is cut at the end of a character so that both have at most
/// `most` bytes.
#[must_use]
pub(crate) fn with_suffix(name: &str, suffix: &str, most: usize) -> String {
    let cut = name.floor_char_boundary(most.saturating_sub(suffix.len()));
    let (name, _) = name.split_at(cut);
    format!("{name}{suffix}")
}

/// `name` with `infix` before its ending, cut before the infix so that it has at most `most` bytes.
#[must_use]
pub(crate) fn with_infix(name: &str, infix: &str, most: usize) -> String {
    let (stem, ending) = split_ending(name);
    with_suffix(stem, &format!("{infix}{ending}"), most)
}

/// A name and its ending with the dot, if it has a short one.
fn split_ending(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_ENDING_BYTES => name.split_at(dot),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters_and_keep_their_endings() {
        assert_eq!(
            with_suffix("a.jpg", EVIDENCE, MAX_NAME_BYTES),
            "a.jpg.evidence"
        );
        assert_eq!(with_infix("a.jpg", "-7", MAX_NAME_BYTES), "a-7.jpg");
        assert_eq!(with_infix("a", "-7", MAX_NAME_BYTES), "a-7");
        assert_eq!(with_infix(".a", "-7", MAX_NAME_BYTES), ".a-7");
        let long = "é".repeat(125) + "x.jpg";
        assert_eq!(long.len(), 255);
        for most in 40..=255 {
            let cut = with_infix(&long, "-7", most);
            assert!(cut.len() <= most && cut.len() + 2 > most, "{most}: {cut}");
            assert!(cut.ends_with("-7.jpg"));
        }
        let ending = format!("a.{}", "b".repeat(253));
        assert_eq!(with_infix(&ending, "-7", MAX_NAME_BYTES).len(), 255);
        assert!(with_infix(&ending, "-7", MAX_NAME_BYTES).ends_with("bb-7"));
    }
}
