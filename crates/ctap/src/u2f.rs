//! CTAP1/U2F: raw messages in APDUs (FIDO U2F Raw Message Formats 1.2; CTAP 2.3, section 7).

use alloc::vec::Vec;

use crate::apdu::{Apdu, StatusWord};

/// What an authentication request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// 0x07: only whether the key handle is this key's.
    CheckOnly,
    /// 0x03: a signature after a touch.
    EnforcePresence,
    /// 0x08: a signature at once.
    DontEnforcePresence,
}

/// A CTAP1/U2F request message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum U2fRequest<'a> {
    /// U2F_REGISTER.
    Register {
        /// SHA-256 of the client data.
        challenge: &'a [u8; 32],
        /// SHA-256 of the application identity.
        application: &'a [u8; 32],
    },
    /// U2F_AUTHENTICATE.
    Authenticate {
        /// P1: a check only, or a signature with or without a touch.
        control: Control,
        /// SHA-256 of the client data.
        challenge: &'a [u8; 32],
        /// SHA-256 of the application identity.
        application: &'a [u8; 32],
        /// Names the credential; at most 255 bytes.
        key_handle: &'a [u8],
    },
    /// U2F_VERSION.
    Version,
}

impl<'a> U2fRequest<'a> {
    /// Parses an APDU.
    ///
    /// # Errors
    /// The status word to answer with.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StatusWord> {
        let apdu = Apdu::parse(bytes)?;
        if apdu.class != 0 {
            return Err(StatusWord::ClassNotSupported);
        }
        match apdu.instruction {
            1 => {
                let (challenge, rest) = split32(apdu.data)?;
                let application = rest.try_into().map_err(|_| StatusWord::WrongLength)?;
                Ok(Self::Register {
                    challenge,
                    application,
                })
            }
            2 => {
                let control = match apdu.p1 {
                    0x07 => Control::CheckOnly,
                    0x03 => Control::EnforcePresence,
                    0x08 => Control::DontEnforcePresence,
                    _ => return Err(StatusWord::WrongParameters),
                };
                let (challenge, rest) = split32(apdu.data)?;
                let (application, rest) = split32(rest)?;
                let (length, key_handle) = rest.split_first().ok_or(StatusWord::WrongLength)?;
                if key_handle.len() != usize::from(*length) {
                    return Err(StatusWord::WrongLength);
                }
                Ok(Self::Authenticate {
                    control,
                    challenge,
                    application,
                    key_handle,
                })
            }
            3 if apdu.data.is_empty() => Ok(Self::Version),
            3 => Err(StatusWord::WrongLength),
            _ => Err(StatusWord::InstructionNotSupported),
        }
    }

    /// The extended APDU, as a platform sends it.
    pub fn encode(&self) -> Vec<u8> {
        let (instruction, p1, data) = match self {
            Self::Register {
                challenge,
                application,
            } => (1, 0, [&challenge[..], &application[..]].concat()),
            Self::Authenticate {
                control,
                challenge,
                application,
                key_handle,
            } => {
                let p1 = match control {
                    Control::CheckOnly => 0x07,
                    Control::EnforcePresence => 0x03,
                    Control::DontEnforcePresence => 0x08,
                };
                let length = [key_handle.len() as u8];
                (
                    2,
                    p1,
                    [&challenge[..], &application[..], &length, key_handle].concat(),
                )
            }
            Self::Version => (3, 0, Vec::new()),
        };
        let mut out = alloc::vec![0, instruction, p1, 0, 0];
        if !data.is_empty() {
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
        }
        // Le 0: an answer of up to 65,536 bytes.
        out.extend([0, 0]);
        out
    }
}

fn split32(data: &[u8]) -> Result<(&[u8; 32], &[u8]), StatusWord> {
    data.split_first_chunk::<32>()
        .ok_or(StatusWord::WrongLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHENTICATE: U2fRequest<'_> = U2fRequest::Authenticate {
        control: Control::CheckOnly,
        challenge: &[1; 32],
        application: &[2; 32],
        key_handle: &[3; 64],
    };

    #[test]
    fn requests_survive_a_round_trip() {
        for request in [
            AUTHENTICATE,
            U2fRequest::Version,
            U2fRequest::Register {
                challenge: &[1; 32],
                application: &[2; 32],
            },
        ] {
            assert_eq!(U2fRequest::parse(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn short_apdus_are_taken_too() {
        let mut apdu = alloc::vec![0, 2, 7, 0, 129];
        apdu.extend([1; 32]);
        apdu.extend([2; 32]);
        apdu.push(64);
        apdu.extend([3; 64]);
        assert_eq!(U2fRequest::parse(&apdu), Ok(AUTHENTICATE));
        apdu.push(0);
        assert_eq!(U2fRequest::parse(&apdu), Ok(AUTHENTICATE));
        assert_eq!(U2fRequest::parse(&[0, 3, 0, 0]), Ok(U2fRequest::Version));
        assert_eq!(U2fRequest::parse(&[0, 3, 0, 0, 0]), Ok(U2fRequest::Version));
    }

    #[test]
    fn what_is_not_u2f_gets_its_status_word() {
        use StatusWord::*;
        for (apdu, expected) in [
            (&[][..], WrongLength),
            (&[0, 1, 0], WrongLength),
            (&[0, 1, 0, 0], WrongLength),
            (&[0x80, 3, 0, 0], ClassNotSupported),
            (&[0, 9, 0, 0], InstructionNotSupported),
            (&[0, 2, 1, 0, 0, 0, 1, 5], WrongParameters),
            (&[0, 1, 0, 0, 0, 0, 9, 5], WrongLength),
            (&[0, 3, 0, 0, 1, 5], WrongLength),
        ] {
            assert_eq!(U2fRequest::parse(apdu), Err(expected), "{apdu:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(bytes: Vec<u8>) {
            let _ = U2fRequest::parse(&bytes);
        }
    }
}
