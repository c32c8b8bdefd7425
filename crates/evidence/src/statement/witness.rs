//! Other realms' logs, as this realm saw them as their witness; and a log that begins anew.

use core::fmt;

use super::declare::{Sentence, Signer, record, statement};
use super::people::Role;
use crate::hash::Hash;
use crate::line::Line;
use crate::timestamp::Timestamp;

record! {
    /// The last checkpoint that a witness cosigned of a log under its earlier key.
    #[derive(Debug, Clone, PartialEq, Eq)]
    SeenLog {
        /// The Ed25519 key under which the log signed.
        key: [u8; 32],
        /// The number of its entries.
        size: u64,
        /// Their root hash.
        root: Hash,
        /// When it was proved that the log had been rewritten, if it was.
        rewritten: Option<Timestamp>,
    }
}

statement! {
    "witness.begin_log_anew", Signer::Person(Role::Owner);
    /// Witnesses a log from its beginning again, under another key.
    BeginLogAnew {
        /// The log: the origin line of its checkpoints.
        origin: Line,
        /// What was seen of it until now.
        seen: SeenLog,
        /// The Ed25519 key under which it begins anew.
        key: [u8; 32],
    }
}

impl fmt::Display for SeenLog {
    /// As it stands in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl Sentence for BeginLogAnew {
    fn sentence(&self) -> String {
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
    fn the_sentence_says_what_was_seen() {
        let anew = BeginLogAnew {
            origin: Line::new("beta.example/log").unwrap(),
            seen: SeenLog {
                key: [1; 32],
                size: 7,
                root: [2; 32],
                rewritten: Some(Timestamp::from_ms(1_795_000_000_000)),
            },
            key: [3; 32],
        };
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
    }
}
