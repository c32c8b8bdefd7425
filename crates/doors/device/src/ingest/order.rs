//! Which transactions of a device are accepted: those of a registered device, in order.

use hallway_evidence::DeviceId;
use hallway_spine::store::PersonState;

use crate::ingest::Submission;
use crate::store::{DeviceState, Standing};

/// Why a transaction was refused. Nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No such device.
    #[error("there is no device {0}; enrol it first")]
    UnknownDevice(DeviceId),
    /// The device is not registered, or no longer.
    #[error("the device is {0}, not registered; ask its owner")]
    NotRegistered(DeviceState),
    /// The person who owns the device is suspended.
    #[error(
        "the owner of the device is suspended; the gateway takes its transactions again once the owner is reinstated"
    )]
    OwnerSuspended,
    /// The device was enrolled anew with another credential.
    #[error("the device signs with another credential now")]
    OtherCredential,
    /// The sequence number does not follow.
    #[error(
        "the sequence number {got} does not come after {last}: the transaction is a replay, or the device lost its count"
    )]
    Sequence {
        /// The last one that was accepted.
        last: u64,
        /// The one of the transaction.
        got: u64,
    },
    /// The signature counter went back: there may be a copy of the key.
    #[error("the signature counter went from {last} back to {got}: the key may have been copied")]
    Counter {
        /// The last one.
        last: u32,
        /// The one of the transaction.
        got: u32,
    },
    /// The database can't keep a value. The checks before should refuse such values; this error is
    /// for one that they overlook.
    #[error("the database cannot keep this transaction: a value in it is too large or not text")]
    Unkeepable,
}

/// Checks `submission` against the standing of its device, and moves the standing on if it is
/// accepted.
pub(crate) fn admit(standing: &mut Standing, submission: &Submission) -> Result<(), Refused> {
    if standing.state != DeviceState::Registered {
        return Err(Refused::NotRegistered(standing.state));
    }
    if standing.owner == Some(PersonState::Suspended) {
        return Err(Refused::OwnerSuspended);
    }
    if standing.credential.as_ref() != Some(&submission.signed.credential_id) {
        return Err(Refused::OtherCredential);
    }
    if submission.sequence <= standing.last_sequence {
        return Err(Refused::Sequence {
            last: standing.last_sequence,
            got: submission.sequence,
        });
    }
    // An authenticator without a counter always says 0 (WebAuthn Level 3, 6.1.1).
    let counts = standing.sign_count != 0 || submission.sign_count != 0;
    if counts && submission.sign_count <= standing.sign_count {
        return Err(Refused::Counter {
            last: standing.sign_count,
            got: submission.sign_count,
        });
    }
    standing.last_sequence = submission.sequence;
    standing.last_taken = submission.taken;
    standing.sign_count = submission.sign_count;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hallway_evidence::statement::device::Payload;
    use hallway_evidence::{CredentialId, Line, Response, SignedStatement, Timestamp};

    use super::*;
    use crate::store::PayloadLocation;

    fn standing() -> Standing {
        Standing {
            state: DeviceState::Registered,
            owner: Some(PersonState::Active),
            credential: Some(CredentialId::new(*b"camera").unwrap()),
            era: 1,
            last_sequence: 7,
            last_taken: Timestamp::from_ms(1000),
            sign_count: 20,
        }
    }

    fn submission() -> Submission {
        let line = |text| Line::new(text).unwrap();
        Submission {
            device: DeviceId::generate(),
            signed: SignedStatement {
                statement: b"statement".to_vec(),
                credential_id: CredentialId::new(*b"camera").unwrap(),
                response: Response::Assertion {
                    client_data_json: Vec::new(),
                    authenticator_data: Vec::new(),
                    signature: Vec::new(),
                },
            }
            .into(),
            sequence: 8,
            taken: Timestamp::from_ms(1000),
            described: Payload::of(b"photo", line("image/jpeg"), line("1.jpg")),
            payload: PayloadLocation::Inline(b"photo".to_vec()),
            sign_count: 21,
        }
    }

    #[test]
    fn what_follows_is_admitted_once() {
        let (mut standing, submission) = (standing(), submission());
        assert_eq!(admit(&mut standing, &submission), Ok(()));
        assert_eq!((standing.last_sequence, standing.sign_count), (8, 21));
        // A file of long ago that is signed now keeps its own time.
        let old = Submission {
            sequence: 9,
            taken: Timestamp::from_ms(1),
            sign_count: 22,
            ..submission.clone()
        };
        assert_eq!(admit(&mut standing, &old), Ok(()));
        assert_eq!(
            admit(&mut standing, &submission),
            Err(Refused::Sequence { last: 9, got: 8 })
        );
    }

    #[test]
    fn each_rule_refuses_and_changes_nothing() {
        let refuse = |standing: &mut Standing, submission: Submission| {
            let before = standing.clone();
            let refused = admit(standing, &submission).unwrap_err();
            assert_eq!(*standing, before);
            refused
        };
        for state in DeviceState::ALL {
            if *state != DeviceState::Registered {
                let mut other = Standing {
                    state: *state,
                    ..standing()
                };
                assert_eq!(
                    refuse(&mut other, submission()),
                    Refused::NotRegistered(*state)
                );
            }
        }
        let mut suspended = Standing {
            owner: Some(PersonState::Suspended),
            ..standing()
        };
        assert_eq!(
            refuse(&mut suspended, submission()),
            Refused::OwnerSuspended
        );
        let mut anew = Standing {
            credential: None,
            ..standing()
        };
        assert_eq!(refuse(&mut anew, submission()), Refused::OtherCredential);
        for sign_count in [0, 19, 20] {
            let back = Submission {
                sign_count,
                ..submission()
            };
            assert_eq!(
                refuse(&mut standing(), back),
                Refused::Counter {
                    last: 20,
                    got: sign_count
                }
            );
        }
        let mut uncounted = Standing {
            sign_count: 0,
            ..standing()
        };
        let zero = Submission {
            sign_count: 0,
            ..submission()
        };
        assert_eq!(admit(&mut uncounted, &zero), Ok(()));
    }
}
