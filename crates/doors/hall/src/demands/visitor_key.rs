//! The facts about a visitor's key, judged by this realm's own metadata.
//!
//! The registration that the visitor brings holds the attestation, so it is verified here again.
//! The home realm's verdict counts for nothing.

use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::{Evidence, Response};
use hallway_spine::models::Models;
use hallway_spine::models::verdict::{self, KeyFacts};
use hallway_spine::store::KeyAttestation;
use hallway_webauthn::{RegistrationResponse, RelyingParty, UnixSeconds, verify_registration};

use crate::store::{Partner, Visit};

/// A visitor's key.
#[derive(Debug)]
pub struct VisitorKey {
    aaguid: Aaguid,
    backup_eligible: bool,
    attestation: Option<KeyAttestation>,
}

impl VisitorKey {
    /// The key in the evidence of a person of `partner`. A registration that does not verify proves
    /// nothing.
    pub fn of(models: &Models, partner: &Partner, visit: &Visit) -> Self {
        let registered = visit
            .bundle
            .receipts()
            .nth(1)
            .map(|receipt| &receipt.evidence);
        registered
            .and_then(|evidence| Self::verified(models, partner, evidence))
            .unwrap_or(Self {
                aaguid: Aaguid::ZERO,
                backup_eligible: true,
                attestation: None,
            })
    }

    fn verified(models: &Models, partner: &Partner, evidence: &Evidence) -> Option<Self> {
        let Response::Registration {
            client_data_json,
            attestation_object,
        } = &evidence.signed.response
        else {
            return None;
        };
        let relying_party = RelyingParty::new(partner.realm.as_str(), partner.origin.as_str());
        let response = RegistrationResponse {
            credential_id: Some(evidence.signed.credential_id.as_bytes()),
            ..RegistrationResponse::new(client_data_json, attestation_object)
        };
        // Certificates are judged at the time at which the key was registered.
        let registered = UnixSeconds::from_ms(evidence.accepted.as_ms());
        let registration = verify_registration(
            &relying_party,
            &evidence.signed.challenge(),
            &models.for_visitor(),
            registered,
            &response,
        )
        .ok()?;
        Some(Self {
            aaguid: registration.aaguid,
            backup_eligible: registration.credential.backup_eligible,
            attestation: verdict::to_keep(&registration.attestation),
        })
    }

    /// The facts by which demands are judged.
    pub fn facts(&self) -> KeyFacts<'_> {
        KeyFacts {
            aaguid: self.aaguid,
            backup_eligible: self.backup_eligible,
            attestation: self.attestation.as_ref(),
        }
    }
}
