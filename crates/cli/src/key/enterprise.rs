//! Enterprise attestation of a new key.

use std::path::{Path, PathBuf};

use hallway_ctap::aaguid::Aaguid;
use hallway_softkey::{AttestationIdentity, NewKey};
use hallway_webauthn::{AttestationError, packed_certificate_model};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::KeyCommandError;

/// Which sites learn which key this is, and by which certificate.
#[derive(clap::Args, Debug)]
pub(super) struct EnterpriseArguments {
    /// Attest to an organisation's own sites by the certificate in FILE, which names this very key.
    ///
    /// FILE is PEM: the key's own certificate first, then those between it and the root. No site
    /// gets it before `hallway key config enterprise-attestation`; from then on, the sites that
    /// --enterprise-for names get it, and those that the browser's administrator named.
    #[arg(long, value_name = "FILE", conflicts_with = "attestation")]
    enterprise_certificate: Option<PathBuf>,
    /// The certificate's private key, P-256 in PEM; by default it is in the certificate's file.
    #[arg(long, value_name = "FILE", requires = "enterprise_certificate")]
    enterprise_key: Option<PathBuf>,
    /// A site that gets enterprise attestation whenever it asks for it; may be given several times.
    #[arg(
        long = "enterprise-for",
        value_name = "RP_ID",
        requires = "enterprise_certificate"
    )]
    rp_ids: Vec<String>,
    /// Attest to all other sites by the certificate in FILE, which many keys share; by default, by
    /// the credential's own key.
    #[arg(long, value_name = "FILE", requires = "enterprise_certificate")]
    batch_certificate: Option<PathBuf>,
    /// That certificate's private key, P-256 in PEM; by default it is in the certificate's file.
    #[arg(long, value_name = "FILE", requires = "batch_certificate")]
    batch_key: Option<PathBuf>,
}

/// Why a file with a certificate or its key can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// It cannot be read, or is not PEM.
    #[error("{0}")]
    Pem(#[from] pem::Error),
    /// Nothing to attest by.
    #[error("there is no certificate in it; it needs a block \"BEGIN CERTIFICATE\"")]
    NoCertificate,
    /// Nothing to sign with.
    #[error(
        "there is no private key in it; add a block \"BEGIN PRIVATE KEY\", or name the file that \
         has one"
    )]
    NoKey,
    /// Relying parties would refuse it.
    #[error("relying parties would refuse the first certificate: {0}")]
    Certificate(#[from] AttestationError),
    /// Two models.
    #[error("the first certificate names the model {found}, the enterprise certificate {expected}")]
    OtherModel { found: Aaguid, expected: Aaguid },
}

impl EnterpriseArguments {
    /// The key to make; `None` without enterprise attestation.
    pub(super) fn read(&self) -> Result<Option<NewKey>, KeyCommandError> {
        let Some(certificate) = &self.enterprise_certificate else {
            return Ok(None);
        };
        let (enterprise, model) = identity(certificate, self.enterprise_key.as_deref())?;
        let batch = match &self.batch_certificate {
            Some(file) => Some((file, identity(file, self.batch_key.as_deref())?)),
            None => None,
        };
        let model = match (&batch, model) {
            (Some((file, (_, Some(found)))), Some(expected)) if *found != expected => {
                let found = *found;
                return Err(KeyCommandError::Identity {
                    path: (*file).clone(),
                    error: IdentityError::OtherModel { found, expected },
                });
            }
            (Some((_, (_, found))), None) => *found,
            (_, model) => model,
        };
        let batch = batch.map(|(_, (identity, _))| identity);
        let new = NewKey::enterprise(&enterprise, batch.as_ref(), model, self.rp_ids.clone())?;
        Ok(Some(new))
    }
}

/// A certificate with its chain and key, and the model that it names, if any.
fn identity(
    certificate: &Path,
    key: Option<&Path>,
) -> Result<(AttestationIdentity, Option<Aaguid>), KeyCommandError> {
    let problem = |path: &Path, error: IdentityError| KeyCommandError::Identity {
        path: path.into(),
        error,
    };
    let read_chain = || -> Result<Vec<Vec<u8>>, IdentityError> {
        let certificates = CertificateDer::pem_file_iter(certificate)?;
        let chain: Result<Vec<_>, pem::Error> = certificates.collect();
        Ok(chain?.into_iter().map(|der| der.to_vec()).collect())
    };
    let chain = read_chain().map_err(|error| problem(certificate, error))?;
    let leaf = chain
        .first()
        .ok_or_else(|| problem(certificate, IdentityError::NoCertificate))?;
    let model =
        packed_certificate_model(leaf).map_err(|error| problem(certificate, error.into()))?;
    let file = key.unwrap_or(certificate);
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => problem(file, IdentityError::NoKey),
        error => problem(file, error.into()),
    })?;
    let key = Zeroizing::new(key.secret_der().to_vec());
    Ok((AttestationIdentity { chain, key }, model))
}
