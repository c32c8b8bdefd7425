//! The extension previewSign: a signing key beside a credential, for data that the relying party
//! chooses (Web Authentication sign extension, version 4,
//! <https://yubicolabs.github.io/webauthn-sign-extension/4/#sctn-sign-extension>).
//!
//! A credential has one signing key at most, made with it. The signing key is derived from the
//! credential's secret, the algorithm and the policy: nothing is stored, and the signing key is
//! gone when the credential is.

use alloc::vec::Vec;

use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cbor::{Encode, MapBuilder};
use hallway_ctap::command::preview_sign::{self, GeneratedKey, Output, SigningPolicy};
use hallway_ctap::command::{get_assertion, make_credential};
use hallway_ctap::cose::{Algorithm, SignArgs, SigningAlgorithm};
use hallway_ctap::status::Status;
use subtle::ConstantTimeEq;

use crate::arkg::{ArkgError, PrivateSeed};
use crate::attestation::Audience;
use crate::authenticator::Authenticator;
use crate::credential::Credential;
use crate::pin_protocol::hmac_sha256;
use crate::platform::Environment;
use crate::signatures::{PrivateKey, Signatures};
use crate::verification::{Proved, flags};

/// A signing key's algorithm and policy: with its credential's secret, they determine the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SigningTerms {
    algorithm: SigningAlgorithm,
    pub(crate) policy: SigningPolicy,
}

/// The length of encoded [`SigningTerms`].
const TERMS_BYTES: usize = 5;
/// The tag that starts a key handle; the terms follow.
const TAG_BYTES: usize = 32;

impl SigningTerms {
    fn encode(self) -> Option<[u8; TERMS_BYTES]> {
        // All identifiers of COSE signature algorithms fit 32 bits.
        let [a, b, c, d] = i32::try_from(self.algorithm.id()).ok()?.to_be_bytes();
        Some([a, b, c, d, self.policy as u8])
    }

    fn decode([a, b, c, d, policy]: [u8; TERMS_BYTES]) -> Option<Self> {
        let id = i64::from(i32::from_be_bytes([a, b, c, d]));
        Some(Self {
            algorithm: SigningAlgorithm::from_id(id)?,
            policy: SigningPolicy::from_flags(u64::from(policy))?,
        })
    }

    /// The output in a new credential's authenticator data.
    pub(crate) const fn output(self) -> Output<'static> {
        Output::Algorithm(self.algorithm.id())
    }
}

/// A signing key's handle (section "Example key handle encoding", with terms of fixed length):
/// bound to the credential by the tag's key, and to the relying party.
fn handle(credential: &Credential, rp_id_hash: &[u8; 32], terms: [u8; TERMS_BYTES]) -> Vec<u8> {
    let key = credential.expand(b"hallway signing key handle");
    let tag = hmac_sha256(&key[..], &[&terms, preview_sign::ID.as_bytes(), rp_id_hash]);
    [&tag[..], &terms].concat()
}

/// The terms in a handle, if this key made it for this credential.
fn open_handle(
    credential: &Credential,
    rp_id_hash: &[u8; 32],
    given: &[u8],
) -> Option<SigningTerms> {
    let (_, terms) = given.split_first_chunk::<TAG_BYTES>()?;
    let terms = <[u8; TERMS_BYTES]>::try_from(terms).ok()?;
    let made = handle(credential, rp_id_hash, terms);
    bool::from(made.ct_eq(given)).then(|| SigningTerms::decode(terms))?
}

/// The private part of a signing key.
enum SigningKey {
    /// Signs messages.
    Whole(PrivateKey),
    /// Signs SHA-256 digests.
    Split(PrivateKey),
    /// Signs SHA-256 digests by the keys that are derived from it.
    Seed(PrivateSeed),
}

impl SigningKey {
    fn of(credential: &Credential, terms: SigningTerms) -> Result<Self, Status> {
        let named = terms.encode().ok_or(Status::Other)?;
        let secret = |label: &[u8]| credential.expand(&[label, &named].concat());
        let key = || {
            PrivateKey::derive(
                terms.algorithm.verification(),
                &secret(b"hallway signing key"),
            )
        };
        Ok(match terms.algorithm {
            SigningAlgorithm::Whole(_) => Self::Whole(key()?),
            SigningAlgorithm::Esp256Split => Self::Split(key()?),
            SigningAlgorithm::Esp256SplitArkg => Self::Seed(PrivateSeed::derive(
                &secret(b"hallway signing seed, blinding"),
                &secret(b"hallway signing seed, encapsulation"),
            )?),
        })
    }

