//! The CTAP2 commands: each one's request and response, parsed and printed (CTAP 2.3, section 6).

pub mod authorized;
pub mod bio_enrollment;
pub mod client_pin;
pub mod config;
pub mod credential_management;
mod entities;
pub mod get_assertion;
pub mod get_info;
pub mod hmac_secret;
pub mod large_blob_extension;
pub mod large_blobs;
pub mod make_credential;
pub mod preview_sign;

pub use entities::{Descriptor, Options, RelyingParty, User};

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::cbor::{self, Form, Map};
use crate::status::Status;

/// The byte that starts a CTAP2 request.
pub mod code {
    /// authenticatorMakeCredential.
    pub const MAKE_CREDENTIAL: u8 = 0x01;
    /// authenticatorGetAssertion.
    pub const GET_ASSERTION: u8 = 0x02;
    /// authenticatorGetInfo.
    pub const GET_INFO: u8 = 0x04;
    /// authenticatorClientPIN.
    pub const CLIENT_PIN: u8 = 0x06;
    /// authenticatorReset.
    pub const RESET: u8 = 0x07;
    /// authenticatorGetNextAssertion.
    pub const GET_NEXT_ASSERTION: u8 = 0x08;
    /// authenticatorBioEnrollment.
    pub const BIO_ENROLLMENT: u8 = 0x09;
    /// authenticatorCredentialManagement.
    pub const CREDENTIAL_MANAGEMENT: u8 = 0x0a;
    /// authenticatorSelection.
    pub const SELECTION: u8 = 0x0b;
    /// authenticatorLargeBlobs.
    pub const LARGE_BLOBS: u8 = 0x0c;
    /// authenticatorConfig.
    pub const CONFIG: u8 = 0x0d;
    /// authenticatorBioEnrollment as drafts of CTAP 2.1 numbered it.
    pub const BIO_ENROLLMENT_PREVIEW: u8 = 0x40;
    /// authenticatorCredentialManagement as drafts of CTAP 2.1 numbered it.
    pub const CREDENTIAL_MANAGEMENT_PREVIEW: u8 = 0x41;
}

