//! The key that a device signs with.

use hallway_client::{
    AttestationPreference, Client, ClientError, Connection, GetAssertion, MakeCredential, NoPin,
    Presence, User, UserVerification,
};
use hallway_ctap::cose::Algorithm;
use hallway_evidence::{CredentialId, CredentialIdError, Response, SignedStatement, Statement};

/// Why a statement was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The key refused, or cannot be reached.
    #[error("the device's key did not sign: {0}")]
    Key(#[from] ClientError),
    /// The key made a credential whose id is unusable.
    #[error("the device's key made an unusable credential: {0}")]
    CredentialId(#[from] CredentialIdError),
    /// There is no registration, or its credential id is unusable.
    #[error(
        "this device has no registration to sign with, or its registration.json is damaged; remove \
         that file and start the agent again, and the device enrols anew"
    )]
    Unregistered,
}

/// Signs statements with nobody present.
pub trait Signer: Send {
    /// Makes a new credential for the statement's realm, with the device's attestation.
    ///
    /// # Errors
    /// [`SignerError`].
    fn register(&mut self, statement: &Statement) -> Result<SignedStatement, SignerError>;

    /// Signs with the credential that was registered.
    ///
    /// # Errors
    /// [`SignerError`].
    fn sign(
        &mut self,
        credential: &CredentialId,
        statement: &Statement,
    ) -> Result<SignedStatement, SignerError>;
}

/// A FIDO key as a signer: in a file, or behind any other [`Connection`].
pub struct KeySigner<C>(Client<C>);

impl<C: Connection> KeySigner<C> {
    /// Signs with the key at `connection` for the gateway at `origin`, such as
    /// `https://gate.example`.
    pub fn new(connection: C, origin: &str) -> Self {
        Self(Client::new(connection, origin))
    }
}

impl<C: Connection + Send> Signer for KeySigner<C> {
    fn register(&mut self, statement: &Statement) -> Result<SignedStatement, SignerError> {
        let created = self.0.make_credential(
            &MakeCredential {
                rp_id: &statement.realm,
                rp_name: &statement.realm,
                // A device has one account; the credential names it.
                user: User {
                    id: b"device",
                    name: "device",
                    display_name: "device",
                },
                challenge: &statement.hash(),
                algorithms: &[Algorithm::Es256, Algorithm::EdDsa],
                // The agent keeps the id, so the key need not store anything.
                discoverable: false,
                user_verification: UserVerification::Discouraged,
                exclude: &[],
                attestation: AttestationPreference::Direct,
            },
            &mut NoPin,
        )?;
        Ok(SignedStatement {
            statement: statement.encode(),
            credential_id: CredentialId::new(created.credential_id)?,
            response: Response::Registration {
                client_data_json: created.client_data_json,
                attestation_object: created.attestation_object,
            },
        })
    }

    fn sign(
        &mut self,
        credential: &CredentialId,
        statement: &Statement,
    ) -> Result<SignedStatement, SignerError> {
        let asserted = self.0.get_assertion(
            &GetAssertion {
                rp_id: &statement.realm,
                challenge: &statement.hash(),
                allow: &[credential.as_bytes().to_vec()],
                user_verification: UserVerification::Discouraged,
                presence: Presence::Silent,
            },
            &mut NoPin,
        )?;
        Ok(SignedStatement {
            statement: statement.encode(),
            credential_id: CredentialId::new(asserted.credential_id)?,
            response: Response::Assertion {
                client_data_json: asserted.client_data_json,
                authenticator_data: asserted.authenticator_data,
                signature: asserted.signature,
            },
        })
    }
}
