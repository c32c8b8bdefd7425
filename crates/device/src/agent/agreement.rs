//! Checks of the statement that a gateway asks a device to sign, and of its receipts.
//!
//! A device makes all the statements that it signs, except the one to enrol with. Nobody reads that
//! sentence before the device signs, so it is checked here.

use hallway_client::GatewayAddress;
use hallway_evidence::statement::{Act, Signer};
use hallway_evidence::{Bundle, CredentialId, Statement};

/// Higher sequence numbers from a gateway are ignored: no device ever counts so far.
pub(super) const MAX_SEQUENCE: u64 = i64::MAX as u64 / 2;

/// Why a statement to enrol with is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Disagreement {
    /// The statement is about another act; its sentence.
    #[error("instead of an enrolment, the gateway gave this to sign: {0}; nothing was signed")]
    Act(String),
    /// The gateway's address may not speak for the statement's realm.
    #[error(
        "the gateway at {gateway} speaks for {realm}, which is not its domain; nothing was signed"
    )]
    Domain { gateway: String, realm: String },
    /// The statement's realm is not the one on record or in the trust file.
    #[error("the gateway's realm was {known}, and is {realm} now; nothing was signed")]
    Realm { known: String, realm: String },
}

/// Checks that a statement enrols a device, in the realm that is on record for the gateway, and in
/// one for which the gateway's address may speak.
pub(super) fn to_enrol(
    statement: &Statement,
    gateway: &GatewayAddress,
    known: Option<&str>,
) -> Result<(), Disagreement> {
    let Statement {
        realm,
        // A device may not know the time before it is enrolled; the gateway's seal limits the time
        // for the answer.
        issued: _,
        nonce: _,
        act,
    } = statement;
    if !matches!(act, Act::DeviceEnrol(_)) {
        return Err(Disagreement::Act(statement.sentence()));
    }
    if let Some(known) = known.filter(|known| *known != realm.as_str()) {
        return Err(Disagreement::Realm {
            known: known.to_owned(),
            realm: realm.to_string(),
        });
    }
    if gateway.may_use(realm) {
        Ok(())
    } else {
        Err(Disagreement::Domain {
            gateway: gateway.origin(),
            realm: realm.to_string(),
        })
    }
}

/// Whether receipts from a gateway are about this device: each enrolment and each claim among them
/// is of its credential and its serial number, in its realm, and there is an enrolment.
pub(super) fn is_about(
    grounds: &Bundle,
    credential: &CredentialId,
    realm: &str,
    serial: &str,
) -> bool {
    let mut is_enrolled = false;
    for receipt in grounds.receipts() {
        let signed = &receipt.evidence.signed;
        let Ok(statement) = signed.read_statement() else {
            return false;
        };
        let is_ours = match &statement.act {
            Act::DeviceEnrol(_) => {
                is_enrolled = true;
                signed.credential_id == *credential
            }
            Act::DeviceClaim(claim) => {
                claim.credential == *credential && claim.serial.as_str() == serial
            }
            // Acts by which the owner became a person of the realm, and later ones; none of a
            // device's.
            act => act.declared().signer != Signer::Device,
        };
        if !is_ours || statement.realm.as_str() != realm {
            return false;
        }
    }
    is_enrolled
}

#[cfg(test)]
mod tests {
    use hallway_evidence::statement::web;
    use hallway_evidence::{Line, Timestamp};

    use super::*;

    #[test]
    fn only_an_enrolment_in_the_gateways_own_realm_is_signed() {
        let gateway = "https://gate.alpha.example".parse().unwrap();
        let statement = |act: Act, realm: &str| Statement {
            realm: Line::new(realm).unwrap(),
            issued: Timestamp::default(),
            nonce: [7; 16],
            act,
        };
        let enrol = || Act::from(hallway_evidence::statement::device::Enrol {});
        let good = statement(enrol(), "alpha.example");
        for known in [None, Some("alpha.example")] {
            assert_eq!(to_enrol(&good, &gateway, known), Ok(()));
        }
        for (statement, known) in [
            (
                statement(
                    hallway_evidence::statement::device::Status {}.into(),
                    "alpha.example",
                ),
                None,
            ),
            (statement(web::SignIn {}.into(), "alpha.example"), None),
            (statement(enrol(), "beta.example"), None),
            (statement(enrol(), "example"), None),
            (
                statement(enrol(), "alpha.example"),
                Some("gate.alpha.example"),
            ),
        ] {
            assert!(
                to_enrol(&statement, &gateway, known).is_err(),
                "{statement:?}"
            );
        }
    }
}
