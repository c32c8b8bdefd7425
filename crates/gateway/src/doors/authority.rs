//! Which attestation authorities the realm accepts: without one, no device enrols.

use axum::Json;
use axum::extract::State;
use hallway_evidence::Line;
use hallway_evidence::statement::Authority as Act;
use hallway_evidence::statement::authority::Certificate;
use hallway_webauthn::{TrustAnchor, TrustAnchors};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{Actor, Outcome, includes, role_needed};
use super::web::keys::line;
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::maker;
use crate::sha256;
use crate::store::{Authority, AuthorityId, Repositories, Role, StoreError};

/// An act on authorities, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthorityRequest {
    /// Accept the devices that an authority attests.
    AddAuthority {
        /// What the realm calls it.
        name: String,
        /// Its certificate, PEM.
        certificate: String,
    },
    /// No longer accept them. What is enrolled stays enrolled.
    RemoveAuthority {
        /// Which.
        authority: String,
    },
}

/// An authority, as the API shows one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuthorityView {
    /// A UUID.
    pub id: String,
    /// What the realm calls it.
    pub name: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub sha256: String,
    /// When it was added, milliseconds since 1970.
    pub added_ms: u64,
}

/// Lists the authorities that are accepted now.
pub async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<AuthorityView>>, Problem> {
    let installed = gateway.store.read().authorities().installed().await?;
    let view = |authority: Authority| AuthorityView {
        id: authority.id.to_string(),
        name: authority.name,
        sha256: hex::encode(authority.sha256),
        added_ms: authority.added.as_ms(),
    };
    Ok(Json(installed.into_iter().map(view).collect()))
}

/// The statement of an act, and the certificate (DER) that it names by its hash.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: AuthorityRequest,
) -> Result<(Act, Option<Vec<u8>>), Problem> {
    if !includes(caller.person.role, Role::Owner) {
        return Err(role_needed(Role::Owner));
    }
    match request {
        AuthorityRequest::AddAuthority { name, certificate } => {
            let der = CertificateDer::from_pem_slice(certificate.as_bytes())
                .map_err(|error| {
                    Problem::malformed(format!("the certificate is not PEM: {error}"))
                })?
                .to_vec();
            let terms = terms(line("name", &name)?, &der)?;
            Ok((Act::Add(terms), Some(der)))
        }
        AuthorityRequest::RemoveAuthority { authority } => {
            let missing = || Problem::not_found("authority");
            let id: AuthorityId = authority.parse().map_err(|_| missing())?;
            let found = gateway
                .store
                .read()
                .authorities()
                .get(id)
                .await?
                .ok_or_else(missing)?;
            let name = line("name", &found.name)?;
            Ok((
                Act::Remove(Certificate {
                    name,
                    certificate: found.sha256,
                }),
                None,
            ))
        }
    }
}

fn terms(name: Line, der: &[u8]) -> Result<Certificate, Problem> {
    TrustAnchor::new(name.as_str(), der)
        .map_err(|error| Problem::malformed(format!("the certificate can't be used: {error}")))?;
    Ok(Certificate {
        name,
        certificate: sha256(der),
    })
}

/// Does what an owner signed.
pub async fn perform(actor: &Actor<'_>, act: &Act) -> Result<Outcome, Problem> {
    actor.needs(Role::Owner)?;
    let authorities = actor.unit.authorities();
    match act {
        Act::Add(terms) => {
            let der = actor
                .attachment
                .filter(|der| sha256(der) == terms.certificate)
                .ok_or_else(|| {
                    Problem::malformed("the certificate that the statement names is not attached")
                })?;
            let known_by = maker::Authority::of(der)
                .ok_or_else(|| Problem::malformed("the certificate can't be read"))?;
            authorities
                .add(&Authority {
                    id: AuthorityId::generate(),
                    name: terms.name.as_str().to_owned(),
                    certificate: der.to_vec(),
                    sha256: terms.certificate,
                    added: actor.now,
                    removed: None,
                    evidence: Some(actor.evidence),
                    key: known_by.key,
                    subject: known_by.subject,
                })
                .await
                .map_err(|error| match error {
                    StoreError::Exists { .. } => Problem::conflict(
                        "known-authority",
                        "this certificate is installed already",
                    ),
                    error => error.into(),
                })?;
        }
        Act::Remove(terms) => {
            let missing = || Problem::not_found("authority");
            let found = authorities
                .by_certificate(&terms.certificate)
                .await?
                .ok_or_else(missing)?;
            authorities.remove(found.id, actor.now).await?;
        }
    }
    Ok(Outcome::done(actor))
}

/// The anchors for a device's attestation, each named by its id.
pub async fn anchors(unit: &dyn Repositories) -> Result<TrustAnchors, Problem> {
    let mut anchors = TrustAnchors::new();
    for authority in unit.authorities().installed().await? {
        let anchor = TrustAnchor::new(authority.id.to_string(), authority.certificate)
            .map_err(|error| Problem::internal(&error))?;
        anchors.add(anchor);
    }
    Ok(anchors)
}
