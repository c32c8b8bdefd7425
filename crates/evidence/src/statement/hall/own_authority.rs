//! The realm's own certificate authorities, which take turns.

use serde::Serialize;

use super::super::Hash;
use super::super::json::hexadecimal;
use crate::fields::{DecodeError, Fields};

/// The terms of `hall.replace_authority` and `hall.withdraw_authority`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// SHA-256 of the certificate of the authority that signs now.
    #[serde(serialize_with = "hexadecimal")]
    pub from: Hash,
    /// SHA-256 of the certificate of the one that signs from then on, which is known already.
    #[serde(serialize_with = "hexadecimal")]
    pub to: Hash,
}

impl Turn {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("from", &self.from)
            .with("to", &self.to)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            from: terms.take("from")?,
            to: terms.take("to")?,
        })
    }

    pub(super) fn replacing(&self) -> String {
        format!(
            "have the authority whose SHA-256 is {} sign certificates from now on instead of {}; \
             what that one signed is good until it ends",
            hex::encode(self.to),
            hex::encode(self.from)
        )
    }

    pub(super) fn withdrawing(&self) -> String {
        format!(
            "withdraw at once, because its key may have leaked, the authority whose SHA-256 is {} \
             and all before it, and have {} sign certificates: whoever is in a hall is put out, \
             agents need a new invitation, and partners that do not know the new one yet have to \
             be left and invited again",
            hex::encode(self.from),
            hex::encode(self.to)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentences_say_which_authority_and_what_becomes_of_what_it_signed() {
        let turn = Turn {
            from: [1; 32],
            to: [2; 32],
        };
        let (from, to) = ("01".repeat(32), "02".repeat(32));
        let replacing = turn.replacing();
        assert!(replacing.contains(&format!("{to} sign")), "{replacing}");
        assert!(replacing.contains(&format!("instead of {from}; what that one signed is good")));
        let withdrawing = turn.withdrawing();
        assert!(withdrawing.contains(&format!("SHA-256 is {from} and all before it")));
        assert!(
            withdrawing.contains("agents need a new invitation"),
            "{withdrawing}"
        );
    }
}