    /// The COSE_Key of the verifying key, or of the seed from which verifying keys are derived.
    fn public_key(&self, signatures: &mut impl Signatures) -> Result<Vec<u8>, Status> {
        match self {
            Self::Whole(key) | Self::Split(key) => Ok(signatures.public_key(key)?),
            Self::Seed(seed) => {
                let mut public = Vec::new();
                seed.public().ok_or(Status::Other)?.encode(&mut public);
                Ok(public)
            }
        }
    }

    /// The key that can attest to itself; a seed cannot.
    const fn attesting(&self) -> Option<&PrivateKey> {
        match self {
            Self::Whole(key) | Self::Split(key) => Some(key),
            Self::Seed(_) => None,
        }
    }

    fn sign(
        &self,
        signatures: &mut impl Signatures,
        data: &[u8],
        args: Option<&SignArgs<'_>>,
    ) -> Result<Vec<u8>, Status> {
        let digest = || data.try_into().map_err(|_| Status::InvalidLength);
        match self {
            Self::Whole(key) => Ok(signatures.sign(key, data)?),
            Self::Split(key) => Ok(signatures.sign_digest(key, digest()?)?),
            Self::Seed(seed) => {
                let args = args.ok_or(Status::MissingParameter)?.arkg()?;
                let key = seed.derive_private_key(args.key_handle, args.context)?;
                Ok(signatures.sign_digest(&key, digest()?)?)
            }
        }
    }
}

/// The data that getAssertion asks to have signed.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    key_handle: &'a [u8],
    data: &'a [u8],
    args: Option<&'a [u8]>,
}

impl<E: Environment> Authenticator<E> {
    /// The signing key that makeCredential asks for; `None` where it asks for none, or this key
    /// does not offer the extension. `credential` is the algorithm of the credential beside it.
    pub(crate) fn signing_terms(
        &self,
        request: &make_credential::Request<'_>,
        credential: Algorithm,
    ) -> Result<Option<SigningTerms>, Status> {
        let asked = &request.extensions.preview_sign;
        let Some(asked) = asked.as_ref().filter(|_| self.settings.preview_sign) else {
            return Ok(None);
        };
        let algorithm = asked
            .algorithms
            .iter()
            .filter_map(|id| SigningAlgorithm::from_id(*id))
            .find(|algorithm| self.signs_beside(*algorithm, credential))
            .ok_or(Status::UnsupportedAlgorithm)?;
        let policy = match asked.flags {
            Some(flags) => SigningPolicy::from_flags(flags).ok_or(Status::InvalidOption)?,
            None => SigningPolicy::RequireUp,
        };
        Ok(Some(SigningTerms { algorithm, policy }))
    }

    /// Only keys on curves may sign: answers with other keys are longer than CTAPHID carries, and
    /// so are answers with any signing key beside a credential for ML-DSA-87.
    fn signs_beside(&self, algorithm: SigningAlgorithm, credential: Algorithm) -> bool {
        let verification = algorithm.verification();
        verification.curve().is_some()
            && credential != Algorithm::MlDsa87
            && self
                .platform
                .signatures
                .algorithms()
                .contains(&verification)
    }

    /// The signing key of a new credential, with an attestation of its own over the same flags and
    /// client data hash.
    pub(crate) fn generated_key(
        &mut self,
        request: &make_credential::Request<'_>,
        made: &Credential,
        rp_id_hash: &[u8; 32],
        proved: Proved,
        audience: Audience,
        terms: SigningTerms,
    ) -> Result<GeneratedKey, Status> {
        let encoded = terms.encode().ok_or(Status::Other)?;
        let key = SigningKey::of(made, terms)?;
        let public_key = key.public_key(&mut self.platform.signatures)?;
        let extensions = MapBuilder::new()
            .put(preview_sign::ID, Output::Policy(terms.policy))
            .finish();
        let auth_data = AuthenticatorData {
            rp_id_hash,
            flags: flags(true, proved.verified()),
            sign_count: 0,
            attested_credential: Some(AttestedCredential {
                aaguid: self.aaguid(),
                credential_id: &handle(made, rp_id_hash, encoded),
                public_key: &public_key,
            }),
            extensions: Some(&extensions),
        }
        .encode()
        .map_err(|_| Status::Other)?;
        let statement = self.vouched(request, audience, key.attesting(), &auth_data)?;
        Ok(GeneratedKey {
            format: statement.format,
            auth_data,
            attestation_statement: statement.map.unwrap_or_else(|| MapBuilder::new().finish()),
        })
    }

