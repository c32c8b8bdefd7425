//! Authenticator data, which the key itself writes (WebAuthn Level 3, 6.1).

use aws_lc_rs::digest::{SHA256, digest};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData};
use hallway_ctap::cose::PublicKey;

use super::{Bit, Field, Part};

/// Takes authenticator data apart. `rp_id` is the relying party id that was expected, where it is
/// known.
pub fn authenticator_data(bytes: &[u8], rp_id: Option<&str>) -> Part {
    let fields = match AuthenticatorData::parse(bytes) {
        Ok(data) => fields(bytes, &data, rp_id),
        Err(error) => Field::unreadable(bytes, error),
    };
    Part {
        id: "authenticator-data",
        title: "Authenticator data".to_owned(),
        lead: "What the key itself says, and signs together with the hash of the client data. No \
               browser or program can alter it unnoticed."
            .to_owned(),
        length: bytes.len(),
        fields,
    }
}

fn fields(bytes: &[u8], data: &AuthenticatorData<'_>, rp_id: Option<&str>) -> Vec<Field> {
    let site = match rp_id {
        None => {
            "The SHA-256 of the relying party id. A key signs for the site that it was registered \
                 with and for no other, which is what defeats phishing."
                .to_owned()
        }
        Some(rp_id) if digest(&SHA256, rp_id.as_bytes()).as_ref() == data.rp_id_hash => format!(
            "The SHA-256 of “{rp_id}”. A key signs for the site that it was registered with and for \
             no other, which is what defeats phishing."
        ),
        Some(rp_id) => {
            format!("This is not the SHA-256 of “{rp_id}”: the key signed for another site.")
        }
    };
    let mut flags = Field::new(
        32,
        &[data.flags.bits()],
        "Flags",
        "Eight bits, from the highest to the lowest.",
    )
    .with_value(format!("{:#010b}", data.flags.bits()));
    flags.bits = bits(data.flags.bits());
    let mut out = vec![
        Field::new(0, data.rp_id_hash, "Relying party id hash", site),
        flags,
        Field::new(
            33,
            &data.sign_count.to_be_bytes(),
            "Signature counter",
            if data.sign_count == 0 {
                "Zero: this key does not count."
            } else {
                "Goes up with each signature. If it ever stands still or goes back, there may be \
                 a copy of the key."
            },
        )
        .with_value(data.sign_count.to_string()),
    ];
    if let Some(credential) = &data.attested_credential {
        attested(bytes, credential, &mut out);
    }
    if let Some(extensions) = data.extensions {
        out.push(Field::within(
            bytes,
            extensions,
            "Extension outputs",
            "What extensions of the protocol returned, as a CBOR map.",
        ));
    }
    out
}

fn attested(bytes: &[u8], credential: &AttestedCredential<'_>, out: &mut Vec<Field>) {
    let id = credential.credential_id;
    out.push(
        Field::new(
            37,
            &credential.aaguid.0,
            "AAGUID",
            if credential.aaguid == Aaguid::ZERO {
                "All zero: the key does not say which model it is."
            } else {
                "Names the model of the key. The attestation says whether that is to be believed."
            },
        )
        .with_value(credential.aaguid.to_string()),
    );
    out.push(
        Field::new(
            53,
            &(id.len() as u16).to_be_bytes(),
            "Credential id length",
            "How many bytes of credential id follow.",
        )
        .with_value(id.len().to_string()),
    );
    out.push(Field::within(
        bytes,
        id,
        "Credential id",
        "By this name the key finds the private key again.",
    ));
    let key = credential.public_key;
    out.push(
        Field::within(
            bytes,
            key,
            "Public key",
            "The new public key, as a COSE_Key (RFC 9052). Its private part never leaves the key.",
        )
        .with_value(PublicKey::decode(key).map_or_else(
            |error| error.to_string(),
            |key| key.algorithm().name().to_owned(),
        )),
    );
}

/// Every bit of the flags byte, the reserved ones too.
fn bits(byte: u8) -> Vec<Bit> {
    const NAMES: [(u8, &str, &str, &str); 8] = [
        (
            7,
            "ED",
            "Extension outputs follow.",
            "No extension outputs follow.",
        ),
        (
            6,
            "AT",
            "A new credential follows.",
            "No credential follows: this is not a registration.",
        ),
        (
            5,
            "reserved",
            "Reserved; it ought to be 0.",
            "Reserved for future use.",
        ),
        (
            4,
            "BS",
            "The credential is backed up: copies exist.",
            "The credential is not backed up.",
        ),
        (
            3,
            "BE",
            "The credential may be copied to other devices, as passkeys are.",
            "The credential stays on this one key.",
        ),
        (
            2,
            "UV",
            "The key recognised its owner, by PIN or biometry.",
            "The key did not check who is using it.",
        ),
        (
            1,
            "reserved",
            "Reserved; it ought to be 0.",
            "Reserved for future use.",
        ),
        (
            0,
            "UP",
            "Somebody was there and touched the key.",
            "Nobody touched the key. Only a credential enrolled as a device may sign like that.",
        ),
    ];
    NAMES
        .into_iter()
        .map(|(number, name, on, off)| {
            let set = byte >> number & 1 == 1;
            Bit {
                number,
                name,
                set,
                meaning: if set { on } else { off },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallway_ctap::authenticator_data::Flags;

    fn assertion(flags: Flags) -> Vec<u8> {
        let digest = digest(&SHA256, b"gate.example");
        AuthenticatorData {
            rp_id_hash: digest.as_ref().try_into().unwrap(),
            flags,
            sign_count: 7,
            attested_credential: None,
            extensions: None,
        }
        .encode()
        .unwrap()
    }

    #[test]
    fn every_flag_is_explained() {
        let part = authenticator_data(&assertion(Flags::USER_PRESENT), Some("gate.example"));
        let bits = &part.fields[1].bits;
        assert_eq!(bits.len(), 8);
        let set: Vec<_> = bits.iter().filter(|b| b.set).map(|b| b.name).collect();
        assert_eq!(set, ["UP"]);
        assert!(part.fields[0].meaning.contains("defeats phishing"));
    }

    #[test]
    fn another_site_is_pointed_out() {
        let part = authenticator_data(&assertion(Flags::default()), Some("other.example"));
        assert!(part.fields[0].meaning.contains("another site"));
    }

    #[test]
    fn a_registration_shows_the_new_credential() {
        let bytes = AuthenticatorData {
            rp_id_hash: &[0; 32],
            flags: Flags::USER_PRESENT,
            sign_count: 0,
            attested_credential: Some(AttestedCredential {
                aaguid: Aaguid([9; 16]),
                credential_id: b"abcd",
                public_key: &[0xa0],
            }),
            extensions: Some(&[0xa0]),
        }
        .encode()
        .unwrap();
        let part = authenticator_data(&bytes, Some("x"));
        let offsets: Vec<_> = part.fields.iter().map(|f| f.offset).collect();
        assert_eq!(offsets, [0, 32, 33, 37, 53, 55, 59, 60]);
    }

    #[test]
    fn broken_bytes_are_shown_with_what_is_wrong() {
        let part = authenticator_data(&[1, 2, 3], None);
        assert_eq!(part.fields[0].name, "Unreadable");
        assert!(part.fields[0].meaning.contains("cut short"));
    }
}
