//! The identity of a device: the unit that its attestation certificate names. It stays the same
//! when the maker gets other certificates.

use hallway_evidence::Line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{DeviceMark, MakerId, Unit};
use hallway_webauthn::{AttestationKind, Registration};

use crate::issuers;
use crate::store::{Device, DeviceTables};

/// A device, by its verified attestation.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The maker whose authority the attestation leads to.
    pub maker: MakerId,
    /// The serial number in its certificate.
    pub serial: Line,
    /// The marks of the device: its serial number under every key and name of its issuers, past and
    /// present, and its own attested key.
    marks: Vec<DeviceMark>,
}

impl Identity {
    /// The device whose registration this is.
    ///
    /// # Errors
    /// 403 `bad-attestation`: there is no certificate, or it names no serial number that could be
    /// shown.
    pub async fn of(unit: &Unit<'_>, registration: &Registration) -> Result<Self, Problem> {
        let refused = |detail: &str| Problem::new(Code::BadAttestation, detail);
        let AttestationKind::Certified(certified) = &registration.attestation.kind else {
            return Err(refused("the device's attestation has no certificate"));
        };
        let unnamed = || refused("the device's certificate names no serial number");
        let anchor = certified.anchor.as_ref().ok_or_else(unnamed)?;
        let maker = anchor.name.parse().map_err(|_| {
            refused("the device's certificate leads to no maker that this realm accepts")
        })?;
        let serial = certified.serial_number.as_deref().ok_or_else(unnamed)?;
        // As it is in the certificate: a verifier of a receipt compares the two.
        let serial = Line::new(serial)
            .map_err(|error| refused(&format!("the device's serial number: {error}")))?;
        let unreadable = || refused("a certificate of the device's chain cannot be read");
        let way = issuers::on_the_way(&certified.chain, anchor.below, &anchor.certificate)
            .ok_or_else(unreadable)?;
        let leaf = certified.chain.first().ok_or_else(unreadable)?;
        let own_key = issuers::unit_mark(leaf).ok_or_else(unreadable)?;
        let issuers = unit.makers().same_as(way).await?;
        let marks = issuers.marks(&serial).chain([own_key]).collect();
        Ok(Self {
            maker,
            serial,
            marks,
        })
    }

    /// The marks of the device.
    pub fn marks(&self) -> &[DeviceMark] {
        &self.marks
    }

    /// The records of this unit. It has several if its makers were not known to be the same one.
    pub async fn known(&self, unit: &Unit<'_>) -> Result<Vec<Device>, Problem> {
        Ok(unit.devices().known_by(&self.marks).await?)
    }
}
