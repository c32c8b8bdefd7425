//! The realm's own certificate authorities, of which one signs at a time.

use super::declare::{Sentence, Signer, statement};
use super::people::Role;
use crate::hash::Hash;

statement! {
    "realm.replace_authority", Signer::Person(Role::Owner);
    /// Has the realm's next certificate authority sign from now on.
    ReplaceAuthority {
        /// SHA-256 of the certificate of the authority that signs now.
        from: Hash,
        /// SHA-256 of the certificate of the one that signs from then on, which is known already.
        to: Hash,
    }
}

statement! {
    "realm.withdraw_authority", Signer::Person(Role::Owner);
    /// Has the realm's next certificate authority sign from now on, and withdraws all that was
    /// signed until now.
    WithdrawAuthority {
        /// SHA-256 of the certificate of the authority that is withdrawn.
        from: Hash,
        /// SHA-256 of the certificate of the one that signs from then on, which is known already.
        to: Hash,
    }
}

impl Sentence for ReplaceAuthority {
    fn sentence(&self) -> String {
        format!(
            "have the authority whose SHA-256 is {} sign certificates from now on instead of {}; \
             what that one signed is good until it ends",
            hex::encode(self.to),
            hex::encode(self.from)
        )
    }
}

impl Sentence for WithdrawAuthority {
    fn sentence(&self) -> String {
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
    fn the_sentences_say_which_authority_and_what_becomes_of_its_signatures() {
        let (from, to) = ([1; 32], [2; 32]);
        let replacing = ReplaceAuthority { from, to }.sentence();
        let withdrawing = WithdrawAuthority { from, to }.sentence();
        let (from, to) = ("01".repeat(32), "02".repeat(32));
        assert!(replacing.contains(&format!("{to} sign")), "{replacing}");
        assert!(replacing.contains(&format!("instead of {from}; what that one signed is good")));
        assert!(withdrawing.contains(&format!("SHA-256 is {from} and all before it")));
        assert!(
            withdrawing.contains("agents need a new invitation"),
            "{withdrawing}"
        );
    }
}
