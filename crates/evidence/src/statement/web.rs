//! The web door: register a key, sign in with it, remove it, and the one-time links for that.

use serde::Serialize;

use super::json::{hexadecimal, optional_hexadecimal};
use super::people::Role;
use super::{Door, Hash};
use crate::credential_id::CredentialId;
use crate::fields::{DecodeError, Fields};
use crate::id::PersonId;
use crate::line::Line;
use crate::words::stated;

stated! {
    /// Why a key is registered.
    Reason {
        /// The first owner, through the set-up link.
        Setup = "setup",
        /// A new person, through an invitation.
        Invitation = "invitation",
        /// A further key of somebody who has one, and signed with it for the link.
        Additional = "additional",
        /// A new key of somebody who lost theirs, through a recovery link.
        Recovery = "recovery",
    }
}

stated! {
    /// What a one-time link lets the person do who comes with it.
    LinkUse {
        /// Become a person of the realm, and register the first key.
        Invitation = "invitation",
        /// Register a new key, for somebody who lost theirs.
        Recovery = "recovery",
        /// Register a further key.
        Additional = "additional",
        /// Sign in, once.
        SignIn = "sign-in",
    }
}

/// What happens at the web door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Web {
    /// A key becomes a person's. The response is a registration.
    RegisterKey(RegisterKey),
    /// Somebody signs in; who it is follows from the credential.
    SignIn,
    /// A key stops being a person's.
    RemoveKey(RemoveKey),
    /// The signer may register a further key, by a one-time link.
    AddKey(OwnLink),
    /// The signer may sign in elsewhere, by a one-time link.
    SignInLink(OwnLink),
    /// A one-time link opens nothing any more.
    WithdrawLink(WithdrawLink),
}

/// The terms of `web.register_key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterKey {
    /// Whose key it becomes.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
    /// The person's role.
    pub role: Role,
    /// What the person calls the key.
    pub label: Line,
    /// On what grounds.
    pub reason: Reason,
    /// SHA-256 of the secret of the one-time link that allowed it.
    #[serde(serialize_with = "hexadecimal")]
    pub link: Hash,
    /// The hash of the evidence that made that link: of an invitation, of a recovery, of an
    /// [`Web::AddKey`]. The set-up link has none.
    #[serde(
        serialize_with = "optional_hexadecimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorised_by: Option<Hash>,
}

/// The terms of `web.remove_key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoveKey {
    /// The credential that is removed.
    pub credential: CredentialId,
    /// What its person calls it.
    pub label: Line,
}

/// The terms of `web.add_key` and `web.sign_in_link`: a one-time link for the signer's own use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnLink {
    /// Who signs, and whom the link is for.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
    /// SHA-256 of the link's secret.
    #[serde(serialize_with = "hexadecimal")]
    pub link: Hash,
}

/// The terms of `web.withdraw_link`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithdrawLink {
    /// SHA-256 of the link's secret.
    #[serde(serialize_with = "hexadecimal")]
    pub link: Hash,
    /// What the link was good for.
    pub opens: LinkUse,
    /// The name of the person whom it was for.
    pub name: Line,
}

impl Door for Web {
    fn kind(&self) -> &'static str {
        match self {
            Self::RegisterKey(_) => "register_key",
            Self::SignIn => "sign_in",
            Self::RemoveKey(_) => "remove_key",
            Self::AddKey(_) => "add_key",
            Self::SignInLink(_) => "sign_in_link",
            Self::WithdrawLink(_) => "withdraw_link",
        }
    }

    fn terms(&self) -> Fields<'_> {
        match self {
            Self::RegisterKey(terms) => Fields::default()
                .with("person", &terms.person)
                .with("name", &terms.name)
                .with("role", &terms.role)
                .with("label", &terms.label)
                .with("reason", &terms.reason)
                .with("link", &terms.link)
                .with_some("authorised_by", terms.authorised_by.as_ref()),
            Self::SignIn => Fields::default(),
            Self::RemoveKey(terms) => Fields::default()
                .with("credential", &terms.credential)
                .with("label", &terms.label),
            Self::AddKey(terms) | Self::SignInLink(terms) => Fields::default()
                .with("person", &terms.person)
                .with("name", &terms.name)
                .with("link", &terms.link),
            Self::WithdrawLink(terms) => Fields::default()
                .with("link", &terms.link)
                .with("opens", &terms.opens)
                .with("name", &terms.name),
        }
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            "register_key" => Self::RegisterKey(RegisterKey {
                person: terms.take("person")?,
                name: terms.take("name")?,
                role: terms.take("role")?,
                label: terms.take("label")?,
                reason: terms.take("reason")?,
                link: terms.take("link")?,
                authorised_by: terms.take_optional("authorised_by")?,
            }),
            "sign_in" => Self::SignIn,
            "remove_key" => Self::RemoveKey(RemoveKey {
                credential: terms.take("credential")?,
                label: terms.take("label")?,
            }),
            "add_key" => Self::AddKey(own_link(terms)?),
            "sign_in_link" => Self::SignInLink(own_link(terms)?),
            "withdraw_link" => Self::WithdrawLink(WithdrawLink {
                link: terms.take("link")?,
                opens: terms.take("opens")?,
                name: terms.take("name")?,
            }),
            _ => return Ok(None),
        }))
    }

    fn sentence(&self) -> String {
        match self {
            Self::RegisterKey(terms) => {
                let grounds = match terms.reason {
                    Reason::Setup => "the first key of this gateway",
                    Reason::Invitation => "the first key, by invitation",
                    Reason::Additional => "a further key",
                    Reason::Recovery => "a new key, to recover lost access",
                };
                format!(
                    "register the key “{}” for {} ({}), as {grounds}",
                    terms.label, terms.name, terms.role
                )
            }
            Self::SignIn => "sign in".to_owned(),
            Self::RemoveKey(terms) => format!(
                "remove the key “{}” (credential {})",
                terms.label, terms.credential
            ),
            Self::AddKey(terms) => format!(
                "let {} register a further key, by a one-time link",
                terms.name
            ),
            Self::SignInLink(terms) => format!(
                "let {} sign in without a key, once, by a one-time link",
                terms.name
            ),
            Self::WithdrawLink(terms) => {
                let link = match terms.opens {
                    LinkUse::Invitation => "that invites",
                    LinkUse::Recovery => "that recovers the access of",
                    LinkUse::Additional => "for a further key of",
                    LinkUse::SignIn => "that signs in",
                };
                format!("withdraw the one-time link {link} {}", terms.name)
            }
        }
    }
}

fn own_link(terms: &mut Fields<'_>) -> Result<OwnLink, DecodeError> {
    Ok(OwnLink {
        person: terms.take("person")?,
        name: terms.take("name")?,
        link: terms.take("link")?,
    })
}
