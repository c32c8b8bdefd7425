//! Makes authorities, credentials, client data and attestation objects, and registers them.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{
    Record, Registration, RegistrationError, RegistrationPolicy, RegistrationResponse,
    RelyingParty, TrustAnchor, TrustAnchors, UnixSeconds, verify_registration_observed,
};
use minicbor::Encoder;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SigningKey, date_time_ymd,
};
use serde_json::Value;

pub(crate) const RP_ID: &str = "gate.example";
pub(crate) const ORIGIN: &str = "https://gate.example";
pub(crate) const CHALLENGE: &[u8] = b"a challenge of 32 bytes or so...";
pub(crate) const MODEL: Aaguid = Aaguid([7; 16]);
/// 2026-01-01.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
pub(crate) const OID_AAGUID: [u64; 9] = [1, 3, 6, 1, 4, 1, 45724, 1, 1];

pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty::new(RP_ID, ORIGIN)
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

/// The parameters of an authority's certificate, for tests that change them.
pub(crate) fn authority_params(name: &str) -> CertificateParams {
    let mut params = valid_params();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(crate) fn valid_params() -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2035, 1, 1);
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(authority_params(name))
    }

    pub(crate) fn root_with(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let issuer = Issuer::new(params, key);
        Self { der, issuer }
    }

    pub(crate) fn authority(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        let issuer = Issuer::new(params, key);
        Self { der, issuer }
    }

    pub(crate) fn issue(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        anchors(&self.der)
    }
}

pub(crate) fn anchors(der: &[u8]) -> TrustAnchors {
    TrustAnchors::from_iter([TrustAnchor::new("the anchor", der).unwrap()])
}

/// An attestation certificate that meets 8.2.1, with the model's AAGUID.
pub(crate) fn packed_params() -> CertificateParams {
    let mut params = valid_params();
    let name = &mut params.distinguished_name;
    name.push(DnType::CountryName, "SE");
    name.push(DnType::OrganizationName, "Maker");
    name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
    name.push(DnType::CommonName, "Maker Key");
    params.is_ca = IsCa::ExplicitNoCa;
    params.custom_extensions = vec![aaguid_extension(MODEL)];
    params
}

pub(crate) fn aaguid_extension(model: Aaguid) -> CustomExtension {
    let mut oid = OID_AAGUID.to_vec();
    oid.push(4);
    CustomExtension::from_oid_content(&oid, [&[4, 16], &model.0[..]].concat())
}

/// A credential with its key.
pub(crate) struct Credential {
    pub(crate) key: KeyPair,
    pub(crate) id: Vec<u8>,
}

impl Credential {
    pub(crate) fn new() -> Self {
        Self {
            key: KeyPair::generate().unwrap(),
            id: b"credential id".to_vec(),
        }
    }

    pub(crate) fn cose(&self) -> Vec<u8> {
        let (x, y) = self.coordinates();
        PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x,
            y,
        }
        .encode()
    }

    pub(crate) fn coordinates(&self) -> (&[u8], &[u8]) {
        self.key.public_key_raw()[1..].split_at(32)
    }
}

pub(crate) fn client_data(ceremony: &str, origin: &str) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(CHALLENGE);
    format!(
        r#"{{"type":"webauthn.{ceremony}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
    )
    .into_bytes()
}

/// A registration under construction: change a part, then [`Ceremony::object`].
pub(crate) struct Ceremony {
    pub(crate) credential: Credential,
    pub(crate) client_data: Vec<u8>,
    pub(crate) authenticator_data: Vec<u8>,
}

impl Ceremony {
    pub(crate) fn new() -> Self {
        Self::with_flags(Flags::USER_PRESENT | Flags::USER_VERIFIED)
    }

    pub(crate) fn with_flags(flags: Flags) -> Self {
        let credential = Credential::new();
        let cose = credential.cose();
        Self::with_key(credential, &cose, flags)
    }

