//! An attestation certificate (WebAuthn Level 3, 8.2.1).

use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::view::{Field, Part};
use super::offset_in;

/// id-fido-gen-ce-aaguid, the extension that names the model.
const AAGUID_EXTENSION: &str = "1.3.6.1.4.1.45724.1.1.4";

/// Takes one certificate of a chain apart. Number 0 is the leaf, which signs.
pub fn certificate(der: &[u8], place: usize) -> Part {
    const IDS: [&str; 4] = [
        "certificate",
        "certificate-2",
        "certificate-3",
        "certificate-4",
    ];
    let leaf = place == 0;
    Part {
        id: IDS.get(place).copied().unwrap_or("certificate-5"),
        title: if leaf {
            "Attestation certificate".to_owned()
        } else {
            format!("Certificate {} of the chain", place + 1)
        },
        lead: if leaf {
            "The maker's word for what this key is. The private key that belongs to it \
             signed the registration."
                .to_owned()
        } else {
            "It vouches for the certificate before it.".to_owned()
        },
        length: der.len(),
        fields: X509Certificate::from_der(der).map_or_else(
            |error| vec![Field::new(0, der, "Unreadable", error.to_string())],
            |(_, certificate)| fields(der, &certificate),
        ),
    }
}

fn fields(der: &[u8], certificate: &X509Certificate<'_>) -> Vec<Field> {
    let subject = certificate.subject();
    let issuer = certificate.issuer();
    let validity = certificate.validity();
    let key = certificate.public_key();
    let mut out = vec![
        Field::new(
            offset_in(der, certificate.raw_serial()),
            certificate.raw_serial(),
            "Certificate number",
            "Under this number the issuer knows the certificate.",
        ),
        Field::new(
            offset_in(der, issuer.as_raw()),
            issuer.as_raw(),
            "Issuer",
            "Who vouches for it.",
        )
        .with_value(issuer.to_string()),
        Field::new(
            offset_in(der, subject.as_raw()),
            subject.as_raw(),
            "Subject",
            "What it is issued to. A device's serial number stands here.",
        )
        .with_value(subject.to_string()),
        Field::new(
            offset_in(der, key.raw),
            key.raw,
            "Public key",
            "The key with which the attestation's signature is checked.",
        ),
    ];
    for extension in certificate.extensions() {
        if extension.oid.to_id_string() == AAGUID_EXTENSION {
            out.push(Field::new(
                offset_in(der, extension.value),
                extension.value,
                "AAGUID extension",
                "The model, which must be the one in the authenticator data.",
            ));
        }
    }
    out.push(
        Field::new(
            offset_in(der, certificate.signature_value.as_ref()),
            certificate.signature_value.as_ref(),
            "Issuer's signature",
            "Over everything above.",
        )
        .with_value(format!(
            "valid from {} to {}",
            validity.not_before, validity.not_after
        )),
    );
    out.sort_by_key(|field| field.offset);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_certificate_are_shown() {
        let part = certificate(&[1, 2, 3], 0);
        assert_eq!(part.fields[0].name, "Unreadable");
        assert_eq!(certificate(&[], 9).id, "certificate-5");
    }
}
