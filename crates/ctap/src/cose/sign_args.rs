//! COSE_Sign_Args: the arguments of a signing algorithm besides the key and the data
//! (draft-lundberg-cose-two-party-signing-algs, section 3).

use crate::cbor::{Form, Map, ReadError, Value};

/// Additional arguments, borrowed from their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignArgs<'a>(Map<'a>);

/// The arguments of ARKG-Derive-Private-Key (draft-bradleylundberg-cfrg-arkg, section 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArkgArgs<'a> {
    /// `kh`: the key handle that came with the derived public key.
    pub key_handle: &'a [u8],
    /// `ctx`: the context in which the public key was derived; at most 64 bytes when it is valid.
    pub context: &'a [u8],
}

impl<'a> SignArgs<'a> {
    /// Checks that `bytes` are exactly one map. It is COSE, not CTAP, so its entries may come in
    /// any order; entries that no algorithm here uses are ignored.
    ///
    /// # Errors
    /// [`ReadError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ReadError> {
        Map::parse(bytes, Form::Tolerant).map(Self)
    }

    /// `alg`: the algorithm that the arguments are for; `None` where it is missing or a text.
    pub fn algorithm(&self) -> Option<i64> {
        self.0.get(3).and_then(|value| value.integer().ok())
    }

    /// The arguments of an algorithm whose keys ARKG derives.
    ///
    /// # Errors
    /// [`ReadError::Missing`], [`ReadError::WrongType`].
    pub fn arkg(&self) -> Result<ArkgArgs<'a>, ReadError> {
        let bytes = |label: i64| self.0.required(label).and_then(Value::bytes);
        Ok(ArkgArgs {
            key_handle: bytes(-1)?,
            context: bytes(-2)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::MapBuilder;

    /// The example of draft-bradleylundberg-cfrg-arkg, section 5.3.
    #[test]
    fn the_example_of_the_draft_is_read() {
        let bytes = hex::decode(
            "a3033a0001000220585127987995f184a44cfa548d104b0a461d0487fc739dbcdabc293ac5469221da91b2\
             20e04c681074ec4692a76ffacb9043dec2847ea9060fd42da267f66852e63589f0c00dc88f290d660c65a6\
             5a50c86361215641524b472d503235362e7465737420766563746f7273",
        )
        .unwrap();
        let args = SignArgs::parse(&bytes).unwrap();
        assert_eq!(args.algorithm(), Some(-65539));
        let arkg = args.arkg().unwrap();
        assert_eq!(arkg.key_handle.len(), 81);
        assert_eq!(arkg.context, b"ARKG-P256.test vectors");
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_told() {
        let read = |map: &MapBuilder| {
            let bytes = map.finish();
            SignArgs::parse(&bytes).unwrap().arkg().map(|_| ())
        };
        assert_eq!(read(&MapBuilder::new()), Err(ReadError::Missing));
        assert_eq!(
            read(MapBuilder::new().put(-1, [1u8])),
            Err(ReadError::Missing)
        );
        assert_eq!(
            read(MapBuilder::new().put(-1, "kh").put(-2, [2u8])),
            Err(ReadError::WrongType)
        );
        let named = MapBuilder::new().put(3, "ESP256").finish();
        assert_eq!(SignArgs::parse(&named).unwrap().algorithm(), None);
        assert!(SignArgs::parse(&[0x80]).is_err());
        // {-1: h'', 3: 0}: not in CTAP's order.
        assert!(SignArgs::parse(&[0xa2, 0x20, 0x40, 3, 0]).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: std::vec::Vec<u8>) {
            if let Ok(args) = SignArgs::parse(&bytes) {
                let _ = (args.algorithm(), args.arkg());
            }
        }
    }
}
