//! Revocation lists for the certificates that sign a BLOB (RFC 5280, 5 and 6.3).

use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::blob::BlobError;
use crate::certificate::Certificate;
use crate::relying_party::UnixSeconds;

/// Checks `certificate` against those of the `lists`, DER, that its issuer made.
///
/// Without a list from its issuer the certificate passes: lists are used where the operator gives
/// them. A list that its issuer did not sign, or that is out of date, is an error, since the
/// operator meant it to be used.
pub(super) fn verify_not_revoked(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    lists: &[Vec<u8>],
    now: UnixSeconds,
) -> Result<(), BlobError> {
    for der in lists {
        let (_, list) = CertificateRevocationList::from_der(der)
            .ok()
            .filter(|(rest, _)| rest.is_empty())
            .ok_or(BlobError::RevocationList("malformed"))?;
        if list.issuer().as_raw() != certificate.x509().issuer().as_raw() {
            continue;
        }
        let signed = list.tbs_cert_list.as_ref();
        issuer
            .verify_signature(
                &list.signature_algorithm,
                signed,
                list.signature_value.as_ref(),
            )
            .map_err(|_| BlobError::RevocationList("not signed by its issuer"))?;
        let until = list.next_update().map_or(i64::MAX, |time| time.timestamp());
        if now.0 < list.last_update().timestamp() || now.0 > until {
            return Err(BlobError::RevocationList("out of date"));
        }
        let serial = certificate.x509().raw_serial();
        if list
            .iter_revoked_certificates()
            .any(|revoked| revoked.raw_serial() == serial)
        {
            return Err(BlobError::Revoked(certificate.subject()));
        }
    }
    Ok(())
}
