//! CTAP1/U2F: register, authenticate, version (CTAP 2.3, section 7).

mod certificate;

use alloc::vec::Vec;

use hallway_ctap::apdu::StatusWord;
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_ctap::status::Status;
use hallway_ctap::u2f::{Control, U2fRequest};

use crate::authenticator::Authenticator;
use crate::credential::{Features, Protection};
use crate::platform::{Environment, Question};
use crate::signatures::{PrivateKey, Signatures};
use crate::verification::Proved;

/// The first byte of a registration response.
const REGISTRATION: u8 = 0x05;

impl<E: Environment> Authenticator<E> {
    /// Takes an APDU, short or extended, and gives the response with its status word.
    pub fn process_apdu(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.sequences.end();
        // U2F cannot verify its user (CTAP 2.3, section 7.2.4).
        if self.policy.always_uv {
            return StatusWord::NotAllowed.to_bytes().to_vec();
        }
        let answer = U2fRequest::parse(apdu).and_then(|request| match request {
            U2fRequest::Version => Ok(b"U2F_V2".to_vec()),
            U2fRequest::Register {
                challenge,
                application,
            } => self.register(challenge, application),
            U2fRequest::Authenticate {
                control,
                challenge,
                application,
                key_handle,
            } => self.authenticate(control, challenge, application, key_handle),
        });
        let (mut response, word) = match answer {
            Ok(response) => (response, StatusWord::NoError),
            Err(word) => (Vec::new(), word),
        };
        response.extend(word.to_bytes());
        response
    }

    /// Asks the owner. Any answer but a touch tells the client to ask again.
    fn u2f_touch(&mut self, question: &Question<'_>) -> Result<(), StatusWord> {
        self.touch(question)
            .map_err(|_| StatusWord::ConditionsNotSatisfied)
    }

    fn register(
        &mut self,
        challenge: &[u8; 32],
        application: &[u8; 32],
    ) -> Result<Vec<u8>, StatusWord> {
        self.u2f_touch(&Question::RegisterU2f { application })?;
        let nonce = self
            .platform
            .random::<24>()
            .map_err(|_| StatusWord::Fault)?;
        let made = self
            .secrets
            .seal(
                application,
                &nonce,
                Algorithm::Es256,
                Protection::Optional,
                Features::default(),
                &[],
            )
            .ok_or(StatusWord::Fault)?;
        let private_key = made.private_key().map_err(|_| StatusWord::Fault)?;
        let public_key = self.point(&private_key).map_err(|_| StatusWord::Fault)?;
        let signed = [&[0], &application[..], challenge, &made.id, &public_key].concat();
        let (certificate, attestation_key) =
            self.u2f_attestation().map_err(|_| StatusWord::Fault)?;
        let signature = self
            .platform
            .signatures
            .sign(&attestation_key, &signed)
            .map_err(|_| StatusWord::Fault)?;
        let length = u8::try_from(made.id.len()).map_err(|_| StatusWord::Fault)?;
        Ok([
            &[REGISTRATION],
            &public_key[..],
            &[length],
            &made.id,
            &certificate,
            &signature,
        ]
        .concat())
    }

    fn authenticate(
        &mut self,
        control: Control,
        challenge: &[u8; 32],
        application: &[u8; 32],
        key_handle: &[u8],
    ) -> Result<Vec<u8>, StatusWord> {
        let credential = self
            .revealed(application, key_handle, Proved::default())
            .map_err(|_| StatusWord::Fault)?
            .filter(|found| found.algorithm == Algorithm::Es256)
            .ok_or(StatusWord::WrongData)?;
        let present = match control {
            Control::CheckOnly => return Err(StatusWord::ConditionsNotSatisfied),
            Control::EnforcePresence => {
                self.u2f_touch(&Question::AuthenticateU2f { application })?;
                1
            }
            Control::DontEnforcePresence => 0,
        };
        let counter = self
            .counter
            .next(&mut self.platform.storage)
            .map_err(|_| StatusWord::Fault)?
            .to_be_bytes();
        let signed = [&application[..], &[present], &counter, challenge].concat();
        let signature = credential
            .private_key()
            .map_err(Status::from)
            .and_then(|key| Ok(self.platform.signatures.sign(&key, &signed)?))
            .map_err(|_| StatusWord::Fault)?;
        Ok([&[present], &counter[..], &signature].concat())
    }

    /// The uncompressed point of a P-256 key.
    fn point(&mut self, key: &PrivateKey) -> Result<Vec<u8>, Status> {
        let cose = self.platform.signatures.public_key(key)?;
        match PublicKey::decode(&cose) {
            Ok(PublicKey::Ec2 { x, y, .. }) => Ok([&[4], x, y].concat()),
            _ => Err(Status::Other),
        }
    }

    /// The certificate and key that attest registrations: the maker's, or a self-signed one whose
    /// key comes from the seed.
    fn u2f_attestation(&mut self) -> Result<(Vec<u8>, PrivateKey), Status> {
        if let Some((key, [leaf, ..])) = self.attestation.certificate() {
            return Ok((leaf.clone(), key.clone()));
        }
        let key = PrivateKey::derive(Algorithm::Es256, &self.secrets.u2f)?;
        let point = self.point(&key)?;
        let certificate = certificate::self_signed(&point, |message| {
            self.platform.signatures.sign(&key, message)
        })?;
        Ok((certificate, key))
    }
}
