//! Path validation: from a leaf certificate up to a trust anchor (RFC 5280, section 6, as far as
//! attestation certificates use it; WebAuthn Level 3, 7.1, step 24).
//!
//! Names are compared byte for byte. Revocation is judged by metadata, not here.

use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};

use crate::certificate::{Certificate, CertificateError, MAX_CHAIN};
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::{TrustAnchor, TrustAnchors};

/// The critical extensions that any certificate may have: the first two are enforced here, the
/// others restrict uses that attestation does not have, or are judged by the format.
const UNDERSTOOD: [Oid<'static>; 5] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_CERTIFICATE_POLICIES,
];

/// Where a chain leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchored<'t> {
    /// The anchor.
    pub(crate) anchor: &'t TrustAnchor,
    /// How many certificates of the chain are below it; 0 where the leaf itself is listed.
    pub(crate) below: usize,
}

/// Finds the anchor that `chain`, leaf first, leads to.
///
/// Every certificate up to the anchor is valid at `now`, is signed by the next, names it as its
/// issuer, and has no critical extension but the usual ones; each issuer is an authority whose
/// path length is kept. A certificate in the chain is an anchor only if it is listed as one, byte
/// for byte. Certificates after the anchor are not looked at.
pub(crate) fn validate<'t>(
    chain: &[Certificate<'_>],
    anchors: &'t TrustAnchors,
    now: UnixSeconds,
) -> Result<Anchored<'t>, CertificateError> {
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return Err(CertificateError::ChainLength(chain.len()));
    }
    let mut last_problem = None;
    for (depth, certificate) in chain.iter().enumerate() {
        let listed = anchors
            .iter()
            .find(|anchor| anchor.certificate() == certificate.der());
        if let Some(anchor) = listed {
            if depth == 0 {
                certificate.verify_time(now)?;
                verify_critical(certificate)?;
            }
            return Ok(Anchored {
                anchor,
                below: depth,
            });
        }
        certificate.verify_time(now)?;
        verify_critical(certificate)?;
        for anchor in anchors {
            if anchor.subject() != certificate.x509().issuer().as_raw() {
                continue;
            }
            match issued_by_anchor(certificate, anchor, depth) {
                Ok(()) => {
                    return Ok(Anchored {
                        anchor,
                        below: depth + 1,
                    });
                }
                Err(problem) => last_problem = Some(problem),
            }
        }
        if let Some(issuer) = chain.get(depth + 1) {
            verify_issued(certificate, issuer, depth)?;
        }
    }
    let top = chain.last().map(Certificate::subject).unwrap_or_default();
    Err(last_problem.unwrap_or(CertificateError::NotAnchored(top)))
}

fn issued_by_anchor(
    certificate: &Certificate<'_>,
    anchor: &TrustAnchor,
    depth: usize,
) -> Result<(), CertificateError> {
    let issuer = Certificate::parse(anchor.certificate())?;
    // A version 1 certificate cannot say whether it is an authority: the listing says so.
    if issuer.is_v3() {
        verify_authority(&issuer, depth)?;
    }
    certificate.verify_signed_by(&issuer)
}

/// `issuer` issued `certificate`, which has `depth` certificates below it.
fn verify_issued(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    depth: usize,
) -> Result<(), CertificateError> {
    if certificate.x509().issuer().as_raw() != issuer.x509().subject().as_raw() {
        return Err(CertificateError::WrongIssuer {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
        });
    }
    verify_authority(issuer, depth)?;
    certificate.verify_signed_by(issuer)
}

/// `issuer` may issue certificates, with `intermediates` of them between it and the leaf
/// (RFC 5280, 4.2.1.3 and 4.2.1.9).
fn verify_authority(
    issuer: &Certificate<'_>,
    intermediates: usize,
) -> Result<(), CertificateError> {
    match issuer.basic_constraints()? {
        Some((true, limit)) => {
            if limit.is_some_and(|limit| intermediates as u64 > u64::from(limit)) {
                return Err(CertificateError::PathLength(issuer.subject()));
            }
        }
        _ => return Err(CertificateError::NotAuthority(issuer.subject())),
    }
    if issuer.may_sign_certificates()? {
        Ok(())
    } else {
        Err(CertificateError::NotAuthority(issuer.subject()))
    }
}

fn verify_critical(certificate: &Certificate<'_>) -> Result<(), CertificateError> {
    let unknown = certificate
        .x509()
        .extensions()
        .iter()
        .find(|extension| extension.critical && !UNDERSTOOD.contains(&extension.oid));
    match unknown {
        None => Ok(()),
        Some(extension) => Err(CertificateError::CriticalExtension {
            subject: certificate.subject(),
            oid: extension.oid.to_id_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1_ROOT: &[u8] = include_bytes!("../tests/vectors/v1-root.der");
    const LEAF: &[u8] = include_bytes!("../tests/vectors/v1-leaf.der");
    const OTHER: &[u8] = include_bytes!("../tests/vectors/rsa-pss-sha256.der");

    fn validated(
        chain: &[&[u8]],
        anchor: &[u8],
        now: i64,
    ) -> Result<(String, usize), CertificateError> {
        let chain: Vec<Certificate<'_>> = chain
            .iter()
            .map(|der| Certificate::parse(der).unwrap())
            .collect();
        let anchors = TrustAnchors::from_iter([TrustAnchor::new("anchor", anchor).unwrap()]);
        validate(&chain, &anchors, UnixSeconds(now))
            .map(|found| (found.anchor.name().to_owned(), found.below))
    }

    /// Inside the validity of all three.
    fn now() -> i64 {
        let leaf = Certificate::parse(LEAF).unwrap();
        leaf.x509().validity().not_before.timestamp() + 86_400
    }

    #[test]
    fn a_root_of_version_1_vouches_where_it_is_listed() {
        assert!(!Certificate::parse(V1_ROOT).unwrap().is_v3());
        let anchor = |below| ("anchor".to_owned(), below);
        assert_eq!(validated(&[LEAF], V1_ROOT, now()).unwrap(), anchor(1));
        assert_eq!(
            validated(&[LEAF, V1_ROOT], V1_ROOT, now()).unwrap(),
            anchor(1)
        );
        assert_eq!(validated(&[V1_ROOT], V1_ROOT, now()).unwrap(), anchor(0));
    }

    #[test]
    fn a_certificate_of_version_1_inside_a_chain_is_no_authority() {
        assert!(matches!(
            validated(&[LEAF, V1_ROOT], OTHER, now()),
            Err(CertificateError::NotAuthority(_))
        ));
    }

    #[test]
    fn an_empty_chain_leads_nowhere() {
        assert_eq!(
            validated(&[], V1_ROOT, now()),
            Err(CertificateError::ChainLength(0))
        );
    }

    #[test]
    fn the_edges_of_validity_belong_to_it() {
        let leaf = Certificate::parse(LEAF).unwrap();
        let from = leaf.x509().validity().not_before.timestamp();
        let until = leaf.x509().validity().not_after.timestamp();
        for (now, valid) in [
            (from - 1, false),
            (from, true),
            (until, true),
            (until + 1, false),
        ] {
            assert_eq!(validated(&[LEAF], V1_ROOT, now).is_ok(), valid);
        }
    }
}
