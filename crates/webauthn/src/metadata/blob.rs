//! The metadata BLOB: verified, then read (FIDO Metadata Service 3.1, 3.1.7 and 3.2).

use serde::Deserialize;
use x509_parser::extensions::GeneralName;

use super::entry::Model;
use super::{Metadata, crl, date};
use crate::certificate::{Certificate, CertificateError};
use crate::jws::{Jws, JwsError};
use crate::path;
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::TrustAnchors;

/// The most bytes of one BLOB. The service's had 6 MB when this was written.
pub const MAX_BLOB: usize = 64 * 1024 * 1024;

/// What a BLOB must satisfy. `Default` is the strictest: nothing is accepted until anchors are
/// named.
#[derive(Clone, Debug, Default)]
pub struct BlobTrust {
    /// Who may vouch for the signer; for the FIDO Alliance's service, GlobalSign Root CA - R3.
    pub anchors: TrustAnchors,
    /// Who the signer must be.
    pub signer: SignerName,
    /// The number of the BLOB that is in use: a lower one is refused, so that an old BLOB cannot
    /// bring back what was revoked since.
    pub in_use: Option<u64>,
    /// What to do with a BLOB whose successor is due.
    pub stale: Staleness,
    /// Certificate revocation lists, DER, as the operator gave them.
    pub revocation_lists: Vec<Vec<u8>>,
}

/// The name in the signer's certificate. Without it, the holder of any certificate from the same
/// public authority could sign metadata.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignerName {
    /// This host is among the certificate's alternative names.
    Host(String),
    /// The anchors issue to the service only, so any name will do.
    Any,
}

impl Default for SignerName {
    /// The FIDO Alliance's service.
    fn default() -> Self {
        Self::Host("mds.fidoalliance.org".to_owned())
    }
}

/// What to do with a BLOB after its `nextUpdate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Staleness {
    /// Refuse it.
    #[default]
    Refuse,
    /// Use it: for gateways that cannot fetch, and for evidence from the past.
    Accept,
}

/// Why a BLOB is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Longer than [`MAX_BLOB`].
    #[error("the metadata BLOB is longer than {MAX_BLOB} bytes")]
    TooLong,
    /// Not a JWS, or its signature does not verify.
    #[error("the metadata BLOB: {0}")]
    Jws(#[from] JwsError),
    /// The signer's certificates lead to no anchor.
    #[error("the signer of the metadata BLOB is not trusted: {0}")]
    Untrusted(#[from] CertificateError),
    /// The signer's certificate is for another host.
    #[error("the metadata BLOB is signed by \"{found}\", not by {expected}")]
    Signer {
        /// The host that the operator named.
        expected: String,
        /// The certificate's subject.
        found: String,
    },
    /// A certificate of the signer was revoked.
    #[error("the metadata BLOB is not trusted: the certificate of \"{0}\" was revoked")]
    Revoked(String),
    /// A revocation list cannot be used.
    #[error("a certificate revocation list is {0}")]
    RevocationList(&'static str),
    /// The payload cannot be read.
    #[error("the metadata BLOB's payload cannot be read: {0}")]
    Payload(String),
    /// A number lower than that of the BLOB in use.
    #[error("the metadata BLOB has number {found}, but number {in_use} is in use already")]
    Older {
        /// The number of this BLOB.
        found: u64,
        /// The number of the BLOB in use.
        in_use: u64,
    },
    /// `nextUpdate` has passed.
    #[error("the metadata BLOB expired on {0}; fetch a newer one")]
    Stale(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    no: u64,
    next_update: String,
    entries: Vec<serde_json::Value>,
}

impl Metadata {
    /// Verifies a BLOB and reads it. Store `bytes`: they can be verified again.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn from_blob(bytes: &[u8], trust: &BlobTrust, now: UnixSeconds) -> Result<Self, BlobError> {
        if bytes.len() > MAX_BLOB {
            return Err(BlobError::TooLong);
        }
        let jws = Jws::parse(bytes.trim_ascii_end())?;
        verify_signer(&jws, trust, now)?;
        let payload: Payload = serde_json::from_slice(&jws.payload)
            .map_err(|error| BlobError::Payload(error.to_string()))?;
        if let Some(in_use) = trust.in_use
            && payload.no < in_use
        {
            let found = payload.no;
            return Err(BlobError::Older { found, in_use });
        }
        if i64::try_from(payload.no).is_err() {
            return Err(BlobError::Payload("its number is 2^63 or more".to_owned()));
        }
        let next_update = date::parse(&payload.next_update)
            .ok_or_else(|| BlobError::Payload("nextUpdate is not a date".to_owned()))?;
        if trust.stale == Staleness::Refuse && now > date::end_of_day(next_update) {
            return Err(BlobError::Stale(payload.next_update));
        }
        let mut metadata = Self {
            number: Some(payload.no),
            next_update: Some(next_update),
            ..Self::default()
        };
        for entry in &payload.entries {
            match Model::from_entry(entry) {
                Ok(model) => metadata.insert(model),
                Err(entry) => metadata.unreadable.push(entry),
            }
        }
        Ok(metadata)
    }
}

/// 3.2, the steps on the signature. Where the BLOB brings no certificates, a trust anchor itself is
/// the signer. Certificates that the BLOB only names by address are not fetched.
fn verify_signer(jws: &Jws<'_>, trust: &BlobTrust, now: UnixSeconds) -> Result<(), BlobError> {
    let chain = jws.certificates()?;
    if !chain.is_empty() {
        return verify_chain(jws, &chain, trust, now);
    }
    let mut verdict = Err(CertificateError::ChainLength(0).into());
    for anchor in &trust.anchors {
        let signer = Certificate::parse(anchor.certificate())?;
        verdict = verify_chain(jws, &[signer], trust, now);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

/// Chain, revocation, name, and the signature itself.
fn verify_chain(
    jws: &Jws<'_>,
    chain: &[Certificate<'_>],
    trust: &BlobTrust,
    now: UnixSeconds,
) -> Result<(), BlobError> {
    let found = path::validate(chain, &trust.anchors, now)?;
    let anchor = Certificate::parse(found.anchor.certificate())?;
    for (at, certificate) in chain.iter().enumerate() {
        if certificate.der() == anchor.der() {
            break;
        }
        let issued_by_anchor =
            certificate.x509().issuer().as_raw() == anchor.x509().subject().as_raw();
        let issuer = if issued_by_anchor {
            Some(&anchor)
        } else {
            chain.get(at + 1)
        };
        if let Some(issuer) = issuer {
            crl::verify_not_revoked(certificate, issuer, &trust.revocation_lists, now)?;
        }
        if issued_by_anchor {
            break;
        }
    }
    let Some(leaf) = chain.first() else {
        return Err(CertificateError::ChainLength(0).into());
    };
    if let SignerName::Host(host) = &trust.signer
        && !is_for_host(leaf, host)
    {
        return Err(BlobError::Signer {
            expected: host.clone(),
            found: leaf.subject(),
        });
    }
    Ok(jws.verify(&leaf.key()?)?)
}

fn is_for_host(leaf: &Certificate<'_>, host: &str) -> bool {
    match leaf.x509().subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().any(
            |name| matches!(name, GeneralName::DNSName(found) if found.eq_ignore_ascii_case(host)),
        ),
        _ => false,
    }
}
