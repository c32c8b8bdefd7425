//! What the status reports of a model mean (FIDO Metadata Service 3.1, 3.1.3 and 3.1.4).

use std::fmt;

use super::entry::{Model, StatusReport};
use crate::certificate::Certificate;
use crate::relying_party::UnixSeconds;

/// How far a model is certified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum CertificationLevel {
    /// Not at all.
    NotCertified,
    /// Its maker says that it meets the requirements.
    SelfAsserted,
    /// Level 1, also where the service names no level.
    L1,
    /// Level 1+.
    L1Plus,
    /// Level 2.
    L2,
    /// Level 2+.
    L2Plus,
    /// Level 3.
    L3,
    /// Level 3+.
    L3Plus,
}

impl fmt::Display for CertificationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotCertified => "not at all",
            Self::SelfAsserted => "by its maker's own word",
            Self::L1 => "at level 1",
            Self::L1Plus => "at level 1+",
            Self::L2 => "at level 2",
            Self::L2Plus => "at level 2+",
            Self::L3 => "at level 3",
            Self::L3Plus => "at level 3+",
        })
    }
}

/// What a status says about certification.
enum Certified {
    /// The model meets the specifications. Every level includes that, so it lowers none. The
    /// service lists it beside the level, on the same day.
    Functional,
    /// This level, whatever it was before.
    At(CertificationLevel),
}

impl Certified {
    fn of(status: &str) -> Option<Self> {
        Some(Self::At(match status {
            "FIDO_CERTIFIED" => return Some(Self::Functional),
            "NOT_FIDO_CERTIFIED" | "RETIRED" => CertificationLevel::NotCertified,
            "SELF_ASSERTION_SUBMITTED" => CertificationLevel::SelfAsserted,
            "FIDO_CERTIFIED_L1" => CertificationLevel::L1,
            "FIDO_CERTIFIED_L1plus" => CertificationLevel::L1Plus,
            "FIDO_CERTIFIED_L2" => CertificationLevel::L2,
            "FIDO_CERTIFIED_L2plus" => CertificationLevel::L2Plus,
            "FIDO_CERTIFIED_L3" => CertificationLevel::L3,
            "FIDO_CERTIFIED_L3plus" => CertificationLevel::L3Plus,
            _ => return None,
        }))
    }
}

/// Statuses that mean that keys or checks of the model cannot be relied on.
const COMPROMISED: [&str; 5] = [
    "REVOKED",
    "USER_VERIFICATION_BYPASS",
    "ATTESTATION_KEY_COMPROMISE",
    "USER_KEY_REMOTE_COMPROMISE",
    "USER_KEY_PHYSICAL_COMPROMISE",
];

impl StatusReport {
    fn is_effective(&self, now: UnixSeconds) -> bool {
        self.effective.is_none_or(|since| since <= now)
    }

    /// Whether the report is about an authenticator with this chain. A report about a batch is
    /// about those that have the batch's certificate, or another one for its key.
    fn concerns(&self, chain: &[Certificate<'_>]) -> bool {
        let Some(batch) = &self.batch else {
            return true;
        };
        let Ok(batch) = Certificate::parse(batch) else {
            return true;
        };
        chain
            .iter()
            .any(|link| link.x509().public_key().raw == batch.x509().public_key().raw)
    }
}

impl Model {
    /// The level in force at `now`: what the latest report on it says; of reports from one day, the
    /// last one listed.
    pub fn certification(&self, now: UnixSeconds) -> CertificationLevel {
        let effective = self
            .status_reports
            .iter()
            .filter(|report| report.is_effective(now));
        let mut reports: Vec<(Option<UnixSeconds>, Certified)> = effective
            .filter_map(|report| Some((report.effective, Certified::of(&report.status)?)))
            .collect();
        reports.sort_by_key(|(since, _)| *since);
        reports.iter().fold(
            CertificationLevel::NotCertified,
            |level, (_, said)| match said {
                Certified::Functional => level.max(CertificationLevel::L1),
                Certified::At(level) => *level,
            },
        )
    }

    /// The first report in force at `now` that says that authenticators with this chain cannot be
    /// relied on.
    pub(crate) fn compromise(
        &self,
        now: UnixSeconds,
        chain: &[Certificate<'_>],
    ) -> Option<&StatusReport> {
        self.status_reports.iter().find(|report| {
            COMPROMISED.contains(&report.status.as_str())
                && report.is_effective(now)
                && report.concerns(chain)
        })
    }

    /// The first report in force at `now` that says that authenticators attested with `chain` (DER,
    /// leaf first; empty where there was none) cannot be relied on.
    pub fn compromise_of(&self, now: UnixSeconds, chain: &[Vec<u8>]) -> Option<&StatusReport> {
        let chain: Vec<_> = chain
            .iter()
            .filter_map(|der| Certificate::parse(der).ok())
            .collect();
        self.compromise(now, &chain)
    }

    /// Whether keys live in hardware, a trusted execution environment or a secure element, and
    /// never in software.
    pub fn is_hardware(&self) -> bool {
        let has = |name: &str| self.key_protection.iter().any(|found| found == name);
        !has("software") && (has("hardware") || has("tee") || has("secure_element"))
    }
}
