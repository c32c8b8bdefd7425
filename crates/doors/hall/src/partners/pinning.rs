//! Which new trust bundle of a partner is believed.
//!
//! The address of a bundle is authenticated by the Web PKI (SPIFFE Federation, 5.2.1): an attacker
//! who gets the name or the web server could publish authorities of their own. So a bundle replaces
//! the one in use only if both have an authority in common, and if the partner's gateway confirms
//! it in a connection that an authority in use vouches for.

use hallway_hall::Published;

use super::description::authorities;
use crate::store::Partner;

/// The bundle in use.
#[derive(Debug, Clone, Copy)]
pub struct InUse<'a> {
    /// The authorities by their SHA-256, in order.
    pub authorities: &'a [[u8; 32]],
    /// The bundle's sequence number; `None` while only the pins are known.
    pub sequence: Option<u64>,
}

/// A fetched bundle, compared with the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The same authorities.
    None,
    /// Other authorities, which the partner's gateway has to confirm.
    ToConfirm,
}

/// Why a bundle is refused. The one in use stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has no authority in common with the bundle in use.
    #[error(
        "it has no authority in common with those that are known: it may be somebody else's. \
         If the realm was set up anew, leave it and invite it again"
    )]
    Foreign,
    /// It is older than the one in use.
    #[error("its sequence number went back from {in_use} to {found}")]
    Older {
        /// The number in use.
        in_use: u64,
        /// The number that came; 0 for none.
        found: u64,
    },
    /// It changed without a new number (SPIFFE Trust Domain and Bundle, 4.1.1).
    #[error("its authorities changed, and its sequence number {0} did not")]
    SameNumber(u64),
}

/// Compares a fetched bundle with the one in use.
///
/// # Errors
/// [`Refused`].
pub fn compare(in_use: InUse<'_>, offered: &Published) -> Result<Change, Refused> {
    let hashes = authorities(&offered.bundle);
    if !hashes.iter().any(|hash| in_use.authorities.contains(hash)) {
        return Err(Refused::Foreign);
    }
    if let Some(number) = in_use.sequence {
        let found = offered.sequence.unwrap_or(0);
        if offered.sequence < in_use.sequence {
            return Err(Refused::Older {
                in_use: number,
                found,
            });
        }
        if found == number && hashes != in_use.authorities {
            return Err(Refused::SameNumber(number));
        }
    }
    if hashes == in_use.authorities {
        Ok(Change::None)
    } else {
        Ok(Change::ToConfirm)
    }
}

/// The bundle in use for a partner: its last believed one, or the owner's pins.
pub fn known(partner: &Partner, bundle: Option<&Published>) -> (Vec<[u8; 32]>, Option<u64>) {
    match bundle {
        Some(published) => (
            authorities(&published.bundle),
            partner.bundle.as_ref().and_then(|state| state.sequence),
        ),
        None => (partner.pins.clone(), None),
    }
}

#[cfg(test)]
mod tests {
    use hallway_evidence::Timestamp;
    use hallway_hall::Bundle;
    use hallway_spine::realm_authority::RealmAuthority;
    use rustls_pki_types::CertificateDer;

    use super::*;

    fn certificate() -> CertificateDer<'static> {
        let authority =
            RealmAuthority::generate("beta.example", Timestamp::from_ms(1_800_000_000_000))
                .unwrap();
        authority.certificate.into()
    }

    fn published(certificates: &[&CertificateDer<'static>], sequence: Option<u64>) -> Published {
        let certificates = certificates.iter().map(|&it| it.clone()).collect();
        Published {
            bundle: Bundle::new(certificates).unwrap(),
            sequence,
            refresh_seconds: Some(300),
        }
    }

    fn after(first: &Published, next: &Published) -> Result<Change, Refused> {
        let in_use = InUse {
            authorities: &authorities(&first.bundle),
            sequence: first.sequence,
        };
        compare(in_use, next)
    }

    #[test]
    fn a_bundle_follows_the_one_in_use_by_a_common_authority() {
        let (old, new) = (certificate(), certificate());
        let first = published(&[&old], Some(1));
        assert_eq!(after(&first, &first), Ok(Change::None));
        let both = published(&[&old, &new], Some(2));
        assert_eq!(after(&first, &both), Ok(Change::ToConfirm));
        let second = published(&[&new], Some(3));
        assert_eq!(after(&both, &second), Ok(Change::ToConfirm));
        assert_eq!(after(&first, &second), Err(Refused::Foreign));
    }

    #[test]
    fn the_sequence_number_never_goes_back() {
        let (old, new) = (certificate(), certificate());
        let second = published(&[&old], Some(2));
        for (found, sequence) in [(1, Some(1)), (0, None)] {
            let back = after(&second, &published(&[&old, &new], sequence));
            assert_eq!(back, Err(Refused::Older { in_use: 2, found }));
        }
        let changed = after(&second, &published(&[&old, &new], Some(2)));
        assert_eq!(changed, Err(Refused::SameNumber(2)));
    }

    #[test]
    fn the_order_of_authorities_is_no_change() {
        let (one, two) = (certificate(), certificate());
        let first = published(&[&one, &two], Some(1));
        assert_eq!(
            after(&first, &published(&[&two, &one], Some(1))),
            Ok(Change::None)
        );
    }
}
