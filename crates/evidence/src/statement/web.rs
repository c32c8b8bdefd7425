//! The web door: register a key, sign in with it, remove it.

use serde::Serialize;

use super::people::Role;
use super::json::optional_hexadecimal;
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
        /// A further key of somebody who has one and signed with it.
        Additional = "additional",
        /// A new key of somebody who lost theirs, through a recovery link.
        Recovery = "recovery",
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
    /// The hash of the evidence that allowed it: an invitation, a recovery, a sign-in.
    #[serde(serialize_with = "optional_hexadecimal", skip_serializing_if = "Option::is_none")]
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

impl Door for Web {
    fn kind(&self) -> &'static str {
        match self {
            Self::RegisterKey(_) => "register_key",
            Self::SignIn => "sign_in",
            Self::RemoveKey(_) => "remove_key",
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
                .with_some("authorised_by", terms.authorised_by.as_ref()),
            Self::SignIn => Fields::default(),
            Self::RemoveKey(terms) => Fields::default()
                .with("credential", &terms.credential)
                .with("label", &terms.label),
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
                authorised_by: terms.take_optional("authorised_by")?,
            }),
            "sign_in" => Self::SignIn,
            "remove_key" => Self::RemoveKey(RemoveKey {
                credential: terms.take("credential")?,
                label: terms.take("label")?,
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
        }
    }
}
