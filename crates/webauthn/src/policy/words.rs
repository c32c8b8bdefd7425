//! Policies in words, as parts of a sentence.

use std::fmt;

use hallway_ctap::cose::Algorithm;

use super::{AndroidKeyLists, BackupEligibility, Framing, RequiredTrust, UnnamedTop, UserHandle};

impl fmt::Display for BackupEligibility {
    /// The credentials that the policy accepts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SingleDeviceOnly => "only credentials that never leave one authenticator",
            Self::Any => "synchronised passkeys too",
        })
    }
}

impl fmt::Display for RequiredTrust {
    /// What the policy asks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "no attestation",
            Self::SelfSigned => "at least a signature by the credential's own key",
            Self::Anchored => "a certificate that leads to a trust anchor",
            Self::UniqueDevice => "a certificate of the device's own that leads to a trust anchor",
        })
    }
}

impl fmt::Display for UserHandle {
    /// What the policy says about a response without one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MatchIfPresent => "the user was known before",
            Self::Required => "the policy asks for it",
        })
    }
}

impl fmt::Display for AndroidKeyLists {
    /// The lists that count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hardware => "what hardware enforces counts",
            Self::Either => "what hardware or software enforces counts",
            Self::MayBeSilent => "what hardware or software enforces counts, even if it is silent",
        })
    }
}

impl fmt::Display for Framing {
    /// What the policy allows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameOrigin => f.write_str("the policy allows no frames of other sites"),
            Self::Within {
                top_origins,
                unnamed_top,
            } => {
                write!(f, "the policy allows frames in {}", Listed(top_origins))?;
                match unnamed_top {
                    UnnamedTop::Refuse => Ok(()),
                    UnnamedTop::Accept => {
                        f.write_str(", and in pages that the browser does not name")
                    }
                }
            }
        }
    }
}

/// Names with commas between them.
pub(crate) struct Listed<'a, T>(pub(crate) &'a [T]);

impl fmt::Display for Listed<'_, Algorithm> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.iter().map(|algorithm| algorithm.name()))
    }
}

impl fmt::Display for Listed<'_, String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.iter().map(String::as_str))
    }
}

fn list<'a>(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    let mut any = false;
    for name in names {
        if any {
            f.write_str(", ")?;
        }
        f.write_str(name)?;
        any = true;
    }
    if any { Ok(()) } else { f.write_str("none") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_like_text() {
        assert_eq!(
            Listed(&[Algorithm::Es256, Algorithm::EdDsa]).to_string(),
            "ES256, EdDSA"
        );
        assert_eq!(Listed::<Algorithm>(&[]).to_string(), "none");
        let within = Framing::Within {
            top_origins: vec!["https://a.test".into()],
            unnamed_top: UnnamedTop::Accept,
        };
        assert_eq!(
            within.to_string(),
            "the policy allows frames in https://a.test, \
             and in pages that the browser does not name"
        );
    }
}
