//! An attestation certificate (WebAuthn Level 3, 8.2.1).

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::prelude::{FromDer, X509Certificate, X509Extension};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Field, Part};
use crate::certificate::spki_key;
use crate::observer::Hex;
use crate::relying_party::UnixSeconds;
use crate::signature::Key;

/// Takes one certificate of a chain apart, as it is at `now`. Place 0 is the leaf, which signs.
pub fn certificate(der: &[u8], place: usize, now: UnixSeconds) -> Part {
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
            |error| Field::unreadable(der, error),
            |(_, certificate)| fields(der, &certificate, now),
        ),
    }
}

fn fields(der: &[u8], certificate: &X509Certificate<'_>, now: UnixSeconds) -> Vec<Field> {
    let within = |inner, name, meaning| Field::within(der, inner, name, meaning);
    let (issuer, subject) = (certificate.issuer(), certificate.subject());
    let key = certificate.public_key();
    let mut out = vec![
        within(
            certificate.raw_serial(),
            "Certificate number",
            "Under this number the issuer knows the certificate.",
        ),
        within(issuer.as_raw(), "Issuer", "Who vouches for it.").with_value(issuer.to_string()),
        within(
            subject.as_raw(),
            "Subject",
            "What it is issued to. A device's serial number stands here.",
        )
        .with_value(subject.to_string()),
        within(
            key.raw,
            "Public key",
            "The key with which the attestation's signature is checked.",
        )
        .with_value(kind(key)),
        within(
            certificate.signature_value.as_ref(),
            "Issuer's signature",
            "Over everything above.",
        ),
    ];
    let extensions = certificate.extensions().iter().take(32);
    out.extend(extensions.map(|found| extension(der, found)));
    out.sort_by_key(|field| field.offset);
    let validity = certificate.validity();
    let during = validity.not_before.timestamp()..=validity.not_after.timestamp();
    let in_date = match during.contains(&now.0) {
        true => "It is valid at the time that is asked about.",
        false => "It is not valid at the time that is asked about.",
    };
    let during = format!("from {} to {}", validity.not_before, validity.not_after);
    let authority = match certificate.basic_constraints() {
        Ok(Some(found)) if found.value.ca => "yes",
        _ => "no",
    };
    let hash = Hex(digest(&SHA256, der).as_ref()).to_string();
    let derived = |name, meaning, value| within(&[], name, meaning).with_value(value);
    out.extend([
        derived("Validity", in_date, during),
        derived(
            "Authority",
            "Whether it may issue certificates.",
            authority.to_owned(),
        ),
        derived(
            "SHA-256",
            "Of the whole certificate: lists name it so.",
            hash,
        ),
    ]);
    out
}

/// The kind and size of a key.
fn kind(key: &SubjectPublicKeyInfo<'_>) -> String {
    match spki_key(key) {
        Some(Key::EcPoint { curve, .. } | Key::Ec { curve, .. }) => format!("{curve:?}"),
        Some(Key::Ed25519(_)) => "Ed25519".to_owned(),
        Some(Key::Ed448(_)) => "Ed448".to_owned(),
        Some(Key::Rsa { n, .. }) => format!("RSA, {} bits", n.len() * 8),
        Some(Key::MlDsa { algorithm, .. }) => algorithm.to_string(),
        None => key.algorithm.algorithm.to_id_string(),
    }
}

fn extension(der: &[u8], extension: &X509Extension<'_>) -> Field {
    let oid = extension.oid.to_id_string();
    let (name, meaning) =
        known(&oid).unwrap_or(("Extension", "An extension that is not explained here."));
    let critical = match extension.critical {
        true => ", critical: who does not know it must refuse the certificate",
        false => "",
    };
    Field::within(der, extension.value, name, meaning).with_value(format!("{oid}{critical}"))
}

/// An extension's name and meaning.
fn known(oid: &str) -> Option<(&'static str, &'static str)> {
    Some(match oid {
        "2.5.29.14" => ("Subject key identifier", "Tells the subject's keys apart."),
        "2.5.29.15" => ("Key usage", "What the key may be used for."),
        "2.5.29.17" => ("Subject alternative name", "Further names of the subject."),
        "2.5.29.19" => (
            "Basic constraints",
            "Whether it is a certificate authority's, and how long a chain may be below it.",
        ),
        "2.5.29.31" => (
            "CRL distribution points",
            "Where revoked certificates are listed.",
        ),
        "2.5.29.32" => ("Certificate policies", "Under which rules it was issued."),
        "2.5.29.35" => (
            "Authority key identifier",
            "With which key the issuer signed.",
        ),
        "2.5.29.37" => ("Extended key usage", "Which purposes the key may serve."),
        "1.3.6.1.5.5.7.1.1" => ("Authority information access", "Where to find the issuer."),
        "1.3.6.1.4.1.45724.1.1.4" => (
            "AAGUID extension",
            "The model, which must be the one in the authenticator data.",
        ),
        "1.3.6.1.4.1.45724.1.1.2" => ("FIDO serial number", "Of this one device."),
        "1.3.6.1.4.1.45724.2.1.1" => ("FIDO U2F transports", "How the device is reached."),
        "1.3.6.1.4.1.11129.2.1.17" => (
            "Android key description",
            "What the platform says of the key and of the device's state.",
        ),
        "1.2.840.113635.100.8.2" => ("Apple nonce", "Binds the certificate to this ceremony."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_certificate_are_shown() {
        let part = certificate(&[1, 2, 3], 0, UnixSeconds(0));
        assert_eq!(part.fields[0].name, "Unreadable");
        assert_eq!(certificate(&[], 9, UnixSeconds(0)).id, "certificate-5");
    }

    #[test]
    fn a_certificate_is_shown_with_all_that_judges_look_at() {
        let der = include_bytes!("../../tests/vectors/rsa-pss-sha256.der");
        let part = certificate(der, 0, UnixSeconds(0));
        for name in ["Issuer", "Subject", "Validity", "Authority", "SHA-256"] {
            assert!(part.field(name).unwrap().value.is_some(), "{name}");
        }
        let validity = part.field("Validity").unwrap();
        assert!(validity.meaning.starts_with("It is not valid"));
    }
}
