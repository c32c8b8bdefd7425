//! The algorithms of the party that signs: those of verifiers, and some whose first step another
//! party has done (draft-lundberg-cose-two-party-signing-algs).

use super::Algorithm;

/// An algorithm that the holder of the private key can run. Verifiers check the signature by its
/// [`verification`](Self::verification) algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SigningAlgorithm {
    /// The whole algorithm, over a message.
    Whole(Algorithm),
    /// ESP256-split: ESP256 over a message of which only the SHA-256 digest is known. The draft
    /// requests the identifier -300.
    Esp256Split,
    /// ESP256-split-ARKG: the same, by a private key that ARKG-P256 derives
    /// (draft-bradleylundberg-cfrg-arkg, section 5.2). The draft's placeholder is -65539.
    Esp256SplitArkg,
}

const ESP256_SPLIT: i64 = -300;
const ESP256_SPLIT_ARKG: i64 = -65539;

impl SigningAlgorithm {
    /// The COSEAlgorithmIdentifier.
    pub const fn id(self) -> i64 {
        match self {
            Self::Whole(algorithm) => algorithm.id(),
            Self::Esp256Split => ESP256_SPLIT,
            Self::Esp256SplitArkg => ESP256_SPLIT_ARKG,
        }
    }

    /// The algorithm with this COSEAlgorithmIdentifier, if it is known.
    pub const fn from_id(id: i64) -> Option<Self> {
        match id {
            ESP256_SPLIT => Some(Self::Esp256Split),
            ESP256_SPLIT_ARKG => Some(Self::Esp256SplitArkg),
            _ => match Algorithm::from_id(id) {
                Some(algorithm) => Some(Self::Whole(algorithm)),
                None => None,
            },
        }
    }

    /// The algorithm by which verifiers check the signature.
    pub const fn verification(self) -> Algorithm {
        match self {
            Self::Whole(algorithm) => algorithm,
            Self::Esp256Split | Self::Esp256SplitArkg => Algorithm::Esp256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_lead_back_to_their_algorithms() {
        let known: std::vec::Vec<SigningAlgorithm> = (-70000..100)
            .filter_map(SigningAlgorithm::from_id)
            .collect();
        assert_eq!(known.len(), 22);
        for algorithm in known {
            assert_eq!(SigningAlgorithm::from_id(algorithm.id()), Some(algorithm));
        }
    }

    #[test]
    fn verifiers_never_hear_of_a_split() {
        for id in [-9, -300, -65539] {
            let algorithm = SigningAlgorithm::from_id(id).unwrap();
            assert_eq!(algorithm.verification(), Algorithm::Esp256);
        }
    }
}