    pub(crate) fn with_key(credential: Credential, cose: &[u8], flags: Flags) -> Self {
        let rp_id_hash: [u8; 32] = sha256(RP_ID.as_bytes()).try_into().unwrap();
        let authenticator_data = AuthenticatorData {
            rp_id_hash: &rp_id_hash,
            flags,
            sign_count: 0,
            attested_credential: Some(AttestedCredential {
                aaguid: MODEL,
                credential_id: &credential.id,
                public_key: cose,
            }),
            extensions: None,
        }
        .encode()
        .unwrap();
        Self {
            credential,
            client_data: client_data("create", ORIGIN),
            authenticator_data,
        }
    }

    pub(crate) fn client_data_hash(&self) -> Vec<u8> {
        sha256(&self.client_data)
    }

    /// What most formats sign.
    pub(crate) fn message(&self) -> Vec<u8> {
        [&self.authenticator_data[..], &self.client_data_hash()].concat()
    }

    pub(crate) fn object(&self, format: &str, statement: &[u8]) -> Vec<u8> {
        object(format, statement, &self.authenticator_data)
    }

    pub(crate) fn packed(&self, key: &KeyPair, chain: &[&[u8]]) -> Vec<u8> {
        let signature = key.sign(&self.message()).unwrap();
        self.object(
            "packed",
            &packed_statement(Algorithm::Es256, &signature, chain),
        )
    }

    pub(crate) fn register(
        &self,
        object: &[u8],
        policy: &RegistrationPolicy,
    ) -> Result<Registration, RegistrationError> {
        self.register_observed(object, policy).0
    }

    /// Registers, and returns the number of the step that failed.
    pub(crate) fn register_observed(
        &self,
        object: &[u8],
        policy: &RegistrationPolicy,
    ) -> (
        Result<Registration, RegistrationError>,
        Option<&'static str>,
    ) {
        let mut record = Record::default();
        let result = verify_registration_observed(
            &relying_party(),
            CHALLENGE,
            policy,
            NOW,
            &RegistrationResponse::new(&self.client_data, object),
            &mut record,
        );
        let failed = record.0.iter().find(|seen| {
            seen.outcome == hallway_webauthn::Outcome::Failed && seen.step.number != "7.1.22"
        });
        let failed = failed.or_else(|| record.failed());
        (result, failed.map(|seen| seen.step.number))
    }
}

pub(crate) fn object(format: &str, statement: &[u8], authenticator_data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.map(3).unwrap().str("fmt").unwrap().str(format).unwrap();
    e.str("attStmt").unwrap();
    e.writer_mut().extend_from_slice(statement);
    e.str("authData")
        .unwrap()
        .bytes(authenticator_data)
        .unwrap();
    out
}

/// `{"alg", "sig", "x5c"}`, without `x5c` where there is no chain.
pub(crate) fn packed_statement(algorithm: Algorithm, signature: &[u8], chain: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.map(if chain.is_empty() { 2 } else { 3 }).unwrap();
    e.str("alg").unwrap().i64(algorithm.id()).unwrap();
    e.str("sig").unwrap().bytes(signature).unwrap();
    if !chain.is_empty() {
        write_chain(&mut e, chain);
    }
    out
}

pub(crate) fn write_chain(e: &mut Encoder<&mut Vec<u8>>, chain: &[&[u8]]) {
    e.str("x5c").unwrap().array(chain.len() as u64).unwrap();
    for certificate in chain {
        e.bytes(certificate).unwrap();
    }
}

/// One DER element with a one-byte tag.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..128 => out.push(length as u8),
        length => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
            assert!(
                length >= 256,
                "tests do not make elements of 128 to 255 bytes"
            );
        }
    }
    out.extend_from_slice(content);
    out
}

/// Two numbers of 32 bytes out of the DER form.
fn fixed(signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &signature[2..];
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(rest[1] as usize);
        let digits = &number[number.len().saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - digits.len()));
        out.extend(digits);
        rest = after;
    }
    out
}

/// Signed JSON in compact serialisation, ES256.
pub(crate) fn jws(header: &Value, payload: &Value, key: &KeyPair) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(payload));
    let signature = fixed(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
