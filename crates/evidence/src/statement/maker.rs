//! The makers of devices, whose attestation authorities the realm accepts so that their devices may
//! enrol.

use super::declare::{Sentence, Signer, statement};
use super::people::Role;
use crate::hash::Hash;
use crate::line::Line;

statement! {
    "maker.add", Signer::Person(Role::Owner);
    /// Accepts devices of a maker.
    Add {
        /// The realm's name for the maker.
        name: Line,
        /// SHA-256 of the certificate of its attestation authority, DER.
        certificate: Hash,
    }
}

statement! {
    "maker.remove", Signer::Person(Role::Owner);
    /// Accepts no more devices of a maker.
    Remove {
        /// The realm's name for the maker.
        name: Line,
        /// SHA-256 of the certificate of its attestation authority, DER.
        certificate: Hash,
    }
}

impl Sentence for Add {
    fn sentence(&self) -> String {
        format!(
            "accept devices attested by “{}” (certificate SHA-256 {})",
            self.name,
            hex::encode(self.certificate)
        )
    }
}

impl Sentence for Remove {
    fn sentence(&self) -> String {
        format!(
            "accept no more devices attested by “{}” (certificate SHA-256 {})",
            self.name,
            hex::encode(self.certificate)
        )
    }
}
