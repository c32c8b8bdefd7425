//! Identifiers and hashes that only the gateway knows, kept apart by type.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Declares identifiers that are UUIDs.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier: a UUIDv7, made here and not by the database, so that every
            /// database behaves alike and rows made one after another lie side by side.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID, for storage.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::from_str(text).map(Self)
            }
        }
    )+};
}

/// Declares hashes of 32 bytes.
macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = hex::FromHexError;

            /// Reads 64 hexadecimal digits.
            fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    )+};
}

ids! {
    /// A maker of devices, whose attestation authority the realm accepts.
    MakerId;
    /// A device's announcement, before anybody claimed it.
    AnnouncementId;
    /// A refusal, as the console lists it.
    RefusalId;
}

hashes! {
    /// SHA-256 of a piece of evidence: the entry in the log.
    EvidenceHash;
    /// SHA-256 of a statement: the WebAuthn challenge, accepted once.
    StatementHash;
    /// SHA-256 of a one-time link's or a session's secret. The secret itself is never stored.
    TokenHash;
    /// Keyed hash of a user code that a device shows.
    CodeHash;
    /// SHA-256 over something that a device is known by, such as its serial number under its maker's
    /// key.
    DeviceMark;
    /// SHA-256 over who may sign metadata: the anchors and the name.
    SignerHash;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back() {
        let id = MakerId::generate();
        assert_eq!(id.to_string().parse::<MakerId>().unwrap(), id);
        let hash = EvidenceHash([0xab; 32]);
        assert_eq!(hash.to_string(), "ab".repeat(32));
        assert_eq!(hash.to_string().parse::<EvidenceHash>().unwrap(), hash);
        assert!("ab".parse::<EvidenceHash>().is_err());
    }
}
