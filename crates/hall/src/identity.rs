//! SPIFFE IDs: who stands at the other end of a connection (SPIFFE-ID, section 2).

use hallway_evidence::statement::hall::{AgentName, HallName};
use std::fmt;
use std::str::FromStr;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID, section 2.3).
pub const LONGEST_ID_BYTES: usize = 2048;
/// The longest trust domain name, in bytes (SPIFFE-ID, section 2.3).
pub const LONGEST_TRUST_DOMAIN_BYTES: usize = 255;

const SCHEME: &str = "spiffe://";

/// A text that is no SPIFFE ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// More than [`LONGEST_ID_BYTES`] bytes.
    #[error("a SPIFFE ID has at most {LONGEST_ID_BYTES} bytes")]
    TooLong,
    /// It does not begin with `spiffe://`.
    #[error("a SPIFFE ID begins with spiffe://")]
    Scheme,
    /// The trust domain is empty, too long, or has other characters.
    #[error("a trust domain has 1 to {LONGEST_TRUST_DOMAIN_BYTES} of a-z, 0-9, '.', '-' and '_'")]
    TrustDomain,
    /// A path segment is empty, `.`, `..`, or has other characters.
    #[error("a SPIFFE path has segments of a-z, A-Z, 0-9, '.', '-' and '_', none of them empty")]
    Path,
}

/// A trust domain name (SPIFFE-ID, section 2.1): for Hallway, a realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = IdentityError;

    fn from_str(name: &str) -> Result<Self, IdentityError> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
        };
        if (1..=LONGEST_TRUST_DOMAIN_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(IdentityError::TrustDomain)
        }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SPIFFE ID: `spiffe://TRUST-DOMAIN/PATH`, the path perhaps absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    /// Empty, or with its leading slash.
    path: String,
}

impl SpiffeId {
    /// The ID of `party` in `trust_domain`.
    ///
    /// # Errors
    /// A person's id has characters that a path may not have.
    pub fn new(trust_domain: TrustDomain, party: &Party) -> Result<Self, IdentityError> {
        format!("{SCHEME}{trust_domain}{party}").parse()
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path with its leading slash; empty if there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The party that the path names, if the path is one of Hallway's.
    #[must_use]
    pub fn party(&self) -> Option<Party> {
        let mut segments = self.path.strip_prefix('/')?.split('/');
        let party = match (
            segments.next()?,
            segments.next(),
            segments.next(),
            segments.next(),
        ) {
            ("gateway", None, None, None) => Party::Gateway,
            ("person", Some(id), None, None) => Party::Person(id.to_owned()),
            ("hall", Some(hall), Some("agent"), Some(agent)) => Party::Agent {
                hall: hall.parse().ok()?,
                agent: agent.parse().ok()?,
            },
            _ => return None,
        };
        segments.next().is_none().then_some(party)
    }
}

impl FromStr for SpiffeId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.len() > LONGEST_ID_BYTES {
            return Err(IdentityError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(IdentityError::Scheme)?;
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let trust_domain = domain.parse()?;
        if let Some(path) = path.strip_prefix('/') {
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            let good =
                |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
            if !path.split('/').all(good) {
                return Err(IdentityError::Path);
            }
        }
        Ok(Self {
            trust_domain,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.trust_domain, self.path)
    }
}

/// A party of a realm, as a path names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// `/person/<id>`: a person, by the id that the realm gave.
    Person(String),
    /// `/hall/<hall>/agent/<name>`: a machine that provides stores and services of one hall.
    Agent {
        /// The hall.
        hall: HallName,
        /// The agent's name in it.
        agent: AgentName,
    },
    /// `/gateway`: any gateway of the realm.
    Gateway,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "/person/{id}"),
            Self::Agent { hall, agent } => write!(f, "/hall/{hall}/agent/{agent}"),
            Self::Gateway => f.write_str("/gateway"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written_and_name_their_party() {
        let domain: TrustDomain = "bank.example".parse().unwrap();
        let parties = [
            Party::Person("0190a7c4-7d2e-7b7a-8f00-000000000001".to_owned()),
            Party::Agent {
                hall: "data".parse().unwrap(),
                agent: "far-side".parse().unwrap(),
            },
            Party::Gateway,
        ];
        for party in parties {
            let id = SpiffeId::new(domain.clone(), &party).unwrap();
            assert_eq!(id.to_string().parse::<SpiffeId>().unwrap(), id);
            assert_eq!(id.party(), Some(party));
        }
    }

    #[test]
    fn a_trust_domain_alone_is_an_id_that_names_nobody() {
        let id: SpiffeId = "spiffe://bank.example".parse().unwrap();
        assert_eq!((id.path(), id.party()), ("", None));
    }

    #[test]
    fn ids_that_the_specification_forbids_are_refused() {
        // SPIFFE-ID, sections 2.1 and 2.2.
        for (text, error) in [
            ("http://bank.example/a", IdentityError::Scheme),
            ("SPIFFE://bank.example/a", IdentityError::Scheme),
            ("spiffe:///a", IdentityError::TrustDomain),
            ("spiffe://Bank.example/a", IdentityError::TrustDomain),
            ("spiffe://bank.example:443/a", IdentityError::TrustDomain),
            ("spiffe://user@bank.example/a", IdentityError::TrustDomain),
            ("spiffe://bank.example?q", IdentityError::TrustDomain),
            ("spiffe://b%61nk/a", IdentityError::TrustDomain),
            ("spiffe://bank.example/", IdentityError::Path),
            ("spiffe://bank.example/a/", IdentityError::Path),
            ("spiffe://bank.example/a//b", IdentityError::Path),
            ("spiffe://bank.example/./a", IdentityError::Path),
            ("spiffe://bank.example/a/../b", IdentityError::Path),
            ("spiffe://bank.example/a%2fb", IdentityError::Path),
            ("spiffe://bank.example/a?q=1", IdentityError::Path),
            ("spiffe://bank.example/a#f", IdentityError::Path),
            ("spiffe://bank.example/ä", IdentityError::Path),
            ("", IdentityError::Scheme),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text}");
        }
    }

    #[test]
    fn lengths_are_bounded_as_the_specification_says() {
        // SPIFFE-ID, section 2.3.
        let longest = "d".repeat(LONGEST_TRUST_DOMAIN_BYTES);
        assert!(longest.parse::<TrustDomain>().is_ok());
        assert!(format!("{longest}d").parse::<TrustDomain>().is_err());
        let head = "spiffe://d/";
        let id = format!("{head}{}", "p".repeat(LONGEST_ID_BYTES - head.len()));
        assert!(id.parse::<SpiffeId>().is_ok());
        assert_eq!(
            format!("{id}p").parse::<SpiffeId>(),
            Err(IdentityError::TooLong)
        );
    }

    #[test]
    fn paths_of_others_name_nobody_here() {
        for path in [
            "/gateway/1",
            "/person",
            "/person/a/b",
            "/hall/x/agent",
            "/hall/X/agent/a",
            "/hall/x/agent/a/b",
            "/device/1",
        ] {
            let id: SpiffeId = format!("spiffe://d{path}").parse().unwrap();
            assert_eq!(id.party(), None, "{path}");
        }
    }
}
