//! Entity tags in conditions (RFC 9110, 8.8.3 and 13.1.1).

/// An entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::files) struct Tag {
    /// Without quotes.
    text: String,
    weak: bool,
}

/// Which versions a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: any version.
    Any,
    /// One of these.
    These(Vec<Tag>),
}

impl Tag {
    pub(super) fn strong(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            weak: false,
        }
    }

    /// By the strong comparison (8.8.3.2). The tags of stores are all strong.
    pub(in crate::files) fn is_strongly(&self, etag: &str) -> bool {
        !self.weak && self.text == etag
    }

    /// By the weak comparison.
    pub(super) fn is_weakly(&self, etag: &str) -> bool {
        self.text == etag
    }

    /// Reads the tag at the beginning of `text`, and gives what follows it.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        let (weak, text) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (text, rest) = text.strip_prefix('"')?.split_once('"')?;
        let allowed = |c: char| c > ' ' && c != '\u{7f}';
        text.chars().all(allowed).then(|| {
            let text = text.to_owned();
            (Self { text, weak }, rest)
        })
    }

    /// A tag that stands alone.
    pub(in crate::files) fn alone(text: &str) -> Option<Self> {
        let (tag, rest) = Self::split(text)?;
        rest.is_empty().then_some(tag)
    }
}

/// Reads `*`, or tags between commas, each of which may have commas in it.
pub(super) fn parse(value: &str) -> Option<Tags> {
    if value == "*" {
        return Some(Tags::Any);
    }
    let blank = |c: char| c == ' ' || c == '\t';
    let mut tags = Vec::new();
    let mut rest = value.trim_matches(blank);
    while !rest.is_empty() {
        // Empty elements are passed over (RFC 9110, 5.6.1.2).
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start_matches(blank);
            continue;
        }
        let (tag, after) = Tag::split(rest)?;
        tags.push(tag);
        rest = after.trim_start_matches(blank);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    (!tags.is_empty()).then_some(Tags::These(tags))
}
