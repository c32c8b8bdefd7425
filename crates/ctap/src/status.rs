//! The status byte that starts every CTAP2 response (CTAP 2.3, section 8.2).

use core::fmt;

use crate::cbor::{Malformed, ReadError};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// The result of a command: [`Status::Ok`], or why the authenticator refused.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Status {
            $($(#[$doc])* $name = $code,)*
        }

        impl Status {
            /// The status with this code, if the specification defines it.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The meaning in words, for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

statuses! {
    /// Success.
    Ok = 0x00, "success";
    /// Unknown command.
    InvalidCommand = 0x01, "the key does not know this command";
    /// A parameter of the command is invalid.
    InvalidParameter = 0x02, "the command has an invalid parameter";
    /// The message or one of its parts has an invalid length.
    InvalidLength = 0x03, "the message, or a part of it, has an invalid length";
    /// A CTAPHID packet came out of order.
    InvalidSequence = 0x04, "packets came out of order";
    /// The message took too long.
    Timeout = 0x05, "the message timed out";
    /// Another channel is being served.
    ChannelBusy = 0x06, "the key is busy with another program";
    /// The command needs a lock on the channel.
    LockRequired = 0x0a, "the command requires a channel lock";
    /// The channel identifier is not valid.
    InvalidChannel = 0x0b, "the channel is not valid";
    /// A CBOR member has the wrong type.
    CborUnexpectedType = 0x11, "a member of the request has the wrong CBOR type";
    /// Not canonical CBOR.
    InvalidCbor = 0x12, "the request is not canonical CBOR";
    /// A required member is missing.
    MissingParameter = 0x14, "the request lacks a required member";
    /// A limit was exceeded.
    LimitExceeded = 0x15, "a limit of the key is exceeded";
    /// The fingerprint store is full.
    FingerprintDatabaseFull = 0x17, "the key has no room for another fingerprint";
    /// The large-blob store is full.
    LargeBlobStorageFull = 0x18, "the large-blob array does not fit";
    /// This authenticator holds a credential of the exclude list.
    CredentialExcluded = 0x19, "this key is already registered with that site";
    /// Still working.
    Processing = 0x21, "the key is still working";
    /// The credential does not belong to this authenticator.
    InvalidCredential = 0x22, "the credential does not belong to this key";
    /// The authenticator is waiting for a touch.
    UserActionPending = 0x23, "the key is waiting for its owner";
    /// An operation is under way.
    OperationPending = 0x24, "an operation is under way";
    /// No operation is under way.
    NoOperations = 0x25, "no operation is under way";
    /// None of the offered algorithms is supported.
    UnsupportedAlgorithm = 0x26, "the key supports none of the offered algorithms";
    /// Not permitted for this operation.
    OperationDenied = 0x27, "the owner or the key's policy refused";
    /// No room for another discoverable credential.
    KeyStoreFull = 0x28, "the key has no room for another discoverable credential";
    /// An option is not supported.
    UnsupportedOption = 0x2b, "the key does not support an option of the request";
    /// An option is not valid for this command.
    InvalidOption = 0x2c, "an option is not valid for this command";
    /// The platform cancelled.
    KeepaliveCancel = 0x2d, "cancelled by the client";
    /// No matching credential.
    NoCredentials = 0x2e, "the key has no credential that matches";
    /// Nobody touched in time.
    UserActionTimeout = 0x2f, "nobody confirmed in time";
    /// Not allowed now.
    NotAllowed = 0x30, "the key does not allow this now";
    /// The PIN is wrong.
    PinInvalid = 0x31, "the PIN is wrong";
    /// No tries are left.
    PinBlocked = 0x32, "the PIN is blocked; only a reset of the key unblocks it";
    /// The PIN/UV authentication does not verify.
    PinAuthInvalid = 0x33, "the PIN/UV authentication is not valid";
    /// Too many wrong PINs in this power cycle.
    PinAuthBlocked = 0x34, "too many wrong PINs; power-cycle the key to try again";
    /// No PIN was set.
    PinNotSet = 0x35, "the key has no PIN";
    /// A PIN/UV token is required.
    PuatRequired = 0x36, "the key requires its PIN first";
    /// The PIN does not meet the key's policy.
    PinPolicyViolation = 0x37, "the PIN does not meet the key's policy";
    /// The request is larger than the key accepts.
    RequestTooLarge = 0x39, "the request is too large";
    /// The action timed out.
    ActionTimeout = 0x3a, "the action timed out";
    /// User presence is required.
    UpRequired = 0x3b, "user presence is required";
    /// Built-in user verification is blocked.
    UvBlocked = 0x3c, "built-in user verification is blocked";
    /// The large-blob array fails its checksum.
    IntegrityFailure = 0x3d, "the large-blob array fails its checksum";
    /// The subcommand is not known.
    InvalidSubcommand = 0x3e, "the key does not know this subcommand";
    /// Built-in user verification failed.
    UvInvalid = 0x3f, "built-in user verification failed";
    /// The token's permissions do not suffice.
    UnauthorizedPermission = 0x40, "the PIN/UV token does not permit this";
    /// Something failed that has no code of its own: here, storage or randomness.
    Other = 0x7f, "the key has a fault";
}

impl Status {
    /// The byte as it is sent.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (CTAP status 0x{:02x})", self.meaning(), self.code())
    }
}

impl core::error::Error for Status {}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::InvalidCbor
    }
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        match error {
            // A well-formed item that is not a map.
            ReadError::Malformed(Malformed::NotMap) => Self::CborUnexpectedType,
            ReadError::Malformed(_) => Self::InvalidCbor,
            ReadError::Missing => Self::MissingParameter,
            ReadError::WrongType => Self::CborUnexpectedType,
            ReadError::Length => Self::InvalidLength,
            ReadError::Value => Self::InvalidParameter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_to_their_status() {
        let known = (0..=255u8).filter_map(Status::from_code);
        assert_eq!(known.clone().count(), 46);
        for status in known {
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
    }
}
