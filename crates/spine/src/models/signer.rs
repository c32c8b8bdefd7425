//! The certificates that may sign metadata.

use std::path::Path;

use hallway_webauthn::metadata::{BlobTrust, SignerName, Staleness};
use hallway_webauthn::{TrustAnchor, TrustAnchors};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use super::ModelsError;
use crate::settings::MetadataConfig;
use crate::sha256;
use crate::store::SignerHash;

/// GlobalSign Root CA - R3; see the README beside it.
const ROOT: &[u8] = include_bytes!("globalsign-root-r3.der");
/// The most bytes of a file that names certificates or a revocation list.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The anchors and the name of the service that may sign a BLOB.
pub struct Signer {
    anchors: TrustAnchors,
    name: SignerName,
    revocation_lists: Vec<Vec<u8>>,
}

impl Signer {
    pub(super) fn new(config: &MetadataConfig, folder: &Path) -> Result<Self, ModelsError> {
        let (anchors, usual_name) = match &config.root {
            None => (anchors(&[ROOT.to_vec()]), SignerName::default()),
            Some(root) => {
                let path = folder.join(root);
                let wrong = |reason: String| ModelsError::File {
                    setting: "root",
                    path: path.display().to_string(),
                    reason,
                };
                let pem = read(&path).map_err(wrong)?;
                let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
                    .map(|der| der.map(|der| der.to_vec()))
                    .collect::<Result<_, _>>()
                    .map_err(|error| wrong(error.to_string()))?;
                if certificates.is_empty() {
                    return Err(wrong("there is no certificate in it (PEM)".to_owned()));
                }
                let anchors = anchors(&certificates).map_err(|error| wrong(error.to_string()))?;
                (Ok(anchors), SignerName::Any)
            }
        };
        let anchors = anchors.map_err(|error| ModelsError::File {
            setting: "root",
            path: "the built-in one".to_owned(),
            reason: error.to_string(),
        })?;
        let mut revocation_lists = Vec::new();
        for list in &config.revocation_lists {
            let path = folder.join(list);
            let bytes = read(&path).map_err(|reason| ModelsError::File {
                setting: "revocation_lists",
                path: path.display().to_string(),
                reason,
            })?;
            // A file that is not PEM is read as DER. No BLOB is accepted while a file can't be read.
            let der = CertificateRevocationListDer::from_pem_slice(&bytes)
                .map_or(bytes, |list| list.to_vec());
            revocation_lists.push(der);
        }
        Ok(Self {
            anchors,
            name: match &config.signer {
                Some(host) => SignerName::Host(host.as_str().to_owned()),
                None => usual_name,
            },
            revocation_lists,
        })
    }

    /// The checks of a new BLOB. A BLOB whose successor is due is accepted all the same, because it
    /// is newer than the one before it; [`super::verdict`] does not rely on it for facts that must be
    /// fresh.
    pub(super) fn trust(&self, in_use: Option<u64>) -> BlobTrust {
        BlobTrust {
            anchors: self.anchors.clone(),
            signer: self.name.clone(),
            in_use,
            stale: Staleness::Accept,
            revocation_lists: self.revocation_lists.clone(),
        }
    }

    /// The checks of a BLOB from the database, at the time at which it was accepted. It was checked
    /// against revocation lists then.
    pub(super) fn trust_in_stored(&self) -> BlobTrust {
        BlobTrust {
            revocation_lists: Vec::new(),
            ..self.trust(None)
        }
    }

    /// The hash that names this signer in the database.
    pub(super) fn hash(&self) -> SignerHash {
        let mut content = match &self.name {
            SignerName::Any => Vec::new(),
            SignerName::Host(host) => host.to_ascii_lowercase().into_bytes(),
        };
        let mut anchors: Vec<_> = self.anchors.iter().map(TrustAnchor::certificate).collect();
        anchors.sort_unstable();
        for anchor in anchors {
            content.push(0);
            content.extend_from_slice(&sha256(anchor));
        }
        SignerHash(sha256(&content))
    }

    /// The signer in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let anchors: Vec<_> = self.anchors.iter().map(TrustAnchor::name).collect();
        let anchors = anchors.join(", or under ");
        match &self.name {
            SignerName::Host(host) => format!("{host}, certified under {anchors}"),
            SignerName::Any => format!("anybody certified under {anchors}"),
        }
    }
}

fn anchors(certificates: &[Vec<u8>]) -> Result<TrustAnchors, hallway_webauthn::CertificateError> {
    certificates
        .iter()
        .map(|der| TrustAnchor::new(subject(der), der.as_slice()))
        .collect()
}

fn subject(der: &[u8]) -> String {
    use x509_parser::prelude::{FromDer, X509Certificate};
    X509Certificate::from_der(der).map_or_else(
        |_| "a certificate that cannot be read".to_owned(),
        |(_, certificate)| certificate.subject().to_string(),
    )
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if length > MAX_FILE_BYTES {
        return Err(format!("longer than {MAX_FILE_BYTES} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_root_is_the_published_one() {
        let folder = Path::new("/");
        let signer = Signer::new(&MetadataConfig::default(), folder).unwrap();
        assert_eq!(
            hex::encode_upper(sha256(ROOT)),
            "CBB522D7B7F127AD6A0113865BDF1CD4102E7D0759AF635A7CF4720DC963C53B"
        );
        assert!(signer.describe().starts_with("mds.fidoalliance.org"));
        let other = MetadataConfig {
            signer: Some("mds.example".parse().unwrap()),
            ..MetadataConfig::default()
        };
        let other = Signer::new(&other, folder).unwrap();
        assert_ne!(signer.hash(), other.hash());
    }
}
