//! `maker.add`: accept the devices of a maker.

use async_trait::async_trait;
use hallway_evidence::statement::maker::Add;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::sha256;
use hallway_spine::store::{MakerId, StoreError};
use hallway_webauthn::TrustAnchor;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::DeviceDoor;
use crate::issuers::Issuer;
use crate::store::{DeviceTables, Maker};

/// The maker to add.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The realm's name for the maker.
    name: String,
    /// The certificate of its attestation authority, PEM.
    certificate: String,
}

#[async_trait]
impl Perform<DeviceDoor> for Add {
    type Request = Request;

    async fn prepare(_: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let der = CertificateDer::from_pem_slice(request.certificate.as_bytes())
            .map_err(|error| Problem::malformed(format!("the certificate is not PEM: {error}")))?
            .to_vec();
        let name = line("name", &request.name)?;
        TrustAnchor::new(name.as_str(), der.as_slice()).map_err(|error| {
            Problem::malformed(format!("the certificate can't be used: {error}"))
        })?;
        Ok(Prepared {
            act: Self {
                name,
                certificate: sha256(&der),
            },
            attachment: Some(der),
        })
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let der = actor
            .attachment
            .filter(|der| sha256(der) == self.certificate)
            .ok_or_else(|| {
                Problem::malformed("the certificate that the statement names is not attached")
            })?;
        let known_by =
            Issuer::of(der).ok_or_else(|| Problem::malformed("the certificate can't be read"))?;
        actor
            .unit
            .makers()
            .add(&Maker {
                id: MakerId::generate(),
                name: self.name.as_str().to_owned(),
                certificate: der.to_vec(),
                sha256: self.certificate,
                added: actor.now,
                removed: None,
                evidence: Some(actor.evidence),
                key: known_by.key,
                subject: known_by.subject,
            })
            .await
            .map_err(|error| match error {
                StoreError::Exists { .. } => {
                    Problem::new(Code::KnownMaker, "this certificate is installed already")
                }
                error => error.into(),
            })?;
        Ok(actor.done())
    }
}