    /// The signing that getAssertion asks for; `None` where it asks for none, or this key does not
    /// offer the extension.
    pub(crate) fn signing_task<'a>(
        &self,
        request: &get_assertion::Request<'a>,
    ) -> Result<Option<Task<'a>>, Status> {
        let asked = request.extensions.preview_sign;
        let Some(asked) = asked.filter(|_| self.settings.preview_sign) else {
            return Ok(None);
        };
        match (
            request.allow.as_deref(),
            asked.key_handle,
            asked.to_be_signed,
        ) {
            (Some([_, ..]), Some(key_handle), Some(data)) => Ok(Some(Task {
                key_handle,
                data,
                args: asked.args,
            })),
            _ => Err(Status::InvalidOption),
        }
    }

    /// Signs with a credential's signing key. `proved` has the flags of the assertion's
    /// authenticator data.
    pub(crate) fn sign_data(
        &mut self,
        credential: &Credential,
        rp_id_hash: &[u8; 32],
        task: Task<'_>,
        proved: Flags,
    ) -> Result<Vec<u8>, Status> {
        let terms = open_handle(credential, rp_id_hash, task.key_handle)
            .ok_or(Status::InvalidCredential)?;
        let args = task.args.map(SignArgs::parse).transpose()?;
        match args {
            Some(args) if args.algorithm() != Some(terms.algorithm.id()) => {
                return Err(Status::InvalidCredential);
            }
            None if terms.algorithm == SigningAlgorithm::Esp256SplitArkg => {
                return Err(Status::MissingParameter);
            }
            _ => {}
        }
        // The owner's alwaysUv overrides the relying party's choice.
        let demanded = match self.policy.always_uv {
            true => SigningPolicy::RequireUv,
            false => terms.policy,
        };
        for (flag, status) in [
            (Flags::USER_PRESENT, Status::UpRequired),
            (Flags::USER_VERIFIED, Status::PuatRequired),
        ] {
            if demanded.flags().contains(flag) && !proved.contains(flag) {
                return Err(status);
            }
        }
        SigningKey::of(credential, terms)?.sign(
            &mut self.platform.signatures,
            task.data,
            args.as_ref(),
        )
    }
}

impl From<ArkgError> for Status {
    fn from(error: ArkgError) -> Self {
        match error {
            ArkgError::ContextTooLong => Self::InvalidLength,
            ArkgError::KeyHandle => Self::InvalidCredential,
            ArkgError::Zero => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::credential::{Features, Protection};

    fn credential(secret: u8) -> Credential {
        Credential {
            id: alloc::vec![1; 32],
            rp_id: None,
            user: None,
            algorithm: Algorithm::Es256,
            secret: Zeroizing::new([secret; 32]),
            protection: Protection::default(),
            features: Features::default(),
            cred_blob: Vec::new(),
            created: 0,
        }
    }

    fn all_terms() -> impl Iterator<Item = SigningTerms> {
        [-7, -9, -8, -300, -65539].into_iter().flat_map(|id| {
            [
                SigningPolicy::Unattended,
                SigningPolicy::RequireUp,
                SigningPolicy::RequireUv,
            ]
            .map(|policy| SigningTerms {
                algorithm: SigningAlgorithm::from_id(id).unwrap(),
                policy,
            })
        })
    }

    #[test]
    fn a_handle_is_of_one_credential_and_one_relying_party() {
        let (ada, eve) = (credential(1), credential(2));
        for terms in all_terms() {
            let made = handle(&ada, &[3; 32], terms.encode().unwrap());
            assert_eq!(open_handle(&ada, &[3; 32], &made), Some(terms));
            assert_eq!(open_handle(&ada, &[4; 32], &made), None);
            assert_eq!(open_handle(&eve, &[3; 32], &made), None);
            for bit in 0..made.len() * 8 {
                let mut changed = made.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open_handle(&ada, &[3; 32], &changed), None, "bit {bit}");
            }
            for end in 0..made.len() {
                assert_eq!(open_handle(&ada, &[3; 32], &made[..end]), None);
            }
            let longer = [&made[..], &[0]].concat();
            assert_eq!(open_handle(&ada, &[3; 32], &longer), None);
        }
    }

    #[test]
    fn every_credential_algorithm_and_policy_has_a_key_of_its_own() {
        let mut keys: Vec<Vec<u8>> = [credential(1), credential(2)]
            .iter()
            .flat_map(|credential| {
                all_terms().map(|terms| {
                    SigningKey::of(credential, terms)
                        .unwrap()
                        .public_key(&mut crate::RustCrypto)
                        .unwrap()
                })
            })
            .collect();
        keys.extend([1, 2].map(|secret| {
            let key = credential(secret).private_key().unwrap();
            crate::RustCrypto.public_key(&key).unwrap()
        }));
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    proptest::proptest! {
        #[test]
        fn any_handle_is_refused(given: Vec<u8>) {
            proptest::prop_assert_eq!(open_handle(&credential(1), &[3; 32], &given), None);
        }
    }
}
