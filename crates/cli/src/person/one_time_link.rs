//! One-time links: an address, and after the `#` a secret, whose hash statements name.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_client::GatewayAddress;
use hallway_evidence::Hash;
use zeroize::Zeroizing;

use super::PersonError;

/// What a link is for: the path that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Registers a key, or signs in.
    Join,
    /// Takes an agent into a hall.
    Agent,
    /// Joins two realms.
    Partner,
}

/// A link that was read.
pub(crate) struct OneTimeLink {
    /// The gateway that made it.
    pub(crate) gateway: GatewayAddress,
    /// The secret.
    pub(crate) token: Zeroizing<String>,
    secret: Zeroizing<Vec<u8>>,
}

impl LinkKind {
    const ALL: [Self; 3] = [Self::Join, Self::Agent, Self::Partner];

    const fn path(self) -> &'static str {
        match self {
            Self::Join => "/join",
            Self::Agent => "/halls",
            Self::Partner => "/partners",
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "registers a key or signs in (hallway join)",
            Self::Agent => "takes an agent into a hall (hallway hall agent --join)",
            Self::Partner => "joins two realms (hallway hall accept)",
        })
    }
}

impl OneTimeLink {
    /// Reads `ORIGIN/PATH#TOKEN`.
    ///
    /// # Errors
    /// It is not a link of this kind, or its address is not secure.
    pub(crate) fn read(kind: LinkKind, link: &str) -> Result<Self, PersonError> {
        let (address, token) = link.trim().split_once('#').ok_or(PersonError::NotALink)?;
        let other = || PersonError::OtherLink {
            wanted: kind,
            found: LinkKind::ALL
                .into_iter()
                .find(|other| address.ends_with(other.path())),
        };
        let origin = address.strip_suffix(kind.path()).ok_or_else(other)?;
        let secret = URL_SAFE_NO_PAD.decode(token);
        Ok(Self {
            gateway: origin.parse()?,
            token: Zeroizing::new(token.to_owned()),
            secret: Zeroizing::new(secret.map_err(|_| PersonError::DamagedLink)?),
        })
    }

    /// SHA-256 of the secret, as statements name it.
    pub(crate) fn hash(&self) -> Hash {
        sha256(&self.secret)
    }

    /// The secret's bytes.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_of_its_kind_and_of_a_gateway_that_may_be_spoken_to() {
        let link = "https://gate.example:8443/join#AAEC";
        let read = OneTimeLink::read(LinkKind::Join, link).unwrap();
        assert_eq!(read.gateway.origin(), "https://gate.example:8443");
        assert_eq!(
            (read.secret(), read.token.as_str()),
            (&[0, 1, 2][..], "AAEC")
        );
        assert_eq!(read.hash(), sha256(&[0, 1, 2]));
        for bad in [
            "https://gate.example/join",
            "https://gate.example/halls#AAEC",
            "https://gate.example/x/join#AAEC",
            "https://gate.example@evil.example/join#AAEC",
            "http://gate.example/join#AAEC",
            "https://gate.example/join#A/+=",
        ] {
            assert!(OneTimeLink::read(LinkKind::Join, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_of_another_kind_is_named() {
        for (link, told) in [
            ("https://gate.example/join", "after # is missing"),
            (
                "https://gate.example/halls#AAEC",
                "this link takes an agent into a hall",
            ),
            (
                "https://gate.example/partners#AAEC",
                "this link joins two realms",
            ),
            (
                "https://gate.example/x#AAEC",
                "not a one-time link of a gateway",
            ),
            ("https://gate.example/join#A/+=", "damaged after the #"),
        ] {
            let refused = OneTimeLink::read(LinkKind::Join, link).err().unwrap();
            assert!(refused.to_string().contains(told), "{refused}");
        }
    }
}
