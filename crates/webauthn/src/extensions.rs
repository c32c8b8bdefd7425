//! Authenticator extension outputs: what the authenticator signed beside the flags
//! (WebAuthn Level 3, 9 and 10; CTAP 2.3, 12).

use hallway_ctap::cbor::{self, Form, Malformed};

use crate::cbor_map::{self, CborMap};

/// The outputs of one ceremony. Outputs that are not known are kept as CBOR.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct AuthenticatorExtensions {
    /// `credProtect`: what it takes to find or use the credential.
    pub cred_protect: Option<CredProtect>,
    /// `hmac-secret` at registration: whether the credential has secrets. The web's `prf` is made
    /// from them.
    pub hmac_secret: Option<bool>,
    /// `hmac-secret` at an assertion: the secrets, encrypted for the platform.
    pub hmac_secret_output: Option<Vec<u8>>,
    /// `minPinLength`, in code points.
    pub min_pin_length: Option<u64>,
    /// `credBlob` at registration: whether the blob was stored.
    pub cred_blob_stored: Option<bool>,
    /// `credBlob` at an assertion: the blob, empty where there is none.
    pub cred_blob: Option<Vec<u8>>,
    /// `thirdPartyPayment`: whether the credential may confirm payments for others.
    pub third_party_payment: Option<bool>,
    /// `uvm`: how the user was verified, one to three factors.
    pub uvm: Vec<UserVerificationMethod>,
    /// Every other output: its identifier and its value, one CBOR item.
    pub unknown: Vec<(String, Vec<u8>)>,
}

/// `credProtect` levels (CTAP 2.3, 12.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CredProtect {
    /// The credential can be found and used without user verification.
    Optional,
    /// Without user verification, only a caller that knows the credential id can use it.
    OptionalWithCredentialId,
    /// The credential can be neither found nor used without user verification.
    Required,
}

/// One factor of `uvm` (WebAuthn Level 3, 10.2.1), values of the FIDO Registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserVerificationMethod {
    /// The method, such as 2 for a fingerprint.
    pub method: u32,
    /// How the key is protected.
    pub key_protection: u16,
    /// How the matcher is protected.
    pub matcher_protection: u16,
}

/// Why extension outputs cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionsError {
    /// Not a CBOR map.
    #[error("the extension outputs are not acceptable CBOR: {0}")]
    Malformed(#[from] Malformed),
    /// A known output has an invalid value.
    #[error("the extension output \"{0}\" has an invalid value")]
    Value(&'static str),
}

impl AuthenticatorExtensions {
    /// Reads exactly one CBOR map; empty input stands for no outputs.
    ///
    /// # Errors
    /// [`ExtensionsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ExtensionsError> {
        let mut outputs = Self::default();
        if bytes.is_empty() {
            return Ok(outputs);
        }
        cbor::check(bytes, Form::Tolerant)?;
        for (name, value) in CborMap::new(bytes).ok_or(Malformed::NotMap)?.entries() {
            outputs.read(name, value)?;
        }
        Ok(outputs)
    }

    fn read(&mut self, name: &str, value: &[u8]) -> Result<(), ExtensionsError> {
        let flag = cbor_map::boolean(value);
        let bytes = || cbor_map::bytes(value).map(<[u8]>::to_vec);
        let unsigned = || cbor_map::integer(value).and_then(|value| u64::try_from(value).ok());
        match name {
            "credProtect" => {
                let level = match unsigned() {
                    Some(1) => CredProtect::Optional,
                    Some(2) => CredProtect::OptionalWithCredentialId,
                    Some(3) => CredProtect::Required,
                    _ => return Err(ExtensionsError::Value("credProtect")),
                };
                self.cred_protect = Some(level);
            }
            "hmac-secret" if flag.is_some() => self.hmac_secret = flag,
            "hmac-secret" => {
                let output = bytes().ok_or(ExtensionsError::Value("hmac-secret"))?;
                self.hmac_secret_output = Some(output);
            }
            "minPinLength" => {
                let length = unsigned().ok_or(ExtensionsError::Value("minPinLength"))?;
                self.min_pin_length = Some(length);
            }
            "credBlob" if flag.is_some() => self.cred_blob_stored = flag,
            "credBlob" => {
                let blob = bytes().ok_or(ExtensionsError::Value("credBlob"))?;
                self.cred_blob = Some(blob);
            }
            "thirdPartyPayment" => {
                let payment = flag.ok_or(ExtensionsError::Value("thirdPartyPayment"))?;
                self.third_party_payment = Some(payment);
            }
            "uvm" => self.uvm = uvm(value).ok_or(ExtensionsError::Value("uvm"))?,
            _ => self.unknown.push((name.to_owned(), value.to_vec())),
        }
        Ok(())
    }
}

