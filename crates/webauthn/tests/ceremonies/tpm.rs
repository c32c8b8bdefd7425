//! TPM attestation, 8.3.

use hallway_ctap::cose::Algorithm;
use hallway_webauthn::{AttestationKind, Details, RegistrationPolicy};
use minicbor::Encoder;
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SigningKey,
};

use crate::maker::{
    Authority, Ceremony, MODEL, aaguid_extension, der, sha256, valid_params, write_chain,
};

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// The parts of a statement, for tests that want one of them wrong.
pub(crate) struct Parts {
    magic: u32,
    kind: u16,
    pub(crate) extra_data: Vec<u8>,
    pub(crate) area: Vec<u8>,
    name: Vec<u8>,
    version: &'static str,
    pub(crate) params: CertificateParams,
    pub(crate) signature: Wrap,
}

/// Makes `sig` from a signature in DER.
pub(crate) type Wrap = fn(&[u8]) -> Vec<u8>;

/// TPMT_SIGNATURE of ECDSA with SHA-256.
pub(crate) fn structure(der: &[u8]) -> Vec<u8> {
    let number = |at: usize| &der[at + 2..at + 2 + usize::from(der[at + 1])];
    let (r, s) = (number(2), number(4 + usize::from(der[3])));
    [&[0, 0x18, 0, 0x0b][..], &sized(r), &sized(s)].concat()
}

/// TPMT_PUBLIC of a key on P-256 whose Name is hashed by SHA-256.
pub(crate) fn area(x: &[u8], y: &[u8]) -> Vec<u8> {
    let head = [
        0x00, 0x23, 0x00, 0x0b, 0, 4, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 0, 3, 0, 0x10,
    ];
    [&head[..], &sized(x), &sized(y)].concat()
}

fn alternative_name(manufacturer: &str) -> CustomExtension {
    alternative_names(manufacturer, &[])
}

/// The TPM's own names, and further ones.
pub(crate) fn alternative_names(manufacturer: &str, more: &[u8]) -> CustomExtension {
    let attribute = |last: u8, value: &str| {
        let oid = der(0x06, &[0x67, 0x81, 0x05, 0x02, last]);
        let pair = [oid, der(0x0c, value.as_bytes())].concat();
        der(0x31, &der(0x30, &pair))
    };
    let names = [
        attribute(1, manufacturer),
        attribute(2, "Part"),
        attribute(3, "id:13"),
    ];
    let directory = der(0xa4, &der(0x30, &names.concat()));
    let mut extension =
        CustomExtension::from_oid_content(&[2, 5, 29, 17], der(0x30, &[&directory, more].concat()));
    extension.set_criticality(true);
    extension
}

fn aik() -> CertificateParams {
    let mut params = valid_params();
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 3])];
    params.custom_extensions = vec![alternative_name("id:494E5443"), aaguid_extension(MODEL)];
    params
}

impl Parts {
    /// A statement about the key in `area` that was made for `signed`.
    pub(crate) fn new(area: Vec<u8>, signed: &[u8]) -> Self {
        Self {
            magic: 0xff54_4347,
            kind: 0x8017,
            extra_data: sha256(signed),
            name: [&[0, 0x0b][..], &sha256(&area)].concat(),
            area,
            version: "2.0",
            params: aik(),
            signature: <[u8]>::to_vec,
        }
    }

    pub(crate) fn statement(&self, key: &KeyPair, leaf: &[u8]) -> Vec<u8> {
        let info = [
            &self.magic.to_be_bytes()[..],
            &self.kind.to_be_bytes(),
            &sized(b"signer"),
            &sized(&self.extra_data),
            &[0; 25],
            &sized(&self.name),
            &sized(b"qualified"),
        ]
        .concat();
        let signature = (self.signature)(&key.sign(&info).unwrap());
        let mut statement = Vec::new();
        let mut e = Encoder::new(&mut statement);
        e.map(6).unwrap().str("ver").unwrap();
        e.str(self.version).unwrap();
        e.str("alg").unwrap().i64(Algorithm::Es256.id()).unwrap();
        e.str("sig").unwrap().bytes(&signature).unwrap();
        e.str("certInfo").unwrap().bytes(&info).unwrap();
        e.str("pubArea").unwrap().bytes(&self.area).unwrap();
        write_chain(&mut e, &[leaf]);
        statement
    }
}

