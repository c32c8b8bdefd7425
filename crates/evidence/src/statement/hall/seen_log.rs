//! Others' logs as this realm, their witness, saw them; and a log that begins anew.

use serde::Serialize;

use super::super::Hash;
use super::super::json::hexadecimal;
use crate::count::Count;
use crate::fields::{DecodeError, Fields, FromValue, Unfit, Value};
use crate::line::Line;
use crate::timestamp::Timestamp;

/// The last that a witness cosigned of a log under an earlier key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenLog {
    /// The Ed25519 key under which it signed.
    #[serde(serialize_with = "hexadecimal")]
    pub key: [u8; 32],
    /// How many entries it had.
    pub size: u64,
    /// Their root hash.
    #[serde(serialize_with = "hexadecimal")]
    pub root: Hash,
    /// When it was proved that it had been rewritten, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<Timestamp>,
}

/// The terms of `hall.begin_log_anew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeginLogAnew {
    /// Which log: the origin line of its checkpoints.
    pub origin: Line,
    /// What was seen of it until now.
    pub seen: SeenLog,
    /// The Ed25519 key under which it begins anew.
    #[serde(serialize_with = "hexadecimal")]
    pub key: [u8; 32],
}

impl<'a> From<&'a SeenLog> for Value<'a> {
    fn from(seen: &'a SeenLog) -> Self {
        let fields = Fields::default()
            .with("key", &seen.key)
            .with("size", &seen.size)
            .with("root", &seen.root)
            .with_some("rewritten", seen.rewritten.as_ref());
        Self::Map(fields)
    }
}

impl<'a> FromValue<'a> for SeenLog {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        let mut fields = Fields::from_value(value)?;
        let read = |fields: &mut Fields<'a>| {
            Ok::<_, DecodeError>(Self {
                key: fields.take("key")?,
                size: fields.take::<Count>("size")?.get(),
                root: fields.take("root")?,
                rewritten: fields.take_optional("rewritten")?,
            })
        };
        let seen = read(&mut fields);
        match (seen, fields.finish()) {
            (Ok(seen), Ok(())) => Ok(seen),
            _ => Err(Unfit::Value("is not what a witness saw of a log")),
        }
    }
}

impl core::fmt::Display for SeenLog {
    /// As it stands in a sentence.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "the one seen until now had the key {} and {} entries with the root {}",
            hex::encode(self.key),
            self.size,
            hex::encode(self.root)
        )?;
        match self.rewritten {
            Some(at) => write!(f, ", and was proved to be rewritten on {at}"),
            None => Ok(()),
        }
    }
}

impl BeginLogAnew {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("origin", &self.origin)
            .with("seen", &self.seen)
            .with("key", &self.key)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            origin: terms.take("origin")?,
            seen: terms.take("seen")?,
            key: terms.take("key")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "be witness of the log “{}” from its beginning anew, under the key {}: {}",
            self.origin,
            hex::encode(self.key),
            self.seen
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_is_said() {
        let mut anew = BeginLogAnew {
            origin: Line::new("beta.example/log").unwrap(),
            seen: SeenLog {
                key: [1; 32],
                size: 7,
                root: [2; 32],
                rewritten: None,
            },
            key: [3; 32],
        };
        for rewritten in [None, Some(Timestamp::from_ms(1_795_000_000_000))] {
            anew.seen.rewritten = rewritten;
            let bytes = anew.terms().encode();
            let mut terms = Fields::decode(&bytes, 4096).unwrap();
            assert_eq!(BeginLogAnew::read(&mut terms).as_ref(), Ok(&anew));
            assert_eq!(terms.finish(), Ok(()));
        }
        let sentence = anew.sentence();
        let (old, new) = ("01".repeat(32), "03".repeat(32));
        for part in [
            "beta.example/log",
            &old,
            &new,
            "7 entries",
            "rewritten on 2026-11-18",
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
        let more = Fields::default()
            .with("key", &anew.key)
            .with("other", &anew.key);
        assert!(SeenLog::from_value(Value::Map(more)).is_err());
    }
}