/// `[1*3 [method, key protection, matcher protection]]`.
fn uvm(value: &[u8]) -> Option<Vec<UserVerificationMethod>> {
    let methods: Option<Vec<_>> = cbor_map::array(value)?
        .take(4)
        .map(|entry| {
            let mut numbers = cbor_map::array(entry)?.map(cbor_map::integer);
            let mut next = || numbers.next().flatten();
            let method = UserVerificationMethod {
                method: u32::try_from(next()?).ok()?,
                key_protection: u16::try_from(next()?).ok()?,
                matcher_protection: u16::try_from(next()?).ok()?,
            };
            numbers.next().is_none().then_some(method)
        })
        .collect();
    methods.filter(|methods| (1..=3).contains(&methods.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(hex: &str) -> Result<AuthenticatorExtensions, ExtensionsError> {
        AuthenticatorExtensions::parse(&hex::decode(hex.replace(' ', "")).unwrap())
    }

    #[test]
    fn known_outputs_are_read_and_unknown_ones_kept() {
        // {"x": [1], "credBlob": true, "credProtect": 3, "hmac-secret": true, "minPinLength": 6}
        let outputs = parse(
            "a5 6178 8101 686372656442 6c6f62 f5 6b6372656450726f74656374 03 \
             6b686d61632d736563726574 f5 6c6d696e50696e4c656e677468 06",
        )
        .unwrap();
        assert_eq!(outputs.cred_protect, Some(CredProtect::Required));
        assert_eq!(outputs.hmac_secret, Some(true));
        assert_eq!(outputs.cred_blob_stored, Some(true));
        assert_eq!(outputs.min_pin_length, Some(6));
        assert_eq!(outputs.unknown, [("x".to_owned(), vec![0x81, 1])]);
        assert_eq!(parse("").unwrap(), AuthenticatorExtensions::default());
    }

    #[test]
    fn the_specification_s_uvm_example_is_read() {
        let outputs = parse("a1 6375766d 82 83020402 83040101").unwrap();
        let fingerprint = UserVerificationMethod {
            method: 2,
            key_protection: 4,
            matcher_protection: 2,
        };
        assert_eq!(outputs.uvm[0], fingerprint);
        assert_eq!(outputs.uvm.len(), 2);
    }

    #[test]
    fn secrets_and_blobs_of_assertions_are_read() {
        let outputs = parse("a2 6863726564426c6f62 41aa 6b686d61632d736563726574 42bbcc").unwrap();
        assert_eq!(outputs.cred_blob, Some(vec![0xaa]));
        assert_eq!(outputs.hmac_secret_output, Some(vec![0xbb, 0xcc]));
    }

    #[test]
    fn impossible_values_are_refused() {
        for hex in [
            "a1 6b6372656450726f74656374 04",
            "a1 6b6372656450726f74656374 f5",
            "a1 6b686d61632d736563726574 01",
            "a1 6375766d 80",
            "a1 6375766d 81 820204",
            "a1 6375766d 84 83020402 83020402 83020402 83020402",
            "a1 6c6d696e50696e4c656e677468 20",
            "80",
            "a0 00",
        ] {
            assert!(parse(hex).is_err(), "{hex}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = AuthenticatorExtensions::parse(&bytes);
        }
    }
}