/// A parsed request, borrowed from its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Make a credential (6.1).
    MakeCredential(Box<make_credential::Request<'a>>),
    /// Sign with a credential (6.2).
    GetAssertion(Box<get_assertion::Request<'a>>),
    /// Sign with the next one of several credentials (6.3).
    GetNextAssertion,
    /// Describe the authenticator and what it supports (6.4).
    GetInfo,
    /// PIN and token operations (6.5).
    ClientPin(client_pin::Request<'a>),
    /// Erase everything (6.6).
    Reset,
    /// Enrol fingerprints (6.7).
    BioEnrollment(bio_enrollment::Request<'a>),
    /// List, delete and rename discoverable credentials (6.8).
    CredentialManagement(credential_management::Request<'a>),
    /// Let the owner pick this authenticator by a touch (6.9).
    Selection,
    /// Read and write the large-blob array (6.10).
    LargeBlobs(large_blobs::Request<'a>),
    /// Configure the authenticator (6.11).
    Config(config::Request<'a>),
}

impl<'a> Command<'a> {
    /// Parses a command byte and the CBOR map behind it.
    ///
    /// # Errors
    /// The status to answer with: unknown command, CBOR that is not canonical, a member of the
    /// wrong type or a required one missing.
    pub fn parse(request: &'a [u8]) -> Result<Self, Status> {
        let (&command, body) = request.split_first().ok_or(Status::InvalidLength)?;
        // No map reads as an empty one, so that required members are missing.
        let map = || match body {
            [] => Ok(Map::parse(&[0xa0], Form::Canonical)?),
            _ => Ok::<Map<'a>, Status>(Map::parse(body, Form::Canonical)?),
        };
        let alone = |parsed| match body {
            [] => Ok(parsed),
            _ => cbor::check(body, Form::Canonical)
                .map(|()| parsed)
                .map_err(Status::from),
        };
        match command {
            code::MAKE_CREDENTIAL => {
                make_credential::Request::parse(&map()?).map(|r| Self::MakeCredential(Box::new(r)))
            }
            code::GET_ASSERTION => {
                get_assertion::Request::parse(&map()?).map(|r| Self::GetAssertion(Box::new(r)))
            }
            code::GET_NEXT_ASSERTION => alone(Self::GetNextAssertion),
            code::GET_INFO => alone(Self::GetInfo),
            code::CLIENT_PIN => client_pin::Request::parse(&map()?).map(Self::ClientPin),
            code::RESET => alone(Self::Reset),
            code::BIO_ENROLLMENT | code::BIO_ENROLLMENT_PREVIEW => {
                bio_enrollment::Request::parse(&map()?).map(Self::BioEnrollment)
            }
            code::CREDENTIAL_MANAGEMENT | code::CREDENTIAL_MANAGEMENT_PREVIEW => {
                credential_management::Request::parse(&map()?).map(Self::CredentialManagement)
            }
            code::SELECTION => alone(Self::Selection),
            code::LARGE_BLOBS => large_blobs::Request::parse(&map()?).map(Self::LargeBlobs),
            code::CONFIG => config::Request::parse(&map()?).map(Self::Config),
            _ => Err(Status::InvalidCommand),
        }
    }
}

/// A successful answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Response {
    /// To [`Command::MakeCredential`].
    MakeCredential(make_credential::Response),
    /// To [`Command::GetAssertion`] and [`Command::GetNextAssertion`].
    GetAssertion(get_assertion::Response),
    /// To [`Command::GetInfo`].
    GetInfo(Box<get_info::Response>),
    /// To [`Command::ClientPin`].
    ClientPin(client_pin::Response),
    /// To [`Command::BioEnrollment`].
    BioEnrollment(Box<bio_enrollment::Response>),
    /// To [`Command::CredentialManagement`].
    CredentialManagement(Box<credential_management::Response>),
    /// To [`Command::LargeBlobs`], when reading.
    LargeBlobs(large_blobs::Response),
    /// Success without a map.
    Done,
}

impl Response {
    /// The status byte and, where the response has members, a canonical CBOR map.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![Status::Ok.code()];
        match self {
            Self::MakeCredential(response) => response.encode(&mut out),
            Self::GetAssertion(response) => response.encode(&mut out),
            Self::GetInfo(response) => response.encode(&mut out),
            Self::ClientPin(response) => response.encode(&mut out),
            Self::BioEnrollment(response) => response.encode(&mut out),
            Self::CredentialManagement(response) => response.encode(&mut out),
            Self::LargeBlobs(response) => response.encode(&mut out),
            Self::Done => {}
        }
        out
    }
}

/// Checks the status byte of an authenticator's answer and returns the map after it.
///
/// `Ok(None)` is success without a map.
///
/// # Errors
/// The status that the authenticator gave, when it is not success; [`Status::InvalidLength`] for
/// no bytes at all, [`Status::Other`] for a code that is not defined, [`Status::InvalidCbor`] when
/// what follows is not a map. Maps are read in the tolerant form: some authenticators do not sort.
pub fn answer(response: &[u8]) -> Result<Option<Map<'_>>, Status> {
    let (&status, body) = response.split_first().ok_or(Status::InvalidLength)?;
    match Status::from_code(status) {
        Some(Status::Ok) if body.is_empty() => Ok(None),
        Some(Status::Ok) => Ok(Some(Map::parse(body, Form::Tolerant)?)),
        Some(status) => Err(status),
        None => Err(Status::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_command_gets_its_status() {
        assert_eq!(Command::parse(&[]), Err(Status::InvalidLength));
        assert_eq!(Command::parse(&[0x3f]), Err(Status::InvalidCommand));
        assert_eq!(Command::parse(&[1]), Err(Status::MissingParameter));
        assert_eq!(Command::parse(&[1, 0xa0]), Err(Status::MissingParameter));
        assert_eq!(Command::parse(&[1, 0x80]), Err(Status::CborUnexpectedType));
        assert_eq!(Command::parse(&[4, 0xff]), Err(Status::InvalidCbor));
        assert_eq!(Command::parse(&[4]), Ok(Command::GetInfo));
    }

    #[test]
    fn answers_are_split() {
        assert_eq!(answer(&[0]), Ok(None));
        assert_eq!(answer(&[0x31]), Err(Status::PinInvalid));
        assert_eq!(answer(&[]), Err(Status::InvalidLength));
        assert_eq!(answer(&[0, 0xa0]).unwrap().unwrap().len(), 0);
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(command in 0u8..0x10, body: std::vec::Vec<u8>) {
            let mut request = std::vec![command];
            request.extend(body);
            let _ = Command::parse(&request);
        }
    }
}
