//! The web door: register a key, sign in with it, remove it, and the one-time links for that.

use super::declare::{Sentence, Signer, statement};
use super::people::Role;
use crate::credential_id::CredentialId;
use crate::hash::Hash;
use crate::id::PersonId;
use crate::line::Line;
use crate::statement::declare::stated;

stated! {
    /// Why a key is registered.
    Reason {
        /// The first owner, through the set-up link.
        Setup = "setup",
        /// A new person, through an invitation.
        Invitation = "invitation",
        /// A further key of a person who has one, and signed with it for the link.
        Additional = "additional",
        /// A new key of a person who lost theirs, through a recovery link.
        Recovery = "recovery",
    }
}

stated! {
    /// What a one-time link allows.
    LinkUse {
        /// To become a person of the realm, and register the first key.
        Invitation = "invitation",
        /// To register a new key after the loss of all others.
        Recovery = "recovery",
        /// To register a further key.
        Additional = "additional",
        /// To sign in, once.
        SignIn = "sign-in",
    }
}

statement! {
    "web.register_key", Signer::NewKey;
    /// Makes a key a person's. The response is a registration.
    RegisterKey {
        /// The person whose key it becomes.
        person: PersonId,
        /// The person's name.
        name: Line,
        /// The person's role.
        role: Role,
        /// The person's name for the key.
        label: Line,
        /// Why it is registered.
        reason: Reason,
        /// SHA-256 of the secret of the one-time link that allowed it.
        link: Hash,
        /// The hash of the evidence that made that link: of an invitation, a recovery or a
        /// `web.add_key`. The set-up link has none.
        authorised_by: Option<Hash>,
    }
}

statement! {
    "web.sign_in", Signer::Person(Role::Member);
    /// Signs a person in; the credential says which person.
    SignIn {}
}

statement! {
    "web.remove_key", Signer::Person(Role::Member);
    /// Removes one of the signer's keys.
    RemoveKey {
        /// The credential that is removed.
        credential: CredentialId,
        /// The person's name for the key.
        label: Line,
    }
}

statement! {
    "web.add_key", Signer::Person(Role::Member);
    /// Lets the signer register a further key, by a one-time link.
    AddKey {
        /// The signer.
        person: PersonId,
        /// The signer's name.
        name: Line,
        /// SHA-256 of the link's secret.
        link: Hash,
    }
}

statement! {
    "web.sign_in_link", Signer::Person(Role::Member);
    /// Lets the signer sign in elsewhere without a key, by a one-time link.
    SignInLink {
        /// The signer.
        person: PersonId,
        /// The signer's name.
        name: Line,
        /// SHA-256 of the link's secret.
        link: Hash,
    }
}

statement! {
    "web.withdraw_link", Signer::Person(Role::Member);
    /// Withdraws a one-time link.
    WithdrawLink {
        /// SHA-256 of the link's secret.
        link: Hash,
        /// What the link allowed.
        opens: LinkUse,
        /// The name of the person whom the link was for.
        name: Line,
    }
}

impl Sentence for RegisterKey {
    fn sentence(&self) -> String {
        let reason = match self.reason {
            Reason::Setup => "the first key of this gateway",
            Reason::Invitation => "the first key, by invitation",
            Reason::Additional => "a further key",
            Reason::Recovery => "a new key, to recover lost access",
        };
        format!(
            "register the key “{}” for {} ({}), as {reason}",
            self.label, self.name, self.role
        )
    }
}

impl Sentence for SignIn {
    fn sentence(&self) -> String {
        "sign in".to_owned()
    }
}

impl Sentence for RemoveKey {
    fn sentence(&self) -> String {
        format!(
            "remove the key “{}” (credential {})",
            self.label, self.credential
        )
    }
}

impl Sentence for AddKey {
    fn sentence(&self) -> String {
        format!(
            "let {} register a further key, by a one-time link",
            self.name
        )
    }
}

impl Sentence for SignInLink {
    fn sentence(&self) -> String {
        format!(
            "let {} sign in without a key, once, by a one-time link",
            self.name
        )
    }
}

impl Sentence for WithdrawLink {
    fn sentence(&self) -> String {
        let link = match self.opens {
            LinkUse::Invitation => "that invites",
            LinkUse::Recovery => "that recovers the access of",
            LinkUse::Additional => "for a further key of",
            LinkUse::SignIn => "that signs in",
        };
        format!("withdraw the one-time link {link} {}", self.name)
    }
}