type Outcome = (
    Result<hallway_webauthn::Registration, hallway_webauthn::RegistrationError>,
    Option<&'static str>,
);

fn register(change: impl FnOnce(&mut Parts)) -> Outcome {
    let ceremony = Ceremony::new();
    let (x, y) = ceremony.credential.coordinates();
    let mut parts = Parts::new(area(x, y), &ceremony.message());
    change(&mut parts);
    let root = Authority::root("TPM Root");
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(&parts.params, &key);
    let statement = parts.statement(&key, &leaf);
    let object = ceremony.object("tpm", &statement);
    ceremony.register_observed(&object, &RegistrationPolicy::attested(root.anchors()))
}

#[test]
fn a_tpm_s_key_registers() {
    let (result, _) = register(|_| ());
    let AttestationKind::Certified(certified) = result.unwrap().attestation.kind else {
        panic!();
    };
    let Details::Tpm { manufacturer, .. } = certified.details else {
        panic!();
    };
    assert_eq!(manufacturer, "id:494E5443");
}

#[test]
fn what_the_tpm_signed_must_be_about_this_key_and_this_registration() {
    type Change = fn(&mut Parts);
    let cases: [(Change, &str); 9] = [
        (|p| p.version = "1.2", "8.3/1"),
        (|p| p.magic = 0xff54_4348, "8.3/4.1"),
        (|p| p.kind = 0x8018, "8.3/4.2"),
        (|p| p.extra_data = sha256(b"another"), "8.3/4.3"),
        (|p| p.extra_data.clear(), "8.3/4.3"),
        (|p| p.name[5] ^= 1, "8.3/4.4"),
        (|p| p.name = vec![], "8.3/4.4"),
        (|p| p.area[30] ^= 1, "8.3/2"),
        // An attribute of the key that the Name covers.
        (|p| p.area[5] ^= 1, "8.3/4.4"),
    ];
    for (i, (change, step)) in cases.into_iter().enumerate() {
        let (result, failed) = register(change);
        assert!(result.is_err(), "case {i}");
        assert_eq!(failed, Some(step), "case {i}");
    }
}

#[test]
fn the_signature_may_stand_in_its_structure() {
    let (result, _) = register(|parts| parts.signature = structure);
    assert!(result.is_ok(), "{result:?}");
    let spoilt: [Wrap; 3] = [
        |der| [structure(der), vec![0]].concat(),
        |der| structure(der)[..20].to_vec(),
        |der| {
            let mut bytes = structure(der);
            bytes[10] ^= 1;
            bytes
        },
    ];
    for (i, signature) in spoilt.into_iter().enumerate() {
        let (result, failed) = register(|parts| parts.signature = signature);
        assert!(result.is_err(), "case {i}");
        assert_eq!(failed, Some("8.3/4.7"), "case {i}");
    }
}

#[test]
fn requirements_on_the_certificate() {
    type Change = fn(&mut CertificateParams);
    let cases: [Change; 6] = [
        |p| p.distinguished_name.push(DnType::CommonName, "not empty"),
        |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
        |p| p.is_ca = IsCa::NoCa,
        |p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
        |p| {
            p.custom_extensions.remove(0);
        },
        |p| p.custom_extensions[0] = alternative_name("Intel"),
    ];
    for (i, change) in cases.into_iter().enumerate() {
        let (result, failed) = register(|parts| change(&mut parts.params));
        assert!(result.is_err(), "case {i}");
        assert_eq!(failed, Some("8.3/4.8"), "case {i}");
    }
    let other = aaguid_extension(hallway_ctap::aaguid::Aaguid([9; 16]));
    let (_, failed) = register(|parts| parts.params.custom_extensions[1] = other);
    assert_eq!(failed, Some("8.3/4.9"));
}
