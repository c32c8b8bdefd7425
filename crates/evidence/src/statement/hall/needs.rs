//! The demands of an admission besides the right guest: a kind of key, an approval, hours.

use core::fmt;

use hallway_webauthn::metadata::CertificationLevel;
use serde::Deserialize;

use super::super::declare::record;
use super::super::people::Role;
use super::hours::Hours;
use crate::statement::declare::stated;

stated! {
    /// The kind of key that opens, by the metadata of its model. No key of these kinds ever leaves
    /// its hardware, and its maker vouches for it.
    KeyNeed {
        /// Certified or not.
        Hardware = "hardware",
        /// Certified at level 1 at least.
        L1 = "L1",
        /// Level 1+.
        L1Plus = "L1+",
        /// Level 2.
        L2 = "L2",
        /// Level 2+.
        L2Plus = "L2+",
        /// Level 3.
        L3 = "L3",
        /// Level 3+.
        L3Plus = "L3+",
    }
}

impl KeyNeed {
    /// The least certification.
    #[must_use]
    pub const fn certification(self) -> CertificationLevel {
        match self {
            Self::Hardware => CertificationLevel::NotCertified,
            Self::L1 => CertificationLevel::L1,
            Self::L1Plus => CertificationLevel::L1Plus,
            Self::L2 => CertificationLevel::L2,
            Self::L2Plus => CertificationLevel::L2Plus,
            Self::L3 => CertificationLevel::L3,
            Self::L3Plus => CertificationLevel::L3Plus,
        }
    }

    /// As it stands in a sentence: `with a certified hardware key`.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Hardware => "with a hardware key for which its maker vouches".to_owned(),
            Self::L1 => "with a certified hardware key".to_owned(),
            level => format!("with a hardware key that is certified {level} at least"),
        }
    }
}

record! {
    /// The demands of an admission. All of them must be met; `Default` demands nothing.
    ///
    /// In JSON, without what is not demanded:
    /// `{"key": "L1", "approval": "operator", "hours": "mon-fri 08:00-18:00 Europe/Berlin"}`.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    Needs {
        /// The certification that the key must have.
        key: Option<KeyNeed>,
        /// The role of another person who approves each opening; one that includes it will do.
        approval: Option<Role>,
        /// When the hall is open.
        hours: Option<Hours>,
    }
}

impl Needs {
    /// Whether nothing is demanded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                key: None,
                approval: None,
                hours: None
            }
        )
    }
}

/// Who approves, as it stands in a sentence: `an operator`.
#[must_use]
pub const fn approver(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Operator => "an operator",
        Role::Member => "somebody else of the realm",
    }
}

impl fmt::Display for Needs {
    /// As it stands in a sentence; nothing where nothing is demanded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let approved = |role| format!("each time approved by {}", approver(role));
        let all = [
            self.key.map(KeyNeed::in_words),
            self.hours.as_ref().map(Hours::in_words),
            self.approval.map(approved),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_read_as_part_of_a_sentence() {
        let needs: Needs = serde_json::from_str(
            r#"{"key": "L1", "approval": "operator", "hours": "mon-fri 08:00-18:00 Europe/Berlin"}"#,
        )
        .unwrap();
        assert_eq!(
            needs.to_string(),
            "with a certified hardware key, from Monday to Friday, 08:00 to 18:00 Europe/Berlin, \
             each time approved by an operator"
        );
        let level = Needs {
            key: Some(KeyNeed::L2Plus),
            ..Needs::default()
        };
        assert_eq!(
            level.to_string(),
            "with a hardware key that is certified L2+ at least"
        );
        assert_eq!(Needs::default().to_string(), "");
    }

    #[test]
    fn json_says_what_is_demanded_and_nothing_unknown() {
        assert_eq!(serde_json::to_string(&Needs::default()).unwrap(), "{}");
        for text in [
            r#"{"key": "gold"}"#,
            r#"{"approval": "king"}"#,
            r#"{"hours": "always"}"#,
            r#"{"weather": "fair"}"#,
        ] {
            assert!(serde_json::from_str::<Needs>(text).is_err(), "{text}");
        }
    }
}
