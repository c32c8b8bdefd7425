//! Signed JSON in compact serialisation (RFC 7515) with its certificates in the header: what
//! SafetyNet and the FIDO metadata service send.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallway_ctap::cose::Algorithm;
use serde::Deserialize;

use crate::certificate::MAX_CHAIN;
use crate::certificate::{Certificate, CertificateError};
use crate::signature::{self, Key, SignatureError};

/// Why signed JSON is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three base64url parts, or a header that is not JSON.
    #[error("not a JWS in compact serialisation")]
    Malformed,
    /// The header names no algorithm that is accepted; `none` never is.
    #[error("the JWS is signed by \"{0}\", which is not accepted")]
    Algorithm(String),
    /// The header has extensions that must be understood (`crit`).
    #[error("the JWS has critical header members, which are not understood")]
    Critical,
    /// The header names its certificates by an address, which is not fetched.
    #[error("the JWS names its certificates by an address (x5u), which is not fetched")]
    Elsewhere,
    /// The header's certificates cannot be read, or are too many.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// The signature does not verify.
    #[error("the JWS signature: {0}")]
    Signature(#[from] SignatureError),
}

/// A JWS whose signature is not checked yet.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    signed: &'a [u8],
    algorithm: Algorithm,
    certificates: Vec<Vec<u8>>,
    signature: Vec<u8>,
    /// The signed payload. Not to be trusted before [`Jws::verify`].
    pub(crate) payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    x5c: Vec<String>,
    x5u: Option<String>,
    crit: Option<serde_json::Value>,
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JwsError> {
        let text = std::str::from_utf8(bytes).map_err(|_| JwsError::Malformed)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        let decode = |part| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| JwsError::Malformed)
        };
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| JwsError::Malformed)?;
        if header.crit.is_some() {
            return Err(JwsError::Critical);
        }
        if header.x5c.len() > MAX_CHAIN {
            return Err(CertificateError::ChainLength(header.x5c.len()).into());
        }
        if header.x5c.is_empty() && header.x5u.is_some() {
            return Err(JwsError::Elsewhere);
        }
        // "x5c" holds base64, not base64url (RFC 7515, 4.1.6).
        let certificates = header
            .x5c
            .iter()
            .map(|certificate| {
                STANDARD
                    .decode(certificate)
                    .map_err(|_| JwsError::Malformed)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            signed: signed.as_bytes(),
            algorithm: algorithm(header.alg)?,
            certificates,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    /// The certificates of the header, leaf first; none where it has no `x5c`.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate<'_>>, CertificateError> {
        self.certificates
            .iter()
            .map(|der| Certificate::parse(der))
            .collect()
    }

    /// The certificates of the header, DER, leaf first.
    pub(crate) fn into_certificates(self) -> Vec<Vec<u8>> {
        self.certificates
    }

    /// Checks the signature by the leaf's key.
    pub(crate) fn verify(&self, key: &Key<'_>) -> Result<(), JwsError> {
        let signature = match self.algorithm.curve() {
            // RFC 7518, 3.4: ECDSA signatures are two numbers of fixed length.
            Some(curve) if curve != hallway_ctap::cose::Curve::Ed25519 => {
                signature::ecdsa_der(&self.signature, curve.coordinate_length())
                    .ok_or(SignatureError::Invalid(self.algorithm.name()))?
            }
            _ => self.signature.clone(),
        };
        Ok(signature::verify_named(
            self.algorithm,
            key,
            self.signed,
            &signature,
        )?)
    }
}

/// RFC 7518, 3.1, as far as it is used here.
fn algorithm(name: String) -> Result<Algorithm, JwsError> {
    Ok(match name.as_str() {
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        "ES512" => Algorithm::Es512,
        "RS256" => Algorithm::Rs256,
        "RS384" => Algorithm::Rs384,
        "RS512" => Algorithm::Rs512,
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "EdDSA" => Algorithm::EdDsa,
        _ => return Err(JwsError::Algorithm(name.chars().take(32).collect())),
    })
}
